"""`planner history`: results over time, read from the store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice, takewhile
from typing import Literal

from planner.changes.history import timeline
from planner.clock import age_of, aware
from planner.errors import UsageError
from planner.reports.history import HistoryPage, render_csv, render_json, render_text
from planner.results.model import RunResult
from planner.session.reporting import redactor_of
from planner.session.selection import Selection, chosen_ids
from planner.session.shell import Shell
from planner.session.stores import DEFAULT_STORE, Place, open_results
from planner.values import frozen


@frozen
class HistoryOptions:
    """`case` is an id or a glob; `since` is a date or an age as typed; `limit` counts sessions."""

    selection: Selection
    case: str | None = None
    plan: str | None = None
    since: str | None = None
    limit: int | None = None
    output_format: Literal["text", "csv", "json"] = "text"


def history(shell: Shell, options: HistoryOptions) -> int:
    """Print the history; return 0."""
    selection = options.selection
    project, place = open_results(shell, selection)
    earliest = _moment(options.since, shell.clock.now()) if options.since is not None else None
    found = timeline(islice(_outlines(place, selection, earliest), options.limit), plan=options.plan)
    if options.plan is not None and not found.invocations:
        known = {plan for outline in _outlines(place, selection, None) for plan in outline.plans}
        raise UsageError(
            f"no stored session has a plan {options.plan!r}", f"Stored plans: {', '.join(sorted(known)) or 'none'}."
        )
    wanted = None
    if options.case is not None:
        chosen = chosen_ids(options.case, [case.case_id for case in found.cases], "no stored run has a case")
        wanted = tuple(case for case in found.cases if case.case_id in chosen)
    scope = {
        "environment": selection.environment,
        "plan": options.plan,
        "since": options.since,
        "store": selection.store if selection.store != DEFAULT_STORE else None,
    }
    words = [f"{name} {value}" for name, value in scope.items() if value is not None]
    page = HistoryPage(found, wanted, (*(["sandbox"] if selection.sandbox else []), *words), selection.sandbox)
    redactor = redactor_of(project)
    match options.output_format:
        case "text":
            shell.print(render_text(page, redactor=redactor, width=shell.width, color=shell.color))
        case "json":
            shell.print(render_json(page, environment=selection.environment or "", redactor=redactor))
        case "csv":
            shell.print(render_csv(page, redactor=redactor))
    return 0


def _outlines(place: Place, selection: Selection, earliest: datetime | None) -> Iterator[RunResult]:
    """The selected sessions, newest first."""
    sessions = place.repository.sessions_of(selection.environment or "", sandbox=selection.sandbox)
    return takewhile(lambda outline: earliest is None or aware(outline.started_at) >= earliest, sessions)


def _moment(since: str, now: datetime) -> datetime:
    """`2026-11-01`, `2026-11-01T09:00`, `14d`; times without a zone are UTC."""
    if (ago := age_of(since)) is not None:
        return now - ago
    try:
        return aware(datetime.fromisoformat(since))
    except ValueError as error:
        raise UsageError(
            f"--since {since} is neither a date nor an age", "Write it as 2026-11-01, or as 12h, 14d or 6w."
        ) from error
