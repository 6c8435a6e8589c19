"""The account's charges for calls, read once per poll for all calls with an open bill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import anyio

from planner.errors import IncompleteError, PlannerError
from planner.providers.base import CallId, Charged, Provider, Run

CLOCK_SLACK: Final = timedelta(minutes=5)
"""A call may be charged this long before its run ends."""
MOST_FAILURES: Final = 2
"""Transactions count as unreadable after this many consecutive failures."""
FIRST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 5.0


@dataclass(slots=True)
class Transactions:
    """The charges of calls, by call id. `problem` says why transactions cannot be read; then the bills of the calls
    count."""

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

    def miss(self, call_id: CallId) -> None:
        """Its transaction did not come in time."""
        self._missed |= call_id in self._awaited
        self.forget(call_id)

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
