"""Prices: their sources, their ranges, and that unknown is never 0."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.changes.history import PastRun, past_runs
from planner.changes.model import CasePrice, ChangeSet, Estimate, Source
from planner.planfile.model import Case, Target
from planner.results.model import RunResult
from tests.support.stored_cases import build, make_case, make_runs, session_result, store_case


def _past(case: Case, *costs: int | None, first: int = 1, seconds: float | None = 54.0) -> list[PastRun]:
    target = (case.target.kind, case.target.id)
    return [
        PastRun(first + index, case.case_id, case.plan, case.scenario, target, cost, seconds)
        for index, cost in enumerate(costs)
    ]


def test_bills_of_one_basis_are_compared() -> None:
    """The account's charges decide. Bills of calls, which may be half of that, count only without charges."""
    case = make_case()
    of_calls = [replace(run, cost_basis="call") for run in _past(case, 8, 8, 8)]
    charged = [replace(run, cost_basis="transaction") for run in _past(case, 16, 16, 16, first=4)]
    key = "refunds/late-order@support"
    assert build([case], history=of_calls).prices[key].expected_cents == 8
    assert build([case], history=charged).prices[key].expected_cents == 16
    both = build([case], history=[*of_calls, *charged])
    assert both.prices[key].expected_cents == 16  # of the others by their minutes
    assert build([case], history=[*of_calls, *charged], rates={"spark": 16}).prices[key].expected_cents == 24


def test_the_services_estimate_replaces_a_bill() -> None:
    """If neither a bill nor a rate is known."""
    case = make_case()
    runs = [replace(run, service_estimate_cents=48) for run in _past(case, None, None, None)]
    assert (
        build([case], history=runs, products={("agent", 12): "storm-extra"})
        .prices["refunds/late-order@support"]
        .expected_cents
        == 48
    )


def priced(change_set: ChangeSet) -> Estimate:
    """Without the duration."""
    return replace(change_set.estimate, expected_seconds=0.0, at_once=0)


@pytest.mark.parametrize(
    ("seconds", "runs", "at_once", "expected"),
    [(None, 3, 10, (120.0, 3)), (60, 3, 10, (60.0, 3)), (60, 30, 10, (180.0, 10)), (60, 3, 1, (180.0, 1))],
)
def test_the_duration_of_the_calls(seconds: float | None, runs: int, at_once: int, expected: tuple[float, int]) -> None:
    """As many calls at the same time as are allowed; two minutes for a call without past runs."""
    case = make_case(runs=runs)
    past = [] if seconds is None else make_runs(None, duration_seconds=seconds)
    stored = [] if seconds is None else [store_case(case, runs=past, outcome="failed")]
    estimate = build([case], stored, rerun="all", at_once=at_once).estimate
    assert (estimate.expected_seconds, estimate.at_once) == expected


def test_by_assumption() -> None:
    """With a rate and no past runs, a call is assumed to last 2 minutes (1 to 4) at twice the rate."""
    change_set = build([make_case()])
    basis = "assumed 1–4 minutes at 16 ¢/min (spark)"
    assert change_set.prices == {"refunds/late-order@support": CasePrice(32.0, 16.0, 64, None, basis, Source.RATE)}
    assert priced(change_set) == Estimate(3, 96, 48, 192, basis)


def test_the_projects_rates_come_first() -> None:
    """A project may set another rate for a product, or one for an unknown product; fractions of a cent are rounded up
    in the high estimate."""
    assert priced(build([make_case()], rates={"spark": 10})) == Estimate(
        3, 120, 60, 240, "assumed 1–4 minutes at 20 ¢/min (spark)"
    )
    storm = build([make_case(runs=1)], rates={"storm-base": 0.55}, products={("agent", 12): "storm-base"})
    assert priced(storm) == Estimate(1, 2, 1, 5, "assumed 1–4 minutes at 1.1 ¢/min (storm-base)")
    assert storm.prices["refunds/late-order@support"].high_cents == 5


@pytest.mark.parametrize(
    ("products", "why"),
    [
        ({("agent", 12): "storm-base"}, "no rate for product storm-base"),
        ({("agent", 12): None}, "the product is unknown"),
        ({}, "the product is unknown"),
    ],
)
def test_unknown(products: dict[Any, Any], why: str) -> None:
    """Without past runs and without a rate the price is unknown, and the basis says what is missing."""
    change_set = build([make_case()], products=products)
    basis = f"unknown: no past runs and {why}"
    assert change_set.prices == {"refunds/late-order@support": CasePrice(None, None, None, None, basis, Source.UNKNOWN)}
    assert priced(change_set) == Estimate(3, None, None, None, basis)


