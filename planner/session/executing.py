"""Makes the calls of a consented change set, and judges each run when it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from planner.agents.copies import bills_for_copies
from planner.changes.consent import Limits
from planner.changes.model import whole_cents
from planner.execution.engine import (
    EngineSettings,
    Outcome,
    SessionTerms,
    Snapshot,
)
from planner.execution.jobs import jobs_of, ledger_of
from planner.execution.ledger import Ledger, Purpose
from planner.execution.local import LocalEngine
from planner.execution.month_spending import month_ceilings
from planner.execution.observer import EndedRun, Observer, RunResponse
from planner.execution.spending import month_of, spending_of
from planner.judge.judge_call_records import JudgeCallRecords
from planner.judge.votes import JudgeCallsResult
from planner.judging.judge_calls import JudgeCalls, copy_stop_reasons
from planner.planfile.model import Case
from planner.reports.progress import ProgressState
from planner.results.model import JudgedRun, PreviewDocument
from planner.results.money_documents import ConsentDocument
from planner.results.outcomes import Cause, RunOutcome
from planner.session.called_agents import (
    ReachedAgents,
    edited_before,
    edited_launches,
    exclude,
    make_previews,
    preview_documents,
)
from planner.session.preparing import Preparation, store_spending
from planner.session.run_session import ConnectedSession, RunSession
from planner.values import frozen
from planner.verdicts.runs import judge_record, judge_stored
from planner.workspace.progress import ProgressDisplay


@dataclass(slots=True)
class EndedRuns:
    """The runs that the engine has reported. `overdue` had not ended when it stopped waiting."""

    judged: dict[str, list[JudgedRun]] = field(default_factory=dict[str, list[JudgedRun]])
    """By case id, in the order of their ends."""
    records: list[EndedRun] = field(default_factory=list[EndedRun])
    overdue: list[EndedRun] = field(default_factory=list[EndedRun])
    launched_now: int = 0
    """Runs that this session launched."""
    ran_another: set[int] = field(default_factory=set[int])
    """Runs whose calls ran another configuration of the agent than planned."""

    def add(self, record: EndedRun, judged: Mapping[str, JudgedRun]) -> None:
        """Add a run with its verdict for each case that shares it."""
        self.records.append(replace(record, evidence=None))  # evidence of ten thousand runs would fill the memory
        self.overdue += [record] if record.evidence is None else []
        self.launched_now += not record.resumed
        for case_id, run in judged.items():
            self.judged.setdefault(case_id, []).append(run)


@frozen
class SessionEnd:
    """What was agreed to and what was done."""

    consent: ConsentDocument
    outcome: Outcome = field(default_factory=Outcome)
    runs: EndedRuns = field(default_factory=EndedRuns)
    judge_calls: JudgeCallsResult = field(default_factory=JudgeCallsResult)
    previews: Sequence[PreviewDocument] = ()
    warnings: Sequence[str] = ()
    """Those of the preparation and of the previews."""
    edited: frozenset[str] = frozenset()
    """Launches whose agent was edited while it was called."""


async def execute(session: ConnectedSession, prepared: Preparation, consent: ConsentDocument) -> SessionEnd:
    """Make the calls and the judge calls. Without consent, only calls of earlier sessions are resumed."""
    change_set = prepared.change_set
    judge = JudgeCalls(
        session.shell,
        prepared.judging,
        change_set,
        consent.given,
        session.request_log.log,
        JudgeCallRecords(
            session.journal,
            prepared.consent_id,
            session.reports.session_id,
            month_of(session.shell.clock.now()),
            session.intents.consents.share_judge_calls if session.intents else None,
        ),
    )
    await judge.check()
    edited = await edited_before(session, prepared)
    if consent.given:
        prepared = await make_previews(session, prepared)
    ledger = _ledger(session, prepared)
    if session.intents is not None:
        answers = session.place.shared.repository if session.place.shared is not None else None
        session.intents.consents.begin(prepared.consent_id, ledger.ceilings, store_spending(session.place), answers)
    outcome, runs = await _make_calls(session, prepared, ledger, may_call=consent.given)
    judge_calls = JudgeCallsResult()
    if not (outcome.interrupted or outcome.bug):
        judge_calls = await judge.make(runs.judged, ledger, prepared.progress.judge, session.interrupted)
        outcome.ceiling_enough = _ceilings_enough(prepared, ledger, outcome, judge_calls)
        copy_stop_reasons(outcome, judge_calls)
    _judge_by_votes(session, prepared, runs)
    if not outcome.interrupted:
        slots = [record.slot for record in runs.records]
        edited |= await edited_launches(session, prepared, slots, after_calls=True)
    exclude(session, runs, edited)
    outcome.broken = ledger.broken()
    if outcome.left and not consent.given:
        outcome.refusal = (
            "some launches turned out never to have arrived, and consent to charge for their calls was not given"
        )
    if outcome.bug is not None:
        outcome.bug = session.reports.note_bug(outcome.bug)
    previews = preview_documents(session, prepared)
    return SessionEnd(consent, outcome, runs, judge_calls, previews, prepared.warnings, edited)


def _judge_by_votes(session: RunSession, prepared: Preparation, runs: EndedRuns) -> None:
    """Judge new runs once more: they were judged when they ended, before the model was asked."""
    load_evidence, cache = session.place.repository.load_evidence, prepared.judging.cache
    for change in prepared.judging.asking(prepared.change_set.changes):
        case, judged = change.case, runs.judged.get(change.case_id, ())
        if case is not None and judged:
            runs.judged[change.case_id] = [judge_stored(case, run, load_evidence, cache) for run in judged]


async def await_calls(session: ConnectedSession, prepared: Preparation, consent: ConsentDocument) -> SessionEnd:
    """Wait for the calls of earlier sessions, which is free, although this session is refused."""
    if not prepared.resumable:
        return SessionEnd(consent)
    outcome, runs = await _make_calls(session, prepared, _ledger(session, prepared), may_call=False)
    return SessionEnd(consent, outcome, runs)


def _ledger(session: RunSession, prepared: Preparation) -> Ledger:
    limits = Limits(session.loaded.plans, session.loaded.project.policy, session.shell.clock.now())
    ledger = ledger_of(
        limits,
        spending_of(session.journal, prepared.consent_id),
        max_cost_cents=prepared.max_cost_cents(session.options.max_cost_cents),
        balance=prepared.balance,
        open_cents=prepared.open_launches.reserved_cents,
    )
    bills = session.journal.bills(prepared.consent_id)
    ledger.ceilings = [*ledger.ceilings, *month_ceilings(session.loaded.project.policy, prepared.months)]
    for target, reserved_cents, billed_cents in bills_for_copies(bills, session.journal.previews, prepared.copies):
        ledger.learn(target, reserved_cents=reserved_cents, billed_cents=billed_cents)
    return ledger


def _ceilings_enough(prepared: Preparation, ledger: Ledger, outcome: Outcome, judged: JudgeCallsResult) -> str:
    """The value of each ceiling that stopped calls or judge calls which would cover all that are left; empty if a price
    is unknown. Judge calls by their high estimates."""
    labels = {*outcome.ceiling.split(", "), judged.ceiling}
    jobs = {job.case_id: job for job in jobs_of(prepared.change_set, prepared.copies)}
    left = [(jobs[case_id], runs) for case_id, runs in outcome.left.items()]
    votes = prepared.change_set.votes.by_plan.items() if prepared.change_set.votes else ()
    month = prepared.months[0].month if prepared.months else ""
    return ledger.enough(
        labels,
        [(Purpose(job.plan, month=month), job.line.target, job.reserve_cents, runs) for job, runs in left],
        {
            Purpose(plan, month=month): whole_cents(max(0, wanted.high - judged.by_plan.get(plan, 0)))
            for plan, wanted in votes
        },
    )


async def _make_calls(
    session: ConnectedSession,
    prepared: Preparation,
    ledger: Ledger,
    *,
    may_call: bool,
) -> tuple[Outcome, EndedRuns]:
    """Resume the calls of earlier sessions, and with `may_call` launch the others."""
    runs = EndedRuns()
    reached = ReachedAgents(session, prepared, runs.ran_another)
    jobs = jobs_of(prepared.change_set, prepared.copies)
    if not jobs:
        return Outcome(interrupted=session.interrupted.is_set()), runs
    shell, options, project = session.shell, session.options, session.loaded.project
    repository = session.place.repository
    progress = ProgressDisplay(shell)
    session.request_log.note = progress.note  # do not write over the live display
    sharing = {change.case_id: prepared.change_set.sharing(change) for change in prepared.change_set.payers}

    def on_run(record: EndedRun) -> RunResponse:
        cases = [change.case for change in sharing[record.slot.case_id] if change.case is not None]
        judged = {case.case_id: judge_record(case, record, prepared.judging.cache) for case in cases}
        runs.add(record, judged)
        reached.note(record.slot, record.evidence)
        failed = [case for case in cases if judged[case.case_id].outcome is RunOutcome.FAILED]
        platform_failed = judged[record.slot.case_id].cause is Cause.PLATFORM
        return RunResponse(
            platform_failed=record.evidence is not None and platform_failed,
            stop=options.fail_fast and any(map(counts, failed)),
        )

    def counts(case: Case) -> bool:
        return case.quarantine is None or session.reports.started_at.date() > case.quarantine.until

    def on_snapshot(snapshot: Snapshot) -> None:
        seconds = shell.clock.monotonic() - session.reports.started
        is_known = runs.launched_now and snapshot.in_flight
        progress.update(
            ProgressState(
                snapshot.runs_done,
                snapshot.runs_total,
                snapshot.in_flight,
                snapshot.spent_cents,
                snapshot.reserved_cents,
                session.ceiling_cents(prepared),
                seconds,
                seconds / runs.launched_now * (snapshot.runs_total - snapshot.runs_done) if is_known else None,
                snapshot.waiting,
            )
        )

    engine = LocalEngine(
        provider=session.transactions.client,
        transactions=session.transactions,
        journal=session.journal,
        save_evidences=repository.save_evidences,
        load_evidence=repository.load_evidence,
        clock=shell.clock,
        new_id=shell.new_id,
        share_intent=session.intents.share if session.intents else None,
    )
    terms = SessionTerms(
        session_id=session.reports.session_id,
        credential=session.transactions.client.credential,
        ledger=ledger,
        settings=EngineSettings(
            settle_seconds=project.execution.settle_seconds,
            linger_seconds=project.execution.linger_seconds,
            max_concurrent_runs=project.policy.max_concurrent_runs,
        ),
        consent_id=prepared.consent_id,
        jobs={job.case_id: job for job in jobs},
        may_launch=may_call,
    )
    observer = Observer(
        on_run=on_run,
        on_snapshot=on_snapshot,
        log=progress.note if shell.verbosity else lambda _: None,
        warn=progress.note,
    )
    for ceiling in ledger.ceilings:
        observer.log(ceiling.summary())
    if not may_call:
        observer.log("nothing is launched without consent to charge; calls under way are resumed")
    resumed = [slot for slots in prepared.resumable.values() for slot in slots]
    try:
        outcome = await engine.execute(terms, resumed, observer=observer, interrupted=session.interrupted)
        return outcome, runs
    finally:
        session.request_log.note = shell.log
        progress.close()
