"""The regression test against figures computed in another way, by brute force or by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import exp, log

import numpy as np
import pytest

from planner.statistics import Counts
from planner.verdicts.chances import chances, worse_alike
from planner.verdicts.changed_cases import Found, find_changes
from planner.verdicts.regression import MODEL, Fit, Model, Scores, fit, scorer
from planner.verdicts.sessions import Session

SMALL = Model(
    rate_logits=(-1.0, 1.0, 3.0), shifts=(-1.0, 0.0, 1.0), drops=(0.3, 0.6), changed_shares=(0.1, 0.4), case_sds=(0.0,),
    case_sd_weights=(1.0,), shift_sds=(0.0, 1.0), shift_sd_weights=(0.5, 0.5),
)  # fmt: skip
"""Small enough to be summed by hand."""
"""Of each session."""


def sigmoid(logit: float) -> float:
    return 1 / (1 + exp(-logit))


def sessions(*each: Mapping[str, Counts]) -> list[Session]:
    return [Session(counts) for counts in each]


def suite(cases: int, passed: int, total: int) -> dict[str, Counts]:
    return {f"case-{number:03}": (passed, total) for number in range(cases)}


def usual(cases: int = 20, count: int = 5) -> list[Session]:
    """Sessions of five calls a case, of which every fifth case fails one."""
    return sessions(
        *(
            {name: (4 if (index + number) % 5 == 0 else 5, 5) for index, name in enumerate(suite(cases, 5, 5))}
            for number in range(count)
        )
    )


def scored_by_hand(fitted: Fit, now: Mapping[str, Counts], sign: int) -> tuple[float, dict[str, float]]:
    """The formulas of the page, one sum after another, without noise of a case."""
    model = fitted.model

    def weights(counts: Counts) -> list[float]:
        passed, total = counts
        each = [
            prior * sigmoid(logit) ** passed * (1 - sigmoid(logit)) ** (total - passed)
            for prior, logit in zip(fitted.rate_prior, model.rate_logits, strict=True)
        ]
        return [weight / sum(each) for weight in each]

    def likelihood(rate: float, counts: Counts) -> float:
        return rate ** counts[0] * (1 - rate) ** (counts[1] - counts[0])

    def moved(logit: float, drop: float) -> float:
        rate = min(max(sigmoid(logit) + sign * drop, 0.02), 0.98)
        return log(rate / (1 - rate))

    unchanged: list[float] = []
    joint: dict[tuple[float, int], float] = {}
    shares: dict[tuple[str, float, int], float] = {}
    for index, shift in enumerate(model.shifts):
        same, ratio = {}, {}
        for name, counts in now.items():
            known = list(zip(weights(fitted.counts[name]), model.rate_logits, strict=True))
            same[name] = sum(weight * likelihood(sigmoid(logit + shift), counts) for weight, logit in known)
            changed = [
                sum(weight * likelihood(sigmoid(moved(logit, drop) + shift), counts) for weight, logit in known)
                for drop in model.drops
            ]
            ratio[name] = sum(changed) / len(changed) / same[name]
        product = float(fitted.shift_prior[index]) * float(np.prod(list(same.values())))
        unchanged.append(product)
        for share in model.changed_shares:
            joint[share, index] = product * float(np.prod([1 + share * (ratio[name] - 1) for name in now]))
            for name in now:
                shares[name, share, index] = share * ratio[name] / (1 + share * (ratio[name] - 1))
    whole = sum(joint.values())
    probabilities = {name: sum(joint[key] / whole * shares[name, *key] for key in joint) for name in now}
    return log(whole / len(model.changed_shares)) - log(sum(unchanged)), probabilities


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("now", [{"a": (0, 3), "b": (2, 2)}, {"a": (3, 3), "b": (0, 2)}, {"a": (1, 4)}])
def test_statistic_and_probabilities_are_the_sums_of_the_model(now: dict[str, Counts], sign: int) -> None:
    fitted = fit(sessions({"a": (3, 3), "b": (1, 2)}, {"a": (2, 3), "b": (2, 2)}), SMALL)
    found = find_changes(fitted, now, sign)
    statistic, probabilities = scored_by_hand(fitted, now, sign)
    assert found.statistic == pytest.approx(statistic, rel=1e-9)
    assert found.probabilities == pytest.approx(probabilities, rel=1e-9)


def test_thousands_of_runs_do_not_underflow() -> None:
    now = {**suite(20, 5, 5), "case-000": (400, 1000)}
    history = [Session({**session.counts, "case-000": (970, 1000)}) for session in usual()]
    found = find_changes(fit(history), now)
    assert found.changed == {"case-000"}
    assert np.isfinite([found.statistic, *found.probabilities.values()]).all()


def test_an_unchanged_session_is_no_regression() -> None:
    found = find_changes(fit(usual()), usual(count=1)[0].counts)
    assert (found.suite_changed, found.changed, found.suspected) == (False, frozenset(), frozenset())


@pytest.mark.parametrize(
    ("history", "now", "sign", "changed"),
    [
        (usual(), {**suite(20, 5, 5), "case-003": (0, 5)}, -1, {"case-003"}),
        (usual(), {**suite(20, 5, 5), "case-003": (0, 5)}, 1, set()),
        (sessions(*[{**suite(20, 5, 5), "case-003": (1, 5)}] * 3), {**suite(20, 5, 5), "case-003": (9, 9)}, 1, {"case-003"}),
        (sessions(*[{**suite(20, 5, 5), "case-003": (1, 5)}] * 3), suite(20, 5, 5), -1, set()),
        (sessions(*[suite(20, 0, 5)] * 3), suite(20, 0, 5), -1, set()),  # all failed, as always
        (sessions(*[suite(20, 5, 5)] * 3), suite(20, 5, 5), 1, set()),  # all passed, as always
        (sessions(*[{"only": (20, 20)}] * 2), {"only": (2, 20)}, -1, {"only"}),
    ],
)  # fmt: skip
def test_the_case_that_changed_is_named(
    history: Sequence[Session], now: dict[str, Counts], sign: int, changed: set[str]
) -> None:
    found = find_changes(fit(history), now, sign)
    assert (found.suite_changed, found.changed) == (bool(changed), changed)


@pytest.mark.parametrize(("p_value", "changed"), [(0.05, True), (0.06, False)])
def test_a_suite_changed_if_chance_hardly_does(p_value: float, changed: bool) -> None:
    found = Found(0.1, p_value, {"likely": 0.8, "perhaps": 0.5, "hardly": 0.4}, MODEL)
    assert found.suite_changed is changed
    assert (found.changed, found.suspected) == (({"likely"}, {"perhaps"}) if changed else (set(), set()))


@pytest.mark.parametrize("cases", [1, 12, 96])
@pytest.mark.parametrize("count", [2, 5, 20])
def test_cases_that_fall_to_nothing_always_regressed(cases: int, count: int) -> None:
    """Up to twelve cases of an edited agent, from 3 of 3 to 0 of 3: alone, all of a suite, or some of many."""
    fallen = suite(min(cases, 12), 0, 3)
    found = find_changes(fit(sessions(*[suite(cases, 3, 3)] * count)), {**suite(cases, 3, 3), **fallen})
    assert found.changed == set(fallen)


@pytest.mark.parametrize("now", [suite(50, 3, 5), {**suite(50, 5, 5), **suite(48, 3, 5)}, suite(50, 2, 5)])
def test_an_agent_that_gets_worse_everywhere_is_noticed(now: dict[str, Counts]) -> None:
    """A change of a few cases explains it worse than a bad hour does, but no earlier hour was nearly so bad."""
    found = find_changes(fit(usual(cases=50)), now)
    assert found.suite_changed
    assert found.statistic < 0


@pytest.mark.parametrize(
    ("of_some", "rate", "cases", "is_alike"),
    [
        (-0.1, 0.904, 5, True),  # four of a hundred unchanged sessions are as bad
        (-0.1, 0.905, 5, False),
        (0.1, 0.85, 5, False),  # some cases fell more than a bad hour explains
        (-0.1, 0.85, 4, False),
    ],
)
def test_all_cases_are_worse_alike_if_a_bad_hour_explains_it(
    of_some: float, rate: float, cases: int, is_alike: bool
) -> None:
    unchanged = Scores(np.zeros(99), np.zeros(99), np.linspace(0.901, 0.999, 99), np.zeros((99, cases)))
    found = Scores(np.array([2.0]), np.array([of_some]), np.array([rate]), np.zeros((1, cases)))
    assert worse_alike(found, chances(found, unchanged)).tolist() == [is_alike]


def test_a_bad_hour_is_no_regression_where_sessions_differ() -> None:
    """The same counts are a regression where sessions were alike, and none where every other session was bad."""
    bad_hour = suite(20, 3, 5)
    alike = sessions(*[suite(20, 5, 5)] * 6)
    different = sessions(*[suite(20, 5, 5), suite(20, 3, 5)] * 3)
    assert find_changes(fit(alike), bad_hour).suite_changed
    assert not find_changes(fit(different), bad_hour).suite_changed


def test_outdated_runs_show_how_sessions_differ_but_no_rates() -> None:
    """An older configuration failed the case. The newest one passes it, so failing again is a regression."""
    old = [Session({**suite(20, 5, 5), "case-000": (0, 5)}, frozenset({"case-000"})) for _ in range(5)]
    new = sessions(*[suite(20, 5, 5)] * 2)
    fitted = fit([*old, *new])
    assert fitted.counts["case-000"] == (10, 10)
    assert find_changes(fitted, {**suite(20, 5, 5), "case-000": (0, 5)}).changed == {"case-000"}


def test_runs_before_an_edit_that_changed_nothing_count() -> None:
    """Those of a case that the edit repaired or broke do not. A daily edit would leave one session otherwise."""
    old = [Session({**suite(20, 5, 5), "case-000": (2, 5)}, frozenset(suite(20, 0, 0))) for _ in range(5)]
    history = [*old, *sessions(suite(20, 5, 5))]
    fitted = fit(history)
    assert fitted.counts == {**suite(20, 30, 30), "case-000": (5, 5)}
    fallen = {**suite(20, 5, 5), "case-001": (3, 5), "case-002": (3, 5)}
    assert find_changes(fitted, fallen).changed == {"case-001", "case-002"}
    assert not find_changes(fit(history, replace(MODEL, edit_rejected_at=1.0)), fallen).changed


def test_only_the_newest_sessions_count() -> None:
    ancient = sessions(*[suite(3, 0, 5)] * 3000)
    newest = sessions(*[suite(3, 5, 5)] * MODEL.max_sessions)
    assert fit([*ancient, *newest]).counts == suite(3, 100, 100)


def test_cases_on_one_side_only_take_no_part() -> None:
    fitted = fit([Session({**suite(20, 5, 5), "gone": (5, 5), "gap": (0, 0)}), *usual()])
    found = find_changes(fitted, {**suite(20, 5, 5), "new": (0, 5), "gap": (0, 5), "case-001": (0, 0)})
    assert set(found.probabilities) == set(suite(20, 5, 5)) - {"case-001"}
    nothing = find_changes(fitted, {"new": (0, 5)})
    assert (nothing.suite_changed, nothing.p_value, nothing.probabilities) == (False, 1.0, {})


def test_more_failures_make_a_change_likelier() -> None:
    fitted = fit(usual())
    prepared = scorer(fitted, dict.fromkeys(suite(20, 5, 5), 5))
    passed = np.full((6, 20), 5)
    passed[:, 0] = np.arange(6)
    scores = prepared.score(passed, np.full_like(passed, 5))
    assert (np.diff(scores.statistics) < 0).all()
    assert (np.diff(scores.probabilities[:, 0]) < 0).all()


def test_unchanged_sessions_rarely_raise_an_alarm() -> None:
    """A small version of tests/benchmarks/power.py: 60 suites of 20 cases, of which at most one in twenty may."""
    random = np.random.default_rng(11)
    rates = np.repeat([1.0, 0.95, 0.9, 0.8], 5)
    names = list(suite(20, 5, 5))

    def called() -> dict[str, Counts]:
        return {name: (int(passed), 5) for name, passed in zip(names, random.binomial(5, rates), strict=True)}

    alarms = 0
    for _ in range(12):
        fitted = fit(sessions(*(called() for _ in range(5))))
        alarms += sum(find_changes(fitted, called()).suite_changed for _ in range(5))
    assert alarms <= 3
