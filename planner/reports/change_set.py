"""The change set as terminal text and as JSON, with phone numbers and the project's own patterns redacted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from planner.changes.model import Action, Change
from planner.reports import change_phrasing
from planner.reports.change_phrasing import Preview, ShownChange
from planner.reports.change_set_markdown import render as render_markdown
from planner.reports.documents import json_document, picked
from planner.reports.neutral import for_terminal
from planner.reports.terminal import Colour, Paint, Row, painter, rows, wrapped
from planner.results.model import OpenLaunch

__all__ = ["Preview", "render_json", "render_markdown", "render_text"]

SCHEMA_VERSION = "1.3"

_COLOURS = {"+": Colour.GREEN, "~": Colour.YELLOW, "?": Colour.CYAN, "-": Colour.RED, "=": Colour.DIM}


def render_text(preview: Preview, *, width: int, color: bool) -> str:
    """What happens to each case, the cost and the command to run it. `width` is in cells; case ids and the command are never cut."""
    return "\n".join(line.rstrip() for line in _lines(preview, width, painter(color=color))) + "\n"


def render_json(preview: Preview, *, open_launches: Sequence[OpenLaunch] = ()) -> str:
    """The change set as JSON; unknown prices are null. `open_launches` are orphaned: no case of the change set needs them."""
    change_set, redactor = preview.change_set, preview.redactor
    case_ids = [change.case_id for change in change_set.changes]
    coverage = {source.value: number for source, number in change_set.coverage.items()}
    names = redactor.names([*case_ids, *(case_id for launch in open_launches for case_id in launch.cases)])
    votes = change_set.votes
    judge = {} if votes is None else {"judge": picked(votes, "model", "votes") | {"stored_votes": votes.stored}}
    if votes is not None:
        judge["judge"] |= picked(votes, "expected_cents", "high_cents")
    return json_document(
        {
            "schema_version": SCHEMA_VERSION,
            "digest": change_set.digest,
            "changes": [_change_document(change, preview, names[change.case_id]) for change in change_set.changes],
            "estimate": asdict(change_set.estimate) | {"coverage": coverage} | judge,
            "summary": {action.value: len(change_set.with_action(action)) for action in Action},
            "warnings": [redactor.text(line) for line in preview.warnings],
            "refused": None if preview.refused is None else redactor.name(preview.refused[0]),
            "open_launches": [
                {
                    "launch_id": launch.launch_id,
                    "cases": [names[case_id] for case_id in launch.cases],
                    "reserved_cents": launch.reserved_cents,
                    "detail": redactor.text(launch.detail),
                }
                for launch in open_launches
            ],
        }
    )


def _change_document(change: Change, preview: Preview, name: str) -> dict[str, object]:
    unconfirmed = preview.unconfirmed.get(change.case_id, 0)
    return {
        "case_id": name,
        **picked(change, "action", "reason", "runs"),
        "runs_made": preview.already_made.get(change.case_id, 0) - unconfirmed,
        "runs_of_unknown_fate": unconfirmed,
        "detail": preview.redactor.text(change.detail),
    }


def _lines(preview: Preview, width: int, paint: Paint) -> Iterator[str]:
    changes = (Action.CALL, Action.RECHECK, Action.DROP)
    listed = [
        _row(change, width, paint) for action in changes for change in change_phrasing.shown_changes(preview, action)
    ]
    listed += [Row("=", name, ("", why), _COLOURS["="]) for name, why in change_phrasing.kept(preview)]
    yield from (change_phrasing.scope(preview), "", *rows(listed, width, paint))
    if listed:
        yield ""
        for line in change_phrasing.cost_lines(preview):
            yield from wrapped(for_terminal(line), width, hanging="  ")
    for warning in (*preview.warnings, *preview.earlier):
        yield from (paint(line, Colour.YELLOW) for line in wrapped(for_terminal(warning), width, hanging="  "))
    if preview.refused is not None:
        why, fix = map(for_terminal, preview.refused)
        refused = wrapped(f"Nothing was called. `planner run` would refuse this: {why}", width, hanging="  ")
        yield from (paint(line, Colour.YELLOW) for line in refused)
        yield from wrapped(fix, width, indent="  ")
    elif lead := change_phrasing.what_next(preview.change_set):
        yield from (f"Nothing was called. {lead}", f"  {paint(for_terminal(preview.command), Colour.BOLD)}")
    else:
        yield "Nothing to do."


def _row(change: ShownChange, width: int, paint: Paint) -> Row:
    below: list[str] = []
    for text in map(for_terminal, change.moved):
        colour = {"-": Colour.RED, "+": Colour.GREEN}.get(text[:1])
        lines = wrapped(text, width, indent=" " * 6, hanging=" " * 8)
        below += [paint(line, colour) for line in lines] if colour else lines
    columns = (change.what, for_terminal(change.why))
    return Row(change.sign, for_terminal(change.name), columns, _COLOURS[change.sign], tuple(below))
