"""The host `lease`, with a database that is in trouble."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from patience import until
from sqlalchemy import text
from virtual_time import EPOCH

from planner.clock import Clock
from planner.organisation.lease import LeaseHost
from planner.organisation.opening import open_tables, prepare


@pytest.fixture
def anyio_backend() -> str:
    """Real time: the database has a clock of its own."""
    return "asyncio"


async def test_trouble_of_the_database_is_said_once(tmp_path: Path) -> None:
    """Not with every heartbeat: it may be away for hours."""
    tables = replace(open_tables("sqlite:///tables.sqlite", tmp_path, {}), lease_seconds=0.2)
    prepare(tables, upgrade=False)
    log: list[str] = []
    beats = 0
    stop = anyio.Event()

    async def sleep(seconds: float) -> None:
        nonlocal beats
        beats += 1
        await anyio.sleep(seconds)

    async def coordinate(epoch: int, ending: anyio.Event) -> None:
        del epoch, ending
        with tables.engine.begin() as connection:
            connection.execute(text("ALTER TABLE coordinator RENAME TO lost"))
        await until(lambda: beats >= 6)
        with tables.engine.begin() as connection:
            connection.execute(text("ALTER TABLE lost RENAME TO coordinator"))
        stop.set()

    host = LeaseHost(tables, "this process", "1", Clock(lambda: EPOCH, lambda: 0.0, sleep), log.append)
    await host.keep_alive(coordinate, stop)
    tables.engine.dispose()
    assert log[0] == "coordinator, epoch 1"
    assert sum("no such table" in line for line in log) == 1
