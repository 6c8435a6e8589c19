"""One chat completion from any OpenAI-compatible endpoint, or one error that says whether it may have been charged.

Endpoints differ in what they accept. A request that is refused for its form (a JSON schema for the answer, `max_tokens`, a
temperature) is sent again in a simpler one; the form that was accepted is used from then on. A refused request is not charged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import to_json

from planner.api.transport import Answer, Transport
from planner.checks.wording import shown
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
from planner.judging.prompt import Prompt, answer_schema

MAX_ANSWER_BYTES: Final = 1024 * 1024
_TOLD: Final = 160
"""Characters of an endpoint's own words that an error repeats."""
_LEAST_SECRET: Final = 8
"""Characters of a key that is one: endpoints of one's own take any word."""
_MAX_TOKENS: Final = 2**40


class DeclinedError(PlannerError):
    """The endpoint takes no request of this kind (400, 413, 422): not charged, and the next question may still be answered."""

    exit_code = 4


class OtherModelError(PlannerError):
    """The answer, which was charged, is of another model than was expected: what that one thinks is no vote of this one."""

    exit_code = 2

    def __init__(self, answered: str, expected: str) -> None:
        name = shown(answered)
        super().__init__(
            f"the judge's endpoint answered as {name}, where {shown(expected)} was expected: that is no vote, and no more are asked for",
            f"If both are one model, write answers_as: [{name}] under `judge` in planner.yaml; if not, name there as model which is to judge.",
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """`content` is None where the model refused; `problem` says why there is less than there should be. Tokens are None where
    they were not told; `model` is whose answer it says it is, empty where it does not."""

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


@dataclass(frozen=True, slots=True)
class _Form:
    """How a question is put."""

    answer: str = "json_schema"
    """Then json_object, then plain."""
    limit: str = "max_tokens"
    temperature: bool = True

    def otherwise(self, told: str) -> _Form | None:
        """By what the endpoint says it does not take; None where there is nothing left to give up."""
        if "max_completion_tokens" in told and self.limit == "max_tokens":
            return replace(self, limit="max_completion_tokens")
        if "temperature" in told and self.temperature:
            return replace(self, temperature=False)
        lower = _LOWER.get(self.answer)
        return None if lower is None else replace(self, answer=lower)


_LOWER: Final = {"json_schema": "json_object", "json_object": "plain"}
_ASKED_FOR: Final = {"json_object": "as any JSON", "plain": "in words alone"}


@dataclass(slots=True)
class Endpoint:
    """Speaks to one model. `key` is not repeated in any error or answer, whatever the endpoint says; `tell` is told once that
    answers cannot be held to a schema."""

    transport: Transport
    model: str
    max_output_tokens: int
    key: str
    now: Callable[[], datetime]
    tell: Callable[[str], None]
    _form: _Form = _Form()
    """The one that the endpoint accepted last."""

    async def complete(self, prompt: Prompt) -> Completion:
        """The answer to one prompt.

        Raises:
            ThrottledError, UnreachableError, DeclinedError, CredentialError, NotFoundError, RefusedError: not charged.
            LostAnswerError, ServiceError: may have been charged.
        """
        form, refused = self._form, None
        while True:
            answer = await self._post(prompt, form)
            other = form.otherwise(_text(answer).lower()) if answer.status in (400, 415, 422) else None
            if other is None:
                break
            if refused is None and other.answer != form.answer:
                refused = answer
            form = other
        self._check(answer)
        if refused is not None and form.answer != self._form.answer:
            self.tell(
                f"the judge's endpoint does not accept a JSON schema for the answers of {self.model} ({refused.status}"
                f"{self._told(refused)}): it is asked for {_ASKED_FOR[form.answer]}"
            )
        self._form = form
        return self._completion(answer)

    async def check(self) -> None:
        """One free read: whether the endpoint is there and takes the key. An endpoint that knows no such read is taken at its
        word later."""
        try:
            answer = await self.transport.send("GET", "models", query={}, body=None)
        except (UnreachableError, LostAnswerError) as error:
            raise reworded(error) from error
        if answer.status in (401, 403):
            self._check(answer)

    async def _post(self, prompt: Prompt, form: _Form) -> Answer:
        request: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
            form.limit: self.max_output_tokens,
        }
        if form.temperature:
            request["temperature"] = 0
        if form.answer == "json_schema":
            schema = {"name": "judgement", "strict": True, "schema": answer_schema(prompt)}
            request["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif form.answer == "json_object":
            request["response_format"] = {"type": "json_object"}
        body = to_json(request)
        return await self.transport.send("POST", "chat/completions", query={}, body=body)

    def _check(self, answer: Answer) -> None:
        status, told = answer.status, self._told(answer)
        match status:
            case 200 | 201:
                return
            case 401 | 403:
                raise CredentialError(
                    f"the judge's endpoint refuses the key ({status}{told})",
                    "Set PLANNER_JUDGE_API_KEY in the environment to a key of the endpoint that planner.yaml names under `judge`.",
                )
            case 402:
                raise RefusedError(
                    f"the judge's endpoint wants to be paid first (402{told})",
                    "Top up the account there, and run again.",
                )
            case 404:
                raise NotFoundError(
                    f"the judge's endpoint has no model {self.model!r}, or is not where planner.yaml says (404{told})",
                    "Correct judge.model or judge.base_url in planner.yaml; the address usually ends with /v1.",
                )
            case 429:
                raise ThrottledError(
                    f"the judge's endpoint asks to wait (429{told})", retry_after_seconds=self._wait(answer)
                )
            case 400 | 405 | 409 | 413 | 415 | 422:
                raise DeclinedError(f"the judge's endpoint takes no such request ({status}{told})")
            case _ if 300 <= status < 400:
                raise NotFoundError(
                    f"the judge's endpoint answers with a redirect ({status}), which is not followed: the key goes to no other host",
                    "Write the address that it leads to as judge.base_url in planner.yaml.",
                )
            case _:
                raise ServiceError(f"the judge's endpoint failed ({status}{told})", status=status)

    def _wait(self, answer: Answer) -> float | None:
        """`Retry-After`, in seconds or as a date."""
        written = answer.headers.get("retry-after", "").strip()
        try:
            if written.isdigit():
                return float(written[:9])
            return max(0.0, (parsedate_to_datetime(written) - self.now()).total_seconds()) if written else None
        except (TypeError, ValueError, OverflowError):
            return None

    def _completion(self, answer: Answer) -> Completion:
        """Charged, whatever it says."""
        if len(answer.body) > MAX_ANSWER_BYTES:
            return Completion(None, "its answer is longer than 1 MiB")
        try:
            completion = _ChatCompletion.model_validate_json(answer.body)
        except ValidationError:
            return Completion(None, "its answer is no chat completion")
        content, problem = self._content(completion)
        usage = completion.usage or _Usage()
        model = completion.model if isinstance(completion.model, str) else ""
        return Completion(
            None if content is None else self._without_key(content),
            problem,
            _tokens(usage.prompt_tokens),
            _tokens(usage.completion_tokens),
            self._without_key(model),
        )

    def _content(self, completion: _ChatCompletion) -> tuple[str | None, str]:
        """(what it says, why it says less than it should)."""
        if not completion.choices:
            return None, "its answer is no chat completion"
        choice = completion.choices[0]
        if choice.message.refusal or choice.finish_reason == "content_filter":
            return None, "the model refused to answer"
        if choice.finish_reason == "length":
            return None, "its answer was cut off: judge.max_output_tokens in planner.yaml is too low for it"
        return choice.message.content or "", ""

    def _without_key(self, text: str) -> str:
        """An answer is stored and shown. A key that is but a word stays: it is no secret, and may be said on a call."""
        return text.replace(self.key, "…") if len(self.key) >= _LEAST_SECRET else text

    def _told(self, answer: Answer) -> str:
        """What the endpoint says of an error, on one line and never with the key in it."""
        text = " ".join(_text(answer).split())
        if self.key:
            text = text.replace(self.key, "…")
        return f": {text if len(text) <= _TOLD else text[: _TOLD - 1] + '…'}" if text else ""


def _tokens(count: int | None) -> int | None:
    return count if count is not None and 0 <= count <= _MAX_TOKENS else None


def _text(answer: Answer) -> str:
    """The message of an error in whichever form endpoints give one."""
    try:
        document = _Error.model_validate_json(answer.body[:MAX_ANSWER_BYTES])
    except ValidationError:
        return ""
    error = document.error if document.error is not None else document.detail or document.message
    if isinstance(error, dict):
        error = error.get("message")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return error if isinstance(error, str) else ""


class _Error(BaseModel):
    model_config = ConfigDict(extra="ignore", defer_build=True)

    error: Any = None
    detail: Any = None
    message: Any = None


def reworded(error: Exception) -> Exception:
    """The transport's errors, of this endpoint and not of the service that makes the calls."""
    reason = str(error).rpartition(": ")[2]
    if isinstance(error, UnreachableError):
        return UnreachableError(
            f"the judge's endpoint cannot be reached: {reason}",
            "Check the network and judge.base_url in planner.yaml, then run the same command again.",
        )
    if isinstance(error, LostAnswerError):
        return LostAnswerError(f"the judge's endpoint gave no answer: {reason}")
    return error
