"""`planner history`: results over time, read from the store."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Literal

from planner.changes.timeline import CaseHistory, Timeline, timeline
from planner.errors import UsageError
from planner.moments import age_of, aware
from planner.reports.history import HistoryPage, render_csv, render_json, render_text
from planner.results.model import RunResult
from planner.session.current_project import load_current_project
from planner.session.reporting import redactor_of
from planner.session.selection import Selection, matches
from planner.session.shell import Shell
from planner.session.stores import DEFAULT_STORE, Place, place_of
from planner.session.suggestions import suggest


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """`case` is an id or a glob; `since` is a date or an age as typed; `limit` counts sessions."""

    case: str | None = None
    plan: str | None = None
    environment: str | None = None
    store: str | None = None
    since: str | None = None
    limit: int | None = None
    sandbox: bool = False
    policy_from: str | None = None
    output_format: Literal["text", "csv", "json"] = "text"


def history(shell: Shell, options: HistoryOptions) -> int:
    """Print the history; return 0.

    Raises:
        UsageError: the case, plan, environment or date does not exist.
    """
    root, project = load_current_project(shell, options.policy_from)
    selection = Selection(store=options.store, sandbox=options.sandbox, environment=options.environment)
    place = place_of(shell, root, selection, project)
    found = timeline(_outlines(shell, options, place), plan=options.plan)
    if options.plan is not None and not found.invocations:
        raise UsageError(f"no stored session has a plan {options.plan!r}", _known_plans(options, place))
    wanted = None if options.case is None else _chosen(options.case, found)
    page = HistoryPage(found, wanted, tuple(_scope(options)), options.sandbox)
    redactor = redactor_of(project)
    match options.output_format:
        case "text":
            shell.print(render_text(page, redactor=redactor, width=shell.width, color=shell.color))
        case "json":
            shell.print(render_json(page, environment=options.environment or "", redactor=redactor))
        case "csv":
            shell.print(render_csv(page, redactor=redactor))
    return 0


def _outlines(shell: Shell, options: HistoryOptions, place: Place) -> Iterator[RunResult]:
    """The selected sessions, newest first."""
    earliest = _moment(options.since, shell.clock.now()) if options.since is not None else None
    return islice(_since(place, options, earliest), options.limit)


def _since(place: Place, options: HistoryOptions, earliest: datetime | None) -> Iterator[RunResult]:
    for outline in place.repository.invocations():
        if earliest is not None and aware(outline.started_at) < earliest:
            return
        if _belongs(outline, options):
            yield outline


def _belongs(outline: RunResult, options: HistoryOptions) -> bool:
    return outline.sandbox is options.sandbox and outline.environment == (options.environment or "")


def _moment(since: str, now: datetime) -> datetime:
    """`2026-11-01`, `2026-11-01T09:00`, `14d`; times without a zone are UTC."""
    if (ago := age_of(since)) is not None:
        return now - ago
    try:
        moment = datetime.fromisoformat(since)
    except ValueError as error:
        raise UsageError(
            f"--since {since} is neither a date nor an age", "Write it as 2026-11-01, or as 12h, 14d or 6w."
        ) from error
    return aware(moment)


def _chosen(wanted: str, found: Timeline) -> tuple[CaseHistory, ...]:
    exact = tuple(case for case in found.cases if case.case_id == wanted)
    chosen = exact or tuple(case for case in found.cases if matches(wanted, case.case_id))
    if chosen:
        return chosen
    near = suggest(wanted, [case.case_id for case in found.cases])
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise UsageError(
        f"no stored run has a case {wanted}", f"{hint}`*` and `?` match anything; `planner history` lists the cases."
    )


def _known_plans(options: HistoryOptions, place: Place) -> str:
    known = sorted(
        {plan for outline in place.repository.invocations() if _belongs(outline, options) for plan in outline.plans}
    )
    near = difflib.get_close_matches(options.plan or "", known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}? " if near else ""
    return f"{hint}Stored plans: {', '.join(known) or 'none'}."


def _scope(options: HistoryOptions) -> Iterator[str]:
    """What the history is limited to, for its heading."""
    if options.sandbox:
        yield "sandbox"
    if options.environment is not None:
        yield f"environment {options.environment}"
    if options.plan is not None:
        yield f"plan {options.plan}"
    if options.since is not None:
        yield f"since {options.since}"
    if options.store is not None and options.store != DEFAULT_STORE:
        yield f"store {options.store}"
