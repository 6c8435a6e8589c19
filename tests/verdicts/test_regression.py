"""The regression rule against figures computed in another way, by sums over the model, and by its laws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import exp, log, prod

import numpy as np
import pytest

from planner.statistics import Counts
from planner.verdicts import regression
from planner.verdicts.regression import NOTHING_COMPARED, Chances, Floats, History, chances, fit, got_worse

RATES = np.array([-1.0, 1.0, 3.0])
SHIFTS = np.array([-1.0, 0.0, 1.0])
DROPS = {0.25: 0.4, 0.5: 0.4, 0.9: 0.2}
"""How likely each drop of a fallen case is."""


def suite(cases: int, passed: int, total: int) -> dict[str, Counts]:
    return {f"case-{number:03}": (passed, total) for number in range(cases)}


def each_its_own(*sessions: Mapping[str, Counts]) -> dict[str, str]:
    return {name: name for session in sessions for name in session}


def compared(sessions: Sequence[Mapping[str, Counts]], now: Mapping[str, Counts]) -> Chances:
    return chances(fit(sessions, each_its_own(*sessions, now)), now)


def usual(cases: int = 20, count: int = 5) -> list[dict[str, Counts]]:
    """Sessions of five calls a case, of which every fifth case fails one."""
    return [
        {name: (4 if (index + number) % 5 == 0 else 5, 5) for index, name in enumerate(suite(cases, 5, 5))}
        for number in range(count)
    ]


def named(found: Chances) -> set[str]:
    return {case_id for case_id, chance in found.fallen.items() if chance >= regression.REGRESSED_AT}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that can be summed by hand: a few rates and shifts, no noise of a case, scenarios shift with the
    session."""
    for name, value in {
        "_RATES": RATES,
        "_RATE_PRIOR": np.array([0.2, 0.3, 0.5]),
        "_SHIFTS": SHIFTS,
        "_SCENARIO_SDS": np.array([0.0]),
        "_SCENARIO_SD_PRIOR": np.array([1.0]),
        "_KERNELS": [np.eye(3)],
        "_NODES": np.array([0.0]),
        "_NODE_WEIGHTS": np.array([1.0]),
    }.items():
        monkeypatch.setattr(regression, name, value)
    for cached in (regression._same, regression._fallen):  # pyright: ignore[reportPrivateUsage]
        cached.cache_clear()
    monkeypatch.setattr(regression, "_same", regression._same.__wrapped__)  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(regression, "_fallen", regression._fallen.__wrapped__)  # pyright: ignore[reportPrivateUsage]


def by_hand(history: History, now: Mapping[str, Counts]) -> Chances:
    """Every combination of shift, fallen cases and rates, one after another. All cases are of one scenario."""

    def likelihood(
        name: str, counts: Counts, shift: float, *, fell: bool, drops: Mapping[float, float] = DROPS
    ) -> float:
        passed, total = counts
        found = 0.0
        for weight, logit in zip(history.weights[name], RATES, strict=True):
            usual = 1 / (1 + exp(-logit))
            for drop, share in (drops if fell and usual > 0.35 else {0: 1}).items():
                rate = max(usual - drop, 0.03)
                shifted = 1 / (1 + exp(-log(rate / (1 - rate)) - shift))
                found += weight * share * shifted**passed * (1 - shifted) ** (total - passed)
        return found

    names = sorted(now)
    priors = {0.01: 0.315, 0.05: 0.315, 0.1: 0.315, 0.5: 0.055}
    shares = [(max(share, min(0.1, 1 / len(names))), prior) for share, prior in priors.items()]
    half = np.where(SHIFTS < 0, np.exp(-((SHIFTS / 2) ** 2) / 2), 0)
    none = some = lower = 0.0
    fallen = dict.fromkeys(names, 0.0)
    for index, shift in enumerate(SHIFTS):
        of_session = float(history.shifts[0, index])
        same = prod(likelihood(name, now[name], shift, fell=False) for name in names)
        none += of_session * same
        lower += float(half[index] / half.sum()) * same
        breaks = 0.01 if len(names) > 1 else 0
        of_drops = [(*each, DROPS, 1 - breaks) for each in shares] + [(0.9, 1, {0.9: 1}, breaks)]
        for flags, (share, prior, drops, chance) in product(product([False, True], repeat=len(names)), of_drops):
            weight = of_session * prior * chance
            for name, fell in zip(names, flags, strict=True):
                weight *= (share if fell else 1 - share) * likelihood(name, now[name], shift, fell=fell, drops=drops)
            some += weight
            for name, fell in zip(names, flags, strict=True):
                fallen[name] += weight * fell
    is_lower = 0.05 * lower / (0.05 * lower + 0.95 * some)
    chance_of = {name: weight / some * (1 - is_lower) for name, weight in fallen.items()}
    before, latest = (sum(side[name][0] / side[name][1] for name in names) for side in (history.counts, now))
    return Chances(chance_of, is_lower, some / (some + none) if latest < before else 0)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "now", [{"a": (0, 3), "b": (2, 2)}, {"a": (3, 3), "b": (0, 2)}, {"a": (1, 4)}, {"a": (0, 2), "b": (0, 2)}]
)
def test_chances_are_the_sums_of_the_model(now: dict[str, Counts]) -> None:
    history = fit([{"a": (3, 3), "b": (1, 2)}, {"a": (2, 3), "b": (2, 2)}], {"a": "s", "b": "s"})
    found, expected = chances(history, now), by_hand(history, now)
    assert found.fallen == pytest.approx(expected.fallen, rel=1e-9)
    assert (found.lower, found.worse) == pytest.approx((expected.lower, expected.worse), rel=1e-9)


