"""Turns what the service shows of an ended run into a `Call`, and what was charged for it into its bill. No I/O."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from planner.evidence import Evidence, Part, missing_parts
from planner.log.facts import MAX_CENTS, Asked, Call, Intent
from planner.log.fold import LONGEST_RUN, Launch, Stage, State
from planner.providers.base import CallId, Charged, Run, RunId
from planner.values import frozen

CHARGE_SLACK: Final = timedelta(minutes=5)
"""A call may be charged this long before its run ends."""
MAX_END_REASON: Final = 100


@frozen
class Ended:
    """A run of a launch that has ended, and what it was asked for."""

    run: Run
    launch: Launch
    intent: Intent
    asked: Asked

    @property
    def before(self) -> Call | None:
        """What an earlier reading found."""
        return self.launch.calls.get(self.run.id)


def call_of(ended: Ended, evidence: Evidence, digest: str, *, await_grade: bool, has_transactions: bool) -> Call:
    """The call with its evidence. Where the account's transactions can be read, its bill is final only with them."""
    run, before = ended.run, ended.before
    missing: list[Part] = [part for part in missing_parts(evidence, grade_wanted=await_grade) if part != "bill"]
    is_charged = evidence.cost_basis == "transaction" or run.call_id is None
    if evidence.cost_cents is None or (has_transactions and not is_charged):
        missing.append("bill")
    cents, basis = _bounded(evidence.cost_cents), evidence.cost_basis
    if before is not None and before.has_final_bill:
        cents, basis = before.cents, before.basis
        missing = [part for part in missing if part != "bill"]
    call = evidence.call
    return Call(
        at=run.created_at or ended.intent.at,
        account=ended.intent.account,
        run_id=run.id,
        key=ended.asked.key,
        launch_id=ended.intent.launch_id,
        part=1 if before is None else before.part + 1,
        status=run.status,
        batch_id=run.batch_id,
        call_id=run.call_id,
        end_reason=None if call is None or call.end_reason is None else call.end_reason[:MAX_END_REASON],
        started_at=run.started_at,
        completed_at=run.completed_at,
        duration_seconds=evidence.duration_seconds,
        cents=cents,
        basis=basis,
        configuration=ended.asked.configuration,
        evidence=digest,
        missing=tuple(missing),
    )


def _bounded(cents: int | None) -> int | None:
    return None if cents is None else min(cents, MAX_CENTS)


def late_calls(launch: Launch) -> dict[RunId, Asked]:
    """What each call was asked for whose evidence was read before it was complete."""
    asked = {} if launch.intent is None else {each.key: each for each in launch.intent.asked}
    return {
        run_id: asked[call.key]
        for run_id, call in launch.live_calls.items()
        if call.key in asked and any(part != "bill" for part in call.missing)
    }


# Bills


def unbilled_calls(state: State) -> list[Call]:
    """Calls whose charge may still come."""
    return [
        call
        for launch, _ in state.at_stage(Stage.UNREAD, Stage.INCOMPLETE)
        if launch.launch_id not in state.elsewhere
        for call in launch.live_calls.values()
        if call.has_ended and call.call_id is not None and "bill" in call.missing
    ]


def charges_to_read(calls: list[Call]) -> dict[CallId, datetime]:
    """The calls to look for, with the earliest time of their transactions."""
    return {
        call.call_id: (call.completed_at or call.started_at or call.at) - CHARGE_SLACK
        for call in calls
        if call.call_id is not None
    }


def billed_calls(calls: list[Call], charged: Charged) -> list[Call]:
    """The calls with their bills, where the account was charged."""
    return [
        _billed(call, charged.cents[call.call_id], "transaction")
        for call in calls
        if call.call_id is not None and call.call_id in charged.cents
    ]


def billed_by_call(calls: list[Call]) -> list[Call]:
    """The calls with the bill that they show themselves: the account's transactions cannot be read."""
    return [_billed(call, call.cents, "call") for call in calls if call.cents is not None]


def _billed(call: Call, cents: int, basis: str) -> Call:
    return replace(
        call,
        part=call.part + 1,
        cents=_bounded(cents),
        basis="transaction" if basis == "transaction" else "call",
        missing=tuple(part for part in call.missing if part != "bill"),
    )


def later_part(call: Call, evidence: str | None, cents: int | None) -> Call:
    """The call with evidence and a bill that came later; None: as they are."""
    return replace(
        call,
        part=call.part + 1,
        evidence=evidence or call.evidence,
        cents=call.cents if cents is None else cents,
        basis=call.basis if cents in (None, call.cents) else "transaction",
        missing=call.missing if cents is None else tuple(part for part in call.missing if part != "bill"),
    )


def is_old(intent: Intent, now: datetime) -> bool:
    """Whether runs of a launch can no longer be under way."""
    return now - intent.at > LONGEST_RUN
