"""Settles the reservations of calls whose bills are known."""

from __future__ import annotations

from planner.execution.engine import Order
from planner.execution.watched import Watched
from planner.providers.base import Run


def bill(order: Order, watched: Watched, billed_cents: int, *, is_final: bool) -> None:
    """Settle a reservation. Runs of other change sets have no reservation here, but their bills update the price.

    If the account may have been charged more (not `is_final`), ceilings count the higher of bill and reservation.
    """
    slot, launch = watched.slot, watched.launch
    reserved_cents = slot.reserved_cents if watched.reservation_cents is None else watched.reservation_cents
    order.ledger.learn(launch.line.target, reserved_cents=reserved_cents, billed_cents=billed_cents)
    if launch.change_set_digest == order.change_set_digest:
        counted_cents = billed_cents if is_final else max(billed_cents, reserved_cents)
        order.ledger.bill(slot.plan, reserved_cents=reserved_cents, billed_cents=counted_cents)


def expect_estimate(order: Order, run: Run, watched: Watched) -> None:
    """A call of unknown price ended and its bill is late: replace its reservation, which is everything left, by the
    service's estimate, so that other calls can start. Our own estimates stay."""
    slot, job = watched.slot, watched.job
    is_ours = watched.launch.change_set_digest == order.change_set_digest
    is_unpriced = job.reserve_cents is None and watched.reservation_cents is None and slot.cost_cents is None
    if is_unpriced and is_ours and run.estimated_cents is not None:
        watched.reservation_cents = run.estimated_cents
        order.ledger.revise(slot.plan, slot.reserved_cents, run.estimated_cents)
