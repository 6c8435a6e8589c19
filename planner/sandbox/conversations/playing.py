"""Playing a dialogue: the prompt selects it, and the seed of the call decides between its alternatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue

from planner.sandbox.conversation import UNKNOWN, Conversation, Draws, Recording, seed_of
from planner.sandbox.worlds.dialogues import CODE, Branch, Dialogue, Object, Turn, compiled, filled
from planner.sandbox.worlds.world import Snapshot

NO_DIALOGUE = "no scripted dialogue matches this prompt"
"""What the caller says on a call whose prompt is not scripted."""


def converse(snapshot: Snapshot, prompt: str, seed: int) -> Conversation:
    """The call between the agent and a caller with this prompt; always the same for the same arguments."""
    script = find_script(snapshot, prompt)
    if script is not None:
        dialogue, values = script
        return _Playing(snapshot, values, seed).conversation(dialogue)
    recording = Recording(seed)
    recording.agent_says(f"Hello, this is {snapshot.name}. How can I help?")
    recording.caller_says(f"This is the sandbox: {NO_DIALOGUE}.")
    recording.agent_says("Goodbye.")
    grade = UNKNOWN.model_copy(update={"summary": f"Sandbox: {NO_DIALOGUE}."})
    return Conversation(tuple(recording.turns), recording.ends_ms(), "agent_end", "", grade)


def find_script(snapshot: Snapshot, prompt: str) -> tuple[Dialogue, Object] | None:
    """The first dialogue that matches, and the values of its placeholders. Those with an `agent_prompt` come first."""
    text, own = " ".join(prompt.split()), " ".join(snapshot.prompt.split())
    for dialogue in sorted(snapshot.dialogues, key=lambda each: each.agent_prompt is None):
        if dialogue.agent_prompt is None or compiled(dialogue.agent_prompt).search(own):
            match = compiled(dialogue.prompt).search(text)
            values = None if match is None else _values(snapshot, match)
            if values is not None:
                return dialogue, values
    return None


def _values(snapshot: Snapshot, match: Any) -> Object | None:
    """Of the groups, and as `group.column` of their tables; None if a table has neither a row for its group nor a row ""."""
    values: Object = {}
    groups: dict[str, str] = match.groupdict(default="")
    for name, found in groups.items():
        values[name] = found
        if name in snapshot.tables:
            rows = {row.casefold(): columns for row, columns in snapshot.tables[name].items()}
            row = rows.get(found.casefold(), rows.get(""))
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
        """Without an `end` of its own the caller hangs up."""
        end = self._play(dialogue.turns)
        return Conversation(
            turns=tuple(self._recording.turns),
            duration_ms=self._recording.ends_ms(),
            end_reason=end.end or "" if end else "caller_hangup",
            transferred_to=end.to or "" if end else "",
            grade=end.grade if end and end.grade else dialogue.grade,
        )

    def _play(self, turns: Sequence[Turn]) -> Turn | None:
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

    def _use(self, name: str, turn: Turn) -> None:
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
