"""Connects to the service (the real one with a key from the environment, or the embedded sandbox) and reads its state."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import field
from pathlib import Path
from typing import Any

import anyio

from planner.changes.detail import age
from planner.errors import CredentialError, NotFoundError, StoreError, UsageError
from planner.planfile.model import Case
from planner.providers.base import (
    NO_HOOKS,
    AgentProvider,
    Balance,
    Provider,
    RequestHooks,
    Target,
    TargetState,
    UnknownTargetError,
)
from planner.providers.thunderphone.client import BATCHES, TEST_CALLS, Account, connect
from planner.quantities import money
from planner.session.interruption import interruptible
from planner.session.selection import Loaded, Selection
from planner.session.service_address import base_url_of, check_transport_security, service_of
from planner.session.shell import Shell
from planner.session.stores import Place
from planner.session.worlds import world_name, world_of
from planner.values import frozen

SANDBOX_KEY = "sk_test_sandbox"
RUNS_PATH = "THUNDERPHONE_TEST_CALLS_PATH"


def account_of(shell: Shell) -> Account:
    """The account in the environment. Raises `CredentialError`, `UsageError` if the key is missing, malformed, or would be
    sent unencrypted, or if the path of test calls is unknown."""
    key = shell.environ.get("THUNDERPHONE_API_KEY", "").strip()
    if not key:
        raise CredentialError(
            "there is no API key",
            "Set THUNDERPHONE_API_KEY in the environment, or use --sandbox, which needs no key.",
        )
    check_key_characters("THUNDERPHONE_API_KEY", key)
    base_url = base_url_of(shell.environ)
    check_transport_security(base_url, shell.environ)
    runs_path = shell.environ.get(RUNS_PATH, "").strip().rstrip("/") or TEST_CALLS
    if runs_path not in BATCHES:
        raise UsageError(f"{RUNS_PATH} is {runs_path!r}", f"Unset it, or use one of: {', '.join(BATCHES)}")
    return Account(base_url, key, runs_path)


def check_key_characters(variable: str, key: str) -> None:
    """Raises `CredentialError` if the key cannot be sent in a header."""
    if not key.isascii() or (key and not key.isprintable()) or " " in key:
        raise CredentialError(f"{variable} contains invalid characters", "Copy the whole key again.")


@asynccontextmanager
async def open_client(
    shell: Shell, place: Place, selection: Selection, hooks: RequestHooks = NO_HOOKS
) -> AsyncGenerator[AgentProvider]:
    """A client of the real service, or of the sandbox with its state in the place's folder."""
    app: Any = None
    if selection.sandbox:
        account = Account("http://sandbox", SANDBOX_KEY)
        app = embedded_app(shell, place.directory, selection)
    else:
        account = account_of(shell)
    client = connect(account, clock=shell.clock, hooks=hooks, redactor=shell.keys, app=app)
    try:
        yield client
    finally:
        await client.close()


def embedded_app(shell: Shell, sandbox_dir: Path, selection: Selection) -> Any:
    """The sandbox as an ASGI app with its state in `sandbox_dir`."""
    from planner.sandbox import Sandbox, StateFileError, WorldError

    world = world_of(shell, selection)
    state = sandbox_dir / "service.jsonl"
    try:
        sandbox_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        now = lambda: shell.clock.now().timestamp()  # noqa: E731
        return Sandbox(world, now=now, state_path=state, environ=shell.environ).app
    except WorldError as error:
        raise UsageError(f"--world {world_name(selection)}: {error}") from error
    except StateFileError as error:
        raise StoreError(f"the sandbox's state cannot be read: {error}", f"Delete {state} to start again.") from error
    except OSError as error:
        raise StoreError(
            f"the sandbox's state cannot be written to {state}: {error.strerror}", "Fix its permissions."
        ) from error


async def read_targets(provider: Provider, cases: Sequence[Case]) -> dict[Target, TargetState]:
    """The states of the cases' targets. Raises `NotFoundError` if the service does not know one."""
    wanted: dict[Target, set[str]] = {}
    for case in cases:
        wanted.setdefault((case.target.kind, case.target.id), set()).add(case.direction)
    try:
        return await provider.target_states(wanted)
    except UnknownTargetError as error:
        kind, target_id = error.target
        alias = next(case.target.alias for case in cases if (case.target.kind, case.target.id) == error.target)
        what = "agent" if kind == "agent" else "phone number"
        fix = "Correct its id in the plan or in planner.yaml, or use the API key of its organisation."
        raise NotFoundError(
            f"the service does not know {what} {target_id} (target {alias!r}) or its agent",
            f"{error.hint} If so: {fix}" if error.hint else fix,
        ) from error


def draft_warnings(cases: Iterable[Case], targets: Mapping[Target, TargetState]) -> list[str]:
    """One warning per target with an undeployed draft: calls do not reach it."""
    aliases = {(case.target.alias, (case.target.kind, case.target.id)): None for case in cases}
    return [
        f"target `{alias}`: agent {agent_id} has an undeployed draft, which no call reaches"
        for alias, key in aliases
        if key in targets
        for agent_id in targets[key].drafts
    ]


@frozen
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
    from planner.session.recorded import load_world

    world = load_world(shell, place, service_of(shell.environ))
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
