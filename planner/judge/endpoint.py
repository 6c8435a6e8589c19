"""Requests one chat completion from an OpenAI-compatible endpoint; errors say whether it may have been charged.

Endpoints differ in what they accept. If a request is rejected for its form (JSON schema, `max_tokens`, temperature), a
simpler form is tried, and kept once accepted. A rejected request is not charged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import to_json

from planner.bounds import MAX_INTEGER
from planner.checks.judgement import shown
from planner.errors import (
    CredentialError,
    LostAnswerError,
    NotFoundError,
    PlannerError,
    RefusedError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)
from planner.judge.prompt import Prompt, answer_schema
from planner.network.transport import Answer, Transport
from planner.values import frozen

MAX_ANSWER_BYTES: Final = 1024 * 1024
_LONGEST_REASON: Final = 160
_LEAST_SECRET: Final = 8
"""Shortest key that is secret; private endpoints accept any word."""


class DeclinedError(PlannerError):
    """The endpoint rejects this request (400, 413, 422). It was not charged, and other questions may still be
    answered."""

    exit_code = 4


class OtherModelError(PlannerError):
    """A charged answer came from another model than expected, so it is not a vote. `is_new`: from another one than the
    answers before it."""

    exit_code = 2

    def __init__(self, answered: str, expected: str, *, is_new: bool) -> None:
        name = shown(answered)
        otherwise = "name one exact model in judge.model" if is_new else "correct judge.model"
        hint = f"If both are the same model, write answers_as: [{name}] under `judge` in planner.yaml; otherwise "
        super().__init__(
            f"the judge's endpoint answered as {name} instead of {shown(expected)}: the answer does not count, and "
            "judge calls stopped",
            f"{hint}{otherwise}.",
        )


@frozen
class Completion:
    """`content` is None if the model refused; `problem` says what is wrong. Tokens are None if not reported; `model` is
    the name in the answer, or ""."""

    content: str | None
    problem: str = ""
    read_tokens: int | None = None
    written_tokens: int | None = None
    model: str = ""


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _ChatCompletion(BaseModel):
    model_config = ConfigDict(extra="ignore", defer_build=True)

    choices: list[_Choice]
    usage: _Usage | None = None
    model: Any = None


class _Error(BaseModel):
    model_config = ConfigDict(extra="ignore", defer_build=True)

    error: Any = None
    detail: Any = None
    message: Any = None


_FORMATS: Final = ("its schema", "any JSON", "plain text")
"""Formats of the answer, from the most to the least reliable."""


@frozen
class _Form:
    """The form of a request. `format` is an index in `_FORMATS`."""

    format: int = 0
    limit: str = "max_tokens"
    temperature: bool = True

    def simpler(self, reason: str) -> _Form | None:
        """A simpler form, chosen by the endpoint's message; None if there is none left."""
        if "max_completion_tokens" in reason and self.limit == "max_tokens":
            return replace(self, limit="max_completion_tokens")
        if "temperature" in reason and self.temperature:
            return replace(self, temperature=False)
        return replace(self, format=self.format + 1) if self.format + 1 < len(_FORMATS) else None


