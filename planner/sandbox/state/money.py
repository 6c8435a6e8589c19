"""Prices: started minutes × the product's rate, and for test runs × the multiplier. Whole cents throughout."""

from __future__ import annotations

import math

from planner.sandbox.state.state import State
from planner.sandbox.worlds.world import World


def billable_minutes(duration_ms: int) -> int:
    """Every started minute counts; a call that was answered is at least one."""
    return max(1, math.ceil(duration_ms / 60_000))


def rate_cents(world: World, product: str) -> int:
    """Cents a minute. A product that today's world has no price for (an old run's) is billed as its cheapest."""
    rates: dict[str, int] = {str(name): cents for name, cents in world.rates.items()}
    return rates.get(product, min(rates.values(), default=0))


def estimate_cents(world: World, product: str) -> int:
    return world.estimated_minutes * rate_cents(world, product) * world.charge_multiplier


def balance_cents(world: World, state: State, now: float) -> int:
    """What is left of the prepaid balance: bills only, reservations still count as there."""
    return world.balance_cents + state.topped_up_cents - state.billed_cents(now)


def budget_left_cents(world: World, state: State, now: float) -> int | None:
    """What is left of the test-call budget; None where none is set, which the world writes as 0 or null."""
    return max(0, world.test_call_budget_cents - state.billed_cents(now)) if world.test_call_budget_cents else None


def can_cover(world: World, state: State, now: float, cents: int) -> bool:
    """Whether balance and test-call budget cover `cents` more, besides what runs in flight have reserved."""
    reserved = state.reserved_cents(now)
    balance = balance_cents(world, state, now) - reserved
    budget = budget_left_cents(world, state, now)
    return balance > 0 and balance >= cents and (budget is None or budget - reserved >= cents)
