"""Ends a session of `planner run`: composes, stores and reports its results, and marks its runs as used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from planner.agents.live_tools import denied_calls, unknown_tools
from planner.calls.open_launches import launch_documents
from planner.calls.slots import launches_of_session, slots_by_run, slots_of_consent
from planner.calls.spending import spent_on_calls, spent_on_judging, total
from planner.changes.model import Reason
from planner.ci.agreement import actor_of
from planner.errors import RefusedError, StoreError
from planner.judging.judge_calls import judge_cost
from planner.reports.agents import agent_documents
from planner.results.model import CaseResult, DroppedCase, RunResult, SuiteDocument
from planner.results.money_documents import ConsentDocument, CostDocument
from planner.results.next_steps import NextStep, NextStepCode
from planner.results.outcomes import Action
from planner.session.confirming import with_confirmation
from planner.session.consents import ended_calls
from planner.session.executing import SessionEnd, await_calls
from planner.session.preparing import Preparation
from planner.session.recording import store_facts
from planner.session.run_session import ConnectedSession, RunSession, end_session, next_commands
from planner.verdicts.case_documents import MissingRuns, assemble_cases
from planner.verdicts.cases import run_key
from planner.verdicts.ending import Ending, ending_of, may_still_end, open_runs_at_end, why_not_called
from planner.verdicts.gate import Gate
from planner.verdicts.next_steps import steps_of


async def refuse(session: ConnectedSession, prepared: Preparation, error: RefusedError) -> None:
    """Report that the session was refused before any call. What is free is done: calls under way are awaited, and
    rechecks are stored."""
    consent = ConsentDocument(
        given=False,
        by=actor_of(session.shell),
        at=session.shell.clock.now(),
        digest=prepared.change_set.digest,
        max_cost_cents=session.ceiling_cents(prepared),
    )
    end = await await_calls(session, prepared, consent)
    prepared = replace(prepared, open_launches=end.open_launches)
    ending = Ending("refused", 3, (str(error),), steps_of(error), finished=False)
    cases, suite = _cases(session, prepared, end, "refused")
    gate = Gate(suite)
    result = _result(session, prepared, end, _with_open_launches(session, prepared, ending), cases, gate)
    try:
        store_facts(session, prepared, result, is_finished=False)
    except StoreError as store_error:
        result = _with_ending(
            session, result, _with_open_launches(session, prepared, ending.with_store_error(store_error))
        )
    session.reports.write(result)


def finish(session: RunSession, prepared: Preparation, end: SessionEnd) -> int:
    """Store, report and show the results; return the exit code. A failed store does not prevent the reports."""
    options, outcome = session.options, end.outcome
    prepared = replace(prepared, open_launches=end.open_launches)
    cases, suite = _cases(session, prepared, end, why_not_called(outcome))
    waiting = may_still_end(end.runs.overdue, session.shell.clock.now())
    open_overdue = {change.case_id for change in prepared.change_set.changes if change.payer in waiting}
    consenting = end.consent.given or bool(outcome.left)
    commands = next_commands(options, consenting=consenting)
    gate = Gate(suite)
    ending = ending_of(cases, outcome, open_overdue, commands, gate)
    ending = _with_open_launches(session, prepared, ending)
    result = _result(session, prepared, end, ending, cases, gate)
    try:
        _store(session, prepared, result)
        shared = session.place.shared
        if shared and not outcome.interrupted:
            # after an interruption, write the reports first: the process may be killed soon
            shared.repository.publish()
        if result.finished:  # only now: another machine resumes calls whose results it cannot see
            _note_end(session, prepared, end)
            session.log.publish()
    except StoreError as error:  # report paid calls anyway; the journal keeps them for the next session
        ending = ending.with_store_error(error)
        result = _with_ending(session, result, ending)
    try:
        result = session.reports.write(result)
    except StoreError as error:
        ending = ending.with_store_error(error)
        result = _with_ending(session, result, ending)
        session.reports.is_final = True  # as complete as possible
    session.reports.show(result)
    return result.exit_code


def _with_open_launches(session: RunSession, prepared: Preparation, ending: Ending) -> Ending:
    reconcile = session.options.selection.reconcile_command()
    text = "To see what is known about the unconfirmed launches"
    step = NextStep(code=NextStepCode.RECONCILE, text=text, command=reconcile)
    steps = [step] if prepared.open_launches.unsettled else []
    problems = (*ending.problems, *prepared.open_launches.problems())
    return Ending(ending.outcome, ending.exit_code, problems, (*steps, *ending.next_steps), ending.finished)


def _with_ending(session: RunSession, result: RunResult, ending: Ending) -> RunResult:
    """The result with another ending. Costs are not recomputed: runs already marked as used would count as other
    sessions'."""
    update = {"problems": list(ending.problems), "next_steps": list(ending.next_steps)}
    return result.model_copy(update=asdict(ending) | update | {"ended_at": session.shell.clock.now()})


