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

    A hum, an acknowledgement while the caller speaks, or an interruption is no answer.
    """
    timed: list[tuple[float, Turn]] = []
    untimed = 0
    waiting = _Waiting()
    for turn in turns:
        if turn.role is Role.CALLER:
            waiting = waiting.asked(turn)
        elif turn.role is Role.AGENT and not _is_backchannel(turn, waiting):
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

    def is_interrupted_by(self, turn: Turn) -> bool:
        gap_ms = _between(self.end_ms, turn.start_ms)
        return gap_ms is not None and gap_ms < -LEAST_OVERLAP_MS


def _between(start_ms: int | None, end_ms: int | None) -> int | None:
    """From one to the other; None if one is unknown."""
    return None if start_ms is None or end_ms is None else end_ms - start_ms


def _is_backchannel(turn: Turn, waiting: _Waiting) -> bool:
    words = set(padded_words(turn.text, fold=True).split())
    return bool(words) and words <= (_ACKNOWLEDGEMENTS if waiting.is_interrupted_by(turn) else _HUMS)
