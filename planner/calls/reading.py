"""Reads from the service: lists, the evidence of an ended run, and the account's charges for calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

import anyio

from planner.calls.charges import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, AwaitedCharges
from planner.calls.model import Listed, Row, WaitPolicy
from planner.clock import Clock
from planner.errors import IncompleteError, PlannerError
from planner.evidence import Evidence
from planner.providers.base import MAX_PAGES, PAGE_LIMIT, Page, Provider, Run

NEVER_CUT: Final = 50
"""The run list's default page size. A shorter list is complete even if the service does not page."""


T = TypeVar("T", bound=Row)


async def read_list(
    page_of: Callable[..., Awaitable[Page[T]]],
    *,
    oldest: datetime | None,
    wanted: AbstractSet[int] | None = None,
    first_page: int = PAGE_LIMIT,
) -> Listed[T]:
    """Read until rows are older than `oldest`, or until all of `wanted` was seen.

    Rows that arrive between two pages shift the list: some are read twice, none is missed. The result is not `whole` if
    a row was dropped, or if the service always answers with the same page, which may have been cut. `first_page` is the
    number of rows expected to be enough.
    """
    listed = Listed[T]()
    offset = dropped = 0
    for number in range(MAX_PAGES):
        limit = PAGE_LIMIT if number else min(max(first_page, NEVER_CUT), PAGE_LIMIT)
        page = await page_of(offset=offset, limit=limit)
        rows = page.rows
        offset += len(rows) + page.dropped
        dropped += page.dropped
        fresh = any(row.id not in listed.found for row in rows)
        listed.found.update((row.id, row) for row in rows)
        if not rows and page.dropped >= limit:
            continue
        is_read = not rows or _older(rows[-1].created_at, oldest)
        is_paged = fresh or is_read or await _has_changed(page_of, page)
        is_read = is_read or (not is_paged and len(listed.found) < NEVER_CUT)
        listed.whole = is_read and not dropped
        if is_read or not is_paged or (wanted is not None and wanted <= listed.found.keys()):
            break
    return listed


async def _has_changed(page_of: Callable[..., Awaitable[Page[T]]], page: Page[T]) -> bool:
    """Whether a page without new rows is no longer the first one: then rows have arrived and fill it. Otherwise the
    service does not page."""
    first = await page_of(offset=0, limit=PAGE_LIMIT)
    return first.dropped != page.dropped or [row.id for row in first.rows] != [row.id for row in page.rows]


def _older(created_at: datetime | None, than: datetime | None) -> bool:
    return created_at is not None and than is not None and created_at < than


@dataclass(slots=True)
class Transactions:
    """Reads the account's charges, once per poll for all calls with an open bill."""

    client: Provider
    log: Callable[[str], None]
    charges: AwaitedCharges = field(default_factory=AwaitedCharges)
    _reading: anyio.Event | None = None

    def is_due(self, now: float) -> bool:
        """Whether to read now (monotonic seconds)."""
        return self._reading is None and self.charges.is_due(now)

    async def finished_reading(self) -> None:
        if self._reading is not None:
            await self._reading.wait()

    async def read(self, now: float = 0.0) -> None:
        """Read the list back to the oldest awaited call. Errors are logged, not raised."""
        awaited = {} if self._reading is not None else self.charges.begin_reading(now)
        if not awaited:
            return
        self._reading = done = anyio.Event()
        try:
            lines = self.charges.found(await self.client.charges(awaited))
        except PlannerError as error:
            lines = self.charges.failed(str(error), may_be_temporary=isinstance(error, IncompleteError))
        finally:
            self._reading = None
            done.set()
        for line in lines:
            self.log(line)


SILENCE_SECONDS: Final = 3600.0
"""If a transcript is still empty this long after the run's end, nobody spoke."""


async def collect(
    provider: Provider,
    run: Run,
    wait: WaitPolicy,
    *,
    clock: Clock,
    transactions: Transactions,
    on_late: Callable[[], None] | None = None,
) -> Evidence:
    """Read everything that the service has of an ended run; late parts are awaited up to a limit. Transactions are read
    elsewhere, for all calls together. `on_late` is called once if the first read is incomplete.

    Raises:
        IncompleteError: the service cannot be read now. Retry later; nothing is lost.
    """
    is_fresh = wait.ended_seconds_ago < SILENCE_SECONDS
    reading = provider.reading(run, transactions.charges, await_grade=wait.grade, is_fresh=is_fresh)
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
        if pause == FIRST_PAUSE_SECONDS and on_late is not None:
            on_late()
        await clock.sleep(min(pause, wait.seconds - waited))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    return await reading.finish()
