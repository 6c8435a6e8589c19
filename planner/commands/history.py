"""`planner history`: pass rates over time, and who agreed to what, read from the store."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from itertools import takewhile
from typing import Literal

from planner.changes.history import timeline
from planner.clock import age_of, aware
from planner.errors import UsageError
from planner.planfile.model import Project
from planner.reports.history import HistoryPage, render_json, render_text
from planner.reports.spending import Spent
from planner.reports.spending import render_json as spending_json
from planner.reports.spending import render_text as spending_text
from planner.shell import Shell, redactor_of
from planner.values import frozen
from planner.workspace.selection import Selection, chosen_ids
from planner.workspace.spending import spent_under_consents
from planner.workspace.stores import DEFAULT_STORE, OpenedStore, case_of_run, empty_log, log_to_read, open_results


@frozen
class HistoryOptions:
    """`case` is a case id, a pattern, or the id of a stored run or call."""

    selection: Selection
    case: str | None = None
    spend: bool = False
    since: str | None = None
    """The greatest age of a session, such as `30d`."""
    output_format: Literal["text", "json"] = "text"


def history(shell: Shell, options: HistoryOptions) -> int:
    """Print the history of the stored sessions; return 0."""
    selection, is_json = options.selection, options.output_format == "json"
    project, place = open_results(shell, selection)
    oldest = _oldest(shell, options)
    if options.spend:
        entries = [each for each in _spent(shell, options, project, place) if oldest is None or each.at >= oldest]
        shell.print(spending_json(entries) if is_json else spending_text(entries))
        return 0
    sessions = place.repository.sessions_of(selection.environment or "", sandbox=selection.sandbox)
    found = timeline(takewhile(lambda each: oldest is None or aware(each.started_at) >= oldest, sessions))
    wanted = None
    if options.case is not None:
        case = case_of_run(shell, selection, options.case) or options.case
        chosen = chosen_ids(case, [each.case_id for each in found.cases], f"no stored run has a case {case}")
        wanted = tuple(each for each in found.cases if each.case_id in chosen)
    scope = ["sandbox"] if selection.sandbox else []
    scope += [f"environment {selection.environment}"] if selection.environment is not None else []
    scope += [f"store {selection.store}"] if selection.store not in (None, DEFAULT_STORE) else []
    page = HistoryPage(found, wanted, tuple(scope), selection.sandbox)
    redactor = redactor_of(project)
    if is_json:
        shell.print(render_json(page, environment=selection.environment or "", redactor=redactor))
    else:
        shell.print(render_text(page, redactor=redactor, width=shell.width, color=shell.color))
    return 0


def _spent(shell: Shell, options: HistoryOptions, project: Project, place: OpenedStore) -> list[Spent]:
    """Under each consent of the whole store; with `--environment`, without those whose sessions were all of others."""
    sessions = [each for each in place.repository.sessions() if each.sandbox is options.selection.sandbox]
    with closing(log_to_read(shell, place) or empty_log(shell, place)) as log:
        found = spent_under_consents(log.state, sessions, redactor_of(project).name)
    wanted = options.selection.environment
    if wanted is None:
        return found
    of_wanted = {each.session_id for each in sessions if each.environment == wanted}
    return [each for each in found if not each.sessions or not of_wanted.isdisjoint(each.sessions)]


def _oldest(shell: Shell, options: HistoryOptions) -> datetime | None:
    """When the oldest session may have started; None if any is asked for."""
    if options.since is None:
        return None
    age = age_of(options.since)
    if age is None:
        raise UsageError(f"--since {options.since} is not an age", "Write it as 30d, 12h or 2w.")
    return shell.clock.now() - age
