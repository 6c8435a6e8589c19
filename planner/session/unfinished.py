"""What journal and intents show of a session that ended without results: consent, calls and costs.

Paid calls are in the journal before anything else can fail, so the report has all of them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from planner.changes.model import whole_cents
from planner.execution.consents import Spending
from planner.execution.engine import UnsettledLaunch
from planner.execution.launches import KNOWN, UNSETTLED, Launch
from planner.execution.open_launches import launch_documents, unsettled_launch
from planner.execution.spending import judge_spending, spending_of
from planner.results.judge_documents import JudgeCost
from planner.results.money_documents import CostDocument

if TYPE_CHECKING:
    from planner.session.run_session import RunSession


def known_facts(session: RunSession) -> dict[str, Any]:
    """Fields of the results. Costs are of every run of the consent, as in results of a session that ended well."""
    journal, agreed = session.journal, session.reports.consent
    mine = journal.launches_of(session.reports.session_id)
    consent_id = agreed.id or next((launch.consent_id for launch in mine), "")
    consent = journal.consents.get(consent_id)
    unsettled = journal.launches(UNSETTLED)
    ours = {launch.launch_id for launch in unsettled if launch.consent_id == consent_id}
    return {
        "change_set_digest": agreed.digest or ("" if consent is None else consent.digest),
        "consent": agreed,
        "open_launches": launch_documents([_resumed_later(session, launch) for launch in unsettled]),
        "cost": _cost(session, consent_id, mine, ours),
        "stats": session.reports.stats(launches=sum(launch.state in KNOWN for launch in mine)),
    }


def _resumed_later(session: RunSession, launch: Launch) -> UnsettledLaunch:
    settle_seconds = session.loaded.project.execution.settling_seconds
    again_at = launch.sent_at + timedelta(seconds=settle_seconds) if launch.problem is None else None
    return replace(unsettled_launch(session.journal, launch), again_at=again_at)


def _cost(session: RunSession, consent_id: str, mine: list[Launch], unsettled: set[str]) -> CostDocument:
    charged = session.journal.slots_of_consent(consent_id)
    spending = spending_of(session.journal, consent_id)
    calls, launched_now = spending.of_calls(), {launch.launch_id for launch in mine}
    unbilled = [slot for slot in charged if slot.cost_cents is None]
    return CostDocument(
        estimated_cents=session.reports.expected_cents,
        actual_cents=calls.spent,
        this_session_cents=sum(slot.cost_cents or 0 for slot in charged if slot.launch_id in launched_now),
        unconfirmed_cents=calls.reserved,
        calls_under_way=sum(slot.launch_id not in unsettled and slot.evidence is None for slot in unbilled),
        unbilled_calls=sum(slot.evidence is not None for slot in unbilled),
        ceiling_cents=session.ceiling_cents(None),
        judge=_judge_cost(session, spending),
    )


def _judge_cost(session: RunSession, spending: Spending) -> JudgeCost | None:
    settings, judged = session.loaded.project.judge, judge_spending(spending)
    if settings is None or not judged.committed(None):
        return None
    now = spending.judging.get(session.reports.session_id, {})
    return JudgeCost(
        model=settings.model,
        votes=0,
        actual_cents=judged.spent_cents,
        this_session_cents=whole_cents(sum(amount.spent for amount in now.values())),
        unconfirmed_cents=judged.reserved_cents,
    )
