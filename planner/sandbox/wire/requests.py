"""What may be sent: bodies and queries with their defaults and limits, in both dialects. Unknown fields are ignored."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError
from starlette.requests import Request as HttpRequest

from planner.sandbox.state.records import Direction, LaunchRequest, Mode, Status, TargetType
from planner.sandbox.wire.answers import INT64_MAX, Dialect
from planner.sandbox.wire.errors import detail, invalid, not_found
from planner.sandbox.worlds.world import Product

_Item = TypeVar("_Item")
_Model = TypeVar("_Model", bound=BaseModel)


def _json_integer(value: object) -> object:
    """Neither true nor "12", which pydantic takes as well."""
    if isinstance(value, bool | str):
        raise PydanticCustomError("int_type", "A valid integer is required.")
    return value


def _is_true(given: bool) -> bool:
    if not given:
        raise ValueError("You must set consent_to_charge to true: test calls are billed.")
    return given


def _moment(text: object) -> object:
    """A day or an ISO 8601 time; a day stays a text without a time."""
    try:
        datetime.fromisoformat(str(text).upper())
    except ValueError as error:
        raise ValueError("Enter a valid date or time in ISO 8601.") from error
    return text


WHOLE = BeforeValidator(_json_integer)
Consent = Annotated[
    bool, Field(strict=True), AfterValidator(_is_true), WithJsonSchema({"type": "boolean", "enum": [True]})
]
Filled = Annotated[str, Field(pattern=r"\S")]
Number = Annotated[str, Field(pattern=r"^(\+[1-9][0-9]{6,14})?$")]
"""E.164, or empty."""
RunCount = Annotated[int, Field(ge=1, le=20), WHOLE]
Stagger = Annotated[int, Field(ge=0, le=60), WHOLE]
AgentId = Annotated[int, Field(ge=-INT64_MAX, le=INT64_MAX)]
MomentOrDay = Annotated[
    str,
    AfterValidator(_moment),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}),
]


class Request(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)


class _Launch(Request):
    target_type: TargetType
    target_id: Annotated[int, Field(ge=-INT64_MAX, le=INT64_MAX), WHOLE]
    target_number: Number = ""
    consent_to_charge: Consent


class PageRun(_Launch):
    direction: Direction
    scenario_prompt: str = ""
    mode: Mode = "bot"


class ClientRun(_Launch):
    direction: Direction = "outbound"
    scenario_prompt: str = ""


class PageBatch(PageRun):
    run_count: RunCount
    stagger_seconds: Stagger = 0
    scenario_prompts: tuple[str, ...] = ()


class ClientBatch(_Launch):
    direction: Direction = "outbound"
    run_count: RunCount = 3
    stagger_seconds: Stagger = 5
    scenario_prompts: tuple[str, ...] = ()
    name: str = ""


RUN_BODY: dict[Dialect, type[PageRun | ClientRun]] = {"page": PageRun, "client": ClientRun}
BATCH_BODY: dict[Dialect, type[PageBatch | ClientBatch]] = {"page": PageBatch, "client": ClientBatch}


def launch_request(body: PageRun | ClientRun | ClientBatch, *, trim: bool) -> LaunchRequest:
    """`trim`: the service strips white space around prompts."""
    sent = body.model_dump()
    one, several = sent.pop("scenario_prompt", ""), sent.pop("scenario_prompts", None)
    prompts = several or ((one,) if one or several is None else ())
    del sent["consent_to_charge"]
    if trim:
        prompts = tuple(prompt.strip() for prompt in prompts)
    return LaunchRequest(**sent, prompts=prompts, is_batch=several is not None)


class _Agent(Request):
    product: Product | None = None
    primary_language: Filled | None = None
    thinking_level: Filled | None = None


class NewAgent(_Agent):
    name: Filled
    prompt: Filled
    voice: Filled


class AgentEdit(_Agent):
    name: Filled | None = None
    prompt: Filled | None = None
    voice: Filled | None = None


class AgentCopy(Request):
    name: Filled | None = None


class Deployment(Request):
    if_updated_at: MomentOrDay | None = None


class Page(Request):
    limit: Annotated[int, Field(ge=1, le=INT64_MAX, description="More than 200 are 200.")] = 50
    offset: Annotated[int, Field(ge=0, le=INT64_MAX)] = 0

    @property
    def size(self) -> int:
        return min(self.limit, 200)

    def of(self, items: Iterable[_Item]) -> Iterator[_Item]:
        start = min(self.offset, sys.maxsize - self.size)
        return islice(items, start, start + self.size)

    def newest_of(self, items: Sequence[_Item]) -> list[_Item]:
        """The same from the end of a list that has the oldest first, without walking over what is left out."""
        end = max(0, len(items) - self.offset)
        return list(reversed(items[max(0, end - self.size) : end]))


class RunsQuery(Page):
    target_type: TargetType | None = None
    status: Status | None = None
    agent_id: AgentId | None = None


class CallsQuery(Page):
    agent_id: AgentId | None = None
    direction: Direction | None = None
    status: Literal["in_progress", "completed", "failed"] | None = None
    start_date: MomentOrDay | None = None
    end_date: MomentOrDay | None = None
    from_number: str | None = None
    to_number: str | None = None
    phone_number: str | None = None
    exclude_test_calls: Literal["true", "false"] = "false"

    @property
    def since(self) -> float | None:
        return None if self.start_date is None else _seconds(self.start_date)

    @property
    def until(self) -> float | None:
        """A day counts whole."""
        if self.end_date is None:
            return None
        is_day = "T" not in self.end_date.upper() and " " not in self.end_date
        return _seconds(self.end_date) + (86_400 if is_day else 0)


def _seconds(text: str) -> float:
    """UTC unless it says otherwise."""
    moment = datetime.fromisoformat(text.upper())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


async def body_of(request: HttpRequest, model: type[_Model]) -> _Model:
    """Raises 415 or 400. No body is an empty object."""
    body = await request.body()
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and media_type != "application/json":
        raise detail(415, f'Unsupported media type "{media_type}" in request.')
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise invalid(error) from error


def query_of(request: HttpRequest, model: type[_Model]) -> _Model:
    try:
        return model.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise invalid(error) from error


def path_id(path_params: Mapping[str, str], name: str, what: str) -> int:
    """The id in a path: whatever is not a 64-bit integer names nothing."""
    text = path_params[name]
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        raise not_found(what)
    return int(text)
