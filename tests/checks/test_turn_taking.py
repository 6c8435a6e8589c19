"""Who takes turns how, by the definitions of tau-voice, and `pacing` with its rates."""

from __future__ import annotations

from typing import Any

import pytest

from planner.checks.response_times import response_times
from planner.checks.turn_taking import timed_turns, turn_taking
from planner.evidence import Role, Turn


def spoken(*turns: tuple[str, int | None, int | None, str]) -> tuple[Turn, ...]:
    """(role, start, end, text), times in milliseconds."""
    return tuple(
        Turn(number=number, role=Role(role), text=text, start_ms=start, end_ms=end)
        for number, (role, start, end, text) in enumerate(turns, start=1)
    )


def events(*turns: tuple[str, int | None, int | None, str]) -> dict[str, list[Any]]:
    """The events that happened, by name: turns by their number, with milliseconds if there are some."""
    found = turn_taking(timed_turns(spoken(*turns)))
    shown = {
        "answered": [(turn.number, gap) for gap, turn in found.answered],
        "unanswered": [turn.number for turn in found.unanswered],
        "yielded": [(turn.number, gap) for gap, turn in found.yielded],
        "talked_over": [turn.number for turn in found.talked_over],
        "heard_out": [turn.number for turn in found.heard_out],
        "stopped_by": [turn.number for turn in found.stopped_by],
    }
    return {name: each for name, each in shown.items() if each}


ASK, TELL = "Where is my order?", "It is on its way."


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([("caller", 0, 1000, ASK), ("agent", 1800, 3000, TELL)], {"answered": [(1, 800)]}),
        (
            [("caller", 0, 1000, ASK), ("caller", 7000, 8000, ASK), ("agent", 8500, 9000, TELL)],
            {"answered": [(2, 500)], "unanswered": [1]},
        ),
        ([("agent", 0, 900, TELL), ("caller", 1000, 2000, ASK)], {}),  # the call ended: nobody had to ask again
        (
            [("agent", 0, 5000, TELL), ("caller", 4000, 6000, ASK), ("agent", 6300, 7000, TELL)],
            {"answered": [(2, 300)], "yielded": [(2, 1000)]},
        ),
        ([("agent", 0, 5000, TELL), ("caller", 3000, 4000, ASK)], {"talked_over": [2]}),
        ([("agent", 0, 5000, TELL), ("caller", 3001, 4000, ASK)], {"yielded": [(2, 1999)]}),
        ([("agent", 0, 5000, TELL), ("caller", 4000, 4400, "Mm-hmm.")], {"heard_out": [2]}),
        ([("agent", 0, 5000, TELL), ("caller", 4001, 4400, "okay, I see")], {"stopped_by": [2]}),
        (
            [("agent", 0, 900, "Is that right?"), ("caller", 1000, 1400, "Uh-huh."), ("agent", 1500, 2000, TELL)],
            {"answered": [(2, 100)]},
        ),
        (
            [("caller", 0, 9000, ASK), ("agent", 4000, 4600, "Sorry?"), ("agent", 9700, 9900, TELL)],
            {"answered": [(1, 700)]},
        ),
        ([("agent", 0, None, TELL), ("caller", 4000, 4400, ASK)], {}),
        (
            [("caller", 0, 1000, ASK), ("tool", 1000, 1500, "{}"), ("agent", 2000, 2500, TELL)],
            {"answered": [(1, 1000)]},
        ),
        ([("agent", 0, 1000, TELL), ("agent", 1500, 2000, TELL)], {}),
    ],
)
def test_events(turns: list[Any], expected: dict[str, Any]) -> None:
    assert events(*turns) == expected


INTERRUPTED = spoken(
    ("agent", 0, 5000, TELL),
    ("caller", 4000, 6000, ASK),
    ("agent", 6300, 9000, TELL),
    ("caller", 6500, 8000, ASK),
    ("caller", 9500, 9900, ASK),
    ("agent", 10_000, 11_000, TELL),
)
IGNORED = spoken(
    ("caller", 0, 1000, ASK), ("caller", 5000, 6000, ASK), ("agent", 6500, 7000, TELL), ("caller", None, 9000, "Bye.")
)


@pytest.mark.parametrize(
    ("turns", "fields", "outcome", "turn", "said"),
    [
        (INTERRUPTED, {"min_response_rate": 1.0}, "passed", None, "the agent answered 2 of 2 turns of the caller"),
        (INTERRUPTED, {"min_yield_rate": 0.5}, "passed", None, "stopped within 2 s at 1 of 2 interruptions"),
        (INTERRUPTED, {"min_yield_rate": 0.51}, "failed", 4, "expected at least 51 %"),
        (IGNORED[:3], {"min_response_rate": 0.9}, "failed", 1, "answered 1 of 2 turns of the caller before it had to"),
        (IGNORED[:3], {"min_response_rate": 0.5, "min_yield_rate": 1.0}, "undecided", None, "the caller made no"),
        (IGNORED, {"min_response_rate": 0.5}, "undecided", None, "1 turn without timing"),
    ],
)
def test_rates_of_pacing(
    talk: Any, assert_judged: Any, turns: Any, fields: dict[str, Any], outcome: str, turn: int | None, said: str
) -> None:
    assert_judged(talk(turns=turns), outcome, turn, said, check="pacing", **fields)


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([("agent", 0, 5000, TELL), ("caller", 4000, 4400, "Mm-hmm."), ("agent", 5500, 6000, TELL)], []),
        ([("agent", 0, 5000, TELL), ("caller", 4000, 4900, ASK), ("agent", 5500, 6000, TELL)], []),
        ([("agent", 0, 5000, TELL), ("caller", 4000, 5200, ASK), ("agent", 5500, 6000, TELL)], [(300, 3)]),
        ([("caller", 0, 9000, ASK), ("agent", 4000, 4600, "Sorry?"), ("agent", 9700, 9900, TELL)], [(700, 3)]),
        ([("caller", 0, 9000, ASK), ("agent", 8000, 9500, TELL), ("agent", 9700, 9900, TELL)], []),
        ([("caller", 0, 1000, ASK), ("caller", 7000, 8000, ASK), ("agent", 8500, 9000, TELL)], [(7500, 3)]),
    ],
)
def test_response_times_differ_from_answers_only_in_silence(turns: list[Any], expected: list[tuple[int, int]]) -> None:
    """Silence after which the caller asks again is charged to the agent; for tau-voice there was no answer."""
    timed, untimed = response_times(spoken(*turns))
    assert ([(waited, turn.number) for waited, turn in timed], untimed) == (expected, 0)
