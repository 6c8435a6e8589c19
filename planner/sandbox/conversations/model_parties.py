"""The two parties of a call, played by models: the agent by its prompt and tools, the test bot by the scenario prompt."""

from __future__ import annotations

import re

from pydantic import JsonValue

from planner.sandbox.agents.actions import Action, HangUp, Say, Transfer, UseTool, keys_pressed
from planner.sandbox.agents.memory import Memory
from planner.sandbox.callers.caller import SILENCE, Reply
from planner.sandbox.conversations.endpoint import Endpoint, ToolUse, tool_answer, tool_definition
from planner.sandbox.draws import Draws
from planner.sandbox.objects import Object
from planner.sandbox.worlds.script import Snapshot

_PHONE = (
    "This is a phone call. Answer with the words you say and nothing else: no stage directions, no lists, no markup, one to three "
    "sentences. Call a tool when you need it."
)
_BOT = (
    "You are playing the caller in a test of a phone agent. Play the role below until you have what you came for, or it is plain that you "
    "will not get it. Then say goodbye and call hang_up. Never say that this is a test, never speak for the agent.\n\n"
)
_MOST_TOOL_ROUNDS = 6
"""In one turn: an agent that goes on calling tools is cut short."""
_NO_ANSWER: JsonValue = {"error": "unknown tool"}
_SILENT = "(The caller says nothing.)"
_LONGEST_PAUSE_S = 120
_HANGS_UP = re.compile(r"\s*[\[(*](?:hangs?[ _]?up|ends? (?:the )?call)[\])*]\s*", re.IGNORECASE)
"""How small models say that they hang up instead of calling the tool."""
_END_CALL = tool_definition("end_call", "Hang up. Say goodbye first.", {})
_TRANSFER = tool_definition(
    "transfer_call", "Hand the call to another number.", {"number": "E.164, such as +14155550130"}
)
_HANG_UP = tool_definition("hang_up", "Hang up the phone. Say goodbye first.", {})
_KEYS = tool_definition("press_keys", "Press keys on the phone instead of speaking.", {"keys": "digits, * and #"})
_QUIET = tool_definition("stay_silent", "Say nothing for some seconds.", {"seconds": "how many"})


class ModelAgent:
    """The agent under test: its prompt is the system prompt, its tools are offered, and answered as the world file says."""

    misunderstandings = 0

    def __init__(self, snapshot: Snapshot, endpoint: Endpoint, draws: Draws) -> None:
        self._snapshot = snapshot
        self._endpoint = endpoint
        self._draws = draws
        self._memory = Memory(code=str(10_000 + int(draws.between(0, 90_000))))
        self._messages: list[Object] = [{"role": "system", "content": f"{snapshot.prompt}\n\n{_PHONE}"}]
        offered = ((name, tool.description, tool.parameters) for name, tool in snapshot.tools.items())
        self._tools: list[JsonValue] = [*(tool_definition(*each) for each in offered), _END_CALL, _TRANSFER]
        self._silences = 0

    @property
    def slots(self) -> dict[str, str]:
        return {}

    @property
    def patience_ms(self) -> int:
        return round(self._snapshot.script.silence_seconds * 1000)

    def greet(self, answered: str, *, outbound: bool) -> list[Action]:
        opening = (
            f"(You are calling. They answer: {answered or 'nothing'})"
            if outbound
            else "(The phone rings. You pick up.)"
        )
        return self._turn(opening)

    def hear(self, text: str) -> list[Action]:
        self._silences = 0
        return self._turn(text)

    def hear_nothing(self) -> list[Action]:
        self._silences += 1
        if self._silences > self._snapshot.script.silences:
            return [HangUp()]
        return self._turn(_SILENT)

    def _turn(self, heard: str) -> list[Action]:
        """What the model says and does until it waits for the caller."""
        self._messages.append({"role": "user", "content": heard})
        actions: list[Action] = []
        for _ in range(_MOST_TOOL_ROUNDS):
            message = self._endpoint.chat(self._messages, self._tools)
            self._messages.append(message.raw)
            if message.text:
                actions.append(Say(message.text))
            for use in message.tools:
                actions += self._use(use)
            if not message.tools or any(isinstance(action, HangUp | Transfer) for action in actions):
                break
        return actions

    def _use(self, use: ToolUse) -> list[Action]:
        tool = self._snapshot.tools.get(use.name)
        result = _NO_ANSWER if tool is None else self._memory.answer(tool, use.arguments)
        self._messages.append(tool_answer(use, result))
        if use.name == "end_call":
            return [HangUp()]
        if use.name == "transfer_call":
            return [Transfer(str(use.arguments.get("number", "")))]
        low, high = tool.latency_ms if tool else (0, 0)
        return [UseTool(use.name, use.arguments, result, round(self._draws.skewed(low, high)))]


class ModelCaller:
    """The test bot: the scenario prompt is its role. What became of its goals is not known: a model does not say."""

    words_per_minute = 155
    goals: tuple[tuple[str, str], ...] = ()

    def __init__(self, prompt: str, endpoint: Endpoint) -> None:
        role = prompt.strip() or "Ask what they can do for you."
        self._endpoint = endpoint
        self._messages: list[Object] = [{"role": "system", "content": f"{_BOT}{role}\n\n{_PHONE}"}]
        self._tools = [_HANG_UP, _KEYS, _QUIET]

    def interrupts(self) -> bool:
        return False

    def pick_up(self) -> Reply:
        return self.hear("(Your phone rings. You pick up.)")

    def hear(self, text: str) -> Reply:
        self._messages.append({"role": "user", "content": text or "(They say nothing.)"})
        message = self._endpoint.chat(self._messages, self._tools)
        self._messages += [message.raw, *(tool_answer(use, {"done": True}) for use in message.tools)]
        said = _HANGS_UP.sub(" ", message.text).strip()
        hangs_up = said != message.text
        pause_ms = 0
        for use in message.tools:
            match use.name:
                case "hang_up":
                    hangs_up = True
                case "press_keys":
                    keys = re.sub(r"[^0-9*#]", "", str(use.arguments.get("keys", "")))
                    said = keys_pressed(keys) if keys else said
                case "stay_silent":
                    pause_ms = _milliseconds(use.arguments.get("seconds"))
                case _:
                    pass
        if said or hangs_up or pause_ms:
            return Reply(said, hangs_up, pause_ms)
        return SILENCE

    def left(self, last_words: str, *, transferred: bool) -> None:
        """Nothing follows."""


def _milliseconds(seconds: JsonValue) -> int:
    try:
        return round(1000 * min(max(float(str(seconds)), 0), _LONGEST_PAUSE_S))
    except ValueError:
        return 0