def test_thousands_of_calls_do_not_underflow() -> None:
    now = {**suite(20, 5, 5), "case-000": (400, 1000)}
    found = compared([{**session, "case-000": (970, 1000)} for session in usual()], now)
    assert named(found) == {"case-000"}
    assert np.isfinite([*found.fallen.values(), found.lower, found.worse]).all()


@pytest.mark.parametrize("cases", [1, 10, 96, 300])
@pytest.mark.parametrize("count", [1, 2, 20])
@pytest.mark.parametrize("passed", [0, 3])
def test_an_unchanged_session_is_no_regression(cases: int, count: int, passed: int) -> None:
    """All passed, or all failed, as always."""
    found = compared([suite(cases, passed, 3)] * count, suite(cases, passed, 3))
    assert (named(found), found.is_worse, found.is_lower) == (set(), False, False)


@pytest.mark.parametrize("cases", [1, 12, 96, 150])
@pytest.mark.parametrize("count", [2, 5, 20])
def test_a_case_that_always_passed_and_now_always_fails_regressed(cases: int, count: int) -> None:
    found = compared([suite(cases, 3, 3)] * count, {**suite(cases, 3, 3), "case-000": (0, 3)})
    assert named(found) == {"case-000"}


@pytest.mark.parametrize(
    ("history", "now", "fell"),
    [
        (usual(), {**suite(20, 5, 5), "case-003": (0, 5)}, {"case-003"}),
        ([{**suite(20, 5, 5), "case-003": (1, 5)}] * 3, suite(20, 5, 5), set()),
        ([{**suite(20, 5, 5), "case-003": (1, 5)}] * 3, {**suite(20, 5, 5), "case-003": (0, 5)}, set()),
        ([{"only": (20, 20)}] * 2, {"only": (2, 20)}, {"only"}),
        ([suite(96, 3, 3)] * 3, {**suite(96, 3, 3), **suite(12, 0, 3)}, set(suite(12, 0, 3))),
    ],
)
def test_the_case_that_fell_is_named(
    history: Sequence[Mapping[str, Counts]], now: dict[str, Counts], fell: set[str]
) -> None:
    assert named(compared(history, now)) == fell


def test_cases_that_fell_a_little_make_the_suite_worse() -> None:
    """None of them is named."""
    found = compared(usual(), {**suite(20, 5, 5), **suite(4, 3, 5)})
    assert (named(found), found.is_worse) == (set(), True)


def test_a_suite_of_a_few_cases_is_judged_by_each() -> None:
    found = compared([suite(4, 3, 3)] * 2, {**suite(4, 3, 3), "case-000": (1, 3)})
    assert (named(found), found.is_worse, found.worse > 0.55) == (set(), False, True)


@pytest.mark.parametrize("cases", [1, 12, 96])
def test_cases_that_all_break_regressed(cases: int) -> None:
    """No bad hour does that."""
    assert named(compared([suite(cases, 3, 3)] * 2, suite(cases, 0, 3))) == set(suite(cases, 0, 3))


@pytest.mark.parametrize("cases", [12, 50])
def test_a_session_that_is_lower_as_a_whole_names_no_case(cases: int) -> None:
    """Nobody can distinguish a bad hour of the platform from a worse agent. Where every other session was bad, it is usual."""
    alike, different = [suite(cases, 5, 5)] * 6, [suite(cases, 5, 5), suite(cases, 3, 5)] * 3
    found = compared(alike, suite(cases, 3, 5))
    assert (named(found), found.is_lower, found.is_worse) == (set(), True, False)
    assert not compared(different, suite(cases, 3, 5)).is_lower


