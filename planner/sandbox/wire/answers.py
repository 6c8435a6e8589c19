"""What every answered object has in common. An object is closed, so that its schema says exactly what is answered."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

Dialect = Literal["page", "client"]
INT64_MAX = 2**63 - 1


@lru_cache(maxsize=1 << 16)
def timestamp(moment: float) -> str:
    """`2026-04-20T18:24:10.113Z`: UTC, milliseconds."""
    return datetime.fromtimestamp(round(moment, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Id = Annotated[int, Field(ge=1, le=INT64_MAX)]
Count = Annotated[int, Field(ge=0)]
Moment = Annotated[
    float, PlainSerializer(timestamp, return_type=str), WithJsonSchema({"type": "string", "format": "date-time"})
]


ABSENT: Any = Field(default=None, exclude_if=lambda value: value is None)
"""The default of a field that is left out where it has no value."""


Fields = dict[str, Any]
"""Of an answer, by name; the model checks them."""


class Answer(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_serialization_defaults_required=True, defer_build=True
    )


class Error(Answer):
    detail: str


class Listed(Answer):
    """How many there are in all, and which part of them this is."""

    total: Count
    limit: Count
    offset: Count


def shared(model: type[Answer], source: object) -> Fields:
    """The fields of the model that the source has under the same name."""
    return {name: getattr(source, name) for name in model.model_fields if hasattr(source, name)}
