"""Reads late evidence and bills of stored runs, free, before anything is called, and corrects what is stored about
them.

A call is never repeated only because its data came late. Every late bill goes through `_correct`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

import anyio

from planner.calls.collecting import later_part
from planner.calls.model import WaitPolicy
from planner.calls.reading import collect, read_list
from planner.calls.slots import slots_by_run, unfinished_slots
from planner.changes.detail import stored_runs
from planner.changes.history import HISTORY_SESSIONS
from planner.changes.model import Change
from planner.clock import aware
from planner.errors import IncompleteError
from planner.evidence import Evidence, merged, missing_parts
from planner.interruption import until_interrupted
from planner.log.fold import LONGEST_RUN, State
from planner.providers.base import CallId, Run
from planner.records.facts import Correction, StoredCall
from planner.results.late_bills import LateBill, corrected
from planner.results.model import CallData, JudgedRun
from planner.results.outcomes import Action
from planner.results.repository import ResultsRepository
from planner.session.preparing import Preparation
from planner.session.recording import store_corrections
from planner.values import frozen
from planner.workspace.earlier_results import records_of

if TYPE_CHECKING:
    from planner.session.run_session import ConnectedSession, RunSession

LATEST_CHARGE: Final = LONGEST_RUN
"""A run's transaction is searched for this long after its end."""


# Transactions of runs that were billed by their call


@frozen
class _Unconfirmed:
    """A run billed by its call, because its transaction had not arrived."""

    run_id: int
    call_id: CallId
    ended_at: datetime
    session_id: str
    evidence: str


async def correct_bills(session: ConnectedSession) -> None:
    """Search again for transactions of recent runs billed by their call, and correct everything stored about them."""
    transactions, state, now = session.transactions, session.log.state, session.shell.clock.now()
    repository = session.place.repository
    unconfirmed = {run.run_id: run for run in (*_in_results(repository, now), *_in_log(repository, state, now))}
    if not unconfirmed:
        return
    for run in unconfirmed.values():
        transactions.charges.expect(run.call_id, run.ended_at)
    await transactions.read()
    bills: dict[int, LateBill] = {}
    slots = slots_by_run(state)
    for run in unconfirmed.values():
        cents = transactions.charges.charged_cents(run.call_id)
        transactions.charges.forget(run.call_id)
        evidence = repository.load_evidence(run.evidence) if cents is not None else None
        if cents is None or evidence is None:
            continue
        billed = evidence.model_copy(update={"cost_cents": cents, "cost_basis": "transaction"})
        digest = repository.save_evidence(billed)
        slot = slots.get(run.run_id)
        if slot is not None and slot.call is not None:
            session.log.note([later_part(slot.call, digest, cents)])
        bills[run.run_id] = LateBill(
            cents,
            "transaction",
            digest,
            slot.reserved_cents if slot is not None and slot.cost_cents is None else 0,
            run.session_id,
            slot.intent.consent_id if slot is not None else None,
        )
    if bills:
        _correct(session, bills)
        transactions.log(f"corrected the cost of {len(bills)} earlier runs from the account's transactions")


def _in_results(repository: ResultsRepository, now: datetime) -> Iterator[_Unconfirmed]:
    for outline in islice(repository.sessions(), HISTORY_SESSIONS):
        if now - outline.ended_at > LATEST_CHARGE:
            return
        for run in (run for case in outline.cases for run in case.all_runs):
            ended_at = outline.started_at if run.completed_at is None else aware(run.completed_at)
            is_recent = now - ended_at < LATEST_CHARGE
            if run.cost_basis == "call" and run.call_id is not None and run.evidence is not None and is_recent:
                yield _Unconfirmed(run.run_id, CallId(run.call_id), ended_at, run.session_id, run.evidence)