def test_one_unknown_price_makes_the_sum_unknown() -> None:
    """A sum with an unknown part is unknown, unless the calls of that part were already made."""
    known = make_case("known")
    other = make_case("other", target=Target("hotline", "phone_number", 77))
    assert priced(build([known, other])) == Estimate(
        6, None, None, None, "unknown: no past runs and the product is unknown"
    )
    made = build([known, other], already_made={other.case_id: 3})
    assert priced(made) == Estimate(3, 96, 48, 192, "assumed 1–4 minutes at 16 ¢/min (spark)")


def test_from_the_narrowest_group_with_enough_runs() -> None:
    """Three past runs of the case come before those of its scenario, then its target, then its product."""
    case = make_case()
    sibling = replace(case, case_id="refunds/late-order[mood=calm]@support")
    stranger = make_case("other")
    elsewhere = make_case("other", target=Target("hotline", "phone_number", 77))
    groups = {
        "these cases": _past(case, 16, 16, 16, first=1),
        "these scenarios": _past(sibling, 32, 32, 32, first=11),
        "these targets": _past(stranger, 48, 48, 48, first=21),
        "the same product": _past(elsewhere, 64, 64, 64, first=31),
    }
    products = {("agent", 12): "spark", ("phone_number", 77): "spark"}
    for index, name in enumerate(groups):
        history = [run for group in list(groups.values())[index:] for run in group]
        price = build([case], history=history, products=products).prices[case.case_id]
        assert (price.expected_cents, price.basis) == (16.0 * (index + 1), f"3 past runs of {name}")


def test_runs_on_another_target_are_not_the_cases_own() -> None:
    """A case that now calls another agent is not priced by the old agent's bills."""
    before = make_case(target=Target("support", "agent", 11))
    price = build([make_case()], history=_past(before, 99, 99, 99)).prices[before.case_id]
    assert price.basis == "assumed 1–4 minutes at 16 ¢/min (spark)"


def test_too_few_runs_give_way_to_a_wider_group() -> None:
    """Three runs of the target come before two runs of the case; if no group has three, the narrowest is used."""
    case, other = make_case(), make_case("other")
    own = _past(case, 16, 16)
    price = build([case], history=[*own, *_past(other, 64, first=11)]).prices[case.case_id]
    assert (price.expected_cents, price.basis) == (32.0, "3 past runs of these targets")
    price = build([case], history=own).prices[case.case_id]
    assert (price.expected_cents, price.basis) == (16.0, "2 past runs of these cases")
    price = build([case], history=own[:1]).prices[case.case_id]
    assert price.basis == "1 past run of these cases"


def test_a_missing_bill_is_estimated_from_the_length() -> None:
    """Started minutes at twice the rate. Without a rate, such a run is left out, and does not count as a bill of 0."""
    case = make_case()
    late = [*_past(case, None, None, seconds=61.0), *_past(case, None, first=11, seconds=0.0)]
    price = build([case], history=late).prices[case.case_id]
    assert (price.expected_cents, price.basis) == ((32 + 32 + 16) / 3, "3 past runs of these cases")
    price = build([case], history=late, products={("agent", 12): "bolt"}).prices[case.case_id]
    assert price.expected_cents is None
    price = build([case], history=_past(case, None, None, None, seconds=None)).prices[case.case_id]
    assert price == CasePrice(32.0, 16.0, 64, None, "assumed 1–4 minutes at 16 ¢/min (spark)", Source.RATE)


def test_length_from_the_narrowest_group_that_has_one() -> None:
    """The expected duration is the mean of the case's own runs, else of a wider group."""
    case, other = make_case(), make_case("other")
    history = [*_past(case, 16, seconds=None), *_past(other, 16, 16, first=11, seconds=30.0)]
    assert build([case], history=history).prices[case.case_id].expected_seconds == 30.0
    history += _past(case, 16, first=21, seconds=60.0)
    assert build([case], history=history).prices[case.case_id].expected_seconds == 60.0


def test_the_reservation_of_a_call() -> None:
    """Reserved is the most expensive past run plus one started minute; from twenty past runs on, without the minute."""
    case = make_case()

    def high(count: int, **known: Any) -> int | None:
        history = _past(case, 48, *[16] * (count - 1))
        return build([case], history=history, **known).prices[case.case_id].high_cents

    assert high(19) == 48 + 16
    assert high(20) == 48
    # A minute's price is not known: nothing seen is cheaper to be wrong with than the dearest.
    assert high(3, products={}) == 48 + 48


