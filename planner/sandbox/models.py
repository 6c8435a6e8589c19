"""Calls with a model on the line: the agent plays its deployed prompt with its tools, the test bot plays the scenario
prompt.

A party that no model plays speaks its turns of the matching dialogue, in order. Each call has a daemon thread of its
own. Nothing here touches the state: its owner takes what was said from `finished`. If the sandbox stops, the next one
with the same state file starts unfinished calls again.
"""

import json
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from queue import SimpleQueue
from typing import Any, cast

import httpx
from pydantic import BaseModel, Field, JsonValue, ValidationError, field_validator

from planner.sandbox.conversation import Conversation, Draws, Recording, converse, find_script, seed_of
from planner.sandbox.state import Run
from planner.sandbox.worlds.dialogues import Grade, Object
from planner.sandbox.worlds.world import Model, Snapshot, World

_LETTERS_PER_TOKEN = 4
"""For endpoints that do not report their usage."""


class ModelError(Exception):
    """A model failed, which ends the call. The message never contains the key."""


class _Function(BaseModel):
    name: str
    arguments: str = "{}"

    @field_validator("arguments", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        """Some endpoints answer an object."""
        return value if isinstance(value, str) else json.dumps(value or {})


class ToolCall(BaseModel):
    id: str = "call"
    type: str = "function"
    function: _Function

    @property
    def arguments(self) -> Object:
        """Empty if the model wrote no JSON object."""
        try:
            given = json.loads(self.function.arguments)
        except ValueError:
            return {}
        return given if isinstance(given, dict) else {}  # pyright: ignore[reportUnknownVariableType]


class Message(BaseModel):
    role: str = "assistant"
    content: str | None = None
    tool_calls: list[ToolCall] | None = None

    @property
    def text(self) -> str:
        return (self.content or "").strip()

    @property
    def tools(self) -> list[ToolCall]:
        return self.tool_calls or []


class _Choice(BaseModel):
    message: Message


class _Usage(BaseModel):
    total_tokens: int = 0


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


class Chat:
    """One party's conversation with its model: the messages so far, and the tools that the model may call."""

    def __init__(self, model: Model, key: str, seed: int, system: str, tools: list[JsonValue]) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(timeout=model.timeout_seconds, headers=headers)
        self._model = model
        self._settings: Object = {"model": model.model, "max_tokens": model.max_reply_tokens, "seed": seed % 2**31}
        if tools:
            self._settings["tools"] = tools
        if model.temperature is not None:
            self._settings["temperature"] = model.temperature
        self._messages: list[JsonValue] = [{"role": "system", "content": system}]
        self._used_tokens = 0

    def close(self) -> None:
        self._http.close()

    def hear(self, text: str) -> None:
        self._messages.append({"role": "user", "content": text})

    def answer(self) -> Message:
        """The next message. Raises `ModelError`."""
        if self._used_tokens >= self._model.max_tokens:
            raise self._error(f"the call's budget of {self._model.max_tokens} tokens is used up")
        request: Object = {**self._settings, "messages": self._messages}
        body = self._post(request)
        try:
            completion = _Completion.model_validate_json(body)
        except ValidationError as error:
            raise self._error("the answer is no chat completion") from error
        used = completion.usage.total_tokens if completion.usage else 0
        self._used_tokens += used or (len(json.dumps(request)) + len(body)) // _LETTERS_PER_TOKEN
        message = completion.choices[0].message
        self._messages.append({"content": "", **message.model_dump(exclude_none=True)})
        return message

    def tool_result(self, call: ToolCall, result: JsonValue) -> None:
        content = json.dumps(result, ensure_ascii=False)
        self._messages.append({"role": "tool", "tool_call_id": call.id, "content": content})

    def _post(self, request: Object) -> bytes:
        where = f"{self._model.base_url.rstrip('/')}/chat/completions"
        try:
            response = self._http.post(where, json=request)
        except httpx.TimeoutException as error:
            raise self._error(f"no answer within {self._model.timeout_seconds:g} s") from error
        except httpx.HTTPError as error:
            raise self._error(f"{where} cannot be reached") from error
        if response.status_code != 200:
            raise self._error(f"{where} answered {response.status_code}")
        return response.content

    def _error(self, message: str) -> ModelError:
        return ModelError(f"model {self._model.model}: {message}")


def tool_definition(name: str, description: str, parameters: Mapping[str, str]) -> JsonValue:
    """A tool in the endpoint's format: all parameters are texts."""
    properties: Object = {key: {"type": "string", "description": what} for key, what in parameters.items()}
    schema: Object = {"type": "object", "properties": properties, "required": list[JsonValue](parameters)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


_PHONE = (
    "This is a phone call. Answer with the words you say and nothing else: no stage directions, no lists, no markup, "
    "one to three sentences. Call a tool when you need it."
)
_CALLER = (
    "You are playing the caller in a test of a phone agent. Play the role below until you have what you came for, or "
    "it is plain that you will not get it. Then say goodbye and call hang_up. Never say that this is a test, never "
    "speak for the agent.\n\n"
)
_HANG_UP = tool_definition("hang_up", "Hang up the phone. Say goodbye first.", {})
_END_CALL = tool_definition("end_call", "Hang up. Say goodbye first.", {})
_TRANSFER = tool_definition(
    "transfer_call", "Hand the call to another number.", {"number": "E.164, such as +14155550130"}
)
_MAX_TOOL_ROUNDS = 6
_MAX_MS = 10 * 60_000
_MAX_CONCURRENT = 4
"""Local servers answer one or a few requests at a time; more would only wait there, against their timeout."""
_HANGS_UP = re.compile(r"\s*[\[(*](?:hangs?[ _]?up|ends? (?:the )?call)[\])*]\s*", re.IGNORECASE)
"""How small models say that they hang up instead of calling the tool."""
_UNGRADED = Grade(score=None, outcome="unknown", goal="no_opportunity", summary="A model played this call.")


class ModelCalls:
    def __init__(self, world: World, environ: Mapping[str, str]) -> None:
        self._world = world
        self._environ = environ
        self._started: set[int] = set()
        self._slots = threading.Semaphore(_MAX_CONCURRENT)
        self._ended: SimpleQueue[tuple[int, Conversation]] = SimpleQueue()

    def start(self, run: Run, snapshot: Snapshot) -> None:
        """Start the run's call, unless this process already has."""
        if run.id not in self._started:
            self._started.add(run.id)
            threading.Thread(target=self._call, args=(run, snapshot), daemon=True).start()

    def finished(self) -> list[tuple[int, Conversation]]:
        """(run id, conversation) of the calls that have ended since the last time."""
        return [self._ended.get() for _ in range(self._ended.qsize())]

    def _call(self, run: Run, snapshot: Snapshot) -> None:
        with self._slots:
            self._ended.put((run.id, self._conversation(run, snapshot)))

    def _conversation(self, run: Run, snapshot: Snapshot) -> Conversation:
        scripted = converse(snapshot, run.prompt, run.seed)
        agent_model, caller_model = snapshot.model, self._world.bot.model
        if (agent_model is None or caller_model is None) and find_script(snapshot, run.prompt) is None:
            return scripted  # the party that no model plays has nothing to say
        with ExitStack() as opened:

            def chat(name: str, system: str, tools: list[JsonValue]) -> Chat:
                model = self._world.models[name]
                key = self._environ.get(model.api_key_env, "") if model.api_key_env else ""
                return opened.enter_context(closing(Chat(model, key, run.seed, f"{system}\n\n{_PHONE}", tools)))

            line = _Line(run)
            line.agent_turn, line.caller_turn = _scripted_agent(scripted, line), _scripted_caller(scripted, line)
            if agent_model is not None:
                tools = [
                    tool_definition(name, tool.description, tool.parameters) for name, tool in snapshot.tools.items()
                ]
                line.agent_turn = _ModelAgent(
                    snapshot, chat(agent_model, snapshot.prompt, [*tools, _END_CALL, _TRANSFER]), line
                ).turn
            if caller_model is not None:
                role = run.prompt.strip() or "Ask what they can do for you."
                line.caller_turn = _model_caller(chat(caller_model, f"{_CALLER}{role}", [_HANG_UP]), line)
            used = [name for name in (agent_model, caller_model) if name is not None]
            return line.talk(min(self._world.models[name].max_turns for name in used))


Party = Callable[[str], None]
"""Reacts to what the other party said; "" if this one picks up the phone."""


class _Line:
    """The call, for the party whose turn it is."""

    agent_turn: Party
    caller_turn: Party

    def __init__(self, run: Run) -> None:
        self.run = run
        self.recording = Recording(run.seed)
        self.end_reason = self.transferred_to = ""
        self._heard: list[str] = []

    def agent_says(self, text: str) -> None:
        self.recording.agent_says(text)
        self._heard.append(text)

    def caller_says(self, text: str) -> None:
        self.recording.caller_says(text)
        self._heard.append(text)

    def end(self, reason: str, to: str = "") -> None:
        if not self.end_reason:
            self.end_reason, self.transferred_to = reason, to

    def talk(self, max_turns: int) -> Conversation:
        """The whole call. The party that was called speaks first: the agent if the direction is outbound."""
        parties, error = [self.agent_turn, self.caller_turn], ""
        if self.run.direction == "inbound":
            parties.reverse()
        try:
            while not self.end_reason:
                heard, self._heard = " ".join(self._heard), []
                parties[0](heard)
                parties.reverse()
                if self.recording.now_ms >= _MAX_MS or len(self.recording.turns) >= max_turns:
                    self.end("timeout")
        except ModelError as failure:
            error = str(failure)
            self.end("error")
        turns, ends_ms = tuple(self.recording.turns), self.recording.ends_ms()
        return Conversation(turns, ends_ms, self.end_reason, self.transferred_to, _UNGRADED, error)


def _scripted_agent(conversation: Conversation, line: _Line) -> Party:
    """Speaks the agent's turns of the conversation, up to the caller's next one each time."""
    left = list(conversation.turns)

    def turn(_heard: str) -> None:
        while left and left[0].role == "user":
            left.pop(0)
        while left and left[0].role != "user":
            turn = left.pop(0)
            if turn.role == "agent":
                line.agent_says(str(turn.content))
            else:
                call, response = cast("dict[str, Any]", turn.content), left.pop(0)
                takes_ms = response.start_ms - turn.start_ms
                line.recording.tool(call["name"], call["arguments"], response.content, takes_ms)
        if not left:
            reason = conversation.end_reason
            line.end("agent_end" if reason == "caller_hangup" else reason, conversation.transferred_to)

    return turn


def _scripted_caller(conversation: Conversation, line: _Line) -> Party:
    """Speaks the caller's turns of the conversation; hangs up once the agent has answered the last."""
    left = [str(turn.content) for turn in conversation.turns if turn.role == "user"]

    def turn(_heard: str) -> None:
        if left:
            line.caller_says(left.pop(0))
        else:
            line.end("caller_hangup")

    return turn


class _ModelAgent:
    def __init__(self, snapshot: Snapshot, chat: Chat, line: _Line) -> None:
        self._snapshot = snapshot
        self._chat = chat
        self._line = line
        self._draws = Draws(seed_of(line.run.seed, "agent"))
        self._code = self._draws.code()
        calls = line.run.direction == "inbound"
        self._rings = "(You are calling; they pick up.)" if calls else "(The phone rings. You pick up.)"

    def turn(self, heard: str) -> None:
        self._chat.hear(f"{self._rings} {heard}".strip())
        self._rings = ""
        for _ in range(_MAX_TOOL_ROUNDS):
            message = self._chat.answer()
            if message.text:
                self._line.agent_says(message.text)
            for call in message.tools:
                self._use(call)
            if not message.tools or self._line.end_reason:
                return

    def _use(self, call: ToolCall) -> None:
        name, arguments = call.function.name, call.arguments
        tool = self._snapshot.tools.get(name)
        result: JsonValue = {"error": "unknown tool"} if tool is None else tool.answer(arguments, self._code)
        self._chat.tool_result(call, result)
        if name == "end_call":
            self._line.end("agent_end")
        elif name == "transfer_call":
            self._line.end("transfer", str(arguments.get("number", "")))
        else:
            low, high = tool.latency_ms if tool else (0, 0)
            self._line.recording.tool(name, arguments, result, round(self._draws.skewed(low, high)))


def _model_caller(chat: Chat, line: _Line) -> Party:
    def turn(heard: str) -> None:
        chat.hear(heard or "(Your phone rings. You pick up.)")
        message = chat.answer()
        for call in message.tools:
            chat.tool_result(call, {"done": True})
        said = _HANGS_UP.sub(" ", message.text).strip()
        if said:
            line.caller_says(said)
        if not said or said != message.text or any(call.function.name == "hang_up" for call in message.tools):
            line.end("caller_hangup")

    return turn
