"""One connection to the API: single exchanges, reads that are retried, and the service's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, overload

from pydantic import ConfigDict, TypeAdapter

from planner.clock import Clock, aware
from planner.errors import (
    LostAnswerError,
    NotFoundError,
    PlannerError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)
from planner.network.transport import Answer, Transport
from planner.providers.base import Page
from planner.providers.requests import Exchange, RequestHooks, RequestStats
from planner.providers.thunderphone.answers import GARBAGE_HINT, Decoder, decoder, error_of, request_id_of
from planner.values import frozen

READS_AT_ONCE = 12
"""Concurrent reads; more would overload the service."""
READ_PAUSES_SECONDS = (0.5, 1.0, 2.0)
"""Pauses between attempts of a read."""

MAX_CLOCK_OFFSET_SECONDS = 366 * 86_400.0
"""A `Date` header further from our clock is ignored."""

T = TypeVar("T")

UNLIMITED = nullcontext()
"""List reads bypass the limit for evidence reads."""
DEFERRED = ConfigDict(defer_build=True)
"""Of adapters that are built on first use; models configure this themselves."""
OBJECT = decoder(TypeAdapter(dict[str, Any], config=DEFERRED))


@frozen
class ApiRequest:
    method: str
    path: str
    query: Mapping[str, int] = field(default_factory=dict[str, int])
    body: bytes | None = None
    on_sending: Callable[[], None] | None = None


class Connection:
    """`clock_offset_seconds` is the server's clock minus ours, from the last `Date` header; 0 and not `clock_known`
    before."""

    def __init__(self, transport: Transport, clock: Clock, hooks: RequestHooks) -> None:
        self._transport = transport
        self._clock = clock
        self._hooks = hooks
        self._reads = asyncio.Semaphore(READS_AT_ONCE)
        self._last_date = "", datetime.min.replace(tzinfo=UTC)
        """The latest `Date` header, as text and time."""
        self.stats = RequestStats()
        self._has_answered = False
        """The service has answered correctly, so its address is right."""
        self.clock_offset_seconds = 0.0
        self.clock_known = False
        self._last_date_at = (clock.now(), clock.monotonic())

    async def close(self) -> None:
        await self._transport.close()

    async def _list(self, path: str, decode: Decoder[Page[T]], **query: int) -> Page[T]:
        """Read a list. A 404 means a wrong address if nothing was ever answered correctly; otherwise a temporary
        failure of the service."""
        try:
            return await self._read(path, decode, UNLIMITED, **query)
        except NotFoundError as error:
            if not self._has_answered:
                raise NotFoundError(str(error), GARBAGE_HINT) from error
            raise ServiceError(f"{error}, though the list must exist", status=404) from error

    async def _read(
        self, path: str, decode: Decoder[T], among: AbstractAsyncContextManager[Any] | None = None, **query: int
    ) -> T:
        for pause_seconds in (*READ_PAUSES_SECONDS, None):
            try:
                async with among or self._reads:
                    return await self._exchange(ApiRequest("GET", path, query), decode)
            except (ServiceError, LostAnswerError, UnreachableError, ThrottledError) as error:
                if pause_seconds is None:
                    raise
                wanted = error.retry_after_seconds if isinstance(error, ThrottledError) else None
                pause = min(max(pause_seconds, wanted or 0.0), 30.0)
                if self._hooks.on_wait is not None:
                    self._hooks.on_wait(error, pause)
                await self._clock.sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    @overload
    async def _exchange(self, request: ApiRequest, decode: Decoder[T]) -> T: ...
    @overload
    async def _exchange(self, request: ApiRequest, decode: None) -> None: ...
    async def _exchange(self, request: ApiRequest, decode: Decoder[T] | None) -> T | None:
        self.stats.requests += 1
        started = self._clock.monotonic()
        answer: Answer | None = None
        failure: PlannerError | None = None
        try:
            answer = await self._transport.send(
                request.method, request.path, query=request.query, body=request.body, on_sending=request.on_sending
            )
            return self._checked(answer, request, decode)
        except PlannerError as error:
            failure = error
            error.request_id = "" if answer is None else request_id_of(answer.headers)
            raise
        finally:
            if self._hooks.on_exchange is not None:
                query = "&".join(f"{name}={value}" for name, value in request.query.items())
                exchange = Exchange(
                    seconds=self._clock.monotonic() - started,
                    method=request.method,
                    path=f"{request.path}?{query}" if query else request.path,
                    status=answer.status if answer is not None else None,
                    error=failure,
                    request_id=request_id_of(answer.headers) if answer is not None else "",
                )
                self._hooks.on_exchange(exchange)

    def _checked(self, answer: Answer, request: ApiRequest, decode: Decoder[T] | None) -> T | None:
        name = f"{request.method} {request.path}"
        if date := answer.headers.get("date"):
            self._update_clock(date)
        if answer.status == 429:
            self.stats.refused += 1
        if not 200 <= answer.status < 300:
            raise error_of(answer, name)
        result = None if decode is None else decode(answer, name)
        self._has_answered = True
        return result

    def _update_clock(self, date: str) -> None:
        try:
            if self._last_date[0] != date:  # whole seconds, so many answers have the same
                self._last_date = date, aware(parsedate_to_datetime(date))
        except (ValueError, OverflowError):
            return  # ignore an invalid date
        offset_seconds = (self._last_date[1] - self._clock.now()).total_seconds()
        if abs(offset_seconds) < MAX_CLOCK_OFFSET_SECONDS:
            self.clock_offset_seconds = offset_seconds
            self.clock_known = True
            self._last_date_at = (self._clock.now(), self._clock.monotonic())

    @property
    def clock_uncertainty_seconds(self) -> float:
        """Error bound of `clock_offset_seconds`: our clock may have been set, or slept, since the last `Date`
        header."""
        heard, heard_monotonic = self._last_date_at
        return abs((self._clock.now() - heard).total_seconds() - (self._clock.monotonic() - heard_monotonic))
