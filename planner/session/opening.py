"""Opens a session of `planner run`: its reports, plans, store and journal, and the connection to the service."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, closing, contextmanager

from planner.execution.journal import Journal
from planner.execution.transactions import Transactions
from planner.providers.base import RequestHooks
from planner.reports.quantities import count
from planner.session.interruption import interruptible
from planner.session.locking import locked
from planner.session.report_session import report_session
from planner.session.reporting import print_diagnostics
from planner.session.run_session import RunOptions, RunSession, with_saved
from planner.session.selection import load
from planner.session.service import open_client
from planner.session.shell import Shell
from planner.session.stores import place_of, shared_session
from planner.session.tracing import open_request_log


@contextmanager
def open_session(shell: Shell, options: RunOptions) -> Generator[RunSession]:
    """A session with its plans, store and journal. If the body raises an error, the reports say why.

    Raises `PlanInvalidError`, `UsageError`, `RefusedError` for plans or options that cannot be run here, `StoreError` if
    the store cannot be used.
    """
    with (
        open_request_log(shell, options.trace) as request_log,
        report_session(shell, options.report_dir, options.selection, again=options.command()) as reports,
    ):
        request_log.begin(reports.invocation_id, reports.started_at, reports.started)
        options = with_saved(shell, options)
        reports.selection = options.selection
        loaded = load(shell, options.selection)
        reports.project, reports.plans = loaded.project, loaded.plan_names
        print_diagnostics(shell, loaded.diagnostics)
        place = place_of(shell, loaded.root, options.selection, loaded.project)
        reports.repository = place.repository
        with (
            locked(shell, place, options.command()),
            closing(Journal(place.journal_path, now=shell.clock.now())) as journal,
            shared_session(shell, place, journal, loaded.cases) as intents,
        ):
            yield RunSession(shell, options, loaded, place, journal, reports, intents, request_log)


@asynccontextmanager
async def connected(session: RunSession) -> AsyncGenerator[None]:
    """Connect a session to the service, and let signals interrupt it. Launches of killed sessions become unconfirmed."""
    shell, log = session.shell, session.request_log
    hooks = RequestHooks(log.exchange, log.wait)
    async with (
        interruptible() as session.interrupted,
        open_client(shell, session.place, session.options.selection, hooks) as client,
    ):
        session.reports.requests = client.stats
        session.transactions = Transactions(client, log.log)
        if suspects := session.journal.mark_interrupted():
            shell.log(
                f"an earlier session was killed with {count(suspects, 'unconfirmed launch', 'unconfirmed launches')};"
                " searching for them before anything is sent again"
            )
        yield
