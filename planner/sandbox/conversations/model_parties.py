"""Calls with a model on the line: the agent plays its deployed prompt with its tools, the test bot plays the scenario prompt.

A party that no model plays speaks its turns of the dialogue that matches, in order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from pydantic import JsonValue

from planner.sandbox.conversation import Conversation, Object
from planner.sandbox.conversations.endpoint import Endpoint, ModelError, ToolUse, tool_answer, tool_definition
from planner.sandbox.conversations.recording import Recording
from planner.sandbox.draws import Draws, seed_of
from planner.sandbox.state.records import Direction
from planner.sandbox.worlds.dialogues import Grade, Snapshot

_PHONE = (
    "This is a phone call. Answer with the words you say and nothing else: no stage directions, no lists, no markup, one to three "
    "sentences. Call a tool when you need it."
)
_BOT = (
    "You are playing the caller in a test of a phone agent. Play the role below until you have what you came for, or it is plain that you "
    "will not get it. Then say goodbye and call hang_up. Never say that this is a test, never speak for the agent.\n\n"
)
_MAX_TOOL_ROUNDS = 6
_MAX_MS = 10 * 60_000
_HANGS_UP = re.compile(r"\s*[\[(*](?:hangs?[ _]?up|ends? (?:the )?call)[\])*]\s*", re.IGNORECASE)
"""How small models say that they hang up instead of calling the tool."""
_END_CALL = tool_definition("end_call", "Hang up. Say goodbye first.", {})
_TRANSFER = tool_definition(
    "transfer_call", "Hand the call to another number.", {"number": "E.164, such as +14155550130"}
)
_HANG_UP = tool_definition("hang_up", "Hang up the phone. Say goodbye first.", {})
_UNGRADED = Grade(score=None, outcome="unknown", goal="no_opportunity", summary="A model played this call.")


@dataclass(frozen=True, slots=True)
class Said:
    text: str


@dataclass(frozen=True, slots=True)
class UsedTool:
    name: str
    arguments: JsonValue
    result: JsonValue
    takes_ms: int


@dataclass(frozen=True, slots=True)
class Ended:
    reason: str
    to: str = ""


Action = Said | UsedTool | Ended


class Party(Protocol):
    """One side of a call: what it does after the other side has spoken; "" when it picks up the phone."""

    def hear(self, text: str) -> list[Action]: ...


class ScriptedAgent:
    """The agent's turns of a conversation, up to the caller's next one each time."""

    def __init__(self, conversation: Conversation) -> None:
        self._left = list(conversation.turns)
        self._end = Ended(
            "agent_end" if conversation.end_reason == "caller_hangup" else conversation.end_reason,
            conversation.transferred_to,
        )

    def hear(self, text: str) -> list[Action]:
        del text
        actions: list[Action] = []
        while self._left and self._left[0].role == "user":
            self._left.pop(0)
        while self._left and self._left[0].role != "user":
            turn = self._left.pop(0)
            if turn.role == "agent":
                actions.append(Said(str(turn.content)))
            elif turn.role == "tool_call":
                answer = self._left.pop(0)
                call = cast("Object", turn.content)
                actions.append(
                    UsedTool(str(call["name"]), call["arguments"], answer.content, answer.start_ms - turn.start_ms)
                )
        return actions if self._left else [*actions, self._end]


class ScriptedCaller:
    """The caller's turns of a conversation; hangs up once the agent has answered the last."""

    def __init__(self, conversation: Conversation) -> None:
        self._left = [str(turn.content) for turn in conversation.turns if turn.role == "user"]

    def hear(self, text: str) -> list[Action]:
        del text
        return [Said(self._left.pop(0)) if self._left else Ended("caller_hangup")]


