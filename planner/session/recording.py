"""Store the facts of a session: its calls, corrections of earlier calls, and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from planner.calls.slots import slots_by_run
from planner.changes.model import Change
from planner.records.facts import Correction, Fact, SessionHead, id_of
from planner.records.files import files_of, part_bytes, part_key
from planner.records.log import Records
from planner.records.writing import CallOrigin, Writing, planned
from planner.results.model import CaseResult, RunResult
from planner.results.outcomes import Action
from planner.session.consents import call_reason
from planner.workspace.earlier_results import project_name

if TYPE_CHECKING:
    from planner.session.preparing import Preparation
    from planner.session.run_session import RunSession


def store_facts(session: RunSession, prepared: Preparation, result: RunResult, *, is_finished: bool) -> None:
    """Store the facts of this session. Unless `is_finished`, only those about calls that are already stored."""
    place, records = session.place, prepared.records
    redaction = place.shared.redaction if place.shared is not None else None
    show = redaction.name if redaction is not None else str
    called = {change.case_id: origin_of(change, records) for change in prepared.change_set.with_action(Action.CALL)}
    writing = Writing(
        show(result.environment),
        session.shell.clock.now(),
        records.find if records is not None else lambda _, __: None,
        called,
        _consents(session, result.cases),
        redaction.case if redaction is not None else lambda case: case,
        is_finished,
    )
    stored = [case for case in result.cases if case.runs]
    kept = [case for case in result.cases if case.runs and (is_finished or case.case_id not in called)]
    head = SessionHead(
        tool_version=result.tool_version,
        session_id=result.session_id,
        environment=show(result.environment),
        project=project_name(session.workspace),
        started_at=result.started_at,
        ended_at=result.ended_at,
        workflow=result.workflow,
        plans=[show(plan) for plan in result.plans] if is_finished and not result.partial else [],
        cases=[
            planned(writing.show(case), records.unverified_ids(case.call_fingerprint) if records is not None else ())
            for case in kept
        ],
    )
    parts = _parts(records, result.session_id, writing.facts(stored))
    place.repository.save_files(files_of(head, parts))


def store_corrections(session: RunSession, records: Records, corrections: Mapping[str, Sequence[Correction]]) -> None:
    """Store corrections before this session has results."""
    session.place.repository.save_files(_parts(records, session.reports.session_id, corrections))


def _parts(records: Records | None, session_id: str, facts: Mapping[str, Sequence[Fact]]) -> dict[str, bytes]:
    numbers = {each: records.part_number(each, session_id) if records is not None else 1 for each in facts}
    return {part_key(each, session_id, numbers[each]): part_bytes(own) for each, own in facts.items()}


def origin_of(change: Change, records: Records | None = None) -> CallOrigin:
    prior = change.prior
    # Calls of the same agent under another id are in another folder.
    is_same_call = prior is not None and prior.call_fingerprint == change.call_fingerprint
    kept = (
        [run for run in prior.runs if run.run_id in change.kept_run_ids] if prior is not None and is_same_call else []
    )
    unverified = records.unverified_ids(change.call_fingerprint) if records is not None else ()
    counted_with = tuple(each for each in map(id_of, kept) if each not in unverified)
    starts_over = change.start_over is not None and records is not None
    discards = records.damaged(change.call_fingerprint) if records is not None and starts_over else ()
    return CallOrigin(call_reason(change), change.start_over, counted_with, discards)


def _consents(session: RunSession, cases: Sequence[CaseResult]) -> dict[int, str]:
    slots = slots_by_run(session.log.state)
    runs = (run for case in cases for run in case.all_runs)
    return {run.run_id: slots[run.run_id].intent.consent_id for run in runs if run.run_id in slots}