@dataclass(slots=True)
class Endpoint:
    """Talks to one model. `key` never appears in errors or answers. `log` reports once if the endpoint does not accept
    a JSON schema."""

    transport: Transport
    model: str
    key: str
    log: Callable[[str], None]
    _form: _Form = field(default_factory=_Form)
    """The form that the endpoint accepted last."""

    async def complete(self, prompt: Prompt, max_output_tokens: int) -> Completion:
        """The answer to one prompt.

        Raises:
            ThrottledError, UnreachableError, DeclinedError, CredentialError, NotFoundError, RefusedError: not charged.
            LostAnswerError, ServiceError: may have been charged.
        """
        form, rejected = self._form, ""
        while True:
            answer = await self._post(prompt, form, max_output_tokens)
            other = form.simpler(_text(answer).lower()) if answer.status in (400, 415, 422) else None
            if other is None:
                break
            if other.format != form.format:
                rejected = rejected or f"{answer.status}{self._reason(answer)}"
            form = other
        self._check(answer)
        if rejected and form.format != self._form.format:
            self.log(
                f"the judge's endpoint does not accept a JSON schema for the answers of {self.model} ({rejected}):"
                f" answers are requested as {_FORMATS[form.format]}"
            )
        self._form = form
        return self._completion(answer)

    async def check(self) -> None:
        """Check with one free request that the endpoint is reachable and accepts the key. Endpoints without this
        request pass."""
        try:
            answer = await self.transport.send("GET", "models", query={}, body=None)
        except (UnreachableError, LostAnswerError) as error:
            raise reworded(error) from error
        if answer.status in (401, 403):
            self._check(answer)

    async def _post(self, prompt: Prompt, form: _Form, max_output_tokens: int) -> Answer:
        request: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
            form.limit: max_output_tokens,
        }
        if form.temperature:
            request["temperature"] = 0
        schema = {"name": "judgement", "strict": True, "schema": answer_schema(prompt)}
        formats = ({"type": "json_schema", "json_schema": schema}, {"type": "json_object"}, None)
        if (response_format := formats[form.format]) is not None:
            request["response_format"] = response_format
        return await self.transport.send("POST", "chat/completions", query={}, body=to_json(request))

    def _check(self, answer: Answer) -> None:
        status, reason = answer.status, self._reason(answer)
        match status:
            case 200 | 201:
                return
            case 401 | 403:
                raise CredentialError(
                    f"the judge's endpoint rejects the key ({status}{reason})",
                    "Set PLANNER_JUDGE_API_KEY in the environment to a key of the endpoint under `judge` in "
                    "planner.yaml.",
                )
            case 402:
                raise RefusedError(
                    f"the judge's endpoint requires payment (402{reason})",
                    "Top up the account there, then run the same command again.",
                )
            case 404:
                raise NotFoundError(
                    f"the judge's endpoint has no model {self.model!r}, or its address is wrong (404{reason})",
                    "Correct judge.model or judge.base_url in planner.yaml; the address usually ends with /v1.",
                )
            case 429:
                raise ThrottledError(
                    f"the judge's endpoint asks to wait (429{reason})",
                    retry_after_seconds=answer.retry_after_seconds,
                )
            case 400 | 405 | 409 | 413 | 415 | 422:
                raise DeclinedError(f"the judge's endpoint rejects the request ({status}{reason})")
            case _ if 300 <= status < 400:
                raise NotFoundError(
                    f"the judge's endpoint redirects ({status}); redirects are not followed, so that the key goes to "
                    "no other host",
                    "Set judge.base_url in planner.yaml to the final address.",
                )
            case _:
                raise ServiceError(f"the judge's endpoint failed ({status}{reason})", status=status)

    def _completion(self, answer: Answer) -> Completion:
        """Parse a charged answer."""
        if len(answer.body) > MAX_ANSWER_BYTES:
            return Completion(None, "its answer is longer than 1 MiB")
        try:
            completion = _ChatCompletion.model_validate_json(answer.body)
        except ValidationError:
            return Completion(None, "its answer is not a chat completion")
        content, problem = _content(completion)
        usage = completion.usage or _Usage()
        model = completion.model if isinstance(completion.model, str) else ""
        return Completion(
            None if content is None else self._without_key(content),
            problem,
            _tokens(usage.prompt_tokens),
            _tokens(usage.completion_tokens),
            self._without_key(model),
        )

    def _without_key(self, text: str) -> str:
        """Remove the key from an answer, which is stored and shown. A short key is a plain word that may occur on a
        call, so it stays."""
        return text.replace(self.key, "…") if len(self.key) >= _LEAST_SECRET else text

    def _reason(self, answer: Answer) -> str:
        """The endpoint's error message on one line, without the key."""
        text = " ".join(_text(answer).split())
        if self.key:
            text = text.replace(self.key, "…")
        return f": {text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1] + '…'}" if text else ""


def _content(completion: _ChatCompletion) -> tuple[str | None, str]:
    """(content, problem)."""
    if not completion.choices:
        return None, "its answer is not a chat completion"
    choice = completion.choices[0]
    if choice.message.refusal or choice.finish_reason == "content_filter":
        return None, "the model refused to answer"
    if choice.finish_reason == "length":
        return None, "its answer was cut off: judge.max_output_tokens in planner.yaml is too low"
    return choice.message.content or "", ""


def _tokens(count: int | None) -> int | None:
    return count if count is not None and 0 <= count <= MAX_INTEGER else None


def _text(answer: Answer) -> str:
    """The error message of an answer, in any of the common formats."""
    try:
        document = _Error.model_validate_json(answer.body[:MAX_ANSWER_BYTES])
    except ValidationError:
        return ""
    error = document.error if document.error is not None else document.detail or document.message
    if isinstance(error, dict):
        error = error.get("message")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return error if isinstance(error, str) else ""


def reworded(error: Exception) -> Exception:
    """Transport errors reworded for the judge's endpoint."""
    reason = str(error).rpartition(": ")[2]
    if isinstance(error, UnreachableError):
        return UnreachableError(
            f"the judge's endpoint cannot be reached: {reason}",
            "Check the network and judge.base_url in planner.yaml, then run the same command again.",
        )
    if isinstance(error, LostAnswerError):
        return LostAnswerError(f"the judge's endpoint gave no answer: {reason}")
    return error
