"""The budget ledger: what a ceiling allows, and the sums of reservations and bills."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.execution.ledger import Ceiling, Ledger, Purpose

AGENT = "agent", 12
A, B = Purpose("a"), Purpose("b")


def ledger_of(*limits: tuple[int, str | None], by_service: int | None = None) -> Ledger:
    ceilings = [Ceiling(f"ceiling {number}", cents, plan) for number, (cents, plan) in enumerate(limits)]
    if by_service is not None:
        ceilings.append(Ceiling("balance", by_service, by_service=True))
    return Ledger(ceilings)


def test_a_launch_fits_while_every_ceiling_that_covers_it_has_room() -> None:
    """The tightest ceiling decides, a plan's ceiling holds for that plan only, and the last cent may be spent."""
    ledger = ledger_of((100, None), (40, "a"))
    assert ledger.reservation_for(A, AGENT, 40) == 40
    ledger.reserve(A, 40)
    assert ledger.reservation_for(A, AGENT, 1) is None
    assert ledger.reservation_for(B, AGENT, 60) == 60
    ledger.reserve(B, 60)
    assert ledger.reservation_for(B, AGENT, 1) is None
    assert ledger.reservation_for(B, AGENT, 0) == 0


def test_a_bill_replaces_its_reservation() -> None:
    """A bill below its reservation makes room; a bill above it takes room, even beyond the ceiling."""
    ledger = ledger_of((100, None))
    ledger.reserve(A, 50)
    ledger.bill(A, reserved_cents=50, billed_cents=16)
    assert (ledger.spent_cents, ledger.reserved_cents, ledger.ceilings[0].left_cents) == (16, 0, 84)
    ledger.reserve(A, 50)
    ledger.bill(A, reserved_cents=50, billed_cents=90)
    assert (ledger.spent_cents, ledger.reserved_cents, ledger.ceilings[0].left_cents) == (106, 0, -6)
    assert ledger.reservation_for(A, AGENT, 0) is None
    assert ledger.blocking(A, AGENT, 1) is ledger.ceilings[0]


def test_a_released_reservation_restores_the_ceilings() -> None:
    """After the release, the ceilings are as before."""
    ledger = ledger_of((100, None), (60, "a"))
    ledger.reserve(A, 60)
    ledger.release(A, 60)
    assert (ledger.reserved_cents, [ceiling.left_cents for ceiling in ledger.ceilings]) == (0, [100, 60])
    assert [ceiling.pending_cents for ceiling in ledger.ceilings] == [0, 0]


def test_calls_of_unknown_price_go_one_at_a_time_under_a_ceiling() -> None:
    """The first reserves everything that is left, so that no other runs beside it; after its bill the price is known."""
    ledger = ledger_of((100, None), (70, "a"))
    assert ledger.reservation_for(A, AGENT, None) == 70
    ledger.reserve(A, 70)
    assert ledger.reservation_for(A, AGENT, None) is None
    assert ledger.reservation_for(B, AGENT, None) is None
    ledger.bill(A, reserved_cents=70, billed_cents=16)
    assert ledger.reservation_for(A, AGENT, None) == 20  # the dearest so far and a quarter more
    ledger.reserve(A, 20)
    assert ledger.reservation_for(A, AGENT, None) == 20


def test_a_quarter_more_is_rounded_up() -> None:
    """Half cents are rounded up."""
    ledger = ledger_of((1000, None))
    ledger.bill(A, reserved_cents=0, billed_cents=17)
    assert ledger.reservation_for(A, AGENT, None) == 22


def test_a_free_call_does_not_set_the_price() -> None:
    """A bill of 0 for a failed call does not make the next call of unknown price free."""
    ledger = ledger_of((100, None))
    ledger.reserve(A, 100)
    ledger.bill(A, reserved_cents=100, billed_cents=0)
    assert ledger.reservation_for(A, AGENT, None) == 100


def test_unknown_prices_are_not_limited_by_the_balance() -> None:
    """The service enforces its own balance (402)."""
    assert Ledger().reservation_for(A, AGENT, None) == 0
    assert ledger_of(by_service=50).reservation_for(A, AGENT, None) == 0
    assert ledger_of(by_service=50).reservation_for(A, AGENT, 51) is None


