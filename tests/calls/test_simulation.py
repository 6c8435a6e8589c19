"""Seeded schedules of sessions over one log; tests/benchmarks/log_schedules.py runs as many as are asked for."""

from __future__ import annotations

import pytest
from broken_rules import RULES, schedules_until_found
from log_simulation import Schedule

FOUND_EARLY = (
    "the intent is appended before the launch is sent",
    "times are those of the service's clock",
    "a goal is a total",
    "a lost answer is unconfirmed",
    "a launch is absent only after the settling time",
)


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_each_call_is_paid_for_once_and_no_ceiling_breaks(first: int) -> None:
    for seed in range(first, first + 20):
        Schedule(seed).run()


@pytest.mark.parametrize("seed", [628, 20085, 20143, 20227, 21002])
def test_schedules_that_once_failed(seed: int) -> None:
    Schedule(seed).run()


@pytest.mark.parametrize("rule", FOUND_EARLY)
def test_a_rule_that_is_switched_off_is_found(rule: str) -> None:
    assert rule in RULES
    assert schedules_until_found(rule, range(20)) is not None
