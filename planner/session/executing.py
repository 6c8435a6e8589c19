"""Makes the calls of a consented change set, and judges each run when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from planner.agents.copies import bills_for_copies
from planner.changes.consent import Limits
from planner.changes.model import whole_cents
from planner.execution.engine import Outcome
from planner.execution.jobs import jobs_of, ledger_of
from planner.execution.ledger import Ledger, Purpose
from planner.execution.month_spending import month_ceilings, months_of
from planner.execution.open_launches import OpenLaunches
from planner.execution.spending import spending_of
from planner.judge.judge_call_records import JudgeCallRecords
from planner.judge.votes import JudgeCallsResult
from planner.judging.judge_calls import JudgeCalls, copy_stop_reasons
from planner.results.model import PreviewDocument
from planner.results.money_documents import ConsentDocument
from planner.session.called_agents import (
    edited_before,
    edited_launches,
    exclude,
    make_previews,
    preview_documents,
)
from planner.session.calling import EndedRuns, make_calls
from planner.session.preparing import Preparation
from planner.session.run_session import ConnectedSession, RunSession
from planner.values import frozen
from planner.verdicts.runs import judge_stored


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
    open_launches: OpenLaunches = OpenLaunches()
    """Those of earlier sessions that this one does not need, as it leaves them."""


async def execute(session: ConnectedSession, prepared: Preparation, consent: ConsentDocument) -> SessionEnd:
    """Make the calls and the judge calls. Without consent, only calls of earlier sessions are resumed."""
    change_set = prepared.change_set
    shared = session.place.shared
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
            session.shell.clock,
            *([] if shared is None else [shared.repository.share_votes]),
        ),
    )
    await judge.check()
    edited = await edited_before(session, prepared)
    if consent.given:
        prepared = await make_previews(session, prepared)
    outcome, runs, open_launches = await make_calls(session, prepared, may_call=consent.given)
    ledger = _ledger(session, prepared)
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
    return SessionEnd(
        consent, outcome, runs, judge_calls, previews, prepared.warnings, edited, open_launches=open_launches
    )


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
        return SessionEnd(consent, open_launches=prepared.open_launches)
    outcome, runs, open_launches = await make_calls(session, prepared, may_call=False)
    return SessionEnd(consent, outcome, runs, open_launches=open_launches)


def _ledger(session: RunSession, prepared: Preparation) -> Ledger:
    limits = Limits(session.loaded.plans, session.loaded.project.policy, session.shell.clock.now())
    ledger = ledger_of(
        limits,
        spending_of(session.journal, prepared.consent_id),
        max_cost_cents=prepared.max_cost_cents(session.options.max_cost_cents),
    )
    bills = session.journal.bills(prepared.consent_id)
    policy = session.loaded.project.policy
    months = months_of(policy, session.shell.clock.now(), session.journal)
    ledger.ceilings = [*ledger.ceilings, *month_ceilings(policy, months)]
    for target, reserved_cents, billed_cents in bills_for_copies(bills, session.journal.state, prepared.copies):
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
