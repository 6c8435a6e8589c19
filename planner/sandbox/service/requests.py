"""Request bodies and queries with their defaults and limits. Unknown fields are ignored."""

import sys
from collections.abc import Iterable
from itertools import islice
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, WithJsonSchema
from pydantic_core import PydanticCustomError

from planner.sandbox.state import Direction, LaunchRequest, Mode, Status, TargetType
from planner.sandbox.worlds.world import Product, moment_of

_Item = TypeVar("_Item")
INT64_MAX = 2**63 - 1


def _json_integer(value: object) -> object:
    """Reject true and "12", which pydantic accepts."""
    if isinstance(value, bool | str):
        raise PydanticCustomError("int_type", "A valid integer is required.")
    return value


def _is_true(given: bool) -> bool:
    if not given:
        raise ValueError("You must set consent_to_charge to true: test calls are billed.")
    return given


def _moment(text: str) -> str:
    """A day or an ISO 8601 time."""
    try:
        moment_of(text)
    except ValueError as error:
        raise ValueError("Enter a valid date or time in ISO 8601.") from error
    return text


_WHOLE = BeforeValidator(_json_integer)
_Filled = Annotated[str, Field(pattern=r"\S")]
_Number = Annotated[str, Field(pattern=r"^(\+[1-9][0-9]{6,14})?$")]
"""E.164, or empty."""
_MOMENT_SCHEMA = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}
_MomentOrDay = Annotated[str, AfterValidator(_moment), WithJsonSchema(_MOMENT_SCHEMA)]
_Flag = Annotated[bool, Field(strict=True)]
_Seconds = Annotated[int, Field(ge=0, le=86_400), _WHOLE]
_Id = Annotated[int, Field(ge=-INT64_MAX, le=INT64_MAX)]
_Consent = Annotated[
    bool, Field(strict=True), AfterValidator(_is_true), WithJsonSchema({"type": "boolean", "enum": [True]})
]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)


class _Launch(_Request):
    target_type: TargetType
    target_id: Annotated[_Id, _WHOLE]
    target_number: _Number = ""
    consent_to_charge: _Consent

    def launch_request(self) -> LaunchRequest:
        sent = self.model_dump(exclude={"consent_to_charge"})
        one, several = sent.pop("scenario_prompt", ""), sent.pop("scenario_prompts", None)
        prompts = several or ((one,) if one or several is None else ())
        return LaunchRequest(**sent, prompts=prompts, is_batch=several is not None)


class NewRun(_Launch):
    direction: Direction
    scenario_prompt: str = ""
    mode: Mode = "bot"


class NewBatch(NewRun):
    run_count: Annotated[int, Field(ge=1, le=20), _WHOLE]
    stagger_seconds: Annotated[int, Field(ge=0, le=60), _WHOLE] = 0
    scenario_prompts: tuple[str, ...] = ()


class _Agent(_Request):
    product: Product | None = None
    primary_language: _Filled | None = None
    thinking_level: _Filled | None = None

    def fields(self) -> dict[str, JsonValue]:
        return self.model_dump(mode="json", exclude_none=True, exclude={"if_updated_at"})


class NewAgent(_Agent):
    name: _Filled
    prompt: _Filled
    voice: _Filled


class AgentEdit(_Agent):
    additional_languages: tuple[_Filled, ...] | None = None
    background_track: str | None = None
    timezone: str | None = None
    acknowledgement_prompt: str | None = None
    voicemail_message: str | None = None
    call_summary_enabled: _Flag | None = None
    silence_checkins_enabled: _Flag | None = None
    typing_sounds_enabled: _Flag | None = None
    max_call_duration_seconds: _Seconds | None = None
    silence_hangup_seconds: _Seconds | None = None
    business_hours: JsonValue = None
    steps: JsonValue = None
    tools: JsonValue = None
    name: _Filled | None = None
    prompt: _Filled | None = None
    voice: _Filled | None = None
    if_updated_at: _MomentOrDay | None = None


class AgentCopy(_Request):
    name: _Filled | None = None


class Deployment(_Request):
    if_updated_at: _MomentOrDay | None = None


class Page(_Request):
    limit: Annotated[int, Field(ge=1, le=INT64_MAX, description="More than 200 are 200.")] = 50
    offset: Annotated[int, Field(ge=0, le=INT64_MAX)] = 0

    @property
    def size(self) -> int:
        return min(self.limit, 200)

    def of(self, items: Iterable[_Item]) -> list[_Item]:
        start = min(self.offset, sys.maxsize - self.size)
        return list(islice(items, start, start + self.size))


class RunsQuery(Page):
    target_type: TargetType | None = None
    status: Status | None = None
    agent_id: _Id | None = None


class CallsQuery(Page):
    agent_id: _Id | None = None
    direction: Direction | None = None
    status: Literal["in_progress", "completed", "failed"] | None = None
    start_date: _MomentOrDay | None = None
    end_date: _MomentOrDay | None = None

    def includes(self, start_time: float) -> bool:
        """A day as `end_date` is included; times are UTC unless they say otherwise."""
        if self.start_date is not None and start_time < moment_of(self.start_date):
            return False
        if self.end_date is None:
            return True
        is_day = "T" not in self.end_date.upper() and " " not in self.end_date
        return start_time < moment_of(self.end_date) + (86_400 if is_day else 0)
