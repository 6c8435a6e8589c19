"""What journal and intents show of a session that ended without results: what was agreed to, made and paid.

A report never says less: calls that were paid are in the journal before anything else can fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planner.execution.journal import Journal
from planner.execution.launches import KNOWN, UNSETTLED, Launch, LaunchState, Slot
from planner.results.model import CostDocument
from planner.session.orphaned_launches import launch_documents, unsettled_launch
from planner.session.preparing import charged_slots

if TYPE_CHECKING:
    from planner.session.run_session import RunSession


def known_facts(session: RunSession) -> dict[str, Any]:
    """Fields of the results. Costs are of every run of the consent, as in results of a session that ended well."""
    journal = session.journal
    mine = journal.launches_of(session.reports.invocation_id)
    digest = session.consent.digest or next((launch.consent_id for launch in mine), "")
    unsettled = [launch for launch in journal.launches(UNSETTLED) if _may_have_been_sent(launch)]
    ours = [launch for launch in unsettled if launch.consent_id == digest]
    return {
        "change_set_digest": digest,
        "consent": session.consent,
        "open_launches": launch_documents([unsettled_launch(journal, launch) for launch in unsettled]),
        "cost": _cost(session, mine, _charged(journal, digest, mine), {launch.launch_id for launch in ours}),
        "stats": session.reports.stats(launches=sum(launch.state in KNOWN for launch in mine)),
    }


def _may_have_been_sent(launch: Launch) -> bool:
    return launch.state is not LaunchState.INTENDED


def _charged(journal: Journal, digest: str, mine: list[Launch]) -> list[Slot]:
    """The slots of this consent, also those that results of this session already hold."""
    own = (slot for launch in mine if launch.state in KNOWN for slot in journal.slots_of(launch.launch_id))
    charged = {slot.key: slot for slot in (*charged_slots(journal, digest), *own)}
    return list(charged.values())


def _cost(session: RunSession, mine: list[Launch], charged: list[Slot], unsettled: set[str]) -> CostDocument:
    launched_now = {launch.launch_id for launch in mine}
    unbilled = [slot for slot in charged if slot.cost_cents is None]
    return CostDocument(
        estimated_cents=session.expected_cents,
        actual_cents=sum(slot.cost_cents or 0 for slot in charged),
        this_invocation_cents=sum(slot.cost_cents or 0 for slot in charged if slot.launch_id in launched_now),
        ambiguous_cents=sum(slot.reserved_cents for slot in unbilled),
        calls_under_way=sum(slot.launch_id not in unsettled and slot.evidence is None for slot in unbilled),
        unbilled_calls=sum(slot.evidence is not None for slot in unbilled),
        ceiling_cents=session.ceiling_cents,
    )
