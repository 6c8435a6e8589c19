"""Track which calls have no final bill yet, and the bills of the others. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from planner.providers.base import CallId, Charged, Run

FIRST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 5.0
"""Between two reads of the account's transactions."""
CLOCK_SLACK: Final = timedelta(minutes=5)
"""A call may be charged this long before its run ends."""
MOST_FAILURES: Final = 2
"""Transactions count as unreadable after this many consecutive failures."""


@dataclass(slots=True)
class AwaitedCharges:
    """Implements `planner.providers.base.Charges`. `is_unreadable`: the account's transactions cannot be read, and the
    bills of the calls count."""

    is_unreadable: bool = False
    _awaited: dict[CallId, datetime] = field(default_factory=dict[CallId, datetime])
    """The earliest time that each call may have been charged."""
    _charged: dict[CallId, int] = field(default_factory=dict[CallId, int])
    """In cents."""
    _missed: bool = False
    """No transaction came in time for some call."""
    _seen: bool = False
    """A transaction of an awaited call was found."""
    _failures: int = 0
    _pause_seconds: float = FIRST_PAUSE_SECONDS
    _read_again_at: float = 0.0

    def expect(self, call_id: CallId, ended_at: datetime) -> None:
        """Wait for the transactions of a call whose run has ended."""
        if not self.is_unreadable and call_id not in self._awaited and call_id not in self._charged:
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

    # Reading the account's transactions

    def is_due(self, now: float) -> bool:
        """Whether to read them now (monotonic seconds): at once after a call ends, then at growing intervals."""
        return bool(self._awaited) and now >= self._read_again_at

    def begin_reading(self, now: float) -> dict[CallId, datetime]:
        """The calls to look for, with the earliest time of their transactions."""
        self._read_again_at = now + self._pause_seconds
        self._pause_seconds = min(self._pause_seconds * 2, LONGEST_PAUSE_SECONDS)
        return dict(self._awaited)

    def found(self, charged: Charged) -> list[str]:
        """They were read. Returns what to log."""
        self._failures = 0
        unreadable = [
            f"a transaction of call {call_id} cannot be read ({why}); using the bill of the call"
            for call_id, why in charged.unreadable.items()
            if self._awaited.pop(call_id, None) is not None
        ]
        for call_id, cents in charged.cents.items():
            if self._awaited.pop(call_id, None) is not None:
                self._charged[call_id] = cents
                self._seen = True
        return unreadable

    def failed(self, message: str, *, may_be_temporary: bool) -> list[str]:
        """They could not be read. Returns what to log."""
        self._failures += 1
        if may_be_temporary and self._failures < MOST_FAILURES:
            return []
        self.is_unreadable = True
        self._awaited.clear()
        return [f"transactions cannot be read, so costs are the bills of the calls: {message}"]