class ModelAgent:
    def __init__(self, snapshot: Snapshot, endpoint: Endpoint, seed: int, direction: Direction) -> None:
        self._snapshot = snapshot
        self._endpoint = endpoint
        self._draws = Draws(seed_of(seed, "agent"))
        self._code = str(10_000 + int(self._draws.between(0, 90_000)))
        self._rings = (
            "(You are calling; they pick up.)" if direction == "inbound" else "(The phone rings. You pick up.)"
        )
        self._messages: list[Object] = [{"role": "system", "content": f"{snapshot.prompt}\n\n{_PHONE}"}]
        offered = ((name, tool.description, tool.parameters) for name, tool in snapshot.tools.items())
        self._tools: list[JsonValue] = [*(tool_definition(*each) for each in offered), _END_CALL, _TRANSFER]

    def hear(self, text: str) -> list[Action]:
        first = self._rings if len(self._messages) == 1 else ""
        self._messages.append({"role": "user", "content": f"{first} {text}".strip()})
        actions: list[Action] = []
        for _ in range(_MAX_TOOL_ROUNDS):
            message = self._endpoint.chat(self._messages, self._tools)
            self._messages.append(message.raw)
            if message.text:
                actions.append(Said(message.text))
            actions += [self._use(use) for use in message.tools]
            if not message.tools or any(isinstance(action, Ended) for action in actions):
                break
        return actions

    def _use(self, use: ToolUse) -> Action:
        tool = self._snapshot.tools.get(use.name)
        result: JsonValue = {"error": "unknown tool"} if tool is None else tool.answer(use.arguments, self._code)
        self._messages.append(tool_answer(use, result))
        if use.name == "end_call":
            return Ended("agent_end")
        if use.name == "transfer_call":
            return Ended("transfer", str(use.arguments.get("number", "")))
        low, high = tool.latency_ms if tool else (0, 0)
        return UsedTool(use.name, use.arguments, result, round(self._draws.skewed(low, high)))


class ModelCaller:
    def __init__(self, prompt: str, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        role = prompt.strip() or "Ask what they can do for you."
        self._messages: list[Object] = [{"role": "system", "content": f"{_BOT}{role}\n\n{_PHONE}"}]

    def hear(self, text: str) -> list[Action]:
        self._messages.append({"role": "user", "content": text or "(Your phone rings. You pick up.)"})
        message = self._endpoint.chat(self._messages, [_HANG_UP])
        self._messages += [message.raw, *(tool_answer(use, {"done": True}) for use in message.tools)]
        said = _HANGS_UP.sub(" ", message.text).strip()
        actions: list[Action] = [Said(said)] if said else []
        if said != message.text or any(use.name == "hang_up" for use in message.tools) or not actions:
            actions.append(Ended("caller_hangup"))
        return actions


def talk(agent: Party, caller: Party, seed: int, direction: Direction, max_turns: int) -> Conversation:
    """The whole call. `direction` outbound: the bot calls the agent; inbound: the agent calls the bot."""
    recording = Recording(seed)
    error, end = "", None
    heard = ""
    agent_speaks = direction == "outbound"
    try:
        while end is None:
            heard, end = _act(recording, (agent if agent_speaks else caller).hear(heard), by_agent=agent_speaks)
            agent_speaks = not agent_speaks
            if end is None and (recording.now_ms >= _MAX_MS or len(recording.turns) >= max_turns):
                end = Ended("timeout")
    except ModelError as failure:
        error, end = str(failure), Ended("error")
    return Conversation(tuple(recording.turns), recording.ends_ms(), end.reason, end.to, _UNGRADED, error)


def _act(recording: Recording, actions: Sequence[Action], *, by_agent: bool) -> tuple[str, Ended | None]:
    """What was said, and the end of the call if this was it."""
    heard: list[str] = []
    for action in actions:
        match action:
            case Said():
                (recording.agent_says if by_agent else recording.caller_says)(action.text)
                heard.append(action.text)
            case UsedTool():
                recording.tool(action.name, action.arguments, action.result, action.takes_ms)
            case Ended():
                return " ".join(heard), action
    return " ".join(heard), None
