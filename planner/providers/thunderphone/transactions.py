"""What the account was charged for calls, from the service's list of transactions, newest first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast

from pydantic import TypeAdapter, ValidationError

from planner.errors import PlannerError
from planner.providers.base import MAX_PAGES, PAGE_LIMIT, CallId, Charged
from planner.providers.thunderphone.wire import HIGHEST_CENTS, Moment, WireTransaction

_NO_USAGE: Final = frozenset(
    {"manual_topup", "auto_reload", "phone_number_monthly", "conversion_report", "voice_sample_usage", "adjustment"}
)
"""Kinds that are never a charge for a call, even if they name one. Unknown kinds count."""
_USAGE: Final = frozenset({"call_usage", "transfer_bridge"})
_BRIDGE: Final = "transfer_bridge"
"""An additional charge for a transfer, which may come before the charge for the call."""


class EndlessError(PlannerError):
    """The list does not end."""


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


async def charged(
    page_of: Callable[..., Awaitable[tuple[list[Any], int | None]]], calls: Mapping[CallId, datetime]
) -> Charged:
    """The charges of these calls. The list is read back to the oldest."""
    oldest = min(calls.values())
    ids: set[object] = set()
    found: dict[CallId, _Charges] = {}
    unreadable: dict[CallId, str] = {}
    offset = 0
    for _ in range(MAX_PAGES):
        rows, total = await page_of(offset=offset, limit=PAGE_LIMIT)
        known = len(ids)
        for row in rows:
            _note(row, calls, ids, found, unreadable)
        offset += len(rows)
        is_last = len(rows) < PAGE_LIMIT and total is not None and offset >= total
        if len(ids) == known or is_last or _is_older(rows[-1], oldest):
            complete = {call_id for call_id, charges in found.items() if charges.is_complete} - unreadable.keys()
            return Charged({call_id: found[call_id].total_cents for call_id in complete}, unreadable)
    raise EndlessError(f"the list has more than {offset:,} entries since the oldest call")


def _note(
    row: object,
    calls: Mapping[CallId, datetime],
    ids: set[object],
    found: dict[CallId, _Charges],
    unreadable: dict[CallId, str],
) -> None:
    """Add a transaction of one of these calls to `found`, unless its id was seen before."""
    fields = cast("dict[str, Any]", row) if isinstance(row, dict) else {}
    transaction_id = fields.get("id")
    if isinstance(transaction_id, list | dict) or transaction_id in ids:
        return
    if transaction_id is not None:
        ids.add(transaction_id)
    call_id, kind = _call_id(fields.get("call_id")), fields.get("kind")
    if call_id not in calls or (isinstance(kind, str) and kind in _NO_USAGE):
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


def _call_id(value: object) -> CallId:
    """-1 for an invalid id."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return CallId(int(value))
    return CallId(value if isinstance(value, int) and not isinstance(value, bool) else -1)


def _is_older(row: object, than: datetime) -> bool:
    fields = cast("dict[str, Any]", row) if isinstance(row, dict) else {}
    try:
        return _MOMENT.validate_python(fields.get("created_at")) < than
    except ValidationError:
        return False


_MOMENT: Final[TypeAdapter[datetime]] = TypeAdapter(Moment)
