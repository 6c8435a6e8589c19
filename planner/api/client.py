"""The operations of the Test Calls API that this program needs, in either dialect, errors mapped in one place.

Reads are repeated a few times when the service stumbles; a launch is sent exactly once, whatever happens: whether it may be
sent again is not for this room to say.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast

import anyio
import pydantic_core
from pydantic import ConfigDict, TypeAdapter, ValidationError

from planner.api.exchange import Exchange
from planner.api.half_characters import with_whole_characters
from planner.api.refusals import GARBAGE_HINT, error_of, one_line
from planner.api.transport import Answer, Transport
from planner.api.wire import (
    WireBatch,
    WireBilling,
    WireCall,
    WireGrade,
    WirePhoneNumber,
    WireRun,
    WireTransactions,
    WireTranscript,
    WireTurn,
)
from planner.api.wrong_answers import what_is_wrong
from planner.errors import (
    CredentialError,
    LostAnswerError,
    NotFoundError,
    PlannerError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)
from planner.moments import aware

PAGE_LIMIT = 200
"""The most runs the list endpoint gives at once."""
READS_AT_ONCE = 12
"""A read waits on the service, not on us; more at once would be a storm."""
READ_PAUSES_SECONDS = (0.5, 1.0, 2.0)
"""Between tries of a read; after the last the error stands."""

WILDEST_CLOCK_SECONDS = 366 * 86_400.0
"""A `Date` header further from our clock is believed by nobody."""

T = TypeVar("T")


@dataclass(slots=True)
class RequestStats:
    requests: int = 0
    refused: int = 0
    """429 answers."""


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """One POST that may cost money. One prompt goes to the single endpoint, more become a batch of that many runs."""

    target_type: str
    target_id: int
    direction: str
    mode: str
    target_number: str | None
    prompts: tuple[str, ...]
    stagger_seconds: int = 0
    name: str = ""

    def path(self) -> str:
        return "/v1/test-calls" if len(self.prompts) == 1 else "/v1/test-call-batches"

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "target_type": self.target_type,
            "target_id": self.target_id,
            "direction": self.direction,
            "consent_to_charge": True,
        }
        if self.mode != "bot":  # the default of one dialect, unknown to the other
            body["mode"] = self.mode
        if self.target_number is not None:
            body["target_number"] = self.target_number
        if len(self.prompts) == 1:
            return body | {"scenario_prompt": self.prompts[0]}
        return body | {
            "scenario_prompts": list(self.prompts),
            "run_count": len(self.prompts),
            "stagger_seconds": self.stagger_seconds,
            "name": self.name,
        }


@dataclass(frozen=True, slots=True)
class Launched:
    """What a launch's answer told: the run itself for a single one, or a batch's id and its run ids."""

    batch_id: int | None
    run_ids: tuple[int, ...]
    run: WireRun | None
    requested_by_id: int | None = None
    """Who we are to the service, where it tells."""


class ApiClient:
    """`clock_offset_seconds` is the server's clock less ours, from the last `Date` header; 0, and not `clock_known`, before.

    `on_exchange` is told of every request when it has ended, `on_wait` why a read is repeated and after how many seconds.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
        monotonic: Callable[[], float] = lambda: 0.0,
        on_exchange: Callable[[Exchange], None] | None = None,
        on_wait: Callable[[PlannerError, float], None] | None = None,
        credential: str = "",
    ) -> None:
        self.credential = credential
        """Tells one API key from another, and not what it is."""
        self._transport = transport
        self._now = now
        self._sleep = sleep
        self._monotonic = monotonic
        self._on_exchange = on_exchange
        self._on_wait = on_wait
        self._reads = anyio.CapacityLimiter(READS_AT_ONCE)
        self._heard = "", datetime.min.replace(tzinfo=UTC)
        """The latest `Date` header, and the time it tells."""
        self.stats = RequestStats()
        self._is_understood = False
        """The service has answered as it should, so that its address is right."""
        self.clock_offset_seconds = 0.0
        self.clock_known = False
        self._heard_when = (now(), monotonic())

    async def close(self) -> None:
        await self._transport.close()

    # Launching

    async def launch(self, request: LaunchRequest, *, on_sending: Callable[[], None]) -> Launched:
        """Send one launch, once. `on_sending` is called when its first byte is about to leave, and may still forbid it.

        Raises:
            UnreachableError: it provably never left.
            ThrottledError: refused by 429, not charged.
            LostAnswerError, ServiceError: it may have been carried out.
            UsageError (and below), RefusedError: the service said no, nothing was started.
        """
        body = pydantic_core.to_json(request.body())
        if len(request.prompts) == 1:
            run = await self._exchange("POST", request.path(), _RUN, body=body, on_sending=on_sending)
            return Launched(run.batch_id, (run.id,), run, run.requested_by_id)
        batch = await self._exchange("POST", request.path(), _BATCH, body=body, on_sending=on_sending)
        return Launched(batch.id, tuple(dict.fromkeys(batch.run_ids)), None, batch.requested_by_id)

    # Reading

    async def runs(self, *, offset: int = 0, limit: int = PAGE_LIMIT) -> list[WireRun]:
        """One page of the org's runs, newest first."""
        return await self._list("/v1/test-calls", _RUNS, limit=limit, offset=offset)

    async def batches(self, *, offset: int = 0, limit: int = PAGE_LIMIT) -> list[WireBatch]:
        """One page of the org's batches, newest first. A service that does not page them tells the same every time."""
        return await self._list("/v1/test-call-batches", _BATCHES, limit=limit, offset=offset)

    async def batch(self, batch_id: int) -> WireBatch:
        return await self._read(f"/v1/test-call-batches/{batch_id}", _BATCH)

    async def call(self, call_id: int) -> tuple[WireCall, dict[str, Any]]:
        """The call, and the object it was read from."""
        path = f"/v1/calls/{call_id}"
        document = await self._read(path, _OBJECT)
        return _validated(_CALL, document, f"GET {path}"), document

    async def transcript(self, call_id: int) -> list[WireTurn] | None:
        """The turns, or None when the service has no transcript for the call."""
        try:
            transcript = await self._read(f"/v1/calls/{call_id}/transcript", _TRANSCRIPT)
        except NotFoundError:
            return None
        return transcript.transcripts if isinstance(transcript, WireTranscript) else transcript

    async def history(self, call_id: int) -> list[dict[str, Any]] | None:
        """The structured turn history, or None when there is none."""
        try:
            return await self._read(f"/v1/calls/{call_id}/history", _OBJECTS)
        except NotFoundError:
            return None

    async def grade(self, call_id: int) -> WireGrade | None:
        try:
            return await self._read(f"/v1/calls/{call_id}/grade", _GRADE)
        except NotFoundError:
            return None

    async def agent(self, agent_id: int) -> dict[str, Any]:
        return await self._read(f"/v1/agents/{agent_id}", _OBJECT)

    async def agent_variants(self, agent_id: int) -> list[dict[str, Any]]:
        """The variants that an agent answers with; empty where the service has none, or does not show them to this key."""
        try:
            document = await self._read(f"/v1/agents/{agent_id}/variants", _ANYTHING)
        except (NotFoundError, CredentialError):
            return []
        listed: Any = document.get("results") if isinstance(document, dict) else document
        items = cast("list[object]", listed) if isinstance(listed, list) else []
        return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]

    async def phone_number(self, phone_number_id: int) -> WirePhoneNumber:
        return await self._read(f"/v1/phone-numbers/{phone_number_id}", _PHONE_NUMBER)

    async def billing(self) -> WireBilling:
        return await self._read("/v1/billing", _BILLING)

    async def transactions(self, *, offset: int = 0, limit: int = PAGE_LIMIT) -> tuple[list[Any], int | None]:
        """One page of the account's transactions, newest first, as they came; and how many there are, if the service says so."""
        page = await self._read("/v1/billing/transactions", _TRANSACTIONS, _FIRST, limit=limit, offset=offset)
        return (page.results, page.total) if isinstance(page, WireTransactions) else (page, None)

    async def _list(self, path: str, adapter: TypeAdapter[list[T]], **query: int) -> list[T]:
        """A list that is not there is no target that somebody mistyped. At an address where other things are, it is the service's
        trouble, which may pass; else the address is wrong."""
        try:
            return await self._read(path, adapter, _FIRST, **query)
        except NotFoundError as error:
            if not self._is_understood:
                raise NotFoundError(str(error), GARBAGE_HINT) from error
            raise ServiceError(f"{error}, though it is the service's own list", status=404) from error

    async def _read(
        self, path: str, adapter: TypeAdapter[T], among: AbstractAsyncContextManager[Any] | None = None, **query: int
    ) -> T:
        for attempt, pause_seconds in enumerate((*READ_PAUSES_SECONDS, None), start=1):
            try:
                async with among or self._reads:
                    return await self._exchange(
                        "GET", path, adapter, query=query, attempt=attempt, is_last=pause_seconds is None
                    )
            except (ServiceError, LostAnswerError, UnreachableError, ThrottledError) as error:
                if pause_seconds is None:
                    raise
                wanted = error.retry_after_seconds if isinstance(error, ThrottledError) else None
                pause = min(max(pause_seconds, wanted or 0.0), 30.0)
                if self._on_wait is not None:
                    self._on_wait(error, pause)
                await self._sleep(pause)
        raise AssertionError("unreachable: the last try returns or raises")

    async def _exchange(
        self,
        method: str,
        path: str,
        adapter: TypeAdapter[T],
        *,
        query: Mapping[str, int] | None = None,
        body: bytes | None = None,
        on_sending: Callable[[], None] | None = None,
        attempt: int = 1,
        is_last: bool = True,
    ) -> T:
        self.stats.requests += 1
        started = self._monotonic()
        answer: Answer | None = None
        failure: PlannerError | None = None
        is_cancelled = True
        try:
            answer = await self._transport.send(method, path, query=query or {}, body=body, on_sending=on_sending)
            told = self._told(answer, f"{method} {path}", adapter)
            is_cancelled = False
        except PlannerError as error:
            is_cancelled, failure = False, error
            raise
        else:
            return told
        finally:
            if self._on_exchange is not None:
                asked = "&".join(f"{name}={value}" for name, value in (query or {}).items())
                exchange = Exchange(
                    started=started,
                    seconds=self._monotonic() - started,
                    method=method,
                    path=f"{path}?{asked}" if asked else path,
                    status=answer.status if answer is not None else None,
                    sent_bytes=len(body or b""),
                    received_bytes=len(answer.body) if answer is not None else 0,
                    attempt=attempt,
                    is_last=is_last,
                    error=failure,
                    is_cancelled=is_cancelled,
                )
                self._on_exchange(exchange)

    def _told(self, answer: Answer, request: str, adapter: TypeAdapter[T]) -> T:
        if date := answer.headers.get("date"):
            self._hear_clock(date)
        if answer.status == 429:
            self.stats.refused += 1
        if not 200 <= answer.status < 300:
            raise error_of(answer, request)
        told = _parse(answer, request, adapter)
        self._is_understood = True
        return told

    def _hear_clock(self, date: str) -> None:
        try:
            if self._heard[0] != date:  # it tells whole seconds: many answers tell the same
                self._heard = date, aware(parsedate_to_datetime(date))
        except (ValueError, OverflowError):
            return  # a clock we cannot read is no clock; the last offset stands
        offset_seconds = (self._heard[1] - self._now()).total_seconds()
        if abs(offset_seconds) < WILDEST_CLOCK_SECONDS:
            self.clock_offset_seconds = offset_seconds
            self.clock_known = True
            self._heard_when = (self._now(), self._monotonic())

    @property
    def clock_doubt_seconds(self) -> float:
        """How far the server's clock may be from what `clock_offset_seconds` says, since ours was set, or slept, after it was
        last heard."""
        heard, heard_monotonic = self._heard_when
        return abs((self._now() - heard).total_seconds() - (self._monotonic() - heard_monotonic))


