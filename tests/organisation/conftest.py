"""Databases, and an organisation in virtual time: a sandbox, tables, and coordinators that may be killed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import databases
import pytest
import temporal_server
import workers
from databases import Postgres
from organisations import Organisation
from sqlalchemy import event
from temporal_server import TemporalServer
from virtual_time import EPOCH, VirtualLoop
from worker_trials import Trial

from planner.organisation.opening import open_tables, prepare
from planner.organisation.tables import Tables
from tests.commands.conftest import server  # pyright: ignore[reportMissingImports]
from tests.execution.conftest import Service, make_work  # pyright: ignore[reportMissingImports]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture(scope="session")
def postgres() -> Generator[Postgres]:
    if databases.programs() is None:
        pytest.skip(databases.MISSING)
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def temporal() -> Iterator[TemporalServer]:
    if temporal_server.program() is None:
        pytest.skip(temporal_server.MISSING)
    started = TemporalServer()
    yield started
    started.stop()


@pytest.fixture(params=["sqlite", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/organisation.sqlite"
    return request.getfixturevalue("postgres").new()


@pytest.fixture
def tables(address: str, tmp_path: Path) -> Generator[Tables]:
    opened = open_tables(address, tmp_path, {})
    prepare(opened, upgrade=False)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def job() -> Callable[..., Any]:
    return make_work


@pytest.fixture
def make_organisation(tmp_path: Path) -> Generator[Callable[..., Organisation]]:
    """`make_organisation({"kind": "lost_answer"}, concurrency_limit=5)`."""
    opened: list[Organisation] = []

    def make(*faults: Any, **world: Any) -> Organisation:
        folder = tmp_path / f"organisation{len(opened)}"
        folder.mkdir()
        opened.append(organisation_in(folder, faults, world))
        return opened[-1]

    yield make
    for organisation in opened:
        organisation.tables.engine.dispose()


@pytest.fixture
def make_trial(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Trial]]:
    """`make_trial("temporal", "postgres")`: its workers have that host and that database."""
    begun: list[Trial] = []

    def begin(host: str, database: str, **settings: Any) -> Trial:
        address = f"sqlite:///{tmp_path}/organisation.sqlite"
        if database == "postgres":
            address = request.getfixturevalue("postgres").new()
        if host == "temporal":
            settings = {"temporal": request.getfixturevalue("temporal").address, **settings}
        served = start()
        begun.append(Trial(workers.Organisation(address, tmp_path, served.url, host, **settings), served))
        return begun[-1]

    with server(request.getfixturevalue("tmp_path_factory")) as start:
        yield begin
        for each in begun:
            each.end()


def organisation_in(folder: Path, faults: Iterable[Any], world: dict[str, Any]) -> Organisation:
    """With SQLite, whose clock is the virtual one."""
    tables = open_tables("sqlite:///tables.sqlite", folder, {})
    event.listen(tables.engine, "connect", _in_virtual_time([]))
    prepare(tables, upgrade=False)
    return Organisation(Service(folder, world.pop("dialect", "page"), (), world), tables, list(faults))


def _in_virtual_time(loops: list[VirtualLoop]) -> Callable[[Any, Any], None]:
    """Times of the database are those of the newest loop, also in threads."""

    def julianday(_: str) -> float:
        with contextlib.suppress(RuntimeError):  # no loop runs in a thread
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            loops[:] = [loop]
        seconds = loops[0].virtual_seconds if loops else 0.0
        return (EPOCH.timestamp() + seconds) / 86400.0 + 2440587.5

    return lambda connection, _: connection.create_function("julianday", 1, julianday)
