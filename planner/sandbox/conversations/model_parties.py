"""Calls with a model on the line: the agent plays its deployed prompt with its tools, the test bot plays the scenario prompt.

A party that no model plays speaks its turns of the dialogue that matches, in order.
"""

from __future__ import annotations

import re
from typing import Protocol, cast

from pydantic import JsonValue

from planner.sandbox.conversation import Conversation, Object
from planner.sandbox.conversations.endpoint import Chat, ModelError, ToolCall, tool_definition
from planner.sandbox.conversations.recording import Recording
from planner.sandbox.draws import Draws, seed_of
from planner.sandbox.state.records import Direction
from planner.sandbox.worlds.dialogues import Grade, Snapshot

PHONE = (
    "This is a phone call. Answer with the words you say and nothing else: no stage directions, no lists, no markup, one to three "
    "sentences. Call a tool when you need it."
)
CALLER = (
    "You are playing the caller in a test of a phone agent. Play the role below until you have what you came for, or it is plain that you "
    "will not get it. Then say goodbye and call hang_up. Never say that this is a test, never speak for the agent.\n\n"
)
HANG_UP = tool_definition("hang_up", "Hang up the phone. Say goodbye first.", {})
END_CALL = tool_definition("end_call", "Hang up. Say goodbye first.", {})
TRANSFER = tool_definition(
    "transfer_call", "Hand the call to another number.", {"number": "E.164, such as +14155550130"}
)
_MAX_TOOL_ROUNDS = 6
_MAX_MS = 10 * 60_000
_HANGS_UP = re.compile(r"\s*[\[(*](?:hangs?[ _]?up|ends? (?:the )?call)[\])*]\s*", re.IGNORECASE)
"""How small models say that they hang up instead of calling the tool."""
_UNGRADED = Grade(score=None, outcome="unknown", goal="no_opportunity", summary="A model played this call.")


class Line:
    """The call, for the party whose turn it is."""

    def __init__(self, seed: int) -> None:
        self.recording = Recording(seed)
        self.heard: list[str] = []
        """By the other party, since it last spoke."""
        self.end_reason = self.transferred_to = ""

    def agent_says(self, text: str) -> None:
        self.recording.agent_says(text)
        self.heard.append(text)

    def caller_says(self, text: str) -> None:
        self.recording.caller_says(text)
        self.heard.append(text)

    def end(self, reason: str, to: str = "") -> None:
        if not self.end_reason:
            self.end_reason, self.transferred_to = reason, to


class Party(Protocol):
    def turn(self, heard: str, line: Line) -> None:
        """React to what the other party said; "" when this one picks up the phone."""


class ScriptedAgent:
    """The agent's turns of a conversation, up to the caller's next one each time."""

    def __init__(self, conversation: Conversation) -> None:
        self._left = list(conversation.turns)
        reason = conversation.end_reason
        self._end = "agent_end" if reason == "caller_hangup" else reason, conversation.transferred_to

    def turn(self, heard: str, line: Line) -> None:
        del heard
        while self._left and self._left[0].role == "user":
            self._left.pop(0)
        while self._left and self._left[0].role != "user":
            turn = self._left.pop(0)
            if turn.role == "agent":
                line.agent_says(str(turn.content))
            elif turn.role == "tool_call":
                called, result = cast(Object, turn.content), self._left.pop(0)
                takes_ms = result.start_ms - turn.start_ms
                line.recording.tool(str(called["name"]), called["arguments"], result.content, takes_ms)
        if not self._left:
            line.end(*self._end)


class ScriptedCaller:
    """The caller's turns of a conversation; hangs up once the agent has answered the last."""

    def __init__(self, conversation: Conversation) -> None:
        self._left = [str(turn.content) for turn in conversation.turns if turn.role == "user"]

    def turn(self, heard: str, line: Line) -> None:
        del heard
        if self._left:
            line.caller_says(self._left.pop(0))
        else:
            line.end("caller_hangup")


class ModelAgent:
    def __init__(self, snapshot: Snapshot, chat: Chat, seed: int, direction: Direction) -> None:
        self._snapshot = snapshot
        self._chat = chat
        self._draws = Draws(seed_of(seed, "agent"))
        self._code = str(10_000 + int(self._draws.between(0, 90_000)))
        self._rings = (
            "(You are calling; they pick up.)" if direction == "inbound" else "(The phone rings. You pick up.)"
        )

    def turn(self, heard: str, line: Line) -> None:
        self._chat.hear(f"{self._rings} {heard}".strip())
        self._rings = ""
        for _ in range(_MAX_TOOL_ROUNDS):
            message = self._chat.answer()
            if message.text:
                line.agent_says(message.text)
            for call in message.tools:
                self._use(call, line)
            if not message.tools or line.end_reason:
                return

    def _use(self, call: ToolCall, line: Line) -> None:
        name, arguments = call.function.name, call.arguments
        tool = self._snapshot.tools.get(name)
        result: JsonValue = {"error": "unknown tool"} if tool is None else tool.answer(arguments, self._code)
        self._chat.tool_result(call, result)
        if name == "end_call":
            line.end("agent_end")
        elif name == "transfer_call":
            line.end("transfer", str(arguments.get("number", "")))
        else:
            low, high = tool.latency_ms if tool else (0, 0)
            line.recording.tool(name, arguments, result, round(self._draws.skewed(low, high)))


class ModelCaller:
    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    def turn(self, heard: str, line: Line) -> None:
        self._chat.hear(heard or "(Your phone rings. You pick up.)")
        message = self._chat.answer()
        for call in message.tools:
            self._chat.tool_result(call, {"done": True})
        said = _HANGS_UP.sub(" ", message.text).strip()
        if said:
            line.caller_says(said)
        if not said or said != message.text or any(call.function.name == "hang_up" for call in message.tools):
            line.end("caller_hangup")


def talk(agent: Party, caller: Party, seed: int, direction: Direction, max_turns: int) -> Conversation:
    """The whole call. `direction` outbound: the bot calls the agent; inbound: the agent calls the bot."""
    line, error = Line(seed), ""
    recording = line.recording
    agent_speaks = direction == "outbound"
    try:
        while not line.end_reason:
            heard, line.heard = " ".join(line.heard), []
            (agent if agent_speaks else caller).turn(heard, line)
            agent_speaks = not agent_speaks
            if recording.now_ms >= _MAX_MS or len(recording.turns) >= max_turns:
                line.end("timeout")
    except ModelError as failure:
        error = str(failure)
        line.end("error")
    return Conversation(
        tuple(recording.turns), recording.ends_ms(), line.end_reason, line.transferred_to, _UNGRADED, error
    )
