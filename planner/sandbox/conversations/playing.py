"""Playing a dialogue: the prompt picks it, and the seed of the call decides between its alternatives."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from pydantic import JsonValue

from planner.sandbox.conversation import Conversation
from planner.sandbox.conversations.recording import Recording
from planner.sandbox.draws import Draws, seed_of
from planner.sandbox.worlds.dialogues import CODE, Branch, Dialogue, Grade, Snapshot, Turn, filled

NO_DIALOGUE = "no scripted dialogue matches this prompt"
"""What the caller says on a call whose prompt is not scripted."""
_KEPT = 2048
_UNSCRIPTED = Grade(score=None, outcome="unknown", goal="no_opportunity", summary=f"Sandbox: {NO_DIALOGUE}.")


@dataclass(frozen=True, slots=True)
class Script:
    """A dialogue that matches, and the values of its placeholders."""

    dialogue: Dialogue
    values: Mapping[str, JsonValue]


class Conversations:
    """Conversations at hand: computed when first read, forgotten after many others."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str, int], Conversation] = OrderedDict()

    def of(self, digest: str, snapshot: Snapshot, prompt: str, seed: int) -> Conversation:
        """`digest` names the snapshot."""
        key = (digest, prompt, seed)
        if key not in self._kept:
            self._kept[key] = converse(snapshot, prompt, seed)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]


def converse(snapshot: Snapshot, prompt: str, seed: int) -> Conversation:
    """What is said when the agent meets the prompt; always the same for the same arguments."""
    script = find_script(snapshot, prompt)
    if script is None:
        return _generic(snapshot, seed)
    playing = Playing(Recording(seed), Draws(seed_of(seed, "words")), snapshot, dict(script.values))
    playing.play(script.dialogue.turns)
    return playing.conversation(script.dialogue.grade)


def find_script(snapshot: Snapshot, prompt: str) -> Script | None:
    """The first dialogue that matches; those that match the agent's prompt come first."""
    text, own = " ".join(prompt.split()), " ".join(snapshot.prompt.split())
    for dialogue in sorted(snapshot.dialogues, key=lambda each: each.agent_prompt is None):
        if dialogue.agent_prompt is not None and not _pattern(dialogue.agent_prompt).search(own):
            continue
        match = _pattern(dialogue.prompt).search(text)
        values = None if match is None else _values(snapshot, match)
        if values is not None:
            return Script(dialogue, values)
    return None


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


def _values(snapshot: Snapshot, match: re.Match[str]) -> dict[str, JsonValue] | None:
    """Of the groups, and as `group.column` of their tables; None if a table has no row for one of them, and none that is called ""."""
    values: dict[str, JsonValue] = {}
    for name, found in match.groupdict(default="").items():
        values[name] = found
        if name in snapshot.tables:
            rows = {row.casefold(): columns for row, columns in snapshot.tables[name].items()}
            row = rows.get(found.casefold(), rows.get(""))
            if row is None:
                return None
            values |= {f"{name}.{column}": value for column, value in row.items()}
    return values


@dataclass(slots=True)
class Playing:
    recording: Recording
    draws: Draws
    snapshot: Snapshot
    values: dict[str, JsonValue]
    end: Turn | None = None
    code: str = field(init=False)

    def __post_init__(self) -> None:
        self.code = str(10_000 + int(self.draws.between(0, 90_000)))
        self.values[CODE] = self.code

    def play(self, turns: Sequence[Turn]) -> None:
        for turn in turns:
            if self.end is not None:
                return
            if turn.agent is not None:
                self.recording.agent_says(self._text(turn.agent), turn.after_ms, turn.takes_ms)
            elif turn.caller is not None:
                self.recording.caller_says(self._text(turn.caller), turn.after_ms, turn.takes_ms)
            elif turn.tool is not None:
                self.use(turn)
            elif turn.choose:
                self.play(self.chosen(turn.choose).turns)
            else:
                self.recording.wait(max(0, turn.after_ms or 0))
                self.end = turn

    def use(self, turn: Turn) -> None:
        assert turn.tool is not None
        tool = self.snapshot.tools[turn.tool]
        arguments = {name: filled(value, self.values) for name, value in turn.with_.items()}
        result = tool.answer(arguments, self.code) if turn.result is None else filled(turn.result, self.values)
        takes_ms = self.recording.latency_ms(*tool.latency_ms) if turn.takes_ms is None else turn.takes_ms
        self.recording.wait(max(0, turn.after_ms or 0))
        self.recording.tool(turn.tool, arguments, result, takes_ms)
        self.values[turn.tool] = result

    def chosen(self, branches: Sequence[Branch]) -> Branch:
        open_ones = sum(branch.probability is None for branch in branches)
        left = max(0.0, 1 - sum(branch.probability or 0 for branch in branches))
        draw = self.draws.between(0, 1)
        for branch in branches:
            draw -= left / open_ones if branch.probability is None else branch.probability
            if draw < 0:
                return branch
        return Branch()  # their probabilities add up to less than 1

    def _text(self, lines: Sequence[str]) -> str:
        return str(filled(self.draws.pick(lines), self.values))

    def conversation(self, grade: Grade) -> Conversation:
        """Without an `end` of its own the caller hangs up."""
        end = self.end
        return Conversation(
            turns=tuple(self.recording.turns),
            duration_ms=self.recording.ends_ms(),
            end_reason=end.end or "" if end else "caller_hangup",
            transferred_to=end.to or "" if end else "",
            grade=end.grade if end and end.grade else grade,
        )


def _generic(snapshot: Snapshot, seed: int) -> Conversation:
    """A short call that says why nothing happened on it."""
    recording = Recording(seed)
    recording.agent_says(f"Hello, this is {snapshot.name}. How can I help?")
    recording.caller_says(f"This is the sandbox: {NO_DIALOGUE}.")
    recording.agent_says("Goodbye.")
    return Conversation(tuple(recording.turns), recording.ends_ms(), "agent_end", "", _UNSCRIPTED)
