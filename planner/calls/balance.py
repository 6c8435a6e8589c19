"""Check whether the organization's balance covers the calls."""

from __future__ import annotations

from typing import Final

from planner.errors import RefusedError
from planner.providers.base import Balance
from planner.quantities import money

BALANCE: Final = "the organization's balance"
_TEST_CALL_BUDGET: Final = "the organization's test-call budget"


def check_balance(balance: Balance) -> None:
    """Refuse before anything is spent. A balance that runs out later is handled by the ledger and the service. Raises
    `RefusedError` if the balance is empty or the spending limit is reached."""
    if balance.cents is not None and balance.cents <= 0:
        raise RefusedError("the organization has no balance left", "Top it up, then run the same command again.")
    if balance.limit_reached:
        raise RefusedError(
            "the organization's monthly spending limit is reached", "Raise it, then run the same command again."
        )


def short_of(balance: Balance | None, expected_cents: int | None, *, reserved_cents: int) -> list[str]:
    """Warnings if the organization's money may not cover these calls. `expected_cents` is None if the price is unknown.

    They do not stop a run, which makes the calls that the money covers. The service enforces its test-call budget
    (402).
    """
    if balance is None or expected_cents == 0:
        return []
    warnings: list[str] = []
    if balance.limit_reached:
        warnings.append("the organization's monthly spending limit is reached: no call will be made; raise it first")
    limits = [(BALANCE, balance.cents, "top it up")]
    budget_cents = balance.test_budget_left_cents
    if budget_cents is not None and budget_cents <= 0:
        warnings.append(f"{_TEST_CALL_BUDGET} is used up: the service may refuse these calls (402); raise it first")
    else:
        limits.append((_TEST_CALL_BUDGET, budget_cents, "raise it"))
    if expected_cents is None:
        return warnings
    needed = money(expected_cents + reserved_cents)
    reserved = f" ({money(reserved_cents)} of it reserved for earlier calls)" if reserved_cents else ""
    for label, cents, fix in limits:
        if cents is not None and cents < expected_cents + reserved_cents:
            made = "some calls will not be made" if cents > 0 else "no call will be made"
            warnings.append(
                f"{label} is {money(cents)}, less than the {needed} expected{reserved}: {made}; {fix} first, or "
                "resume afterwards"
            )
    return warnings
