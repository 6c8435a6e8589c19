"""The account's charges for calls, read from the service's transactions once per poll for all calls with an open
bill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, cast

import anyio
from pydantic import TypeAdapter, ValidationError

from planner.api.client import PAGE_LIMIT, ApiClient
from planner.api.wire import Moment, WireRun, WireTransaction
from planner.errors import IncompleteError, PlannerError

MOST_PAGES: Final = 100
"""Limit of one reading: 20,000 transactions."""
HIGHEST_CENTS: Final = 1_000_000
"""A transaction above $10,000 is not a charge for one call."""
CLOCK_SLACK: Final = timedelta(minutes=5)
"""A call may be charged this long before its run ends."""
MOST_FAILURES: Final = 2
"""Transactions count as unreadable after this many consecutive failures."""
FIRST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 5.0
_NO_USAGE: Final = frozenset(
    {"manual_topup", "auto_reload", "phone_number_monthly", "conversion_report", "voice_sample_usage", "adjustment"}
)
"""Kinds that are never a charge for a call, even if they name one. Unknown kinds count."""
_USAGE: Final = frozenset({"call_usage", "transfer_bridge"})
_BRIDGE: Final = "transfer_bridge"
"""An additional charge for a transfer, which may come before the charge for the call."""


@dataclass(slots=True)
class _Charges:
    usage: list[float] = field(default_factory=list[float])
    """In cents. The sign of a charge differs between services, so only its size counts."""
    others: list[float] = field(default_factory=list[float])
    """In cents, of unknown kinds: a charge, or a refund if its sign is opposite to the usage."""
    is_complete: bool = False
    """The call itself was charged, not only its transfer."""

    def add(self, kind: str | None, cents: float) -> None:
        (self.usage if kind in _USAGE else self.others).append(cents)
        self.is_complete |= kind != _BRIDGE

    @property
    def total_cents(self) -> int:
        """Charges minus refunds; never negative."""
        usage_is_negative = sum(self.usage) < 0
        refunded = sum(abs(cents) for cents in self.others if self.usage and (cents < 0) is not usage_is_negative)
        gross = sum(map(abs, self.usage)) + sum(map(abs, self.others))
        return max(0, round(gross - 2 * refunded))


class _EndlessError(PlannerError):
    """The list does not end."""


@dataclass(slots=True)
class Transactions:
    """The charges of calls, by call id. `problem` says why transactions cannot be read; then the bills of the calls
    count."""

    client: ApiClient
    log: Callable[[str], None]
    problem: str = ""
    _awaited: dict[int, datetime] = field(default_factory=dict[int, datetime])
    """The earliest time that each call may have been charged."""
    _charged: dict[int, int] = field(default_factory=dict[int, int])
    """In cents."""
    _missed: bool = False
    """No transaction came in time for some call."""
    _seen: bool = False
    """A transaction of an awaited call was found."""
    _reading: anyio.Event | None = None
    _failures: int = 0
    _pause_seconds: float = FIRST_PAUSE_SECONDS
    _read_again_at: float = 0.0

    def expect(self, call_id: int, ended_at: datetime) -> None:
        """Wait for the transactions of a call whose run has ended."""
        if not self.problem and call_id not in self._awaited and call_id not in self._charged:
            self._awaited[call_id] = ended_at - CLOCK_SLACK
            self._pause_seconds = FIRST_PAUSE_SECONDS
            self._read_again_at = 0.0

    def expect_of(self, run: WireRun) -> None:
        """Like `expect`, for an ended run."""
        ended_at = run.completed_at or run.started_at or run.created_at
        if run.call_id is not None and ended_at is not None:
            self.expect(run.call_id, ended_at)

    def is_awaited(self, call_id: int) -> bool:
        """Whether its transaction is still expected. If no call has one, one unsuccessful wait is enough."""
        return call_id in self._awaited and (self._seen or not self._missed)

    def charged_cents(self, call_id: int) -> int | None:
        """The sum of the call's transactions; None if there are none yet."""
        return self._charged.get(call_id)

    def miss(self, call_id: int) -> None:
        """Its transaction did not come in time."""
        self._missed |= call_id in self._awaited
        self.forget(call_id)

    def forget(self, call_id: int | None) -> None:
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
            found, unreadable = await self._pages()
        except IncompleteError as error:
            self._failures += 1
            if self._failures >= MOST_FAILURES:
                self._give_up(error)
        except PlannerError as error:
            self._give_up(error)
        else:
            self._failures = 0
            self._take(found, unreadable)
        finally:
            self._reading = None
            done.set()

    def _take(self, found: dict[int, _Charges], unreadable: dict[int, str]) -> None:
        for call_id, why in unreadable.items():
            if self._awaited.pop(call_id, None) is not None:
                self.log(f"a transaction of call {call_id} cannot be read ({why}); using the bill of the call")
        for call_id, charges in found.items():
            if charges.is_complete and self._awaited.pop(call_id, None) is not None:
                self._charged[call_id] = charges.total_cents
                self._seen = True

    def _give_up(self, error: PlannerError) -> None:
        self.problem = str(error)
        self._awaited.clear()
        self.log(f"transactions cannot be read, so costs are the bills of the calls: {error}")

    async def _pages(self) -> tuple[dict[int, _Charges], dict[int, str]]:
        """The charges of awaited calls, and why the transactions of others are unreadable."""
        awaited = frozenset(self._awaited)
        oldest = min(self._awaited.values())
        ids: set[object] = set()
        found: dict[int, _Charges] = {}
        unreadable: dict[int, str] = {}
        offset = 0
        for _ in range(MOST_PAGES):
            rows, total = await self.client.transactions(offset=offset, limit=PAGE_LIMIT)
            known = len(ids)
            for row in rows:
                _note(row, awaited, ids, found, unreadable)
            offset += len(rows)
            is_last = len(rows) < PAGE_LIMIT and total is not None and offset >= total
            if len(ids) == known or is_last or _is_older(rows[-1], oldest):
                return {call_id: found[call_id] for call_id in found.keys() - unreadable.keys()}, unreadable
        raise _EndlessError(f"the list has more than {offset:,} entries since the oldest call")


def _note(
    row: object, awaited: frozenset[int], ids: set[object], found: dict[int, _Charges], unreadable: dict[int, str]
) -> None:
    """Add a transaction of an awaited call to `found`, unless its id was seen before."""
    fields = cast("dict[str, Any]", row) if isinstance(row, dict) else {}
    transaction_id = fields.get("id")
    if isinstance(transaction_id, list | dict) or transaction_id in ids:
        return
    if transaction_id is not None:
        ids.add(transaction_id)
    call_id = _call_id(fields.get("call_id"))
    if call_id not in awaited or fields.get("kind") in _NO_USAGE:
        return
    try:
        transaction = WireTransaction.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        unreadable[call_id] = f"{first['loc'][0]}: {first['msg']}"
        return
    if abs(transaction.amount_cents) > HIGHEST_CENTS:
        unreadable[call_id] = f"{transaction.amount_cents} cents is too much for one call"
        return
    found.setdefault(call_id, _Charges()).add(transaction.kind, transaction.amount_cents)


def _call_id(value: object) -> int:
    """-1 for an invalid id."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _is_older(row: object, than: datetime) -> bool:
    fields = cast("dict[str, Any]", row) if isinstance(row, dict) else {}
    try:
        return _MOMENT.validate_python(fields.get("created_at")) < than
    except ValidationError:
        return False


_MOMENT: Final[TypeAdapter[datetime]] = TypeAdapter(Moment)