def test_a_ceiling_blocks_only_if_no_reservation_can_be_released() -> None:
    """A reservation that may be released blocks nothing; spent money blocks, and so does a ceiling that was too low
    from the start."""
    ledger = ledger_of((100, None), (30, "a"))
    ledger.reserve(B, 100)
    assert ledger.reservation_for(B, AGENT, 50) is None
    assert ledger.blocking(B, AGENT, 50) is None
    assert ledger.blocking(B, AGENT, None) is None
    assert ledger.blocking(A, AGENT, 31) is ledger.ceilings[1]
    ledger.bill(B, reserved_cents=100, billed_cents=100)
    assert ledger.blocking(B, AGENT, 50) is ledger.ceilings[0]
    assert ledger.blocking(B, AGENT, None) is ledger.ceilings[0]


@dataclass
class Flight:
    plan: str
    reserved_cents: int


PLANS = st.sampled_from([A.plan, B.plan])


@given(
    data=st.data(), limits=st.lists(st.tuples(st.integers(0, 300), st.none() | PLANS), max_size=4), known=st.booleans()
)
def test_no_launch_breaks_a_ceiling(data: st.DataObject, limits: list[tuple[int, str | None]], known: bool) -> None:
    """For launches, bills and releases in any order: at each launch every ceiling covers its committed money, if no
    bill exceeded its reservation; and the sums equal those of a simple account."""
    ledger = ledger_of(*limits)
    flying: list[Flight] = []
    spent: list[tuple[str, int]] = []
    for _ in range(data.draw(st.integers(0, 25), "steps")):
        step = data.draw(st.sampled_from(["launch", "launch", "bill", "release"]), "step")
        if step == "launch":
            plan = data.draw(PLANS, "plan")
            estimate = data.draw(st.integers(1, 80) if known else st.none() | st.integers(1, 80), "estimate")
            cents = ledger.reservation_for(Purpose(plan), AGENT, estimate)
            if cents is None:
                continue
            if estimate is None and not ledger.largest_bill_cents and any(p in (None, plan) for _, p in limits):
                assert not any(flight.reserved_cents for flight in flying)
            ledger.reserve(Purpose(plan), cents)
            flying.append(Flight(plan, cents))
            for ceiling in ledger.ceilings:
                if ceiling.covers(Purpose(plan)):
                    assert ceiling.committed_cents <= ceiling.limit_cents
        elif flying:
            flight = flying.pop(data.draw(st.integers(0, len(flying) - 1), "which"))
            if step == "release":
                ledger.release(Purpose(flight.plan), flight.reserved_cents)
            else:
                billed = data.draw(st.integers(0, flight.reserved_cents), "billed")
                ledger.bill(Purpose(flight.plan), reserved_cents=flight.reserved_cents, billed_cents=billed)
                spent.append((flight.plan, billed))
        assert ledger.spent_cents == sum(cents for _, cents in spent)
        assert ledger.reserved_cents == sum(flight.reserved_cents for flight in flying)
        for ceiling in ledger.ceilings:
            mine = [flight.reserved_cents for flight in flying if ceiling.covers(Purpose(flight.plan))]
            assert ceiling.pending_cents == sum(mine)
            assert ceiling.committed_cents == sum(mine) + sum(
                cents for plan, cents in spent if ceiling.covers(Purpose(plan))
            )


@pytest.mark.parametrize("estimate", [None, 16])
def test_an_empty_ceiling_allows_nothing(estimate: int | None) -> None:
    """A ceiling of 0 allows no call, whether its price is known or not."""
    ledger = ledger_of((0, None))
    assert ledger.reservation_for(A, AGENT, estimate) is None
    assert ledger.blocking(A, AGENT, estimate) is ledger.ceilings[0]


def test_a_bill_raises_later_reservations_of_its_target() -> None:
    """To the highest bill, once one exceeded its reservation; for that target only, wherever a reservation is
    computed."""
    ledger = Ledger([Ceiling("all", 100)])
    ledger.learn(AGENT, reserved_cents=48, billed_cents=48)
    assert ledger.reservation_for(A, AGENT, 16) == 16
    ledger.learn(AGENT, reserved_cents=16, billed_cents=17)
    assert [ledger.reservation_for(A, AGENT, cents) for cents in (16, 48, 60)] == [48, 48, 60]
    assert ledger.reservation_for(A, ("agent", 13), 16) == 16
    ledger.reserve(A, 60)
    assert ledger.reservation_for(A, AGENT, 16) is None
    assert ledger.blocking(A, AGENT, 16) is None  # what is reserved may come back
    assert ledger.explain(A, AGENT, 16).endswith("may cost up to $0.48")
    assert ledger.enough({"all"}, [(A, AGENT, 16, 2)]) == "all $1.56"


