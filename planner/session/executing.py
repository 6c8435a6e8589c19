"""Makes the calls of a consented change set, and judges each run when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from planner.calls.budget import Budget
from planner.calls.open_launches import OpenLaunches
from planner.calls.spending import account_of_month, budget_under, month_of
from planner.changes.model import whole_cents
from planner.judge.judge_call_records import JudgeCallRecords
from planner.judge.votes import JudgeCallsResult
from planner.judging.judge_calls import JudgeCalls, copy_stop_reasons
from planner.quantities import money
from planner.results.model import PreviewDocument
from planner.results.money_documents import ConsentDocument
from planner.session.called_agents import (
    edited_before,
    edited_launches,
    exclude,
    make_previews,
    preview_documents,
)
from planner.session.calling import EndedRuns, make_calls, wants_of
from planner.session.confirming import confirm_regressions
from planner.session.preparing import Preparation
from planner.session.run_session import ConnectedSession, RunSession
from planner.values import frozen
from planner.verdicts.outcome import Outcome
from planner.verdicts.runs import judge_stored


@frozen
class SessionEnd:
    """What was agreed to and what was done."""

    consent: ConsentDocument
    outcome: Outcome = field(default_factory=Outcome)
    runs: EndedRuns = field(default_factory=EndedRuns)
    added: EndedRuns = field(default_factory=EndedRuns)
    """The calls that were added to confirm regressions."""
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
            session.log,
            session.log.account,
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
    budget = _budget(session, prepared)
    judge_calls = JudgeCallsResult()
    if not (outcome.interrupted or outcome.bug):
        judge_calls = await judge.make(runs.judged, budget.accounts, prepared.progress.judge, session.interrupted)
        outcome.ceiling_enough = _ceilings_enough(session, prepared, outcome, judge_calls)
        copy_stop_reasons(outcome, judge_calls)
    _judge_by_votes(session, prepared, runs)
    added = EndedRuns()
    if consent.given and change_set.confirmations and _has_all_calls(outcome):
        added = await confirm_regressions(session, prepared, outcome, runs)
    if not outcome.interrupted:
        slots = [record.slot for record in (*runs.records, *added.records)]
        edited |= await edited_launches(session, prepared, slots, after_calls=True)
    exclude(session, runs, edited)
    exclude(session, added, edited)
    outcome.broken = _broken(budget)
    if outcome.left and not consent.given:
        outcome.refusal = (
            "some launches turned out never to have arrived, and consent to charge for their calls was not given"
        )
    if outcome.bug is not None:
        outcome.bug = session.reports.note_bug(outcome.bug)
    previews = preview_documents(session, prepared)
    return SessionEnd(
        consent, outcome, runs, added, judge_calls, previews, prepared.warnings, edited, open_launches=open_launches
    )


def _has_all_calls(outcome: Outcome) -> bool:
    stopped = outcome.interrupted or outcome.bug or outcome.trouble or outcome.usage or outcome.refusal
    return not (
        stopped or outcome.fail_fast or outcome.ceilings or outcome.left or outcome.overdue or outcome.unsettled
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


def _budget(session: RunSession, prepared: Preparation) -> Budget:
    """Our ceilings, and what counts against them. The log knows what judge calls of the month cost; the service lists
    only phone calls."""
    state, limit_cents = session.log.state, session.loaded.project.policy.max_cost_cents_per_month
    month = month_of(session.shell.clock.now())
    account = None if limit_cents is None else account_of_month(state, month, limit_cents)
    return budget_under(state, state.consents.get(prepared.consent_id), account)


def _broken(budget: Budget) -> str:
    """`--max-cost allows $20.00, and $24.00 was billed`: the ceilings that bills exceed; empty if none."""
    lines = [
        f"{account.label} allows {money(account.limit)}, and {money(account.spent)} was billed"
        for account in budget.accounts
        if account.spent > account.limit
    ]
    return " and ".join(lines)


def _ceilings_enough(session: RunSession, prepared: Preparation, outcome: Outcome, judged: JudgeCallsResult) -> str:
    """`--max-cost $3.20`: the value of each ceiling that stopped calls or judge calls which would cover all that are
    left; empty if a price is unknown. Judge calls by their high estimates."""
    budget, stopped = _budget(session, prepared), {*outcome.ceilings, judged.ceiling}
    wants = {change.case_id: want for change, want in wants_of(prepared.change_set, prepared.copies, str)}
    plans = {change.case_id: change.case.plan for change in prepared.change_set.payers if change.case is not None}
    left = [(wants[case_id], plans[case_id], calls) for case_id, calls in outcome.left.items()]
    # The next session prices them by these bills plus a quarter, as calls of unknown price.
    least = -(-budget.state.highest_bill(None) * 5 // 4)
    votes = prepared.change_set.votes.by_plan.items() if prepared.change_set.votes else ()
    lines: list[str] = []
    for account in budget.accounts:
        prices = [(budget.price(want), calls) for want, plan, calls in left if account.covers(plan)]
        if account.label not in stopped or any(cents is None for cents, _ in prices):
            continue
        cents = account.spent + account.reserved + sum(max(cents or 0, least) * calls for cents, calls in prices)
        cents += sum(
            whole_cents(max(0, wanted.high - judged.by_plan.get(plan, 0)))
            for plan, wanted in votes
            if account.covers(plan)
        )
        lines.append(f"{account.label} {money(cents)}")
    return " and ".join(lines)
