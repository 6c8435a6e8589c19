"""Opens the tables of an organisation, and connects a session to them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from planner.errors import PlannerError, UsageError
from planner.execution.local import LocalEngine
from planner.planfile.addresses import resolved_database
from planner.planfile.model import Project
from planner.providers.base import Target
from planner.shell import Shell
from planner.workspace.earlier_results import repository_name
from planner.workspace.selection import Selection
from planner.workspace.service import service_of

if TYPE_CHECKING:
    from planner.execution.reading import Transactions
    from planner.organisation.client import OrganisationClient
    from planner.organisation.tables import Tables
    from planner.session.run_session import RunSession

NO_ENGINE: Final = "an organisation needs the extra `engine`; in planner's clone: uv tool install '.[engine]'"


def open_organisation(shell: Shell, address: str, root: Path) -> Tables:
    """The tables with this address, as planner.yaml in `root` names them. Raises `UsageError` if they are not of this
    version; `StoreError`."""
    try:  # late: only with the extra `engine`
        from planner.organisation.opening import check, open_tables
    except ImportError as error:
        raise UsageError(NO_ENGINE, "Install it, or leave `organisation` out of planner.yaml.") from error
    tables = open_tables(address, root, shell.environ, create=False)
    try:
        check(tables)
    except PlannerError:
        tables.engine.dispose()
        raise
    return tables


def calls_of_workers(shell: Shell, tables: Tables) -> Callable[[Target], bool]:
    """Says of a target whether a consent has calls to it whose results are not stored yet."""
    from planner.organisation.client import may_call  # late: only with the extra `engine`

    return lambda target: may_call(tables, target, shell.clock.now())


@contextmanager
def workers_calls(
    shell: Shell, selection: Selection, project: Project, root: Path
) -> Generator[Callable[[Target], bool] | None]:
    """As `calls_of_workers`, for the organisation that planner.yaml names; None if it names none. Raises `UsageError`,
    `StoreError`."""
    if project.organisation is None or selection.sandbox:
        yield None
        return
    tables = open_organisation(shell, project.organisation, root)
    try:
        yield calls_of_workers(shell, tables)
    finally:
        tables.engine.dispose()


def connect_organisation(session: RunSession, transactions: Transactions) -> OrganisationClient | None:
    """None if this session makes its calls itself. Raises `UsageError`, `StoreError`."""
    shell, project, options = session.shell, session.loaded.project, session.options
    if project.organisation is None or options.selection.sandbox:
        if options.detach:
            raise UsageError(
                "--detach needs `organisation` in planner.yaml", "Leave it out, or see docs/organisation.md."
            )
        return None
    if options.fail_fast:
        raise UsageError("--fail-fast needs verdicts between calls, and workers do not judge", "Leave it out.")
    tables = open_organisation(shell, project.organisation, session.loaded.root)
    from planner.organisation.client import OrganisationClient  # late: only with the extra `engine`

    repository = session.place.repository
    engine = LocalEngine(
        provider=transactions.client,
        transactions=transactions,
        journal=session.journal,
        save_evidences=repository.save_evidences,
        load_evidence=repository.load_evidence,
        clock=shell.clock,
        new_id=shell.new_id,
    )
    return OrganisationClient(
        tables,
        session.journal,
        engine,
        repository_name(session.workspace),
        service_of(shell.environ),
        transactions.client.credential,
        resolved_database(project.organisation, session.loaded.root),
        session.intents.consents.share_consent if session.intents else None,
        options.detach,
    )