@pytest.mark.parametrize("count", [1, 5])
def test_a_scenario_that_breaks_altogether_is_named(count: int) -> None:
    """An edit of the prompt often breaks all cases of a scenario. Its shift, which makes a few failures of all of them
    no news, does not explain that."""
    names = list(suite(96, 3, 3))
    scenarios = {name: str(index // 4) for index, name in enumerate(names)}
    broken = set(names[:12])
    history = fit([suite(96, 3, 3)] * count, scenarios)
    found = chances(history, {name: (0, 3) if name in broken else (3, 3) for name in names})
    assert (named(found), found.is_worse) == (broken, True)
    assert named(chances(history, {**suite(96, 3, 3), "case-000": (0, 3)})) == {"case-000"}


def test_how_much_scenarios_vary_is_learned() -> None:
    """If each session was bad for one scenario, another such session is no news, and each of its cases says less than
    if it fell alone. If none ever was, it is a regression."""
    names = list(suite(20, 5, 5))
    scenarios = {name: str(index // 5) for index, name in enumerate(names)}

    def session(bad: int) -> dict[str, Counts]:
        return {name: (3 if index // 5 == bad else 5, 5) for index, name in enumerate(names)}

    varied, steady = fit([session(0), session(1), session(2)], scenarios), fit([suite(20, 5, 5)] * 3, scenarios)
    alone = chances(varied, {**suite(20, 5, 5), "case-015": (3, 5)})
    assert chances(varied, session(3)).fallen["case-015"] < alone.fallen["case-015"]
    assert named(chances(varied, session(3))) == set()
    assert named(chances(steady, session(3))) == set(names[15:])


def test_calls_that_cases_share_count_once_for_the_suite() -> None:
    """Each of the three has its chance, and the suite knows one."""
    fallen = dict.fromkeys(["a", "b", "c"], (1, 5))
    history, now = [{**suite(20, 5, 5), **dict.fromkeys(fallen, (5, 5))}] * 3, {**suite(20, 5, 5), **fallen}
    scenarios = each_its_own(now)
    shared = chances(fit(history, scenarios, {"b", "c"}), now)
    alone = chances(fit([{**suite(20, 5, 5), "a": (5, 5)}] * 3, scenarios), {**suite(20, 5, 5), "a": (1, 5)})
    assert shared.fallen["a"] == pytest.approx(shared.fallen["b"], abs=0.02)
    assert (shared.lower, shared.worse) == pytest.approx((alone.lower, alone.worse), abs=0.02)
    assert compared(history, now).worse > shared.worse


def test_a_later_session_forgets_no_older_configuration() -> None:
    """What failed twice and passed once since is no regression if it fails again."""
    failed, passed = {**suite(20, 5, 5), "case-000": (0, 5)}, suite(20, 5, 5)
    assert named(compared([failed, failed, passed], failed)) == set()
    assert named(compared([passed, passed, passed], failed)) == {"case-000"}


def test_cases_on_one_side_only_take_no_part() -> None:
    history = [{**suite(20, 5, 5), "gone": (5, 5)}, *usual()]
    found = compared(history, {**suite(20, 5, 5), "new": (0, 5), "case-001": (0, 0)})
    assert set(found.fallen) == set(suite(20, 5, 5)) - {"case-001"}
    assert compared(history, {"new": (0, 5)}) == NOTHING_COMPARED


def test_more_failures_make_a_regression_likelier() -> None:
    found: Floats = np.array(
        [compared(usual(), {**suite(20, 5, 5), "case-000": (passed, 5)}).fallen["case-000"] for passed in range(6)]
    )
    assert (np.diff(found) < 0).all()


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [((10, 10), (0, 10), True), ((3, 3), (0, 3), True), ((3, 3), (2, 3), False), ((5, 10), (4, 10), False)],
)
def test_one_case_alone(before: Counts, now: Counts, expected: bool) -> None:
    assert got_worse(before, now) is expected


def test_unchanged_sessions_rarely_raise_an_alarm() -> None:
    """A small version of tests/benchmarks/power.py: 60 suites of 20 cases, of which at most one in twenty may."""
    random = np.random.default_rng(11)
    rates = np.repeat([1.0, 0.95, 0.9, 0.8], 5)
    names = list(suite(20, 5, 5))

    def called() -> dict[str, Counts]:
        return {name: (int(passed), 5) for name, passed in zip(names, random.binomial(5, rates), strict=True)}

    alarms = 0
    for _ in range(12):
        history = fit([called() for _ in range(5)], {name: name for name in names})
        for _ in range(5):
            found = chances(history, called())
            alarms += found.is_worse or found.is_lower or bool(named(found))
    assert alarms <= 3
