"""A lock between processes, with `flock` and without."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from store_writes import UNCONDITIONAL, put

import planner.stores.directory
from planner.stores.directory import OPENING, DirectoryStore, locked_file


@pytest.fixture(params=["flock", "sqlite"], autouse=True)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "sqlite":
        monkeypatch.setattr(planner.stores.directory, "fcntl", None)


@contextmanager
def locked(path: Path) -> Generator[None]:
    """As another process locks it: with a descriptor of its own."""
    descriptor = os.open(path, OPENING, 0o600)
    try:
        with locked_file(descriptor, path, wait=False):
            yield
    finally:
        os.close(descriptor)


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    """The second is refused while there is a first; another file is free."""
    with locked(tmp_path / "lock"), locked(tmp_path / ".lock"):
        with pytest.raises(BlockingIOError), locked(tmp_path / "lock"):
            pass
        with pytest.raises(BlockingIOError), locked(tmp_path / ".lock"):
            pass
    with locked(tmp_path / "lock"):
        pass


def test_a_new_store_is_ignored_by_git(tmp_path: Path) -> None:
    """What the lock leaves beside its file does not make the folder somebody's own; nor is it a key."""
    store = DirectoryStore(tmp_path / "store")
    assert put(store, "runs/a.json", b"1", expected=UNCONDITIONAL)
    assert (tmp_path / "store" / ".gitignore").read_text("utf-8") == "*\n"
    assert list(store.keys("")) == ["runs/a.json"]
