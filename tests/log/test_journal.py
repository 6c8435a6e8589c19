"""The journal of a machine: what it keeps, what it shares, and what it survives."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Thread
from unittest.mock import patch

import pytest
from forked import Forked, started
from journaling import keep, open_journal

from planner.errors import StoreError, UsageError
from planner.log.journal import Journal
from planner.log.stores.folder import FolderStore
from planner.log.stores.store import START, LogWentBackError, log_name


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".planner" / "log.db"


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """The folder of a store."""
    return tmp_path / "store"


def store(folder: Path, writer: str = "other") -> FolderStore:
    return FolderStore(folder, log_name(), writer)


def other_machine(tmp_path: Path, shared: Path) -> Journal:
    return open_journal(tmp_path / "other" / "log.db", shared, "other")


# Without a store


def test_a_journal_is_a_log(path: Path) -> None:
    journal = open_journal(path, None)
    assert journal.read() == ([], 0)
    assert journal.append(["a 1", "a 2"], 0)
    assert not journal.append(["b 1"], 0)
    journal.note(["c 1"])
    assert not journal.append(["d 1"], 2)  # something was noted since
    lines, end = journal.read(2)
    assert lines == ["c 1"]
    assert journal.append(["d 1"], end)
    journal.close()
    again = open_journal(path, None)
    assert again.read()[0] == ["a 1", "a 2", "c 1", "d 1"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_line_is_there_once(path: Path) -> None:
    journal = open_journal(path, None)
    journal.note(["a 1", "a 1"])
    journal.note(["a 1", "a 2"])
    assert journal.read()[0] == ["a 1", "a 2"]


@pytest.mark.parametrize("line", ["", "a\nb"])
def test_lines_that_no_store_takes(path: Path, line: str) -> None:
    journal = open_journal(path, None)
    with pytest.raises(ValueError, match="a line of a log"):
        journal.note([line])
    with pytest.raises(ValueError, match="a line of a log"):
        journal.append([line], 0)
    assert journal.read() == ([], 0)


# With a store


def test_an_append_is_in_the_store_first_and_takes_along_what_was_noted(path: Path, shared: Path) -> None:
    journal = open_journal(path, shared)
    journal.note(["a noted"])
    _, at = journal.read()
    assert store(shared).read()[0] == []
    assert journal.append(["a appended"], at)
    assert store(shared).read()[0] == ["a noted", "a appended"]
    assert journal.read(at)[0] == ["a appended"]


def test_an_append_fails_if_another_machine_appended(path: Path, tmp_path: Path, shared: Path) -> None:
    here, there = open_journal(path, shared), other_machine(tmp_path, shared)
    here.note(["a noted"])
    _, at = here.read()
    assert there.append(["b 1"], there.read()[1])
    assert not here.append(["a 1"], at)
    lines, now = here.read(at)
    assert lines == ["b 1"]
    assert here.append(["a 1"], now)
    assert there.read()[0] == ["b 1", "a noted", "a 1"]


def test_what_was_noted_is_shared(path: Path, tmp_path: Path, shared: Path) -> None:
    here, there = open_journal(path, shared), other_machine(tmp_path, shared)
    there.note(["b 1"])
    there.share()
    here.note(["a 1", "a 2"])
    here.share()
    written = len(list(shared.rglob("0*")))
    here.share()
    assert len(list(shared.rglob("0*"))) == written
    assert sorted(there.read()[0]) == sorted(here.read()[0]) == ["a 1", "a 2", "b 1"]


def test_a_store_that_fails(path: Path, shared: Path) -> None:
    """Nothing was appended here either; what was noted is still to be shared."""
    journal = open_journal(path, shared)
    journal.note(["a noted"])
    _, at = journal.read()
    with patch("os.link", side_effect=OSError(5, "no")), pytest.raises(StoreError):
        journal.append(["a 1"], at)
    assert journal.read() == (["a noted"], at)
    assert journal.append(["a 1"], at)
    assert store(shared).read()[0] == ["a noted", "a 1"]


def test_an_answer_that_was_lost(path: Path, shared: Path) -> None:
    """The process dies when the line is in the store and not here: the next read finds it, once."""
    journal = open_journal(path, shared)
    journal.note(["a noted"])
    _, at = journal.read()
    append = FolderStore.append

    def die(self: FolderStore, lines: Sequence[str], at: str) -> str | None:
        append(self, lines, at)
        raise KeyboardInterrupt

    with patch.object(FolderStore, "append", die), pytest.raises(KeyboardInterrupt):
        journal.append(["a 1"], at)
    journal.close()
    again = open_journal(path, shared)
    assert again.read(at)[0] == ["a 1"]
    again.share()
    assert store(shared).read()[0] == ["a noted", "a 1"]


def test_a_store_that_is_turned_on_later(path: Path, tmp_path: Path, shared: Path) -> None:
    journal = open_journal(path, None)
    journal.note([f"a {number}" for number in range(28)])
    journal.close()
    assert store(shared).append(["b 1"], START) is not None
    journal = open_journal(path, shared)
    journal.read()
    journal.share()
    assert store(shared).read()[0] == ["b 1", *(f"a {number}" for number in range(28))]
    journal.close()
    other = open_journal(path, tmp_path / "another store")
    other.share()
    assert len(store(tmp_path / "another store").read()[0]) == 29


def test_a_store_that_lost_lines(path: Path, shared: Path) -> None:
    journal = open_journal(path, shared)
    journal.note(["a 1"])
    journal.share()
    _, at = journal.read()
    (shared / "_/log/entries").rename(shared / "lost")
    for use in (journal.read, lambda: journal.append(["a 2"], at)):
        with pytest.raises(LogWentBackError) as caught:
            use()
        assert caught.value.command == "planner reconcile"
    assert store(shared, "b").append(["b 1"], START) is not None
    with pytest.raises(LogWentBackError):
        journal.read()
    journal.share_again()
    assert store(shared).read()[0] == ["b 1", "a 1"]
    lines, end = journal.read(at)
    assert lines == ["b 1"]
    assert journal.append(["a 2"], end)


def test_a_journal_that_was_deleted_under_its_reader(path: Path) -> None:
    journal = open_journal(path, None)
    assert journal.append(["a 1", "a 2"], 0)
    path.unlink()
    with pytest.raises(LogWentBackError):
        open_journal(path, None).read(2)


# Processes


@pytest.mark.parametrize("is_shared", [False, True])
def test_processes_that_use_a_journal_at_the_same_time(path: Path, shared: Path, is_shared: bool) -> None:
    folder = shared if is_shared else None
    processes = [start(path, folder, f"writer-{number}", 15) for number in range(3)]
    for process in processes:
        process.output.read()
        process.process.join()
        assert process.process.exitcode == 0
        process.output.close()
    journal = open_journal(path, folder)
    journal.share()
    expected = {f"writer-{w} {how} {number}" for w in range(3) for how in ("noted", "appended") for number in range(15)}
    lines = journal.read()[0]
    assert Counter(lines) == Counter(expected)
    if is_shared:
        assert Counter(store(shared).read()[0]) == Counter(expected)


def test_a_new_journal_may_be_opened_by_several_at_once(tmp_path: Path) -> None:
    """In as many rounds as it takes to meet the moment in which SQLite refuses to wait."""
    begin = Barrier(4)

    def opened(path: Path) -> None:
        begin.wait()
        Journal(path).close()

    with ThreadPoolExecutor(4) as pool:
        for number in range(40):
            path = tmp_path / str(number) / "log.db"
            for done in [pool.submit(opened, path) for _ in range(4)]:
                done.result()
            assert Journal(path).lines() == ([], 0)


@pytest.mark.parametrize("is_shared", [False, True])
def test_processes_that_are_killed(path: Path, shared: Path, is_shared: bool) -> None:
    """What a process said to be noted is here, and what it said to be appended is in the store."""
    folder = shared if is_shared else None
    said: set[str] = set()
    for attempt in range(4):
        writers = [f"writer-{attempt}", f"rival-{attempt}"]
        processes = [start(path, folder, writer, 1000) for writer in writers]
        outputs = ["".join(process.output.readline() for _ in range(attempt + 1)) for process in processes]
        for process in processes:
            process.process.kill()
        for writer, process, output in zip(writers, processes, outputs, strict=True):
            with process.output:
                whole = [line for line in (output + process.output.read()).splitlines(keepends=True) if "\n" in line]
            process.process.join()
            said.update(f"{writer} {line.strip()}" for line in whole)
    in_store = set(store(shared).read()[0])
    journal = open_journal(path, folder)
    lines = journal.read()[0]
    assert said <= set(lines)
    if is_shared:
        assert {line for line in said if "appended" in line} <= in_store <= set(lines)
        journal.share()
        assert Counter(store(shared).read()[0]) == Counter(lines)
    assert max(Counter(lines).values()) == 1


def start(path: Path, folder: Path | None, writer: str, wanted: int) -> Forked:
    return started(keep, path, folder, writer, wanted, cwd=Path.cwd())


def test_threads_that_use_a_journal(path: Path, shared: Path) -> None:
    journal = open_journal(path, shared)

    def note_and_share(name: str) -> None:
        for number in range(20):
            journal.note([f"{name} {number}"])
            journal.share()

    threads = [Thread(target=note_and_share, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(store(shared).read()[0]) == Counter(f"{name} {number}" for name in "abc" for number in range(20))


# Journals that cannot be used


def test_a_newer_journal(path: Path) -> None:
    open_journal(path, None).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version=2")
    database.close()
    before = path.read_bytes()
    with pytest.raises(UsageError, match="another version"):
        open_journal(path, None)
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", ["no database", "cut", "another table", "trigger", "without a table"])
def test_a_damaged_journal(path: Path, damage: str) -> None:
    journal = open_journal(path, None)
    journal.note([f"a {number} {'x' * 1000}" for number in range(100)])
    journal.close()
    statements = {
        "another table": "CREATE TABLE x (y)",
        "trigger": "CREATE TRIGGER x AFTER INSERT ON lines BEGIN DELETE FROM lines; END",
        "without a table": "DROP TABLE settings",
    }
    if damage in statements:
        with sqlite3.connect(path) as database:
            database.execute(statements[damage])
        database.close()
    else:
        path.write_bytes(b"hello" * 1000 if damage == "no database" else path.read_bytes()[:50_000])
    with pytest.raises(StoreError, match="damaged") as caught:
        open_journal(path, None).read()
    assert caught.value.hint


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="cannot be opened"):
        open_journal(path, None)
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk(path: Path, shared: Path) -> None:
    """Nothing half: what could not be written is not here, and goes on when there is room."""
    journal = open_journal(path, shared)
    journal.note(["a 1"])
    pages = 40
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint")
    database.close()
    limit_pages(journal, pages)
    with pytest.raises(StoreError, match="full") as caught:
        journal.note([f"a {number} {'x' * 4000}" for number in range(100)])
    assert "space" in caught.value.hint
    assert journal.read()[0] == ["a 1"]
    limit_pages(journal, 1_000_000)
    journal.note(["a 2"])
    journal.share()
    assert store(shared).read()[0] == ["a 1", "a 2"]


def limit_pages(journal: Journal, pages: int) -> None:
    """SQLite then says that the disk is full, by the same code."""
    journal._db.execute(f"PRAGMA max_page_count={pages}")  # pyright: ignore[reportPrivateUsage]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / ".planner").write_bytes(b"")
    with pytest.raises(StoreError, match="cannot be opened") as caught:
        open_journal(tmp_path / ".planner" / "log.db", None)
    assert caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == [".planner"]
