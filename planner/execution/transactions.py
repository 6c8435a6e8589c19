"""What the account was charged for calls: the service's transactions, read once per sweep for all calls whose bill is awaited."""

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
"""Of one reading: 20,000 transactions."""
HIGHEST_CENTS: Final = 1_000_000
"""A transaction over $10,000 is no charge for one call."""
CLOCK_SLACK: Final = timedelta(minutes=5)
"""How long before the end of its run a call may be charged."""
MOST_FAILURES: Final = 2
"""Readings in a row that fail before transactions count as unreadable."""
FIRST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 5.0
_NO_USAGE: Final = frozenset(
    {"manual_topup", "auto_reload", "phone_number_monthly", "conversion_report", "voice_sample_usage", "adjustment"}
)
"""Kinds that are no charge for a call, also where they name one. Unknown kinds count."""
_USAGE: Final = frozenset({"call_usage", "transfer_bridge"})
_BRIDGE: Final = "transfer_bridge"
"""Comes beside the charge for the call itself, perhaps before it."""


@dataclass(slots=True)
class _Charges:
    """Of one call."""

    usage: list[float] = field(default_factory=list[float])
    """In cents. Services differ in the sign of a charge, so that only the size of these counts."""
    others: list[float] = field(default_factory=list[float])
    """In cents, of unknown kinds: a charge, or with the sign opposite to that of the usage a refund."""
    is_complete: bool = False
    """The call itself is charged, not only the bridge of its transfer."""

    def add(self, kind: str | None, cents: float) -> None:
        (self.usage if kind in _USAGE else self.others).append(cents)
        self.is_complete |= kind != _BRIDGE

    @property
    def total_cents(self) -> int:
        """What was charged for the call, refunds taken off; never negative."""
        usage_is_negative = sum(self.usage) < 0
        refunded = sum(abs(cents) for cents in self.others if self.usage and (cents < 0) is not usage_is_negative)
        gross = sum(map(abs, self.usage)) + sum(map(abs, self.others))
        return max(0, round(gross - 2 * refunded))


class _EndlessError(PlannerError):
    """The list has no end."""


@dataclass(slots=True)
class Transactions:
    """The bills of calls, by call id. Where transactions cannot be read, `problem` says why, and calls have their own bill only."""

    client: ApiClient
    say: Callable[[str], None]
    problem: str = ""
    _awaited: dict[int, datetime] = field(default_factory=dict[int, datetime])
    """Since when each call may have been charged."""
    _charged: dict[int, int] = field(default_factory=dict[int, int])
    """In cents."""
    _missed: bool = False
    """A call was awaited to the end in vain."""
    _seen: bool = False
    """A transaction of an awaited call was found."""
    _reading: anyio.Event | None = None
    _failures: int = 0
    _pause_seconds: float = FIRST_PAUSE_SECONDS
    _read_again_at: float = 0.0

    def expect(self, call_id: int, ended_at: datetime) -> None:
        """From now on look for the transactions of a call whose run has ended."""
        if not self.problem and call_id not in self._awaited and call_id not in self._charged:
            self._awaited[call_id] = ended_at - CLOCK_SLACK
            self._pause_seconds = FIRST_PAUSE_SECONDS
            self._read_again_at = 0.0

    def expect_of(self, run: WireRun) -> None:
        """The same, of an ended run."""
        ended_at = run.completed_at or run.started_at or run.created_at
        if run.call_id is not None and ended_at is not None:
            self.expect(run.call_id, ended_at)

    def is_awaited(self, call_id: int) -> bool:
        """Whether its transaction is still to come. Where calls seem to have none at all, one wait in vain is enough."""
        return call_id in self._awaited and (self._seen or not self._missed)

    def charged_cents(self, call_id: int) -> int | None:
        """The sum of the call's transactions; None while there are none."""
        return self._charged.get(call_id)

    def miss(self, call_id: int) -> None:
        """It was awaited to the end, in vain."""
        self._missed |= call_id in self._awaited
        self.forget(call_id)

    def forget(self, call_id: int | None) -> None:
        """This session settles its bill."""
        if call_id is None:
            return
        self._awaited.pop(call_id, None)
        self._charged.pop(call_id, None)

    def is_due(self, now: float) -> bool:
        """Whether to read them, in monotonic seconds: at once for a call that has just ended, then ever more seldom."""
        return bool(self._awaited) and self._reading is None and now >= self._read_again_at

    async def finished_reading(self) -> None:
        """Wait for the reading under way, if there is one."""
        if self._reading is not None:
            await self._reading.wait()

    async def read(self, now: float = 0.0) -> None:
        """Read the list back to the oldest awaited call. Says what failed, and never raises it."""
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
                self.say(f"a transaction of call {call_id} cannot be read ({why}): the call's own bill counts")
        for call_id, charges in found.items():
            if charges.is_complete and self._awaited.pop(call_id, None) is not None:
                self._charged[call_id] = charges.total_cents
                self._seen = True

    def _give_up(self, error: PlannerError) -> None:
        self.problem = str(error)
        self._awaited.clear()
        self.say(f"transactions cannot be read, so costs are the bills of the calls themselves: {error}")

    async def _pages(self) -> tuple[dict[int, _Charges], dict[int, str]]:
        """The charges of awaited calls, and why those of others cannot be read."""
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
        raise _EndlessError(f"their list has more than {offset:,} entries since the calls that they are read for")


def _note(
    row: object, awaited: frozenset[int], ids: set[object], found: dict[int, _Charges], unreadable: dict[int, str]
) -> None:
    """Add one transaction to what is `found` of an awaited call, unless its id was seen already."""
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
        unreadable[call_id] = f"{transaction.amount_cents} cents are no charge for one call"
        return
    found.setdefault(call_id, _Charges()).add(transaction.kind, transaction.amount_cents)


def _call_id(value: object) -> int:
    """-1 for what is no id."""
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
