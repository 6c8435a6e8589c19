"""Results in a folder: whole or not at all, one writer at a time, nothing outside the folder, and errors that say what to do."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_writes import UNCONDITIONAL, put

from planner.errors import StoreError
from planner.stores.directory import DirectoryStore


def test_keys_by_prefix(store: DirectoryStore, folder: Path) -> None:
    """Keys come in order of their text, by any prefix; the store's own files and what else lies there are none."""
    for key in ["runs/b.json", "runs/a.json", "latest/_/x.json", "latest/eu/x.json", "runs-old"]:
        put(store, key, b"1", expected=None)
    (folder / "runs" / ".half-written-x").touch()
    (folder / "runs" / "link").symlink_to(folder / "runs" / "a.json")
    (folder / "linked").symlink_to(folder / "runs")
    assert list(store.keys("")) == ["latest/_/x.json", "latest/eu/x.json", "runs-old", "runs/a.json", "runs/b.json"]
    assert list(store.keys("runs/")) == ["runs/a.json", "runs/b.json"]
    assert list(store.keys("runs")) == ["runs-old", "runs/a.json", "runs/b.json"]
    assert list(store.keys("latest/e")) == ["latest/eu/x.json"]
    assert list(store.keys("intents/")) == []
    with pytest.raises(ValueError, match="not a key"):
        store.keys("../")


def test_updates_see_what_is_there(store: DirectoryStore, folder: Path) -> None:
    """An update is made of what the store holds, under its lock; it may write and remove several keys, absent ones too."""
    put(store, "counter", b"1", expected=None)
    put(store, "runs/a", b"1", expected=None)
    store.update(lambda now: {"counter": (now.get("counter") or b"") + b"1", "runs/a": None, "runs/absent": None})
    assert [store.get("counter"), store.has("counter"), store.has("runs/a"), store.has("runs")] == [
        b"11",
        True,
        False,
        False,
    ]
    (folder / "runs/b").symlink_to(folder / "counter")
    with pytest.raises(StoreError, match="is a symbolic link"):
        store.update(lambda _: {"runs/b": None})


_KEYS = st.sampled_from(["runs/a", "runs/b", "latest/x/a", "c"])
_DATA = st.sampled_from([b"", b"one", b"two"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(writes=st.lists(st.tuples(_KEYS, _DATA, st.one_of(st.none(), _DATA, st.just(UNCONDITIONAL))), max_size=8))
def test_a_store_equals_a_dictionary_with_compare_and_swap(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[str, bytes, object]]
) -> None:
    """Any sequence of writes leaves what the same sequence leaves in a dictionary."""
    store = DirectoryStore(tmp_path_factory.mktemp("store"))
    model: dict[str, bytes] = {}
    for key, data, expected in writes:
        swapped = expected is UNCONDITIONAL or model.get(key) == expected
        assert put(store, key, data, expected=expected) is swapped  # pyright: ignore[reportArgumentType]
        if swapped:
            model[key] = data
    assert {key: store.get(key) for key in store.keys("")} == dict(sorted(model.items()))


def test_the_folder_is_private_and_ignored_by_git(store: DirectoryStore, folder: Path) -> None:
    """The folder is 0700 with a .gitignore for all of it, folders within are 0700 and files 0600, with any umask."""
    before = os.umask(0)
    try:
        put(store, "runs/a.json", b"1", expected=None)
    finally:
        os.umask(before)
    modes = {
        path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]
    }
    assert modes == {".": 0o700, ".gitignore": 0o600, ".lock": 0o600, "runs": 0o700, "runs/a.json": 0o600}
    assert (folder / ".gitignore").read_text() == "*\n"


def test_reading_makes_nothing(store: DirectoryStore, folder: Path) -> None:
    """Reading a store that does not exist finds nothing and makes nothing."""
    assert store.get("runs/a.json") is None
    assert list(store.keys("runs/")) == []
    assert not folder.parent.exists()


