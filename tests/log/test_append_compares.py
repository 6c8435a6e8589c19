"""An append is refused if the state from which it was decided is no longer the log's."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from log_places import make_place

from planner.log.facts import Asked, Intent
from planner.log.local import LocalLog
from planner.providers.base import Line

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
ACCOUNT = "a" * 16


def _intent(launch_id: str) -> Intent:
    line = Line("agent", 12, "outbound", "bot", None)
    return Intent(AT, ACCOUNT, launch_id, "c1", "s1", line, (Asked("k1", "p1", 1, 24, "plan"),), 5.0, "key")


class _SlowStore:
    """Passes everything on; a read can be held back."""

    def __init__(self, store: object) -> None:
        self._store = store
        self.may_read = threading.Event()
        self.is_reading = threading.Event()
        self.may_read.set()

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def read(self, after: str = "") -> tuple[list[str], str]:
        self.is_reading.set()
        assert self.may_read.wait(60)
        return self._store.read(after)  # type: ignore[attr-defined, no-any-return]


def _log(path: Path, store: object) -> LocalLog:
    return LocalLog(path, ACCOUNT, lambda: AT, ("the store", store))  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_what_a_poll_reads_meanwhile_refuses_an_append(tmp_path: Path) -> None:
    """Another task reads the log while an append waits: the decision was made before."""
    with make_place("folder", tmp_path) as place:
        slow = _SlowStore(place.open())
        here, elsewhere = _log(tmp_path / "a.db", slow), _log(tmp_path / "b.db", place.open())
        await here.refresh()
        await elsewhere.refresh()
        slow.may_read.clear()
        slow.is_reading.clear()
        answers: list[bool] = []

        async def append() -> None:
            answers.append(await here.append([_intent("decided-before")]))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(here.refresh)
            await anyio.to_thread.run_sync(slow.is_reading.wait)
            tasks.start_soon(append)
            await anyio.wait_all_tasks_blocked()
            assert await elsewhere.append([_intent("of-another-machine")])
            slow.may_read.set()

        assert answers == [False]
        assert list(here.state.launches) == ["of-another-machine"]
        assert await here.append([_intent("decided-again")])


@pytest.mark.anyio
async def test_what_a_process_of_this_machine_wrote_meanwhile_refuses_an_append(tmp_path: Path) -> None:
    with make_place("folder", tmp_path) as place:
        slow = _SlowStore(place.open())
        here, beside = _log(tmp_path / "a.db", slow), _log(tmp_path / "a.db", place.open())
        await here.refresh()
        await beside.refresh()
        slow.may_read.clear()
        slow.is_reading.clear()
        answers: list[bool] = []

        async def append() -> None:
            answers.append(await here.append([_intent("decided-before")]))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(here.refresh)
            await anyio.to_thread.run_sync(slow.is_reading.wait)
            tasks.start_soon(append)
            await anyio.wait_all_tasks_blocked()
            assert await beside.append([_intent("of-another-process")])
            slow.may_read.set()

        assert answers == [False]
        assert list(here.state.launches) == ["of-another-process"]
