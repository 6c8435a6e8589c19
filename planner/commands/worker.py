"""`planner worker`: make the calls of all repositories of an organisation. Any number of them; one is at work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from planner import __version__
from planner.errors import UsageError
from planner.interruption import interruptible
from planner.providers.base import AgentProvider, Target
from planner.session.organisation import NO_ENGINE
from planner.shell import Shell
from planner.values import frozen
from planner.workspace.selection import load_current_project
from planner.workspace.service import open_service, service_of

if TYPE_CHECKING:
    from planner.organisation.host import Host
    from planner.organisation.policy import WorkerPolicy
    from planner.organisation.tables import Tables

LEASE: Final = "lease"
TEMPORAL: Final = "temporal"
_NO_TEMPORAL: Final = (
    "the host temporal needs the extra `temporal`; in planner's clone: uv tool install '.[engine,temporal]'"
)


@frozen
class WorkerOptions:
    """`organisation` is an address; None: that of planner.yaml."""

    organisation: str | None = None
    people: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    """What may be called; () allows all."""
    max_cost_cents_per_month: int | None = None
    repositories: tuple[tuple[str, int], ...] = ()
    """Ceilings of a month, in cents."""
    host: str = LEASE
    max_concurrent: int | None = None
    settle_seconds: float = 600.0
    upgrade: bool = False


def worker(shell: Shell, options: WorkerOptions) -> int:
    """Work until a signal; return the exit code. Raises `UsageError`, `StoreError`, `CredentialError`."""
    try:  # late: only with the extra `engine`
        from planner.organisation.opening import open_tables, prepare
        from planner.organisation.policy import WorkerPolicy
    except ImportError as error:
        raise UsageError(NO_ENGINE) from error
    address, root = options.organisation, shell.cwd
    if address is None:
        root, project = load_current_project(shell, None)
        address = project.organisation
    if address is None:
        raise UsageError("no organisation is named", "Write `organisation` in planner.yaml, or --organisation.")
    tables = open_tables(address, Path(root), shell.environ)
    prepare(tables, upgrade=options.upgrade)
    if options.upgrade:
        shell.print(f"the tables in {tables.shown} are up to date")
        return 0
    if not options.people:
        raise UsageError("nobody may agree to calls", "Name them: --person ana@example.org. Repeatable.")
    policy = WorkerPolicy(
        frozenset(options.people),
        frozenset(options.targets) or None,
        options.max_cost_cents_per_month,
        dict(options.repositories),
    )
    return anyio.run(work, shell, options, tables, policy)


async def work(shell: Shell, options: WorkerOptions, tables: Tables, policy: WorkerPolicy) -> int:
    """Keep a coordinator alive until a signal. Raises `CredentialError` once the service rejects the key, and no other
    worker has to wait for it."""
    from planner.organisation.coordinator import coordinate, engine_settings
    from planner.organisation.worker import Worker

    async with interruptible() as stop, open_service(shell) as provider:
        await check_account(provider, tables)
        settings = engine_settings(settle_seconds=options.settle_seconds, max_concurrent=options.max_concurrent)
        service = service_of(shell.environ)
        at_work = Worker(tables, provider, service, policy, settings, shell.clock, shell.new_id, shell.log)
        host = await _host(shell, options, tables)
        shell.log(f"waiting for consents in {tables.shown}")
        await host.keep_alive(lambda epoch, ending: coordinate(at_work, epoch, ending), stop)
        shell.log("stopped")
    return 0


async def check_account(provider: AgentProvider, tables: Tables) -> None:
    """A wrong key must not take the tables from a worker with a right one. Two requests, which are free. Raises
    `CredentialError`, `UsageError`, `IncompleteError`."""
    await provider.runs(limit=1)
    mine = await provider.organisation()
    if mine is None:
        return
    theirs = await anyio.to_thread.run_sync(tables.belong_to, mine)
    if theirs != mine:
        raise UsageError(
            f"THUNDERPHONE_API_KEY is of organisation {mine}, but {tables.shown} has calls of organisation {theirs}",
            "Use a key of that organisation, or a database of its own.",
        )


async def _host(shell: Shell, options: WorkerOptions, tables: Tables) -> Host:
    from planner.organisation.lease import LeaseHost

    lease = LeaseHost(tables, shell.process, __version__, shell.clock, shell.log)
    if options.host == LEASE:
        return lease
    try:  # late: only with the extra `temporal`
        from planner.organisation.temporal import TemporalHost
        from planner.organisation.temporal_client import connect
    except ImportError as error:
        raise UsageError(_NO_TEMPORAL, "Install it, or leave --host out.") from error
    host = TemporalHost(await connect(shell.environ), lease)
    await host.start()
    return host
