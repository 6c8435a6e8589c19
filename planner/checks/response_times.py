"""How long the caller waited for each answer of the agent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from planner.checks.phrases import padded_words
from planner.evidence import Role, Turn
from planner.values import frozen

LEAST_OVERLAP_MS: Final = 200
"""An answer that starts earlier than this before the caller's end interrupts it. Shorter overlaps are normal."""
ASKED_AGAIN_MS: Final = 3000
"""A caller that speaks again after this silence had waited for the agent."""
_HUMS: Final = frozenset({"ah", "hm", "hmm", "mhm", "mm", "mm-hmm", "mmhm", "uh", "uh-huh", "uhm", "um"})
_ACKNOWLEDGEMENTS: Final = _HUMS | {"got", "i", "it", "okay", "ok", "right", "see", "sure", "yeah", "yes"}


def response_times(turns: Sequence[Turn]) -> tuple[list[tuple[float, Turn]], int]:
    """(milliseconds, turn) of each timed answer of the agent, fastest first, and the number of untimed ones.

    A hum, an acknowledgement while the caller speaks, or an interruption is no answer. What the caller acknowledges
    while the agent speaks, or says without stopping it, is no question.
    """
    timed: list[tuple[float, Turn]] = []
    untimed = 0
    waiting = _Waiting()
    speaking: Turn | None = None
    for turn in turns:
        if turn.role is Role.CALLER:
            if speaking is None or not _is_said_over(turn, speaking):
                waiting = waiting.asked(turn)
            continue
        if turn.role is not Role.AGENT:
            continue
        speaking = turn
        is_hum = is_backchannel(turn, over_speech=waiting.is_interrupted_by(turn))
        if not is_hum and not waiting.outlasts(turn):
            waited_ms = waiting.until(turn)
            if waited_ms is not None:
                timed.append((waited_ms, turn))
            elif waiting.is_asked and not waiting.is_interrupted_by(turn):
                untimed += 1
            waiting = _Waiting()
    return sorted(timed, key=lambda item: (item[0], item[1].number)), untimed


@frozen
class _Waiting:
    """What the agent must answer. `end_ms` is when the caller ended, None if unknown; `since_ms` when the silence began
    that made it ask again, None if it did not."""

    is_asked: bool = False
    end_ms: int | None = None
    since_ms: int | None = None

    def asked(self, turn: Turn) -> _Waiting:
        silent_ms = _between(self.end_ms, turn.start_ms)
        asks_again = silent_ms is not None and silent_ms >= ASKED_AGAIN_MS
        since_ms = self.end_ms if asks_again and self.since_ms is None else self.since_ms
        return _Waiting(True, turn.end_ms, since_ms)

    def until(self, turn: Turn) -> float | None:
        """The response time of an answer; None if unknown, or if it is none."""
        waited_ms = _between(self.since_ms, turn.start_ms)
        if waited_ms is None:
            waited_ms = turn.ttfa_ms
        if waited_ms is None and not self.is_interrupted_by(turn):
            waited_ms = _between(self.end_ms, turn.start_ms)
        return None if waited_ms is None else max(0, waited_ms)

    def outlasts(self, turn: Turn) -> bool:
        """Whether the caller talked on when the agent interrupted it, and still waits for an answer."""
        talked_on_ms = _between(turn.end_ms, self.end_ms)
        return turn.ttfa_ms is None and talked_on_ms is not None and talked_on_ms >= 0 and self.is_interrupted_by(turn)

    def is_interrupted_by(self, turn: Turn) -> bool:
        gap_ms = _between(self.end_ms, turn.start_ms)
        return gap_ms is not None and gap_ms < -LEAST_OVERLAP_MS


def _between(start_ms: int | None, end_ms: int | None) -> int | None:
    """From one to the other; None if one is unknown."""
    return None if start_ms is None or end_ms is None else end_ms - start_ms


def _is_said_over(turn: Turn, speaking: Turn) -> bool:
    """Whether the agent, which may be speaking, need not answer the caller's turn."""
    since_ms, left_ms = _between(speaking.start_ms, turn.start_ms), _between(turn.start_ms, speaking.end_ms)
    if since_ms is None or left_ms is None or since_ms < 0 or left_ms <= 0:
        return False
    talks_on_ms = _between(turn.end_ms, speaking.end_ms)
    return (talks_on_ms is not None and talks_on_ms > 0) or is_backchannel(turn, over_speech=True)


def is_backchannel(turn: Turn, *, over_speech: bool) -> bool:
    """Whether it only shows that somebody listens: a hum, or an acknowledgement while the other side speaks."""
    words = set(padded_words(turn.text, fold=True).split())
    return bool(words) and words <= (_ACKNOWLEDGEMENTS if over_speech else _HUMS)