@pytest.mark.parametrize("inside", ["runs", "runs/a.json"])
def test_links_do_not_lead_out(store: DirectoryStore, folder: Path, tmp_path: Path, inside: str) -> None:
    """A symbolic link inside the store is neither followed nor replaced, for reading and for writing."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.json").write_bytes(b"precious")
    put(store, "other", b"1", expected=None)
    link = folder / inside
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside if inside == "runs" else outside / "a.json")
    for attempt in (lambda: store.get("runs/a.json"), lambda: put(store, "runs/a.json", b"2", expected=UNCONDITIONAL)):
        with pytest.raises(StoreError, match="is a symbolic link, which is not allowed in a results store") as caught:
            attempt()
        assert caught.value.hint == "Remove it, or choose another place with --store"
    assert (outside / "a.json").read_bytes() == b"precious"
    assert link.is_symlink()


_RACE = """
import sys
from pathlib import Path
from planner.stores.directory import DirectoryStore
store = DirectoryStore(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    store.update(lambda now: {"counter": str(int(now.get("counter") or 0) + 1).encode()})
"""


def test_writers_of_several_processes_lose_nothing(folder: Path) -> None:
    """Four processes that count up by compare-and-swap arrive at the sum, with nobody's step lost."""
    writers = [subprocess.Popen([sys.executable, "-c", _RACE, str(folder), "50"]) for _ in range(4)]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    assert DirectoryStore(folder).get("counter") == b"200"


_FLOOD = """
import sys
from pathlib import Path
from planner.stores.directory import DirectoryStore
store = DirectoryStore(Path(sys.argv[1]))
print("ready", flush=True)
for n in range(1_000_000):
    store.update(lambda _: {"runs/a": bytes([n % 256]) * 200_000})
"""


def test_killed_writers_leave_whole_documents(store: DirectoryStore, folder: Path) -> None:
    """A kill -9 in the middle of writing leaves the old document or the new one, never a torn one, and no lock; leftovers are swept."""
    put(store, "runs/a", b"x" * 200_000, expected=None)
    leftovers = 0
    for attempt in range(8):
        writer = subprocess.Popen([sys.executable, "-c", _FLOOD, str(folder)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        try:
            writer.wait(timeout=0.01 + attempt * 0.003)
        except subprocess.TimeoutExpired:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        writer.stdout.close()
        document = store.get("runs/a")
        assert document is not None
        assert len(document) == 200_000
        assert len(set(document)) == 1
        leftovers += sum(path.name.startswith(".half-written-") for path in (folder / "runs").iterdir())
    assert list(store.keys("")) == ["runs/a"]
    put(DirectoryStore(folder), "runs/b", b"1", expected=None)
    assert sorted(path.name for path in (folder / "runs").iterdir()) == ["a", "b"], leftovers


@pytest.mark.skipif(sys.platform != "linux", reason="only there can a descriptor be asked for its path")
def test_bytes_are_durable_before_their_name(
    store: DirectoryStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole document reaches the disk under another name, then takes its place, then the folder's entry is made durable.

    A power cut cannot be had here, so what is synced is watched, and synced.
    """
    put(store, "runs/a", b"old", expected=None)
    synced: list[tuple[str, bytes]] = []
    really = os.fsync

    def watched(descriptor: int) -> None:
        really(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        content = path.read_bytes() if path.is_file() else b""
        place = path.relative_to(folder.parent.resolve()).as_posix()
        synced.append((place if path.is_dir() else place.partition(".half-written-")[0], content))
        synced.append(("a holds", (folder / "runs/a").read_bytes()))

    monkeypatch.setattr(os, "fsync", watched)
    put(store, "runs/a", b"new", expected=b"old")
    assert synced == [(".planner/runs/", b"new"), ("a holds", b"old"), (".planner/runs", b""), ("a holds", b"new")]
    synced.clear()
    put(store, "latest/eu/x", b"1", expected=None)
    assert [place for place, _ in synced if place != "a holds"] == [
        ".planner",
        ".planner/latest",
        ".planner/latest/eu/",
        ".planner/latest/eu",
    ]


@contextmanager
def small_files() -> Generator[None]:
    """No file may grow over 4 KiB: a real failing write, in the middle, without a full disk.

    Of this process, so for no longer than it takes: the log that pytest itself writes is a file as well.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_write_that_fails_in_the_middle(store: DirectoryStore, folder: Path) -> None:
    """A write that the file system cuts off leaves the old document, and nothing half written."""
    put(store, "runs/a", b"good", expected=None)
    refused = pytest.raises(StoreError, match=r"results cannot be written at .*/runs/a: File too large")
    with small_files(), refused as caught:
        put(store, "runs/a", b"x" * 100_000, expected=UNCONDITIONAL)
    hint = f"Free some space, make {folder} a folder that this user can write, or choose another place with --store"
    assert (caught.value.hint, caught.value.exit_code) == (hint, 4)
    assert store.get("runs/a") == b"good"
    assert [path.name for path in (folder / "runs").iterdir()] == ["a"]
