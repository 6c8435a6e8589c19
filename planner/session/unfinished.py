"""What the log shows of a session that ended without results: consent, calls and costs.

Paid calls are in the log before anything else can fail, so the report has all of them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from planner.calls.model import Unsettled
from planner.calls.open_launches import launch_documents
from planner.calls.slots import launches_of_session, slots_of_consent
from planner.calls.spending import spent_on_calls, spent_on_judging, total
from planner.changes.model import whole_cents
from planner.log.facts import Intent
from planner.log.fold import Launch
from planner.results.judge_documents import JudgeCost
from planner.results.money_documents import CostDocument

if TYPE_CHECKING:
    from planner.session.run_session import RunSession


def known_facts(session: RunSession) -> dict[str, Any]:
    """Fields of the results. Costs are of every run of the consent, as in results of a session that ended well."""
    state, agreed = session.log.state, session.reports.consent
    mine = launches_of_session(state, session.reports.session_id)
    consent_id = agreed.id or next((launch.intent.consent_id for launch in mine if launch.intent is not None), "")
    consent = state.consents.get(consent_id)
    unsettled = state.open_launches()
    ours = {intent.launch_id for intent in unsettled if intent.consent_id == consent_id}
    return {
        "change_set_digest": agreed.digest or ("" if consent is None else consent.digest),
        "consent": agreed,
        "open_launches": launch_documents([_resumed_later(session, intent) for intent in unsettled]),
        "cost": _cost(session, consent_id, mine, ours),
        "stats": session.reports.stats(launches=sum(launch.has_runs for launch in mine)),
    }


def _resumed_later(session: RunSession, intent: Intent) -> Unsettled:
    settle_seconds = session.loaded.project.execution.settling_seconds
    is_unclear = session.log.state.launches[intent.launch_id].outcome is not None
    again_at = None if is_unclear else intent.at + timedelta(seconds=settle_seconds)
    return Unsettled(intent, needs_person=False, why="", again_at=again_at)


def _cost(session: RunSession, consent_id: str, mine: list[Launch], unsettled: set[str]) -> CostDocument:
    charged = slots_of_consent(session.log.state, consent_id)
    calls, launched_now = total(spent_on_calls(session.log.state, consent_id)), {launch.launch_id for launch in mine}
    unbilled = [slot for slot in charged if slot.cost_cents is None]
    return CostDocument(
        estimated_cents=session.reports.expected_cents,
        actual_cents=calls.spent,
        this_session_cents=sum(slot.cost_cents or 0 for slot in charged if slot.launch_id in launched_now),
        unconfirmed_cents=calls.reserved,
        calls_under_way=sum(slot.launch_id not in unsettled and slot.evidence is None for slot in unbilled),
        unbilled_calls=sum(slot.evidence is not None for slot in unbilled),
        ceiling_cents=session.ceiling_cents(None),
        judge=_judge_cost(session, consent_id),
    )


def _judge_cost(session: RunSession, consent_id: str) -> JudgeCost | None:
    settings, state = session.loaded.project.judge, session.log.state
    judged = spent_on_judging(state, consent_id)
    if settings is None or not judged.committed(None):
        return None
    answered = [vote for vote in state.votes.values() if vote.answer is not None and vote.consent_id == consent_id]
    now = sum(vote.microcents for vote in answered if vote.session_id == session.reports.session_id)
    return JudgeCost(
        model=settings.model,
        votes=0,
        actual_cents=judged.spent_cents,
        this_session_cents=whole_cents(now),
        unconfirmed_cents=judged.reserved_cents,
    )
