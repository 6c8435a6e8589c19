"""A lock between processes on every platform; it ends with its process."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_LONGEST_WAIT_SECONDS: Final = 3600.0
OPENING: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
"""Flags to open a lock file."""


@contextmanager
def locked_file(descriptor: int, path: Path, *, wait: bool) -> Generator[None]:
    """Lock `path`, which is open as `descriptor`. Without `flock`, SQLite locks a file next to it.

    Raises:
        OSError: it cannot be locked. BlockingIOError: another process holds the lock, and `wait` is false.
    """
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield  # closing the descriptor releases the lock
        return
    import sqlite3

    timeout = _LONGEST_WAIT_SECONDS if wait else 0
    with closing(sqlite3.connect(_beside(path), timeout=timeout, isolation_level=None)) as db:
        try:
            db.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
            raise (BlockingIOError(errno.EAGAIN, str(error)) if busy else OSError(errno.EIO, str(error))) from error
        yield


@contextmanager
def locked_folder(folder: Path) -> Generator[None]:
    """Lock a folder, in case its lock file is deleted. Does nothing if folders cannot be locked. Raises `OSError`."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):  # others: NFS does not lock folders
                raise
        yield
    finally:
        os.close(descriptor)


def is_lock(path: Path, lock: str) -> bool:
    """Whether `path` is the lock file of that name, or SQLite's file next to it."""
    return path.name == lock or path.name.startswith(_beside(path.with_name(lock)).name)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.sqlite")