def _cases(
    session: RunSession, prepared: Preparation, end: SessionEnd, not_called: str
) -> tuple[list[CaseResult], SuiteDocument | None]:
    """The cases, and the suite as a whole, compared with earlier sessions."""
    open_runs = open_runs_at_end(
        session.log.state,
        session.reports.session_id,
        {
            (slot.launch_id, slot.call_fingerprint): case_id
            for case_id, slots in prepared.resumable.items()
            for slot in slots
        },
        end.runs.records,
        end.runs.overdue,
        session.shell.clock.now(),
    )
    missing = MissingRuns(not_called, open_runs, end.outcome.left)
    judged = assemble_cases(
        prepared.change_set.changes,
        end.runs.judged,
        session.place.repository.load_evidence,
        missing,
        today=session.reports.started_at.date(),
        ask=prepared.judging.cache,
    )
    return prepared.with_history(with_confirmation(judged, end.added))


def _result(
    session: RunSession,
    prepared: Preparation,
    end: SessionEnd,
    ending: Ending,
    cases: Sequence[CaseResult],
    gate: Gate,
) -> RunResult:
    change_set = prepared.change_set
    dropped = change_set.with_action(Action.DROP)
    unknown = tuple(unknown_tools(session.loaded.cases, prepared.tools, cases))
    warnings = replace(prepared, warnings=end.warnings or prepared.warnings, unknown_tools=unknown).all_warnings
    if not session.workspace.selection.sandbox:
        load, policy = session.place.repository.load_evidence, session.loaded.project.policy
        warnings = [*denied_calls(session.loaded.cases, cases, load, policy), *warnings]
    return session.reports.result(
        ending,
        cases,
        gate,
        warnings=warnings,
        judge=prepared.judging.document,
        left_out=sum(change.reason is Reason.NOT_SELECTED for change in change_set.with_action(Action.REUSE)),
        previews=list(end.previews),
        agents=agent_documents(prepared.agents),
        change_set_digest=change_set.digest,
        consent=_consent(session, prepared, end),
        start_over=prepared.start_over,
        dropped=[DroppedCase(case_id=change.case_id, reason=change.reason.value) for change in dropped],
        open_launches=launch_documents([*end.outcome.unsettled, *prepared.open_launches.unsettled]),
        cost=_cost(session, prepared, end, cases),
        stats=session.reports.stats(launches=end.outcome.launches),
    )


def _consent(session: RunSession, prepared: Preparation, end: SessionEnd) -> ConsentDocument:
    state, consent_id = session.log.state, prepared.consent_id
    judged_cents = spent_on_judging(state, consent_id).committed_cents(None)
    cents = total(spent_on_calls(state, consent_id)).committed + judged_cents
    return end.consent.model_copy(update={"spent_cents": cents}) if end.consent.id else end.consent


def _cost(session: RunSession, prepared: Preparation, end: SessionEnd, cases: Sequence[CaseResult]) -> CostDocument:
    """Costs of the consent, in any session and on any machine: what the log knows."""
    state, estimate, unread = session.log.state, prepared.whole_estimate, end.outcome.unread_slots
    charged = slots_of_consent(state, prepared.consent_id)
    calls = total(spent_on_calls(state, prepared.consent_id))
    mine = {launch.launch_id for launch in launches_of_session(state, session.reports.session_id)}
    unbilled = [slot for slot in charged if slot.cost_cents is None]
    carried = {run_key(run): run for case in cases for run in case.carried_runs}.values()  # cases may share calls
    not_seen = [slot for slot in unbilled if not slot.launch.is_open and slot.evidence is None]
    slots = slots_by_run(state)
    late = [slots.get(run.run_id) for run in carried if run.cost_cents is None]
    launches = {slot.launch_id for slot in charged}
    others = [each.intent for each in prepared.open_launches.unsettled]
    others_cents = sum(intent.cents for intent in others if intent.launch_id not in launches)
    return CostDocument(
        estimated_cents=estimate.expected_cents,
        estimated_low_cents=estimate.low_cents,
        estimated_high_cents=estimate.high_cents,
        estimate_basis=estimate.basis,
        paid_before_cents=prepared.paid_before_cents,
        actual_cents=calls.spent,
        this_session_cents=sum(slot.cost_cents or 0 for slot in charged if slot.launch_id in mine),
        # Unconfirmed, under way, or ended without a bill: the reservation stands for the cost.
        unconfirmed_cents=calls.reserved + others_cents,
        calls_under_way=sum(slot.key not in unread for slot in not_seen),
        unread_calls=sum(slot.key in unread for slot in not_seen),
        unbilled_calls=sum(slot.evidence is not None for slot in unbilled),
        ceiling_cents=session.ceiling_cents(prepared),
        carried_cents=sum(run.cost_cents or 0 for run in carried),
        carried_unconfirmed_cents=sum(slot.reserved_cents for slot in late if slot is not None),
        judge=judge_cost(prepared.change_set, end.judge_calls, spent_on_judging(state, prepared.consent_id)),
    )


def _store(session: RunSession, prepared: Preparation, result: RunResult) -> None:
    session.place.repository.save_session(result)
    if not result.finished:
        return
    store_facts(session, prepared, result, is_finished=True)


def _note_end(session: RunSession, prepared: Preparation, end: SessionEnd) -> None:
    """What is over in the consent, and which runs need not be resumed."""
    has_consent = prepared.consent_id in session.log.state.consents
    stored = [record.run_id for record in (*end.runs.records, *end.added.records)]
    end_session(session, done=ended_calls(prepared) if has_consent else (), finished=stored)
