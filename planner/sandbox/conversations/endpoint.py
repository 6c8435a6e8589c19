"""A model behind an OpenAI-compatible endpoint: chat completions within the token budget of a call."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import BaseModel, Field, JsonValue, ValidationError, field_validator

from planner.sandbox.worlds.dialogues import Object
from planner.sandbox.worlds.world import Model

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
        import httpx  # only here: a sandbox without models needs no client

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
        import httpx

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
