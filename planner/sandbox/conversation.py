"""A conversation between the test bot and the agent: a dialogue is played as turns with times, by seeded chance."""

import io
import wave
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from random import Random
from typing import Any, Literal, TypeVar

from pydantic import JsonValue

from planner.sandbox.worlds.dialogues import CODE, Branch, Dialogue, Grade, NoValueError, Object, compiled, filled
from planner.sandbox.worlds.dialogues import Turn as Step
from planner.sandbox.worlds.world import Snapshot
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


NO_DIALOGUE = "no scripted dialogue matches this prompt"
"""What the caller says on a call whose prompt is not scripted."""
_LONGEST_SHOWN = 40


def converse(snapshot: Snapshot, prompt: str, seed: int) -> Conversation:
    """The call between the agent and a caller with this prompt; always the same for the same arguments."""
    script = find_script(snapshot, prompt)
    if script is None:
        return _unscripted(snapshot, seed, f"{NO_DIALOGUE}{_missing_row(snapshot, prompt)}")
    dialogue, values = script
    try:
        return _Playing(snapshot, values, seed).conversation(dialogue)
    except NoValueError as error:
        return _unscripted(snapshot, seed, f"{NO_DIALOGUE}; one does, but `{error}` has no value in this call")


def _unscripted(snapshot: Snapshot, seed: int, why: str) -> Conversation:
    """A short call that says why there is no other."""
    recording = Recording(seed)
    recording.agent_says(f"Hello, this is {snapshot.name}. How can I help?")
    recording.caller_says(f"This is the sandbox: {why}.")
    recording.agent_says("Goodbye.")
    grade = UNKNOWN.model_copy(update={"summary": f"Sandbox: {why}."})
    return Conversation(tuple(recording.turns), recording.ends_ms(), "agent_end", "", grade)


def find_script(snapshot: Snapshot, prompt: str) -> tuple[Dialogue, Object] | None:
    """The first dialogue that matches, and the values of its placeholders. Those with an `agent_prompt` come first."""
    for dialogue, match in _matching(snapshot, prompt):
        values = _values(snapshot, match)
        if values is not None:
            return dialogue, values
    return None


def _matching(snapshot: Snapshot, prompt: str) -> Iterator[tuple[Dialogue, Any]]:
    """The dialogues whose patterns match, also those without a row for their values."""
    text, own = " ".join(prompt.split()), " ".join(snapshot.prompt.split())
    for dialogue in sorted(snapshot.dialogues, key=lambda each: each.agent_prompt is None):
        if dialogue.agent_prompt is None or compiled(dialogue.agent_prompt).search(own):
            match = compiled(dialogue.prompt).search(text)
            if match is not None:
                yield dialogue, match


def _missing_row(snapshot: Snapshot, prompt: str) -> str:
    """The row that the first matching dialogue lacks, as the rest of a sentence."""
    for _, match in _matching(snapshot, prompt):
        for name, found in match.groupdict(default="").items():
            if name in snapshot.tables and _row(snapshot, name, found) is None:
                return f"; one does, but table `{name}` has no row `{found[:_LONGEST_SHOWN]}`"
    return ""


def _row(snapshot: Snapshot, table: str, name: str) -> Object | None:
    rows = {row.casefold(): columns for row, columns in snapshot.tables[table].items()}
    return rows.get(name.casefold(), rows.get(""))


def _values(snapshot: Snapshot, match: Any) -> Object | None:
    """Of the groups, and as `group.column` of their tables; None if a table has neither a row for its group nor a row
    ""."""
    values: Object = {}
    groups: dict[str, str] = match.groupdict(default="")
    for name, found in groups.items():
        values[name] = found
        if name in snapshot.tables:
            row = _row(snapshot, name, found)
            if row is None:
                return None
            values |= {f"{name}.{column}": value for column, value in row.items()}
    return values


class _Playing:
    def __init__(self, snapshot: Snapshot, values: Object, seed: int) -> None:
        self._recording = Recording(seed)
        self._draws = Draws(seed_of(seed, "words"))
        self._tools = snapshot.tools
        self._code = self._draws.code()
        self._values: dict[str, JsonValue] = {**values, CODE: self._code}

    def conversation(self, dialogue: Dialogue) -> Conversation:
        """Without an `end` of its own, the party that spoke last hangs up."""
        end = self._play(dialogue.turns)
        turns = self._recording.turns
        hangs_up = "agent_end" if turns and turns[-1].role == "agent" else "caller_hangup"
        return Conversation(
            turns=tuple(turns),
            duration_ms=self._recording.ends_ms(),
            end_reason=end.end or "" if end else hangs_up,
            transferred_to=end.to or "" if end else "",
            grade=end.grade if end and end.grade else dialogue.grade,
        )

    def _play(self, turns: Sequence[Step]) -> Step | None:
        """The turn that ends the call, if one does."""
        for turn in turns:
            if turn.agent is not None:
                self._recording.agent_says(self._text(turn.agent), turn.after_ms, turn.takes_ms)
            elif turn.caller is not None:
                self._recording.caller_says(self._text(turn.caller), turn.after_ms, turn.takes_ms)
            elif turn.tool is not None:
                self._use(turn.tool, turn)
            elif turn.choose:
                end = self._play(self._chosen(turn.choose).turns)
                if end is not None:
                    return end
            else:
                self._recording.wait(turn.after_ms)
                return turn
        return None

    def _use(self, name: str, turn: Step) -> None:
        tool = self._tools[name]
        arguments = {name: filled(value, self._values) for name, value in turn.with_.items()}
        result = tool.answer(arguments, self._code) if turn.result is None else filled(turn.result, self._values)
        takes_ms = self._recording.latency_ms(*tool.latency_ms) if turn.takes_ms is None else turn.takes_ms
        self._recording.wait(turn.after_ms)
        self._recording.tool(name, arguments, result, takes_ms)
        self._values[name] = result

    def _chosen(self, branches: Sequence[Branch]) -> Branch:
        open_ones = sum(branch.probability is None for branch in branches)
        left = max(0.0, 1 - sum(branch.probability or 0 for branch in branches))
        draw = self._draws.between(0, 1)
        for branch in branches:
            draw -= left / open_ones if branch.probability is None else branch.probability
            if draw < 0:
                return branch
        return Branch()  # their probabilities add up to less than 1

    def _text(self, lines: Sequence[str]) -> str:
        return str(filled(self._draws.pick(lines), self._values))


_RATE = 8000


def recording(conversation: Conversation) -> bytes:
    """Silence, as long as the call, with a channel for each party."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(_RATE)
        out.writeframes(bytes(4 * (conversation.duration_ms * _RATE // 1000)))
    return file.getvalue()
