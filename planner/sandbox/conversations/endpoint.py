"""A model behind any OpenAI-compatible endpoint: one chat completion after the other, within a token budget of its own.

What may go wrong is one exception, `ModelError`, whose text is for people and never holds the key:

    the endpoint cannot be reached, answers too late, answers an error, answers something else, or the budget is used up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from pydantic import BaseModel, JsonValue, ValidationError

from planner.sandbox.conversation import Object
from planner.sandbox.worlds.world import Model

_LETTERS_A_TOKEN = 4
"""For endpoints that do not say how much they used."""


class ModelError(Exception):
    """A model that does not answer as a model should; ends the call it happens on."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    id: str
    name: str
    arguments: Object


@dataclass(frozen=True, slots=True)
class Message:
    """What the model said, and the tools it wants to use."""

    text: str
    tools: tuple[ToolUse, ...]
    raw: Object
    """As the next request must repeat it."""


class _Function(BaseModel):
    name: str
    arguments: str | dict[str, JsonValue] | None = None


class _ToolCall(BaseModel):
    id: str | None = None
    function: _Function


class _Said(BaseModel):
    content: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(BaseModel):
    message: _Said


class _Usage(BaseModel):
    total_tokens: int = 0


class _Completion(BaseModel):
    """The part of a chat completion that matters; the rest is ignored."""

    choices: list[_Choice]
    usage: _Usage | None = None


class Endpoint:
    """One call's way to a model. `name` is the world file's."""

    def __init__(self, name: str, model: Model, environ: Mapping[str, str], seed: int) -> None:
        import httpx  # only here: a sandbox without models does not need a client

        self._name = name
        self._model = model
        self._seed = seed % 2**31
        self._used_tokens = 0
        key = environ.get(model.api_key_env, "") if model.api_key_env else ""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(timeout=model.timeout_seconds, headers=headers)

    def close(self) -> None:
        self._http.close()

    def chat(self, messages: list[Object], tools: list[JsonValue]) -> Message:
        """The next message; raises `ModelError`."""
        if self._used_tokens >= self._model.max_tokens:
            raise ModelError(f"model {self._name}: the call's budget of {self._model.max_tokens} tokens is used up")
        request: Object = {
            "model": self._model.model,
            "messages": list[JsonValue](messages),
            "max_tokens": self._model.max_reply_tokens,
            "seed": self._seed,
        }
        if tools:
            request["tools"] = tools
        if self._model.temperature is not None:
            request["temperature"] = self._model.temperature
        body = self._post(request)
        try:
            completion = _Completion.model_validate_json(body)
            said = completion.choices[0].message
        except (ValidationError, IndexError) as error:
            raise ModelError(f"model {self._name}: the answer is no chat completion") from error
        used = completion.usage.total_tokens if completion.usage else 0
        self._used_tokens += used or (len(json.dumps(request)) + len(body)) // _LETTERS_A_TOKEN
        uses = tuple(self._use(number, call) for number, call in enumerate(said.tool_calls or []))
        return Message((said.content or "").strip(), uses, _repeated(said, uses))

    def _post(self, request: Object) -> bytes:
        import httpx

        where = f"{self._model.base_url.rstrip('/')}/chat/completions"
        try:
            response = self._http.post(where, json=request)
        except httpx.TimeoutException as error:
            raise ModelError(f"model {self._name}: no answer within {self._model.timeout_seconds:g} s") from error
        except httpx.HTTPError as error:
            raise ModelError(f"model {self._name}: {where} cannot be reached") from error
        if response.status_code != 200:
            raise ModelError(f"model {self._name}: {where} answered {response.status_code}")
        return response.content

    def _use(self, number: int, call: _ToolCall) -> ToolUse:
        given = call.function.arguments
        if isinstance(given, str):
            try:
                given = json.loads(given or "{}")
            except ValueError:
                given = {}
        arguments = cast(Object, given) if isinstance(given, dict) else {}
        return ToolUse(call.id or f"call_{number}", call.function.name, arguments)


def _repeated(said: _Said, uses: tuple[ToolUse, ...]) -> Object:
    raw: Object = {"role": "assistant", "content": said.content or ""}
    if uses:
        raw["tool_calls"] = [
            {
                "id": use.id,
                "type": "function",
                "function": {"name": use.name, "arguments": json.dumps(use.arguments, ensure_ascii=False)},
            }
            for use in uses
        ]
    return raw


def tool_definition(name: str, description: str, parameters: Mapping[str, str]) -> JsonValue:
    """A tool as the endpoint takes it: all parameters are texts."""
    properties: Object = {key: {"type": "string", "description": what} for key, what in parameters.items()}
    schema: Object = {"type": "object", "properties": properties, "required": list[JsonValue](parameters)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


def tool_answer(use: ToolUse, result: JsonValue) -> Object:
    return {"role": "tool", "tool_call_id": use.id, "content": json.dumps(result, ensure_ascii=False)}