def test_runs_stored_with_the_case_count() -> None:
    """The runs of the baseline are past runs, each counted once; connections that failed do not count."""
    case = make_case(prompt="Ask.")
    runs = [*make_runs(None, None, None), *make_runs("platform", first=104, cost_cents=0)]
    prior = store_case(make_case(), runs=runs)
    basis = "3 past runs of these cases"
    assert build([case], [prior]).estimate.basis == basis
    assert build([case], [prior], history=_past(case, 16, 16, first=101)).estimate.basis == basis


def test_a_platform_failure_that_was_billed_counts() -> None:
    """A failed call that was billed shows what a call costs."""
    prior = store_case(make_case(), outcome="unknown", runs=make_runs("platform", "agent", None))
    assert build([make_case()], [prior]).estimate.basis == "3 past runs of these cases"


def test_already_made_calls_are_not_priced_again() -> None:
    """Runs that an interrupted session made lower the estimate, and leave unit price and digest unchanged."""
    case = make_case()
    before, after = build([case]), build([case], already_made={case.case_id: 2})
    assert priced(after) == Estimate(1, 32, 16, 64, "assumed 1–4 minutes at 16 ¢/min (spark)")
    assert (after.prices, after.digest) == (before.prices, before.digest)
    assert priced(build([case], already_made={case.case_id: 9})) == Estimate(0, 0, 0, 0, "nothing to call")


def test_the_range_has_the_stated_coverage() -> None:
    """Drawn from one distribution, the real sum is between low and high in at least 80 of 100 sessions, for few and
    many runs."""
    chance = Random(20261124)  # noqa: S311 - a simulation, not a secret
    case = make_case(runs=20)
    for seen in (3, 10, 40):
        inside = 0
        for _ in range(400):
            bills = [16 * chance.choice((1, 1, 1, 2, 2, 3)) for _ in range(seen + 20)]
            estimate = build([case], history=_past(case, *bills[:seen])).estimate
            assert estimate.low_cents is not None
            assert estimate.high_cents is not None
            inside += estimate.low_cents <= sum(bills[seen:]) <= estimate.high_cents
        assert inside / 400 >= 0.8, seen


_COSTS = st.lists(st.integers(1, 6).map(lambda minutes: 16 * minutes), max_size=8)


@given(costs=_COSTS, product=st.sampled_from([None, "spark", "storm-base"]), runs=st.integers(1, 30))
def test_invariants_of_an_estimate(costs: list[int], product: str | None, runs: int) -> None:
    """Unknown is None and never 0; otherwise low ≤ expected ≤ high, and a ceiling of high covers the reservation of
    the last call."""
    case = make_case(runs=runs)
    change_set = build([case], history=_past(case, *costs), products={("agent", 12): product})
    estimate, price = change_set.estimate, change_set.prices[case.case_id]
    if not costs and product != "spark":
        assert (estimate.expected_cents, estimate.low_cents, estimate.high_cents) == (None, None, None)
        assert (price.expected_cents, price.low_cents, price.high_cents) == (None, None, None)
        return
    assert estimate.low_cents is not None
    assert estimate.expected_cents is not None
    assert estimate.high_cents is not None
    assert price.expected_cents is not None
    assert price.high_cents is not None
    assert 0 < estimate.low_cents <= estimate.expected_cents <= estimate.high_cents
    assert price.expected_cents * (runs - 1) + price.high_cents <= estimate.high_cents


def test_each_past_run_counts_once() -> None:
    """A run carried through several sessions is one past run."""
    case = store_case(make_case(), runs=make_runs(None, None))
    later = store_case(make_case(), runs=[*case.runs, *make_runs(None, first=103, cost_cents=None)])

    target = ("agent", 12)
    assert past_runs([session_result("b", later), session_result("a", case)]) == (
        PastRun(101, case.case_id, "refunds", "late-order", target, 16, 54.0),
        PastRun(102, case.case_id, "refunds", "late-order", target, 16, 54.0),
        PastRun(103, case.case_id, "refunds", "late-order", target, None, 54.0),
    )


def test_no_more_sessions_are_read_than_have_enough_runs() -> None:
    read: list[str] = []

    def sessions() -> Iterator[RunResult]:
        for number in range(4):
            read.append(f"session-{number}")
            runs = make_runs(*[None] * 300, first=1000 * number)
            yield session_result(f"session-{number}", store_case(make_case(), runs=runs))

    assert len(past_runs(sessions())) == 600
    assert len(read) == 2
