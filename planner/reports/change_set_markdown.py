"""The change set as Markdown for a pull request or a job summary: headline and cost, with the details folded."""

from __future__ import annotations

from collections.abc import Sequence

from planner.changes.model import Action, ChangeSet
from planner.reports import change_phrasing
from planner.reports.change_phrasing import Preview, ShownChange
from planner.reports.neutral import for_markdown, markdown_block, markdown_code, markdown_prose
from planner.reports.quantities import count, money, money_range

MAX_BYTES = 60_000
"""A pull request comment may have 65,536 characters."""

_LISTED = (1_000, 200, 50, 10, 0)
"""Cases listed in each folded part: reduced until the text fits."""


def render(preview: Preview, *, max_bytes: int = MAX_BYTES) -> str:
    """Markdown of at most `max_bytes` of UTF-8 (at least 4,000)."""
    head = _head(preview)
    if preview.refused is not None:
        why, fix = map(markdown_prose, preview.refused)
        head.insert(1, f"✋ **`planner run` would refuse this:** {why}. {fix}")
    head += [f"⚠️ {markdown_prose(warning)}" for warning in (*preview.warnings, *preview.earlier)]
    foot = [*_kept(preview), *_what_to_type(preview)]
    text = ""
    for listed in _LISTED:
        text = "\n\n".join([*head, *_changes(preview, listed), *foot]) + "\n"
        if len(text.encode()) <= max_bytes:
            break
    return text


def _head(preview: Preview) -> list[str]:
    change_set, before = preview.change_set, change_phrasing.made_before(preview)
    estimate = change_set.estimate
    if estimate.calls:
        cost = "of unknown cost" if estimate.expected_cents is None else f"{money(estimate.expected_cents)} expected"
        headline = f"{count(estimate.calls, 'call')} would be made, {cost}"
    else:
        headline = "No calls would be made"
    facts = [change_phrasing.scope(preview), change_phrasing.call_reasons(change_set)]
    return [
        f"## {headline}",
        "**Nothing was called and nothing was charged.**",
        " · ".join(filter(None, facts)),
        *([_price_table(change_set, preview.ceilings)] if estimate.calls else []),
        *filter(None, [for_markdown(before)]),
        *([f"Judge: {for_markdown(votes)}"] if (votes := change_phrasing.votes(change_set)) else []),
    ]


def _price_table(change_set: ChangeSet, ceilings: Sequence[tuple[str, int]]) -> str:
    estimate = change_set.estimate
    limits = change_phrasing.lowest_ceilings(ceilings)
    cells = [
        f"{estimate.calls:,}",
        money(estimate.expected_cents),
        money_range(estimate.low_cents, estimate.high_cents),
        ", ".join(f"{money(cents)} ({for_markdown(label)})" for label, cents in limits) or "none",
        for_markdown(estimate.basis),
    ]
    return f"| Calls | Expected | Low–high | Ceiling | Based on |\n| ---: | ---: | ---: | --- | --- |\n| {' | '.join(cells)} |"


def _changes(preview: Preview, listed: int) -> list[str]:
    calls, rechecks, drops = (
        change_phrasing.shown_changes(preview, action) for action in (Action.CALL, Action.RECHECK, Action.DROP)
    )
    moved = [change for change in calls if change.moved]
    charged = preview.change_set.votes is not None and preview.change_set.votes.charged
    return [
        *_folded("Why each case is called", calls, _table(calls, listed), listed),
        *_folded("What changed", moved, _moved(moved, listed), listed),
        *_folded(f"Stored runs to recheck{'' if charged else ', free'}", rechecks, _table(rechecks, listed), listed),
        *_folded("Dropped", drops, _table(drops, listed), listed),
    ]


def _folded(title: str, changes: Sequence[ShownChange], content: list[str], listed: int) -> list[str]:
    if not changes:
        return []
    left_out = len(changes) - listed
    more = [f"*{left_out:,} more: `planner plan` shows all.*"] if left_out > 0 else []
    return [f"<details><summary>{title} ({len(changes):,})</summary>", *content, *more, "</details>"]


def _table(changes: Sequence[ShownChange], listed: int) -> list[str]:
    lines = ["| | Case | What | Why |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{change.sign}` | {markdown_code(change.name, in_table=True)} | {change.what} | {for_markdown(change.why)} |"
        for change in changes[:listed]
    ]
    return ["\n".join(lines)] if listed else []


def _moved(changes: Sequence[ShownChange], listed: int) -> list[str]:
    blocks: list[str] = []
    for change in changes[:listed]:
        blocks += [markdown_code(change.name), markdown_block("\n".join(change.moved), "diff")]
    return blocks


def _kept(preview: Preview) -> list[str]:
    lines = [f"- {name}: {why}" for name, why in change_phrasing.kept(preview)]
    return ["\n".join(lines)] if lines else []


def _what_to_type(preview: Preview) -> list[str]:
    lead = "" if preview.refused else change_phrasing.what_next(preview.change_set)
    digest = f"Change set {markdown_code(preview.change_set.digest)}"
    return [digest, lead, markdown_block(preview.command, "sh")] if lead else [digest]
