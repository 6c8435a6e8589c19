"""Tests of `latency`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.checks.latency import percentile
from planner.evidence import Role, Turn


def said(
    number: int, role: str, start_ms: int | None = None, end_ms: int | None = None, ttfa_ms: int | None = None
) -> Turn:
    return Turn(number=number, role=Role(role), text="…", start_ms=start_ms, end_ms=end_ms, ttfa_ms=ttfa_ms)


GAPS = (
    said(1, "agent", 0, 1000),
    said(2, "caller", 1500, 3000),
    said(3, "agent", 3800, 5000),  # 800 ms
    said(4, "caller", 5200, 6000),
    said(5, "tool", 6100, 6200),
    said(6, "agent", 8400, 9000),  # 2400 ms, including the tool call
    said(7, "agent", 9500, 9900),  # goes on talking: answers nobody
    said(8, "caller", 10_000, 12_000),
    said(9, "agent", 11_500, 13_000),  # interrupts: 0 ms
)


@pytest.mark.parametrize(
    ("turns", "fields", "expected"),
    [
        (GAPS, {"p50_ms": 800, "max_ms": 2400}, ("passed", "p50 800 ms; max 2400 ms (over 3 agent turns)", None)),
        (GAPS, {"p50_ms": 799}, ("failed", "p50 800 ms at turn 3, expected at most 799 ms (over 3 agent turns)", 3)),
        (
            GAPS,
            {"p50_ms": 900, "p95_ms": 2000, "max_ms": 2300.5},
            (
                "failed",
                (
                    "p95 2400 ms at turn 6, expected at most 2000 ms; max 2400 ms at turn 6, expected at most 2300.5 ms "
                    "(over 3 agent turns)"
                ),
                6,
            ),
        ),
        (
            (said(1, "caller", 0, 1000), said(2, "agent", 9000, 9500, ttfa_ms=450)),
            {"max_ms": 450},
            ("passed", "max 450 ms (over 1 agent turn)", None),
        ),
        (
            (said(1, "agent", ttfa_ms=300), said(2, "caller", 0, None), said(3, "agent", 9000)),
            {"max_ms": 400},
            ("passed", "max 300 ms (over 1 agent turn, 1 without timing)", None),
        ),
        (
            (said(1, "caller"), said(2, "agent")),
            {"max_ms": 400},
            ("errored", "the service timed none of the agent's turns", None),
        ),
        ((said(1, "agent", 0, 900),), {"max_ms": 400}, ("errored", "no agent turn answers the caller", None)),
        (
            [said(number, "agent", ttfa_ms=number) for number in range(1, 203)],
            {"p50_ms": 101, "p95_ms": 192, "max_ms": 202},
            ("passed", "p50 101 ms; p95 192 ms; max 202 ms (over 202 agent turns)", None),
        ),
        ((), {"max_ms": 400}, ("errored", "no agent turn answers the caller", None)),
        (None, {"max_ms": 400}, ("errored", "the service gave no transcript to time turns in", None)),
    ],
)
def test_latency_is_judged(talk: Any, judge: Any, turns: object, fields: dict[str, Any], expected: object) -> None:
    """By the service's own times, else by the gaps."""
    assert judge(talk(turns=turns), check="latency", **fields) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [()]),
        ({"p50_ms": 0}, [("p50_ms",)]),
        ({"max_ms": False}, [("max_ms",)]),
        ({"p95_ms": 900, "max_ms": 800}, [()]),
        ({"p50_ms": 900, "p95_ms": 800}, [()]),
    ],
)
def test_invalid_latency_checks_are_rejected(rejected_at: Any, fields: dict[str, Any], expected: object) -> None:
    """At the field."""
    assert rejected_at(check="latency", **fields) == expected


@given(st.lists(st.integers(0, 9000), min_size=1), st.integers(1, 100))
def test_percentile_is_the_smallest_sufficient_value(milliseconds: list[int], share: int) -> None:
    """By nearest rank."""
    ordered = [(float(value), said(number, "agent")) for number, value in enumerate(sorted(milliseconds), start=1)]
    found, _ = percentile(ordered, share)
    values = [value for value, _ in ordered]
    assert found in values
    assert sum(value <= found for value in values) * 100 >= share * len(values)
    assert all(sum(value <= less for value in values) * 100 < share * len(values) for less in values if less < found)
