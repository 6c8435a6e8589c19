"""What a command that makes no calls knows about the service: what it reads with a key, or from the sandbox."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio

from planner.changes.detail import age
from planner.providers.base import Balance, Target, TargetState
from planner.reports.quantities import money
from planner.session.interruption import interruptible
from planner.session.selection import Loaded, Selection
from planner.session.service import open_client, read_targets
from planner.session.shell import Shell
from planner.session.stores import Place


@dataclass(frozen=True, slots=True)
class Known:
    """`was_asked`: the service was read now. `note` says how old a record is; "" if none is used."""

    targets: dict[Target, TargetState] = field(default_factory=dict[Target, TargetState])
    balance: Balance | None = None
    was_asked: bool = False
    note: str = ""


def known_service(shell: Shell, selection: Selection, loaded: Loaded, place: Place, *, refresh: bool) -> Known:
    """Read targets and balance if `refresh`, or if it is free: in the sandbox. Otherwise use what `planner record` stored."""
    if refresh or selection.sandbox:
        return anyio.run(_ask, shell, selection, loaded, place)
    from planner.session.recorded import load_world, service_of

    world = load_world(shell, place, service_of(shell))
    if world is None:
        return Known()
    old = age(shell.clock.now() - world.recorded_at)
    note = f"agents and balance are as planner record stored them {old} ago; planner run reads them again"
    return Known(world.states, world.balance, note=note)


async def _ask(shell: Shell, selection: Selection, loaded: Loaded, place: Place) -> Known:
    if selection.sandbox:
        place.make()
    async with interruptible(), open_client(shell, place, selection) as client:
        targets = await read_targets(client, loaded.cases)
        balance = await client.balance()
    if balance is not None and balance.cents is not None:
        left = balance.test_budget_left_cents
        budget = f" · test-call budget left {money(left)}" if left is not None else ""
        shell.log(f"balance {money(balance.cents)}{budget}")
    return Known(targets, balance, was_asked=True)
