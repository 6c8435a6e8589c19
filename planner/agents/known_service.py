"""What is known of the service: read now, or as `planner ci record` stored it."""

from __future__ import annotations

import asyncio
from dataclasses import field

from planner.agents.recorded import load_worlds
from planner.changes.detail import age
from planner.providers.base import Balance, Target, TargetState
from planner.quantities import money
from planner.values import frozen
from planner.workspace.service import KEY, open_client, read_targets, service_of
from planner.workspace.stores import Workspace


@frozen
class Known:
    """`was_asked`: the service was read now. `note` says how old a record is; "" if none is used."""

    targets: dict[Target, TargetState] = field(default_factory=dict[Target, TargetState])
    balance: Balance | None = None
    was_asked: bool = False
    note: str = ""


def known_service(work: Workspace) -> Known:
    """Read targets and balance where there is a key, or it needs none: in the sandbox. Otherwise, and with `--offline`,
    use what `planner ci record`, and jobs that made calls for this pull request, stored."""
    selection = work.selection
    if not selection.offline and (selection.sandbox or work.shell.environ.get(KEY)):
        return ask_service(work)
    worlds = load_worlds(work, service_of(work.shell.environ))
    if not worlds:
        return Known()
    old = age(work.shell.clock.now() - worlds[0].recorded_at)
    note = (
        f"agents and balance are as stored {old} ago (by planner ci record, or by a job with the key); planner run "
        "reads them again"
    )
    states = {key: state for world in reversed(worlds) for key, state in world.states.items()}
    return Known(states, worlds[0].balance, note=note)


def money_line(balance: Balance) -> str:
    """`balance $464.16 · monthly limit of the organization $500.00 · test-call budget left $9.00`"""
    parts = [("balance", balance.cents), ("monthly limit of the organization", balance.monthly_limit_cents)]
    parts.append(("test-call budget left", balance.test_budget_left_cents))
    return " · ".join(f"{label} {money(cents)}" for label, cents in parts if cents is not None)


def ask_service(work: Workspace) -> Known:
    """Read targets and balance."""
    return asyncio.run(_ask(work))


async def _ask(work: Workspace) -> Known:
    shell, selection, place = work.shell, work.selection, work.place
    if selection.sandbox:
        place.make()
    async with open_client(shell, place, selection) as client:
        targets = await read_targets(client, work.loaded.cases, place)
        balance = await client.balance()
    if balance is not None and balance.cents is not None:
        shell.log(money_line(balance))
    return Known(targets, balance, was_asked=True)