def _in_log(repository: ResultsRepository, state: State, now: datetime) -> Iterator[_Unconfirmed]:
    """Runs that a killed session had collected."""
    for slot in unfinished_slots(state):
        call = slot.call
        if call is None or call.evidence is None or call.completed_at is None:
            continue
        evidence = repository.load_evidence(call.evidence) if now - call.completed_at < LATEST_CHARGE else None
        if evidence is not None and evidence.cost_basis == "call" and evidence.call_id is not None:
            session_id = slot.intent.session_id
            yield _Unconfirmed(call.run_id, CallId(evidence.call_id), call.completed_at, session_id, call.evidence)


# Correcting what is stored


def _correct(session: RunSession, bills: Mapping[int, LateBill]) -> None:
    """Write late bills, by run id, to all stored results that have the runs, and as corrections of the calls."""
    repository = session.place.repository
    oldest = min(bill.session_id for bill in bills.values())
    fingerprints: dict[str, None] = {}
    for result in list(repository.sessions_since(oldest)):
        changed = corrected(result, bills)
        for case in result.cases:
            if any(run.run_id in bills for run in case.all_runs):
                fingerprints[case.call_fingerprint] = None
        if changed is not result:
            repository.save_session(changed)
    _store_corrections(session, fingerprints, bills)


def _correction(call: StoredCall, now: datetime, data: CallData) -> Correction:
    return Correction(run_id=call.call.run_id, session_id=call.call.session_id, at=now, data=data)


def _store_corrections(session: RunSession, fingerprints: Iterable[str], bills: Mapping[int, LateBill]) -> None:
    records = records_of(session.workspace)
    corrections: dict[str, list[Correction]] = {}
    for fingerprint in fingerprints:
        for call in records.calls(fingerprint):
            bill = bills.get(call.call.run_id)
            if bill is None or (call.data.cost_cents, call.data.cost_basis) == (bill.cents, bill.basis):
                continue
            missing = [part for part in call.data.missing if part != "bill"]
            update = {"cost_cents": bill.cents, "cost_basis": bill.basis, "missing": missing}
            data = call.data.model_copy(update=update | ({"evidence": bill.evidence} if bill.evidence else {}))
            now = session.shell.clock.now()
            corrections.setdefault(fingerprint, []).append(_correction(call, now, data))
    if corrections:
        store_corrections(session, records, corrections)


# Missing evidence


@frozen
class _Stale:
    """A stored run with missing parts."""

    run: JudgedRun
    grade_wanted: bool


async def refresh(session: ConnectedSession, prepared: Preparation) -> Preparation:
    """The preparation with the late data of earlier calls: refreshed runs."""
    changes = await _refreshed_changes(session, prepared.change_set.changes)
    return replace(prepared, change_set=replace(prepared.change_set, changes=tuple(changes)))


async def _refreshed_changes(session: ConnectedSession, changes: Sequence[Change]) -> list[Change]:
    stale = {item.run.run_id: item for change in changes for item in _stale(change)}
    if not stale:
        return list(changes)
    fresh: dict[int, JudgedRun] = {}

    async def read() -> None:
        found, problem = await _reread(session, stale)
        fresh.update({run_id: _refreshed(session, stale[run_id], evidence) for run_id, evidence in found.items()})
        left = sum(1 for run_id in stale if run_id not in fresh or fresh[run_id].missing)
        why = f" ({problem})" if problem else ""
        session.shell.log(
            f"read {stored_runs(len(stale))} again (free): {len(stale) - left} are complete now, {left} are not{why}"
        )

    await until_interrupted(read, session.interrupted)
    if bills := _note_in_log(session, stale, fresh):
        _correct(session, bills)
    return [_with_runs(change, fresh) for change in changes]


def _stale(change: Change) -> Iterator[_Stale]:
    """Runs with missing parts. Of a kept case only those without a bill, since its verdict does not change."""
    if change.prior is None or change.case is None:
        return
    for run in change.prior.runs:
        counts = change.action is not Action.CALL or run.run_id in change.kept_run_ids
        if counts and ("bill" in run.missing if change.action is Action.REUSE else run.missing):
            yield _Stale(run, change.case.wants_grade)


