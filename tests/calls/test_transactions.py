"""Reading bills from the account's transactions, for every form of their list."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pydantic_core
import pytest

from planner.calls.reading import Transactions
from planner.clock import Clock
from planner.network.transport import Answer
from planner.providers.base import MAX_PAGES, CallId
from planner.providers.thunderphone.client import ApiClient

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CALL = CallId(987)


class Account:
    """Answers each page by `page_of(offset)`: a list of rows, a whole document, or a status."""

    def __init__(self, page_of: Callable[[int], Any]) -> None:
        self.page_of = page_of
        self.pages = 0

    async def send(self, method: str, path: str, *, query: Mapping[str, Any], **_: Any) -> Answer:
        assert (method, path) == ("GET", "/v1/billing/transactions")
        self.pages += 1
        body = self.page_of(query["offset"])
        if isinstance(body, int):
            return Answer(body, {}, b'{"detail": "No."}')
        return Answer(200, {}, pydantic_core.to_json(body))

    async def close(self) -> None:
        return


def row(number: Any = 1, amount: Any = -16, call_id: Any = CALL, **fields: Any) -> dict[str, Any]:
    created_at = (NOW - timedelta(seconds=10)).isoformat()
    return {
        "id": number,
        "kind": "call_usage",
        "amount_cents": amount,
        "call_id": call_id,
        "created_at": created_at,
        **fields,
    }


async def read(page_of: Callable[[int], Any], *, times: int = 1) -> tuple[Transactions, Account, list[str]]:
    said: list[str] = []
    account = Account(page_of)
    client = ApiClient(account, clock=Clock(lambda: NOW, lambda: 0.0, anyio.sleep))
    transactions = Transactions(client, said.append)
    transactions.charges.expect(CALL, NOW)
    for _ in range(times):
        await transactions.read()
    return transactions, account, said


def listing(*rows: Any) -> Callable[[int], Any]:
    return lambda offset: {"results": list(rows[offset:]), "total": len(rows), "limit": 200, "offset": offset}


@pytest.mark.parametrize(
    ("rows", "cents"),
    [
        ([row()], 16),
        ([row(amount=16)], 16),
        ([row(), row(2, -6, kind="transfer_bridge")], 22),
        ([row(), row(), row()], 16),
        ([row("a"), row("b")], 32),
        ([row(call_id=str(CALL))], 16),
        ([row(amount=0)], 0),
        ([row(kind=None), row(2, kind="something_new")], 32),
        ([row(), row(2, 500, kind="manual_topup"), row(3, -1, kind="adjustment")], 16),
        ([row(), row(2, -99, call_id=9), row(3, -99, call_id=None), row(4, -99, call_id=True), "?", None, []], 16),
        ([row(), row(2, 16, kind="refund")], 0),
        ([row(amount=16), row(2, -4, kind="refund"), row(3, 6, kind="transfer_bridge")], 18),
        ([row(), row(2, 20, kind="refund")], 0),
        ([row(created_at="yesterday")], 16),
        ([row(2, kind=["call_usage"], call_id=9), row(3, kind={}, call_id=9), row()], 16),
    ],
    ids=str,
)
async def test_the_bill_is_the_sum_of_the_calls_usage(rows: list[Any], cents: int) -> None:
    """Each transaction counts once, with either sign; transactions of other calls or of none do not count."""
    transactions, _, said = await read(listing(*rows))
    assert (transactions.charges.charged_cents(CALL), said) == (cents, [])
    assert not transactions.charges.is_awaited(CALL)


@pytest.mark.parametrize("amount", [None, "much", True, 10**14, -(10**14), 10**30, {}])
async def test_an_invalid_amount_leaves_the_bill_of_the_call(amount: Any) -> None:
    """Also if another transaction of the call is readable: the sum would be wrong. It is reported once and not
    awaited."""
    transactions, _, said = await read(listing(row(), row(2, amount)), times=2)
    assert transactions.charges.charged_cents(CALL) is None
    assert not transactions.charges.is_awaited(CALL)
    assert len(said) == 1
    assert str(CALL) in said[0]


async def test_an_invalid_kind_leaves_the_bill_of_the_call() -> None:
    """It may be a charge or none."""
    transactions, _, said = await read(listing(row(), row(2, kind=["call_usage"])))
    assert transactions.charges.charged_cents(CALL) is None
    assert len(said) == 1


async def test_a_bridge_charge_alone_is_not_the_whole_bill() -> None:
    """The charge for the call itself is still missing."""
    transactions, _, _ = await read(listing(row(kind="transfer_bridge")))
    assert transactions.charges.charged_cents(CALL) is None
    assert transactions.charges.is_awaited(CALL)


async def test_pages_are_read_back_to_the_calls_end() -> None:
    """Pages that begin before it are not read. A plain array is a page, too."""
    old = (NOW - timedelta(hours=1)).isoformat()

    def page_of(offset: int) -> Any:
        if offset == 0:
            return [row(number, call_id=1) for number in range(200)]
        return [row(1_000), *[row(2_000 + number, call_id=1, created_at=old) for number in range(199)]]

    transactions, account, _ = await read(page_of)
    assert (transactions.charges.charged_cents(CALL), account.pages) == (16, 2)


async def test_a_repeated_first_page_ends_reading() -> None:
    """The list has no pages."""
    transactions, account, said = await read(lambda _: [row(), *[row(number + 9, call_id=1) for number in range(199)]])
    assert (transactions.charges.charged_cents(CALL), account.pages, said) == (16, 2, [])


@pytest.mark.parametrize(
    ("page_of", "pages"),
    [
        (lambda _: 403, 1),
        (lambda _: 404, 1),
        (lambda _: 500, 8),
        (lambda _: {"results": "none"}, 8),
        (lambda offset: [row(offset + number, call_id=1) for number in range(200)], MAX_PAGES),
    ],
    ids=["403", "404", "500", "garbage", "endless"],
)
async def test_unreadable_transactions_are_reported_once(page_of: Callable[[int], Any], pages: int) -> None:
    """Nothing more is awaited or requested, for these or later calls."""
    transactions, account, said = await read(page_of, times=3)
    assert (account.pages, len(said)) == (pages, 1)
    transactions.charges.expect(CallId(5), NOW)
    assert not transactions.charges.is_awaited(CallId(5))
    assert not transactions.is_due(0.0)


async def test_one_missing_transaction_ends_waiting() -> None:
    """If no call had a transaction in time, later ones are not awaited, until one appears."""
    rows: list[Any] = []
    transactions, _, _ = await read(lambda _: rows)
    assert transactions.charges.is_awaited(CALL)
    assert transactions.charges.settle(CALL, 16) is False
    transactions.charges.expect(CallId(5), NOW)
    assert not transactions.charges.is_awaited(CallId(5))
    rows.append(row(call_id=5))
    await transactions.read()
    assert transactions.charges.charged_cents(CallId(5)) == 16
    transactions.charges.expect(CallId(6), NOW)
    assert transactions.charges.is_awaited(CallId(6))


async def test_transactions_are_read_at_growing_intervals() -> None:
    """Up to five seconds, and at once after another call ends; not when nothing is awaited."""
    transactions, account, _ = await read(lambda _: [], times=0)
    now, pauses = 0.0, list[float]()
    for _ in range(7):
        assert transactions.is_due(now)
        await transactions.read(now)
        pause = next(step / 4 for step in range(1, 40) if transactions.is_due(now + step / 4))
        pauses.append(pause)
        now += pause
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    await transactions.read(now)
    assert not transactions.is_due(now)
    transactions.charges.expect(CallId(5), NOW)
    assert transactions.is_due(now)
    for call_id in (CALL, CallId(5)):
        transactions.charges.forget(call_id)
    pages = account.pages
    await transactions.read(now)
    assert (transactions.is_due(now), account.pages) == (False, pages)


@pytest.mark.parametrize(("awaited", "cents", "is_final"), [(True, 16, False), (True, 0, True), (False, 16, True)])
def test_a_bill_of_the_call_is_not_final_while_its_transaction_is_awaited(
    awaited: bool, cents: int, is_final: bool
) -> None:
    """One call without a transaction is enough to expect none of other calls."""
    unused: Any = None
    transactions = Transactions(unused, unused)
    if awaited:
        transactions.charges.expect(CALL, NOW)
    transactions.charges.expect(CallId(988), NOW)
    assert transactions.charges.settle(CALL, cents) is is_final
    assert transactions.charges.is_awaited(CALL) is False
    assert transactions.charges.is_awaited(CallId(988)) is is_final
    assert transactions.charges.settle(None, cents) is True