_FIRST = nullcontext()
"""Lists tell what is to be done next: they wait for no evidence."""
_LATE = ConfigDict(defer_build=True)
"""Made at the first answer of its kind. Models say so themselves."""
_RUN = TypeAdapter(WireRun)
_RUNS = TypeAdapter(list[WireRun], config=_LATE)
_BATCH = TypeAdapter(WireBatch)
_BATCHES = TypeAdapter(list[WireBatch], config=_LATE)
_CALL = TypeAdapter(WireCall)
_TRANSCRIPT: TypeAdapter[WireTranscript | list[WireTurn]] = TypeAdapter(WireTranscript | list[WireTurn], config=_LATE)
_GRADE = TypeAdapter(WireGrade)
_BILLING = TypeAdapter(WireBilling)
_TRANSACTIONS: TypeAdapter[WireTransactions | list[Any]] = TypeAdapter(WireTransactions | list[Any], config=_LATE)
_PHONE_NUMBER = TypeAdapter(WirePhoneNumber)
_ANYTHING: TypeAdapter[dict[str, Any] | list[Any]] = TypeAdapter(dict[str, Any] | list[Any], config=_LATE)
_OBJECT = TypeAdapter(dict[str, Any], config=_LATE)
_OBJECTS = TypeAdapter(list[dict[str, Any]], config=_LATE)


def _validated(adapter: TypeAdapter[T], document: object, request: str) -> T:
    try:
        return adapter.validate_python(document)
    except ValidationError as error:
        detail = what_is_wrong(error, document)
        raise ServiceError(f"{request}: the service's answer makes no sense: {detail}", GARBAGE_HINT) from error


def _parse(answer: Answer, request: str, adapter: TypeAdapter[T]) -> T:
    """Raises ServiceError for anything but the JSON that was asked for."""
    if not any(word in answer.body for word in _NO_JSON):
        with suppress(ValidationError):  # the two steps below take twice as long, and tell what is wrong
            return adapter.validate_json(answer.body)
    try:
        document = pydantic_core.from_json(answer.body, allow_inf_nan=False)
    except ValueError as error:
        if (whole := with_whole_characters(answer.body)) is not None:
            return _parse(replace(answer, body=whole), request, adapter)
        kind = one_line(answer.headers.get("content-type", "no content type").split(";")[0])
        raise ServiceError(f"the service answered {answer.status} with {kind}, not JSON", GARBAGE_HINT) from error
    return _validated(adapter, document, request)


_NO_JSON = (b"NaN", b"Infinity")
"""Taken by many a parser all the same."""
