"""Reads from the service: lists, the evidence of an ended run, and the account's charges for calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Generic, Protocol, TypeVar

import anyio

from planner.clock import Clock
from planner.errors import IncompleteError, PlannerError
from planner.evidence import Evidence
from planner.providers.base import MAX_PAGES, PAGE_LIMIT, CallId, Charged, Page, Provider, Run
from planner.values import frozen

FIRST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 5.0
"""Between two attempts to read a late part, or the charges."""
NEVER_CUT: Final = 50
"""The run list's default page size. A shorter list is complete even if the service does not page."""


class Row(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def created_at(self) -> datetime | None: ...


T = TypeVar("T", bound=Row)


@dataclass(slots=True)
class Listed(Generic[T]):
    """The rows read, by id. `whole`: nothing as new as requested is missing, so absence is meaningful."""

    found: dict[int, T] = field(default_factory=dict[int, T])
    whole: bool = False


async def read_list(
    page_of: Callable[..., Awaitable[Page[T]]],
    *,
    oldest: datetime | None,
    wanted: AbstractSet[int] | None = None,
    first_page: int = PAGE_LIMIT,
) -> Listed[T]:
    """Read until rows are older than `oldest`, or until all of `wanted` was seen.

    Rows that arrive between two pages shift the list: some are read twice, none is missed. If they fill a whole page,
    reading ends and the result is not `whole`; neither is it if a row was dropped. `first_page` is the number of rows
    expected to be enough.
    """
    listed = Listed[T]()
    dropped = 0
    for _ in range(MAX_PAGES):
        limit = PAGE_LIMIT if listed.found else min(max(first_page, NEVER_CUT), PAGE_LIMIT)
        page = await page_of(offset=len(listed.found) + dropped, limit=limit)
        rows = page.rows
        dropped += page.dropped
        fresh = any(row.id not in listed.found for row in rows)
        listed.found.update((row.id, row) for row in rows)
        not_cut = not fresh and len(listed.found) < NEVER_CUT
        if not rows and page.dropped >= limit:
            continue
        is_read = not rows or not_cut or _older(rows[-1].created_at, oldest)
        listed.whole = is_read and not dropped
        if is_read or not fresh or (wanted is not None and wanted <= listed.found.keys()):
            break
    return listed


def _older(created_at: datetime | None, than: datetime | None) -> bool:
    return created_at is not None and than is not None and created_at < than


CLOCK_SLACK: Final = timedelta(minutes=5)
"""A call may be charged this long before its run ends."""
MOST_FAILURES: Final = 2
"""Transactions count as unreadable after this many consecutive failures."""


@dataclass(slots=True)
class Transactions:
    """The account's charges for calls, read once per poll for all calls with an open bill. `problem` says why they
    cannot be read; then the bills of the calls count."""

    client: Provider
    log: Callable[[str], None]
    problem: str = ""
    _awaited: dict[CallId, datetime] = field(default_factory=dict[CallId, datetime])
    """The earliest time that each call may have been charged."""
    _charged: dict[CallId, int] = field(default_factory=dict[CallId, int])
    """In cents."""
    _missed: bool = False
    """No transaction came in time for some call."""
    _seen: bool = False
    """A transaction of an awaited call was found."""
    _reading: anyio.Event | None = None
    _failures: int = 0
    _pause_seconds: float = FIRST_PAUSE_SECONDS
    _read_again_at: float = 0.0

    def expect(self, call_id: CallId, ended_at: datetime) -> None:
        """Wait for the transactions of a call whose run has ended."""
        if not self.problem and call_id not in self._awaited and call_id not in self._charged:
            self._awaited[call_id] = ended_at - CLOCK_SLACK
            self._pause_seconds = FIRST_PAUSE_SECONDS
            self._read_again_at = 0.0

    def expect_of(self, run: Run) -> None:
        """Like `expect`, for an ended run."""
        ended_at = run.completed_at or run.started_at or run.created_at
        if run.call_id is not None and ended_at is not None:
            self.expect(run.call_id, ended_at)

    def is_awaited(self, call_id: CallId) -> bool:
        """Whether its transaction is still expected. If no call has one, one unsuccessful wait is enough."""
        return call_id in self._awaited and (self._seen or not self._missed)

    def charged_cents(self, call_id: CallId) -> int | None:
        """The sum of the call's transactions; None if there are none yet."""
        return self._charged.get(call_id)

    def settle(self, call_id: CallId | None, cents: int | None) -> bool:
        """The call is billed, in cents: by its transactions, or by the call itself. False if the latter is used because
        the transaction did not come in time."""
        is_late = bool(cents) and call_id is not None and self.is_awaited(call_id)
        self._missed |= is_late
        self.forget(call_id)
        return not is_late

    def forget(self, call_id: CallId | None) -> None:
        """Stop tracking a call: its bill is settled."""
        if call_id is None:
            return
        self._awaited.pop(call_id, None)
        self._charged.pop(call_id, None)

    def is_due(self, now: float) -> bool:
        """Whether to read now (monotonic seconds): at once after a call ends, then at growing intervals."""
        return bool(self._awaited) and self._reading is None and now >= self._read_again_at

    async def finished_reading(self) -> None:
        if self._reading is not None:
            await self._reading.wait()

    async def read(self, now: float = 0.0) -> None:
        """Read the list back to the oldest awaited call. Errors are logged, not raised."""
        if not self._awaited or self._reading is not None:
            return
        self._reading = done = anyio.Event()
        self._read_again_at = now + self._pause_seconds
        self._pause_seconds = min(self._pause_seconds * 2, LONGEST_PAUSE_SECONDS)
        try:
            found = await self.client.charges(dict(self._awaited))
        except IncompleteError as error:
            self._failures += 1
            if self._failures >= MOST_FAILURES:
                self._give_up(error)
        except PlannerError as error:
            self._give_up(error)
        else:
            self._failures = 0
            self._take(found)
        finally:
            self._reading = None
            done.set()

    def _take(self, found: Charged) -> None:
        for call_id, why in found.unreadable.items():
            if self._awaited.pop(call_id, None) is not None:
                self.log(f"a transaction of call {call_id} cannot be read ({why}); using the bill of the call")
        for call_id, cents in found.cents.items():
            if self._awaited.pop(call_id, None) is not None:
                self._charged[call_id] = cents
                self._seen = True

    def _give_up(self, error: PlannerError) -> None:
        self.problem = str(error)
        self._awaited.clear()
        self.log(f"transactions cannot be read, so costs are the bills of the calls: {error}")


SILENCE_SECONDS: Final = 3600.0
"""If a transcript is still empty this long after the run's end, nobody spoke."""


@frozen
class WaitPolicy:
    """How long to wait for late parts of a run's evidence, and for which."""

    seconds: float = 0.0
    """Total; 0 reads once."""
    grade: bool = False
    ended_seconds_ago: float = 0.0
    on_late: Callable[[], None] | None = None
    """Called once if the first read is incomplete."""


async def collect(
    provider: Provider, run: Run, wait: WaitPolicy, *, clock: Clock, transactions: Transactions
) -> Evidence:
    """Read everything that the service has of an ended run; late parts are awaited up to a limit. Transactions are read
    elsewhere, for all calls together.

    Raises:
        IncompleteError: the service cannot be read now. Retry later; nothing is lost.
    """
    is_fresh = wait.ended_seconds_ago < SILENCE_SECONDS
    reading = provider.reading(run, transactions, await_grade=wait.grade, is_fresh=is_fresh)
    if run.call_id is None:
        return await reading.finish()
    started = clock.monotonic()
    pause = FIRST_PAUSE_SECONDS
    while True:
        waited = clock.monotonic() - started
        await reading.look(last=waited >= wait.seconds)
        await transactions.finished_reading()
        if waited >= wait.seconds or reading.complete(waited):
            break
        if pause == FIRST_PAUSE_SECONDS and wait.on_late is not None:
            wait.on_late()
        await clock.sleep(min(pause, wait.seconds - waited))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    return await reading.finish()
