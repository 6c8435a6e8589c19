"""Turns laid out in time, as they would be on a recording."""

from __future__ import annotations

from pydantic import JsonValue

from planner.sandbox.conversation import Turn
from planner.sandbox.draws import Draws, seed_of

_AGENT_WORDS_PER_MINUTE = 165
_CALLER_WORDS_PER_MINUTE = 155
_RING_MS = (400, 1500)
_TTFA_MS = (420, 1400)
_REACTION_MS = (280, 950)
_TAIL_MS = (350, 900)
_LETTERS_A_WORD = 12
"""Text without spaces takes its time, too."""


class Recording:
    """Pauses have draws of their own, so that other words do not change every time."""

    def __init__(self, seed: int) -> None:
        self._draws = Draws(seed_of(seed, "time"))
        self._agent_pace = _AGENT_WORDS_PER_MINUTE * self._draws.between(0.92, 1.08)
        self._caller_pace = _CALLER_WORDS_PER_MINUTE * self._draws.between(0.92, 1.08)
        self.turns: list[Turn] = []
        self.now_ms = round(self._draws.between(*_RING_MS))

    def agent_says(self, text: str, after_ms: int | None = None, takes_ms: int | None = None) -> None:
        pause = round(self._draws.skewed(*_TTFA_MS)) if after_ms is None else after_ms
        self._say(Turn("agent", text, 0, 0, max(0, pause)), self._agent_pace, pause, takes_ms)

    def caller_says(self, text: str, after_ms: int | None = None, takes_ms: int | None = None) -> None:
        pause = round(self._draws.skewed(*_REACTION_MS)) if after_ms is None else after_ms
        self._say(Turn("user", text, 0, 0), self._caller_pace, pause, takes_ms)

    def tool(self, name: str, arguments: JsonValue, result: JsonValue, takes_ms: int) -> None:
        at = self.now_ms + round(self._draws.between(30, 120))
        self.turns.append(Turn("tool_call", {"name": name, "arguments": arguments}, at, at))
        self.now_ms = at + takes_ms
        self.turns.append(Turn("tool_response", result, self.now_ms, self.now_ms))

    def latency_ms(self, low: int, high: int) -> int:
        return round(self._draws.skewed(low, high))

    def wait(self, milliseconds: int) -> None:
        self.now_ms += milliseconds

    def ends_ms(self) -> int:
        return self.now_ms + round(self._draws.between(*_TAIL_MS))

    def _say(self, turn: Turn, words_per_minute: float, pause: int, takes_ms: int | None) -> None:
        start = max(0, self.now_ms + pause)
        end = start + (self._speech_ms(str(turn.content), words_per_minute) if takes_ms is None else takes_ms)
        self.now_ms = max(self.now_ms, end)
        self.turns.append(Turn(turn.role, turn.content, start, end, turn.ttfa_ms))

    def _speech_ms(self, text: str, words_per_minute: float) -> int:
        pauses = text.count(",") * 120 + sum(text.count(mark) for mark in ".?!") * 220
        words = max(len(text.split()), len(text) // _LETTERS_A_WORD)
        return max(350, round(words / words_per_minute * 60_000 * self._draws.between(0.94, 1.08)) + pauses)
