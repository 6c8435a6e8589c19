"""Limits of all numbers and times in stored documents; values outside them were not written by planner.

Others may be able to write to a cache or shared store, so readers refuse impossible values.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, FailFast, Field

from planner.clock import aware

MAX_INTEGER: Final = 2**63 - 1
"""The largest integer of the service's API and of SQLite."""
MAX_DOCUMENT_BYTES: Final = 512 * 1024 * 1024
"""A results document of 100,000 calls has about a third of this."""
MAX_SECONDS: Final = 10 * 366 * 86_400.0
CLOCK_SKEW: Final = timedelta(days=1)
"""How far the clock of another machine may be ahead of ours."""
SERVER_CLOCK_SKEW: Final = timedelta(days=366)
"""How far the service's clock may be ahead of ours
(`planner.providers.thunderphone.connection.MAX_CLOCK_OFFSET_SECONDS`)."""
EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""Arithmetic with times beyond these could overflow."""

Cents = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Total = Annotated[int, Field(ge=0, le=10**24)]
"""A sum of cents."""
Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
ServiceId = Annotated[int, Field(ge=-MAX_INTEGER - 1, le=MAX_INTEGER)]
"""Ids are chosen by the service; any 64-bit integer."""
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]

Element = TypeVar("Element")
ListOf = Annotated[list[Element], FailFast()]
"""A list that is refused at its first invalid element: pydantic otherwise stores several kilobytes for each."""


def is_possible(moment: datetime, now: datetime | None, skew: timedelta = CLOCK_SKEW) -> bool:
    """Whether a time is plausible: after `EARLIEST` and not later than any clock may be."""
    moment = aware(moment)
    return EARLIEST < moment < (LATEST if now is None else now + skew)


def _arithmetic_is_safe(moment: datetime) -> datetime:
    if not is_possible(moment, None):
        raise ValueError(f"{moment.isoformat()} is not a possible time")
    return moment


StoredTime = Annotated[datetime, AfterValidator(_arithmetic_is_safe)]
"""A time as stored, with or without a time zone (see `planner.clock.aware`)."""
