"""Opens the tables of an organisation, and checks that they are of this version of planner."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from planner.errors import StoreError, UsageError
from planner.organisation.tables import READING, TIMEOUT_SECONDS, AwayError, Tables
from planner.planfile.addresses import is_this_machine, problem_with_database

PASSWORD: Final = "PLANNER_ORGANISATION_PASSWORD"  # noqa: S105 - its name


def open_tables(address: str, root: Path, environ: Mapping[str, str], *, create: bool = True) -> Tables:
    """Open the tables at `postgresql://…` or `sqlite:///…` (a path is relative to `root`), without a request. With
    `create`, an SQLite file is made if there is none. Raises `UsageError`."""
    url = _parsed(address)
    if url.get_backend_name() == "sqlite":
        path = root / (url.database or "")
        engine = create_engine(url.set(database=os.fspath(path)), connect_args={"timeout": TIMEOUT_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_in_sqlite)
        if not path.parent.is_dir():
            raise UsageError(f"the folder of {path} does not exist", "Create it, or correct `organisation`.")
        if not path.exists() and not create:
            hint = "Start `planner worker`, which makes it, or correct `organisation`."
            raise UsageError(f"the database {path} does not exist", hint)
        if not path.exists():  # SQLite would create it readable by everybody; it holds prompts
            _create(path)
        return Tables(engine, os.fspath(path))
    shown = url.set(query={}).render_as_string()
    query = dict(url.query)
    if url.host and not url.host.startswith("/") and not is_this_machine(url.host):
        query = {"sslmode": "verify-full", "sslrootcert": "system"} | query
    url = url.set(drivername="postgresql+psycopg", password=environ.get(PASSWORD) or None, query=query)
    return Tables(_postgres(url), shown)


def _postgres(url: URL) -> Engine:
    options: dict[str, Any] = {
        "connect_timeout": TIMEOUT_SECONDS,
        "client_encoding": "utf8",
        # A process that stands still in a transaction must not keep the next coordinator from taking over.
        "options": "-c statement_timeout=20000 -c idle_in_transaction_session_timeout=10000",
    }
    return create_engine(url, connect_args=options, pool_pre_ping=True)


def _create(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        hint = "Allow it, or correct `organisation`."
        raise UsageError(f"{path} cannot be created: {error.strerror}", hint) from error


def _parsed(address: str) -> URL:
    if problem := problem_with_database(address):
        raise UsageError(f"`organisation`: {problem}")
    try:
        return make_url(address)
    except ArgumentError as error:
        raise UsageError("`organisation`: this is not the address of a database") from error


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver would begin transactions of its own
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA secure_delete=ON")  # prompts are not left in free pages


def _begin_in_sqlite(connection: Connection) -> None:
    is_reading = READING.items() <= connection.get_execution_options().items()
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")


def prepare(tables: Tables, *, upgrade: bool) -> None:
    """Create the tables in an empty database, and with `upgrade` bring older ones up to date. Raises `UsageError` for
    other tables than this version's; `StoreError`."""
    with _reading_first(tables) as connection:
        if _version(connection) == _head(_alembic(connection)):
            return
    with tables.writing() as connection:
        config = _alembic(connection)
        state = _version(connection)
        if state is None and inspect(connection).get_table_names():
            raise UsageError(f"the database {tables.shown} has other tables", "Use a database of its own.")
        if state is None or (upgrade and state in _older(config)):
            command.upgrade(config, "head")
    check(tables)


def check(tables: Tables) -> None:
    """Raises `UsageError` if the tables are not of this version; `StoreError`."""
    with _reading_first(tables) as connection:
        config, state = _alembic(connection), _version(connection)
    if state == _head(config):
        return
    if state is None:
        raise UsageError(
            f"the database {tables.shown} has no tables of planner", "Start `planner worker`, which makes them."
        )
    if state in _older(config):
        raise UsageError(
            f"the tables in {tables.shown} are of an older version of planner",
            "Stop all workers, then run `planner worker --upgrade` once.",
        )
    raise UsageError(
        f"the tables in {tables.shown} are of a newer version of planner", "Upgrade planner on this machine."
    )


@contextmanager
def _reading_first(tables: Tables) -> Generator[Connection]:
    """Raises `UsageError` if Postgres cannot be used until somebody corrects something; `StoreError`."""
    try:
        with tables.reading() as connection:
            yield connection
    except AwayError as error:
        if tables.engine.dialect.name == "postgresql" and (hint := _correction(tables)):
            raise UsageError(str(error), hint) from error
        raise


def _correction(tables: Tables) -> str:
    """What somebody has to correct before Postgres can be used; "" if nothing is known. The driver has no SQLSTATE of
    a connection that was refused, so ask the database that every server has."""
    url = tables.engine.url
    server = Tables(_postgres(url.set(database="postgres")), tables.shown)
    databases = text("SELECT datname FROM pg_database")
    try:
        with server.reading() as connection:
            is_there = url.database in connection.execute(databases).scalars()
    except StoreError as error:
        refused = getattr(getattr(error.__cause__, "orig", None), "pgconn", None)
        is_about_password = refused is not None and refused.used_password
        return f"Check {PASSWORD} in the environment, and `organisation`." if is_about_password else ""
    finally:
        server.engine.dispose()
    return "" if is_there else f"Create it: `createdb {url.database}`; or correct `organisation`."


def _alembic(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", os.fspath(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _head(config: Config) -> str | None:
    return ScriptDirectory.from_config(config).get_current_head()


def _older(config: Config) -> set[str]:
    return {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()} - {_head(config) or ""}