async def _reread(session: ConnectedSession, stale: Mapping[int, _Stale]) -> tuple[dict[int, Evidence], str]:
    """Evidence by run id, and why some runs could not be read ("" if all listed ones were). Each run is read once,
    without waiting. Runs that are no longer listed are skipped."""
    transactions, clock = session.transactions, session.shell.clock
    client = transactions.client
    ends = [item.run.completed_at for item in stale.values()]
    known = [ended_at for ended_at in ends if ended_at is not None]
    found: dict[int, Evidence] = {}
    problems: list[str] = []

    async def read(run: Run) -> None:
        age = (clock.now() - run.completed_at).total_seconds() if run.completed_at else 0.0
        try:
            wait = WaitPolicy(grade=stale[run.id].grade_wanted, ended_seconds_ago=age + client.clock_offset_seconds)
            found[run.id] = await collect(client, run, wait, clock=clock, transactions=transactions)
        except IncompleteError as error:
            problems.append(str(error))

    try:
        oldest = min(known) - LONGEST_RUN if len(known) == len(ends) else None
        listed = await read_list(client.runs, oldest=oldest, wanted=stale.keys())
    except IncompleteError as error:
        return {}, str(error)
    ended = [run for run_id in stale if (run := listed.found.get(run_id)) is not None and run.ended]
    for run in ended:
        transactions.charges.expect_of(run)
    await transactions.read()
    async with anyio.create_task_group() as tasks:
        for run in ended:
            tasks.start_soon(read, run)
    for run in ended:
        transactions.charges.forget(run.call_id)
    return found, problems[0] if problems else ""


def _refreshed(session: RunSession, stale: _Stale, evidence: Evidence) -> JudgedRun:
    run, repository = stale.run, session.place.repository
    stored = repository.load_evidence(run.evidence) if run.evidence is not None else None
    evidence = merged(stored, evidence)
    return run.model_copy(
        update={
            "evidence": repository.save_evidence(evidence),
            "call_id": evidence.call_id or run.call_id,
            "cost_cents": run.cost_cents if evidence.cost_cents is None else evidence.cost_cents,
            "cost_basis": run.cost_basis if evidence.cost_cents is None else evidence.cost_basis,
            "duration_seconds": evidence.duration_seconds or run.duration_seconds,
            "missing": list(missing_parts(evidence, grade_wanted=stale.grade_wanted)),
        }
    )


def _note_in_log(
    session: ConnectedSession, stale: Mapping[int, _Stale], fresh: Mapping[int, JudgedRun]
) -> dict[int, LateBill]:
    """Update the log; return the new bills by run id. Where transactions can be read, the bill that a call shows
    may still change."""
    slots, is_unreadable = slots_by_run(session.log.state), session.transactions.charges.is_unreadable
    bills: dict[int, LateBill] = {}
    for run_id, run in fresh.items():
        slot = slots.get(run_id)
        if slot is None:
            continue
        cents = run.cost_cents if run.cost_basis == "transaction" or is_unreadable else None
        if slot.call is not None:
            session.log.note([later_part(slot.call, run.evidence, cents)])
        if stale[run_id].run.cost_cents is None and cents is not None:
            bills[run_id] = LateBill(
                cents,
                run.cost_basis,
                None,
                slot.reserved_cents if slot.cost_cents is None else 0,
                slot.intent.session_id,
                slot.intent.consent_id,
            )
    return bills


def _with_runs(change: Change, fresh: Mapping[int, JudgedRun]) -> Change:
    if change.prior is None or not any(run.run_id in fresh for run in change.prior.runs):
        return change
    runs = [fresh.get(run.run_id, run) for run in change.prior.runs]
    return replace(change, prior=change.prior.model_copy(update={"runs": runs}))
