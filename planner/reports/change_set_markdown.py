"""The change set for a pull request comment or a job summary: headline and cost, the reasons folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from planner.changes.model import Action, ChangeSet
from planner.reports import change_phrasing
from planner.reports.change_phrasing import ShownChange
from planner.reports.neutral import for_markdown, markdown_block, markdown_code
from planner.reports.quantities import count, money, money_range
from planner.reports.redaction import Redactor
from planner.spec.model import Plan

MAX_BYTES = 60_000
"""A pull request comment holds 65,536 characters."""

_LISTED = (1_000, 200, 50, 10, 0)
"""Cases listed in each folded part: fewer and fewer until the text fits."""
_PLAIN = Redactor()
_NONE: Mapping[str, int] = {}


def render(
    change_set: ChangeSet,
    *,
    plans: Sequence[Plan],
    ceilings: Sequence[tuple[str, int]],
    command: str,
    already_made: Mapping[str, int],
    of_unknown_fate: Mapping[str, int] = _NONE,
    now: datetime | None = None,
    redactor: Redactor = _PLAIN,
    refused: tuple[str, str] | None = None,
    earlier: Sequence[str] = (),
    max_bytes: int = MAX_BYTES,
) -> str:
    """Markdown of at most `max_bytes` of UTF-8 (at least 4,000). The other arguments are those of `change_set.render_text`."""
    head = _head(change_set, plans, ceilings, change_phrasing.made_before(already_made, of_unknown_fate))
    if refused is not None:
        head.insert(
            1, f"✋ **`planner run` would refuse this:** {for_markdown(refused[0])}. {for_markdown(refused[1])}"
        )
    head += [f"⚠️ {for_markdown(told)}" for told in earlier]
    foot = [*_kept(change_set, now), *_what_to_type(change_set, command, refused)]
    text = ""
    for listed in _LISTED:
        changes = _changes(change_set, already_made, of_unknown_fate, redactor, listed)
        text = "\n\n".join([*head, *changes, *foot]) + "\n"
        if len(text.encode()) <= max_bytes:
            break
    return text


def _head(change_set: ChangeSet, plans: Sequence[Plan], ceilings: Sequence[tuple[str, int]], before: str) -> list[str]:
    estimate = change_set.estimate
    if estimate.calls:
        cost = "of unknown cost" if estimate.expected_cents is None else f"{money(estimate.expected_cents)} expected"
        headline = f"{count(estimate.calls, 'call')} would be made, {cost}"
    else:
        headline = "No calls would be made"
    facts = [change_phrasing.scope(change_set, plans), change_phrasing.call_reasons(change_set)]
    return [
        f"## {headline}",
        "**Nothing was called and nothing was charged.**",
        " · ".join(filter(None, facts)),
        *([_price_table(change_set, ceilings)] if estimate.calls else []),
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


def _changes(
    change_set: ChangeSet,
    already_made: Mapping[str, int],
    of_unknown_fate: Mapping[str, int],
    redactor: Redactor,
    listed: int,
) -> list[str]:
    calls, rechecks, drops = (
        change_phrasing.shown_changes(
            change_set, action, already_made=already_made, of_unknown_fate=of_unknown_fate, redactor=redactor
        )
        for action in (Action.CALL, Action.RECHECK, Action.DROP)
    )
    moved = [change for change in calls if change.moved]
    charged = change_set.votes is not None and change_set.votes.charged
    return [
        *_folded("Why each case is called", calls, _table(calls, listed), listed),
        *_folded("What moved", moved, _moved(moved, listed), listed),
        *_folded(
            f"Stored runs to be judged again{'' if charged else ', free'}", rechecks, _table(rechecks, listed), listed
        ),
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


def _kept(change_set: ChangeSet, now: datetime | None) -> list[str]:
    lines = [f"- {name}: {why}" for name, why in change_phrasing.kept(change_set, now=now)]
    return ["\n".join(lines)] if lines else []


def _what_to_type(change_set: ChangeSet, command: str, refused: tuple[str, str] | None) -> list[str]:
    lead = "" if refused else change_phrasing.what_next(change_set)
    digest = f"Change set {markdown_code(change_set.digest)}"
    return [digest, lead, markdown_block(command, "sh")] if lead else [digest]
