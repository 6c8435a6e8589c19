"""Seeded schedules of sessions over one log; tests/benchmarks/log_schedules.py runs as many as are asked for."""

from __future__ import annotations

import pytest
from broken_rules import RULES, schedules_until_found
from log_simulation import Schedule

FOUND_FROM = {
    "an append compares": 11,
    "the intent is appended before the launch is sent": 5,
    "a late launch is not sent": 35,
    "times are those of the service's clock": 2,
    "a key with an open launch is not called": 446,
    "a goal is a total": 1,
    "open launches are reserved": 5,
    "calls without a bill are reserved": 73,
    "the month counts what the log commits": 10,
    "a lost answer is unconfirmed": 0,
    "a launch is absent only after the settling time": 1,
    "one candidate, or a person": 223,
    "a claimed batch is nobody else's": 32,
    "what somebody else asked for is not adopted": 54,
    "a list that is not whole proves nothing": 32,
    "the log is read after the lists": 579,
}
"""A seed by which it is found that a rule is switched off."""


@pytest.mark.parametrize("first", range(0, 40, 20))
def test_each_call_is_paid_for_once_and_no_ceiling_breaks(first: int) -> None:
    for seed in range(first, first + 20):
        Schedule(seed).run()


@pytest.mark.parametrize("seed", [628, 20085, 20143, 20227, 21002, 1064776])
def test_schedules_that_once_failed(seed: int) -> None:
    Schedule(seed).run()


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_is_switched_off_is_found(rule: str) -> None:
    seed = FOUND_FROM[rule]
    assert schedules_until_found(rule, range(seed, seed + 20)) is not None
