"""A conversation between the test bot and the agent: turns with times, laid out as on a recording by seeded chance."""

from collections.abc import Sequence
from hashlib import blake2b
from random import Random
from typing import Literal, TypeVar

from pydantic import JsonValue

from planner.sandbox.worlds.dialogues import Grade
from planner.values import frozen

_Item = TypeVar("_Item")

_AGENT_WORDS_PER_MINUTE = 165
_CALLER_WORDS_PER_MINUTE = 155
_RING_MS = (400, 1500)
_TTFA_MS = (420, 1400)
_REACTION_MS = (280, 950)
_TAIL_MS = (350, 900)
_LETTERS_PER_WORD = 12
"""For text without spaces."""


@frozen
class Turn:
    """One turn. Times count from the start of the recording, in conversation time."""

    role: Literal["agent", "user", "tool_call", "tool_response"]
    content: JsonValue
    start_ms: int
    end_ms: int
    ttfa_ms: int | None = None
    """Agent turns: from the caller's last word (or the tool's answer) to the first audio."""


@frozen
class Conversation:
    turns: tuple[Turn, ...]
    duration_ms: int
    end_reason: str
    transferred_to: str
    grade: Grade
    error: str = ""
    """Why the call broke off, if a model did not answer."""


UNKNOWN = Grade.model_construct(score=None, outcome="unknown", goal="no_opportunity", summary="")
EMPTY = Conversation((), 0, "", "", UNKNOWN)
"""Nothing has been said yet."""


def seed_of(*parts: str | float) -> int:
    """A 63-bit seed that depends on every part."""
    return int.from_bytes(blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest(), "big") >> 1


class Draws:
    """Seeded chance. Only `Random.random()` is used: Python guarantees its sequence for an integer seed."""

    def __init__(self, seed: int) -> None:
        self.draw = Random(seed).random

    def pick(self, items: Sequence[_Item]) -> _Item:
        return items[int(self.draw() * len(items))]

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * self.draw()

    def skewed(self, low: float, high: float) -> float:
        """Mostly near `low`, sometimes near `high`, like reaction times."""
        draw = self.draw()
        return low + (high - low) * draw * draw

    def code(self) -> str:
        """Five digits."""
        return str(10_000 + int(self.between(0, 90_000)))


class Recording:
    """Turns laid out in time. Pauses have draws of their own, so that other words do not change all of them."""

    def __init__(self, seed: int) -> None:
        self._draws = Draws(seed_of(seed, "time"))
        self._agent_pace = _AGENT_WORDS_PER_MINUTE * self._draws.between(0.92, 1.08)
        self._caller_pace = _CALLER_WORDS_PER_MINUTE * self._draws.between(0.92, 1.08)
        self.turns: list[Turn] = []
        self.now_ms = round(self._draws.between(*_RING_MS))

    def agent_says(self, text: str, after_ms: int | None = None, takes_ms: int | None = None) -> None:
        pause = round(self._draws.skewed(*_TTFA_MS)) if after_ms is None else after_ms
        start, end = self._say(text, self._agent_pace, pause, takes_ms)
        self.turns.append(Turn("agent", text, start, end, max(0, pause)))

    def caller_says(self, text: str, after_ms: int | None = None, takes_ms: int | None = None) -> None:
        pause = round(self._draws.skewed(*_REACTION_MS)) if after_ms is None else after_ms
        self.turns.append(Turn("user", text, *self._say(text, self._caller_pace, pause, takes_ms)))

    def tool(self, name: str, arguments: JsonValue, result: JsonValue, takes_ms: int) -> None:
        at = self.now_ms + round(self._draws.between(30, 120))
        self.turns.append(Turn("tool_call", {"name": name, "arguments": arguments}, at, at))
        self.now_ms = at + takes_ms
        self.turns.append(Turn("tool_response", result, self.now_ms, self.now_ms))

    def latency_ms(self, low: int, high: int) -> int:
        return round(self._draws.skewed(low, high))

    def wait(self, milliseconds: int | None) -> None:
        self.now_ms += max(0, milliseconds or 0)

    def ends_ms(self) -> int:
        return self.now_ms + round(self._draws.between(*_TAIL_MS))

    def _say(self, text: str, words_per_minute: float, pause: int, takes_ms: int | None) -> tuple[int, int]:
        """(start, end)."""
        if takes_ms is None:
            pauses = text.count(",") * 120 + sum(text.count(mark) for mark in ".?!") * 220
            words = max(len(text.split()), len(text) // _LETTERS_PER_WORD)
            takes_ms = max(350, round(words / words_per_minute * 60_000 * self._draws.between(0.94, 1.08)) + pauses)
        start = max(0, self.now_ms + pause)
        self.now_ms = max(self.now_ms, start + takes_ms)
        return start, start + takes_ms