def test_a_reservation_is_replaced_by_an_estimate() -> None:
    """Under every ceiling that covers it, with nothing left reserved after the bill; later calls are priced by it."""
    own, other = Ceiling("plan a", 300, "a"), Ceiling("plan b", 300, "b")
    ledger = Ledger([Ceiling("all", 100), own, other])
    reserved = ledger.reservation_for(A, AGENT, None)
    assert reserved == 100
    ledger.reserve(A, reserved)
    assert ledger.reservation_for(A, AGENT, None) is None
    ledger.revise(A, reserved, 16)
    assert (ledger.reserved_cents, own.pending_cents, own.committed_cents, other.committed_cents) == (16, 16, 16, 0)
    assert ledger.reservation_for(A, AGENT, None) == 20
    ledger.bill(A, reserved_cents=16, billed_cents=24)
    assert (ledger.spent_cents, ledger.reserved_cents, own.pending_cents, own.committed_cents) == (24, 0, 0, 24)
    assert ledger.ceilings[0].summary() == "all allows $1.00: $0.24 spent, $0.00 reserved"
    assert (
        ledger.explain(A, AGENT, None)
        == "all allows $1.00: $0.24 spent, $0.00 reserved; the next call may cost up to $0.30"
    )
    assert (
        ledger.explain(B, AGENT, 40)
        == "all allows $1.00: $0.24 spent, $0.00 reserved; the next call may cost up to $0.40"
    )
    assert Ledger().explain(A, AGENT, None) == "the next call has no known price"


def test_the_last_cent_may_be_spent() -> None:
    """By calls of known and of unknown price, also if it is reserved now. A bill of one cent is a price."""
    ledger = Ledger([Ceiling("all", 1)])
    assert [ledger.reservation_for(A, AGENT, cents) for cents in (None, 1, 2)] == [1, 1, None]
    assert [ledger.blocking(A, AGENT, cents) for cents in (None, 1)] == [None, None]
    ledger.reserve(A, 1)
    assert ledger.ceilings[0].summary() == "all allows $0.01: $0.00 spent, $0.01 reserved"
    assert ledger.blocking(A, AGENT, 1) is None
    ledger.bill(A, reserved_cents=1, billed_cents=1)
    assert (ledger.price(AGENT, None), ledger.enough({"all"}, [(A, AGENT, 1, 1)])) == (2, "all $0.03")
    assert Ledger([Ceiling("all", 1)]).enough({"all"}, [(A, AGENT, 0, 3)]) == "all $0.00"


@pytest.mark.parametrize(
    ("ceiling", "billed", "is_untested"),
    [
        (Ceiling("all", 9), None, True),
        (Ceiling("all", 9), 0, True),
        (Ceiling("all", 9), 1, False),
        (Ceiling("b", 9, "b"), None, False),
        (Ceiling("balance", 9, by_service=True), None, False),
    ],
)
def test_estimates_are_untested_until_a_bill(ceiling: Ceiling, billed: int | None, is_untested: bool) -> None:
    """Where a ceiling of ours covers the calls, and their target was never charged."""
    ledger = Ledger([ceiling])
    if billed is not None:
        ledger.learn(AGENT, reserved_cents=24, billed_cents=billed)
    assert ledger.is_untested(A, AGENT) is is_untested


def test_ceilings_that_bills_exceed_are_broken() -> None:
    """Ours, and not by what is only reserved."""
    ledger = Ledger([Ceiling("all", 20), Ceiling("a", 10, "a"), Ceiling("balance", 5, by_service=True)])
    ledger.reserve(A, 30)
    assert ledger.broken() == ""
    ledger.bill(A, reserved_cents=20, billed_cents=20)
    assert ledger.broken() == "a allows $0.10, and $0.20 was billed"
    ledger.bill(B, reserved_cents=10, billed_cents=1)
    assert ledger.broken() == "all allows $0.20, and $0.21 was billed and a allows $0.10, and $0.20 was billed"
