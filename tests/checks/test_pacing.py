"""Tests of `pacing`."""

from __future__ import annotations

from typing import Any

import pytest

from planner.evidence import Role, Turn


def timed(*turns: tuple[str, int | None, int | None], text: str = "one two three") -> tuple[Turn, ...]:
    """`timed(("agent", 0, 900))`: turns with these times."""
    return tuple(
        Turn(number=number, role=Role(role), text=text, start_ms=start, end_ms=end)
        for number, (role, start, end) in enumerate(turns, start=1)
    )


CALM = timed(("agent", 1000, 3000), ("caller", 3500, 5000), ("tool", 5000, 5000), ("agent", 5400, 6000))
OVER = timed(
    ("agent", 0, 3000), ("caller", 2800, 5000), ("agent", 4801, 6000), ("caller", 5999, 6100), ("agent", 9000, 9100)
)
GAP = timed(("agent", 0, 1000), ("caller", None, 5000), ("agent", 5400, 6000))


@pytest.mark.parametrize(
    ("turns", "fields", "outcome", "turn", "said"),
    [
        (CALM, {"max_silence_ms": 500}, "passed", None, "longest silence 500 ms"),
        (CALM, {"max_silence_ms": 499.5}, "failed", 2, "500 ms of silence before turn 2, expected at most 499.5 ms"),
        (OVER, {"max_silence_ms": 2900}, "passed", None, "longest silence 2900 ms"),
        (
            timed(("agent", 0, 9000), ("caller", 1000, 1100), ("agent", 9050, 9100)),
            {"max_silence_ms": 100},
            "passed",
            None,
            "longest silence 50 ms",
        ),
        (timed(("caller", 2000, 3000), ("agent", 0, 1500)), {"max_silence_ms": 500}, "passed", None, "silence 500 ms"),
        (GAP, {"max_silence_ms": 100}, "undecided", None, "silences are unknown: 1 turn without timing"),
        (OVER, {"max_agent_overlaps": 0}, "passed", None, "the agent spoke over the other side 0 times"),
        (
            timed(("caller", 0, 1000), ("agent", 800, 2000), ("caller", 1900, 3000), ("agent", 2500, 3500)),
            {"max_agent_overlaps": 1},
            "failed",
            4,
            "the agent spoke over the other side 2 times, expected at most 1",
        ),
        (
            timed(("caller", 0, 5000), ("agent", 1000, 1199), ("agent", 2000, 2200)),
            {"max_agent_overlaps": 1},
            "passed",
            None,
            "the agent spoke over the other side 1 time",
        ),
        (
            timed(("caller", 0, 5000), ("agent", 1000, 2000), ("caller", None, None)),
            {"max_agent_overlaps": 0},
            "failed",
            2,
            "the agent spoke over the other side 1 time, expected at most 0",
        ),
        (
            GAP,
            {"max_agent_overlaps": 0},
            "undecided",
            None,
            "overlaps of the agent are unknown: 1 turn without timing",
        ),
        (CALM, {"talk_ratio": {"min": 0.6, "max": 0.7}}, "passed", None, "the agent spoke 63 % of the time"),
        (CALM, {"talk_ratio": {"min": 0.655}}, "failed", None, "expected at least 65.5 %"),
        (CALM, {"talk_ratio": {"max": 0.3}}, "failed", None, "the agent spoke 63 % of the time, expected at most 30 %"),
        (GAP, {"talk_ratio": {"min": 0.1}}, "undecided", None, "1 turn without timing"),
        (timed(("agent", 5, 5)), {"talk_ratio": {"min": 0.1}}, "undecided", None, "every turn took 0 ms"),
        (timed(("agent", 0, 100), ("caller", 100, 200)), {"max_silence_ms": 1}, "passed", None, "longest silence 0 ms"),
        (timed(("agent", 0, 100), ("caller", 101, 200)), {"max_silence_ms": 1}, "passed", None, "longest silence 1 ms"),
        (timed(("caller", 0, 1000), ("agent", 800, 1500)), {"max_agent_overlaps": 0}, "failed", 2, "side 1 time"),
        (timed(("caller", 0, 1000), ("agent", 801, 1500)), {"max_agent_overlaps": 0}, "passed", None, "side 0 times"),
        (timed(("caller", 0, 1000)), {"max_agent_overlaps": 0}, "undecided", None, "the agent has no turn"),
        (
            timed(("agent", 0, 50), ("caller", 50, 100)),
            {"talk_ratio": {"min": 0.5, "max": 0.5}},
            "passed",
            None,
            "spoke 50 %",
        ),
        (
            timed(("agent", 0, 100), ("caller", 150, 200), ("agent", 250, 300)),
            {"max_silence_ms": 49},
            "failed",
            2,
            "50 ms of",
        ),
        (timed(("agent", 9, 5)), {"max_silence_ms": 9}, "undecided", None, "the service timed none of the turns"),
        (timed(("tool", 1, 5)), {"max_silence_ms": 9}, "undecided", None, "so there is no talk to time"),
        (None, {"max_silence_ms": 9}, "undecided", None, "the service gave no transcript to time turns in"),
    ],
)
def test_pacing_is_judged(
    talk: Any, assert_judged: Any, turns: Any, fields: dict[str, Any], outcome: str, turn: int | None, said: str
) -> None:
    """Untimed turns leave undecided only what they could change."""
    assert_judged(talk(turns=turns), outcome, turn, said, check="pacing", **fields)
