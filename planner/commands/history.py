"""`planner history`: results over time, read from the store."""

from __future__ import annotations

from typing import Literal

from planner.changes.history import timeline
from planner.reports.history import HistoryPage, render_json, render_text
from planner.session.selection import Selection, chosen_ids
from planner.session.shell import Shell, redactor_of
from planner.session.stores import DEFAULT_STORE, open_results


def history(shell: Shell, selection: Selection, *, case: str | None, output_format: Literal["text", "json"]) -> int:
    """Print the history of the stored sessions; return 0. `case` is an id or a glob."""
    project, place = open_results(shell, selection)
    sessions = place.repository.sessions_of(selection.environment or "", sandbox=selection.sandbox)
    found = timeline(sessions)
    wanted = None
    if case is not None:
        chosen = chosen_ids(case, [each.case_id for each in found.cases], "no stored run has a case")
        wanted = tuple(each for each in found.cases if each.case_id in chosen)
    scope = ["sandbox"] if selection.sandbox else []
    scope += [f"environment {selection.environment}"] if selection.environment is not None else []
    scope += [f"store {selection.store}"] if selection.store not in (None, DEFAULT_STORE) else []
    page = HistoryPage(found, wanted, tuple(scope), selection.sandbox)
    redactor = redactor_of(project)
    if output_format == "json":
        shell.print(render_json(page, environment=selection.environment or "", redactor=redactor))
    else:
        shell.print(render_text(page, redactor=redactor, width=shell.width, color=shell.color))
    return 0
