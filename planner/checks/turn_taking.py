"""Who takes turns how: which turns of the caller were answered, and whether the agent stopped when it was interrupted.

The definitions are those of tau-voice (sierra-research/tau2-bench, docs/interaction-metrics.md), on turns with times
instead of ticks of 200 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from planner.checks.response_times import is_backchannel
from planner.evidence import Role, Turn
from planner.values import frozen

YIELD_MS: Final = 2_000
"""An agent that still speaks so long after an interruption did not yield."""
HEARD_MS: Final = 1_000
"""An agent that stops sooner than this after a "mm-hmm" took it for an interruption."""


@frozen
class TimedTurn:
    """A turn of agent or caller with known times."""

    turn: Turn
    start_ms: int
    end_ms: int


@frozen
class TurnTaking:
    """Times are in milliseconds."""

    answered: tuple[tuple[int, Turn], ...]
    """From the end of a caller's turn to the answer; the caller's turn."""
    unanswered: tuple[Turn, ...]
    """Turns of the caller after which it had to speak again."""
    yielded: tuple[tuple[int, Turn], ...]
    """From the start of a caller's interruption until the agent stopped; the interruption."""
    talked_over: tuple[Turn, ...]
    """Interruptions at which the agent went on."""
    heard_out: tuple[Turn, ...]
    """The caller's "mm-hmm" at which the agent went on, as it should."""
    stopped_by: tuple[Turn, ...]
    """Those at which it stopped."""


def timed_turns(turns: Sequence[Turn]) -> list[TimedTurn]:
    """Those with times, in the order of their start."""
    timed = [
        TimedTurn(turn, turn.start_ms, turn.end_ms)
        for turn in turns
        if turn.start_ms is not None and turn.end_ms is not None and turn.end_ms >= turn.start_ms
    ]
    return sorted(timed, key=lambda each: (each.start_ms, each.turn.number))


def turn_taking(timed: Sequence[TimedTurn]) -> TurnTaking:
    """`timed` are in the order of their start."""
    caller = [each for each in timed if each.turn.role is Role.CALLER]
    agent = [each for each in timed if each.turn.role is Role.AGENT]
    answered, unanswered = _responses(caller, agent)
    starts = [(each, other) for each in caller if (other := _speaking(agent, each.start_ms)) is not None]
    hums = [(each.turn, other.end_ms - each.start_ms) for each, other in starts if _is_hum(each, agent)]
    interruptions = [(each.turn, other.end_ms - each.start_ms) for each, other in starts if not _is_hum(each, agent)]
    return TurnTaking(
        answered=answered,
        unanswered=unanswered,
        yielded=tuple((until_ms, turn) for turn, until_ms in interruptions if until_ms < YIELD_MS),
        talked_over=tuple(turn for turn, until_ms in interruptions if until_ms >= YIELD_MS),
        heard_out=tuple(turn for turn, until_ms in hums if until_ms >= HEARD_MS),
        stopped_by=tuple(turn for turn, until_ms in hums if until_ms < HEARD_MS),
    )


def _responses(
    caller: Sequence[TimedTurn], agent: Sequence[TimedTurn]
) -> tuple[tuple[tuple[int, Turn], ...], tuple[Turn, ...]]:
    """What was answered and what was not. A turn at whose end the agent speaks, and a "mm-hmm", ask for no answer."""
    asking = [each for each in caller if not _is_hum(each, agent) and _speaking(agent, each.end_ms) is None]
    answered: list[tuple[int, Turn]] = []
    unanswered: list[Turn] = []
    for place, each in enumerate(asking):
        answer = next((other for other in agent if other.start_ms >= each.end_ms), None)
        again = next((other for other in asking[place + 1 :] if other.start_ms >= each.end_ms), None)
        if answer is not None and (again is None or answer.start_ms <= again.start_ms):
            answered.append((answer.start_ms - each.end_ms, each.turn))
        elif again is not None:
            unanswered.append(each.turn)
    return tuple(answered), tuple(unanswered)


def _speaking(turns: Sequence[TimedTurn], ms: int) -> TimedTurn | None:
    return next((each for each in turns if each.start_ms <= ms < each.end_ms), None)


def _is_hum(each: TimedTurn, agent: Sequence[TimedTurn]) -> bool:
    """A "yes" is an answer, unless the agent is speaking."""
    return _speaking(agent, each.start_ms) is not None and is_backchannel(each.turn, over_speech=True)
