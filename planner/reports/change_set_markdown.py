"""The change set as Markdown for a pull request or a job summary: headline and cost, with the details folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.changes.model import Action
from planner.reports import change_phrasing
from planner.reports.change_phrasing import Preview, ShownChange
from planner.reports.neutral import for_markdown, markdown_block, markdown_code, markdown_prose
from planner.reports.quantities import count, money

MAX_BYTES = 60_000
"""A pull request comment may have 65,536 characters."""

_LISTED = (1_000, 200, 50, 10, 0)
"""Cases listed in each folded part: reduced until the text fits."""


def render(preview: Preview, *, max_bytes: int = MAX_BYTES) -> str:
    """Markdown of at most `max_bytes` of UTF-8 (at least 4,000)."""
    text = ""
    for listed in _LISTED:
        text = "\n\n".join([*_head(preview), *_changes(preview, listed), *_foot(preview)]) + "\n"
        if len(text.encode()) <= max_bytes:
            break
    return text


def _head(preview: Preview) -> Iterator[str]:
    estimate = preview.change_set.estimate
    if estimate.calls:
        cost = "of unknown cost" if estimate.expected_cents is None else f"{money(estimate.expected_cents)} expected"
        yield f"## {count(estimate.calls, 'call')} would be made, {cost}"
    else:
        yield "## No calls would be made"
    if preview.refused is not None:
        why, fix = map(markdown_prose, preview.refused)
        yield f"✋ **`planner run` would refuse this:** {why}. {fix}"
    yield "**Nothing was called and nothing was charged.**"
    facts = [change_phrasing.scope(preview), change_phrasing.call_reasons(preview.change_set)]
    lines = [" · ".join(filter(None, facts)), *map(for_markdown, change_phrasing.cost_lines(preview))]
    yield "\n".join(f"- {line}" for line in lines)
    yield from (f"⚠️ {markdown_prose(warning)}" for warning in (*preview.warnings, *preview.earlier))


def _changes(preview: Preview, listed: int) -> Iterator[str]:
    calls, rechecks, drops = (
        change_phrasing.shown_changes(preview, action) for action in (Action.CALL, Action.RECHECK, Action.DROP)
    )
    moved = [change for change in calls if change.moved]
    blocks = [
        block
        for change in moved[:listed]
        for block in (markdown_code(change.name), markdown_block("\n".join(change.moved), "diff"))
    ]
    charged = preview.change_set.votes is not None and preview.change_set.votes.charged
    yield from _folded("Why each case is called", calls, _table(calls, listed), listed)
    yield from _folded("What changed", moved, blocks, listed)
    recheck = f"Stored runs to recheck{'' if charged else ', free'}"
    yield from _folded(recheck, rechecks, _table(rechecks, listed), listed)
    yield from _folded("Dropped", drops, _table(drops, listed), listed)


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


def _foot(preview: Preview) -> Iterator[str]:
    if kept := change_phrasing.kept(preview):
        yield "\n".join(f"- {name}: {why}" for name, why in kept)
    yield f"Change set {markdown_code(preview.change_set.digest)}"
    if preview.refused is None and (lead := change_phrasing.what_next(preview.change_set)):
        yield from (lead, markdown_block(preview.command, "sh"))
