"""Tests of `latency`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.checks.latency import percentile
from planner.checks.response_times import response_times
from planner.evidence import Role, Turn


def said(
    number: int, role: str, start_ms: int | None = None, end_ms: int | None = None, ttfa_ms: int | None = None
) -> Turn:
    return Turn(number=number, role=Role(role), text="…", start_ms=start_ms, end_ms=end_ms, ttfa_ms=ttfa_ms)


def hums(number: int, start_ms: int, ttfa_ms: int | None = None, text: str = "Mm-hmm.") -> Turn:
    return Turn(number=number, role=Role.AGENT, text=text, start_ms=start_ms, end_ms=start_ms + 400, ttfa_ms=ttfa_ms)


def answered_after(*milliseconds: int) -> tuple[Turn, ...]:
    return tuple(said(number, "agent", ttfa_ms=each) for number, each in enumerate(milliseconds, start=1))


GAPS = (
    said(1, "agent", 0, 1000),
    said(2, "caller", 1500, 3000),
    said(3, "agent", 3800, 5000),  # 800 ms
    said(4, "caller", 5200, 6000),
    said(5, "tool", 6100, 6200),
    said(6, "agent", 8400, 9000),  # 2400 ms, including the tool call
    said(7, "agent", 9500, 9900),  # goes on talking: answers nobody
    said(8, "caller", 10_000, 12_000),
    said(9, "agent", 11_500, 13_000),  # interrupts: no answer
    said(10, "caller", 13_500, 14_000),
    said(11, "agent", 13_900, 15_000),  # a normal overlap: 0 ms
)


@pytest.mark.parametrize(
    ("turns", "fields", "outcome", "turn", "said"),
    [
        (GAPS, {"p50_ms": 800, "max_ms": 2400}, "passed", None, "p50 800 ms; max 2400 ms (over 3 agent turns)"),
        (GAPS, {"p50_ms": 799}, "failed", 3, "p50 800 ms at turn 3, expected at most 799 ms (over 3 agent turns)"),
        (GAPS, {"p50_ms": 900, "p95_ms": 2000, "max_ms": 2300.5}, "failed", 6, "most 2300.5 ms (over 3 agent turns)"),
        (
            (said(1, "caller", 0, 1000), said(2, "agent", 9000, 9500, ttfa_ms=450)),
            {"max_ms": 450},
            "passed",
            None,
            "max 450 ms (over 1 agent turn)",
        ),
        (
            (said(1, "agent", ttfa_ms=300), said(2, "caller", 0, None), said(3, "agent", 9000)),
            {"max_ms": 400},
            "passed",
            None,
            "max 300 ms (over 1 agent turn, 1 without timing)",
        ),
        ((said(1, "caller"), said(2, "agent")), {"max_ms": 400}, "undecided", None, "timed none of the agent's turns"),
        ((said(1, "agent", 0, 900),), {"max_ms": 400}, "undecided", None, "no agent turn answers the caller"),
        (
            [said(number, "agent", ttfa_ms=number) for number in range(1, 203)],
            {"p50_ms": 101, "p95_ms": 192, "max_ms": 202},
            "passed",
            None,
            "p50 101 ms; p95 192 ms; max 202 ms (over 202 agent turns)",
        ),
        (answered_after(100, 100, 300), {"p50_ms": 100}, "passed", None, "p50 100 ms (over 3 agent turns)"),
        (answered_after(101, 101, 1), {"p50_ms": 100}, "failed", 1, "p50 101 ms at turn 1, expected at most 100 ms"),
        (answered_after(*range(20)), {"p50_ms": 9, "p95_ms": 18, "max_ms": 19}, "passed", None, "p50 9 ms; p95 18 ms"),
        (answered_after(*range(100)), {"p50_ms": 49, "p95_ms": 94}, "passed", None, "p50 49 ms; p95 94 ms"),
        (answered_after(5), {"p50_ms": 5, "p95_ms": 5, "max_ms": 5}, "passed", None, "p50 5 ms; p95 5 ms; max 5 ms"),
        (
            (said(1, "caller", 0, 900), said(2, "agent", 500, 800)),
            {"max_ms": 10},
            "undecided",
            None,
            "no agent turn answers the caller",
        ),
        ((), {"max_ms": 400}, "undecided", None, "no agent turn answers the caller"),
        (None, {"max_ms": 400}, "undecided", None, "the service gave no transcript to time turns in"),
    ],
)
def test_latency_is_judged(
    talk: Any, assert_judged: Any, turns: object, fields: dict[str, Any], outcome: str, turn: int | None, said: str
) -> None:
    """By the service's own times, else by the gaps."""
    assert_judged(talk(turns=turns), outcome, turn, said, check="latency", **fields)


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        # Six silent seconds, until the caller asks again: they are the agent's.
        ((said(1, "caller", 0, 2000), said(2, "caller", 8000, 9000), said(3, "agent", 9300, 10_000)), [7300]),
        ((said(1, "caller", 0, 2000), said(2, "caller", 8000, 9000), said(3, "agent", 9300, 9900, 300)), [7300]),
        # Twice; a pause in one question is the caller's.
        (
            (
                said(1, "caller", 0, 2000),
                said(2, "caller", 8000, 9000),
                said(3, "caller", 13_000, 14_000),
                said(4, "agent", 14_500, 15_000),
            ),
            [12_500],
        ),
        ((said(1, "caller", 0, 2000), said(2, "caller", 4900, 6000), said(3, "agent", 6300, 7000)), [300]),
        # A hum is no answer, neither in between nor by the service's own time. A word is one.
        ((said(1, "caller", 0, 2000), hums(2, 2300), said(3, "agent", 5000, 6000)), [3000]),
        ((said(1, "caller", 0, 2000), hums(2, 2300, ttfa_ms=300), said(3, "agent", 5000, 6000, 450)), [450]),
        ((said(1, "caller", 0, 2000), hums(2, 2300, text="Yes.")), [300]),
        ((said(1, "caller", 0, 2000), hums(2, 1000, text="Yes."), said(3, "agent", 2500, 3000)), [500]),
        ((said(1, "caller", 0, 2000), hums(2, 2300), said(3, "caller", 8000, 9000), said(4, "agent", 9500)), [7500]),
        # After an interruption, going on to talk answers nobody.
        ((said(1, "caller", 0, 2000), said(2, "agent", 500, 3000), said(3, "agent", 4000, 5000)), []),
        # What the caller says while the agent goes on needs no answer; what stops the agent does.
        ((said(1, "agent", 0, 5000), said(2, "caller", 4000, 4900), said(3, "agent", 5500, 6000)), []),
        ((said(1, "agent", 0, 5000), said(2, "caller", 4000, 5200), said(3, "agent", 5500, 6000)), [300]),
    ],
)
def test_a_response_time_is_what_the_caller_waited(turns: tuple[Turn, ...], expected: list[float]) -> None:
    timed, untimed = response_times(turns)
    assert ([milliseconds for milliseconds, _ in timed], untimed) == (expected, 0)


@given(st.lists(st.integers(0, 9000), min_size=1), st.integers(1, 100))
def test_percentile_is_the_smallest_sufficient_value(milliseconds: list[int], share: int) -> None:
    ordered = [(float(value), said(number, "agent")) for number, value in enumerate(sorted(milliseconds), start=1)]
    found, _ = percentile(ordered, share)
    values = [value for value, _ in ordered]
    assert found in values
    assert sum(value <= found for value in values) * 100 >= share * len(values)
    assert all(sum(value <= less for value in values) * 100 < share * len(values) for less in values if less < found)
