"""The log as a session has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import anyio
import pytest
from lost_launches import lost_launch

from planner.errors import StoreError
from planner.log.facts import Fact, Outcome, Result
from planner.log.local import LocalLog
from planner.log.stores.folder import FolderStore
from planner.log.stores.store import Store, log_name

NOW: Final = datetime(2026, 12, 1, 12, tzinfo=UTC)


class DuringAppend(FolderStore):
    """Something happens while an append is under way."""

    then: Callable[[], object] = staticmethod(lambda: None)

    def append(self, lines: Sequence[str], at: str) -> str | None:
        then, self.then = self.then, lambda: None
        then()
        return super().append(lines, at)


def intent(launch_id: str) -> Fact:
    return lost_launch(launch_id, NOW, "Ask.")


def outcome(launch_id: str) -> Fact:
    return Outcome(NOW, launch_id, Result.REFUSED, 429)


def opened(path: Path, store: Store | None = None, *, read_only: bool = False) -> LocalLog:
    return LocalLog(path, "", lambda: NOW, None if store is None else ("store", store), read_only=read_only)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture(params=[False, True], ids=["here", "shared"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store | None:
    return FolderStore(tmp_path / "store", log_name(), "a") if request.param else None


def test_an_append_of_another_process_of_the_machine_is_seen(path: Path, store: Store | None) -> None:
    async def use() -> None:
        one, other = opened(path, store), opened(path, store)
        assert await one.append([intent("one")])
        assert not await other.append([intent("other")])
        assert set(other.state.launches) == {"one"}
        assert await other.append([intent("other")])
        await one.refresh()
        assert set(one.state.launches) == {"one", "other"}

    anyio.run(use)


def test_own_notes_do_not_fail_an_append(path: Path, tmp_path: Path) -> None:
    async def use() -> None:
        store = DuringAppend(tmp_path / "store", log_name(), "a")
        log = opened(path, store)
        store.then = lambda: anyio.from_thread.run_sync(log.note, [outcome("during")])
        assert await log.append([intent("one")])
        log.note([outcome("one")])
        assert await log.append([intent("two")])
        assert set(log.state.launches) == {"during", "one", "two"}
        assert set(opened(tmp_path / "fresh.db", store).state.launches) == set()
        fresh = opened(tmp_path / "fresh.db", store)
        await fresh.refresh()
        assert set(fresh.state.launches) == {"during", "one", "two"}

    anyio.run(use)


def test_a_copy_for_reading(path: Path, store: Store | None) -> None:
    """Also of a journal whose writer still has it open."""
    log = opened(path, store)
    log.note([intent("one")])
    before = path.read_bytes()
    copy = opened(path, store, read_only=True)
    assert set(copy.state.launches) == {"one"}
    copy.note([outcome("two")])
    copy.read()
    assert path.read_bytes() == before
    log.read()
    assert set(log.state.launches) == {"one"}


def test_a_store_that_is_away_stops_appends_only(path: Path, tmp_path: Path) -> None:
    def fail() -> None:
        raise StoreError("the store does not answer")

    async def use() -> None:
        store = DuringAppend(tmp_path / "store", log_name(), "a")
        log = opened(path, store)
        store.then = fail
        with pytest.raises(StoreError):
            await log.append([intent("one")])
        log.note([outcome("one")])
        assert log.state.launches["one"].intent is None
        assert await log.append([intent("two")])

    anyio.run(use)
