"""One invocation at a time per store: two at once would both pay for the same calls.

The lock is the operating system's (`flock`), so that it ends with its holder, however that ends; nobody has to remove anything.
Its file tells who holds it. A name that is still there when the lock is free is of one that was killed.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress

from planner.errors import StoreError
from planner.invocation.shell import Shell
from planner.invocation.stores import Place
from planner.reports.phrasing import moment
from planner.results.directory import DirectoryStore

_BUSY = (errno.EAGAIN, errno.EACCES)
_LONGEST_NAME = 500


@contextmanager
def locked(shell: Shell, place: Place, command: str) -> Generator[None]:
    """For as long as the body takes. `command` is what was typed.

    Raises:
        StoreError: another invocation holds the store (it says which), or its folder cannot be written or locked.
    """
    path = place.directory / "lock"
    try:
        place.make()
        DirectoryStore(place.directory).check_writable()
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(
            f"the store {place.directory} cannot be written: {error.strerror}",
            "Mend its permissions, or choose another --store.",
        ) from error
    whole = os.open(place.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _take(file, place)
        _take_folder(whole, place)
        if killed := _name(file):
            shell.tell(f"the last invocation here did not end by itself: {killed}; its lock ended with it")
        _set_name(file, f"{shell.process} since {moment(shell.clock.now())}: {command}")
        try:
            yield
        finally:
            _set_name(file, "")
    finally:
        os.close(whole)
        os.close(file)


def holder(place: Place) -> str:
    """Who holds the store, or held it when it was killed; empty where nobody does. Only looks: to try the lock would be in the way
    of an invocation that begins at this moment."""
    try:
        return (place.directory / "lock").read_text(encoding="utf-8", errors="replace")[:_LONGEST_NAME].strip()
    except OSError:
        return ""


def _take(file: int, place: Place) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            raise StoreError(
                f"the store {place.directory} is in use by {_name(file) or 'another process'}",
                "Wait for it to end: its lock ends with it, however it ends. To run beside it, choose another --store.",
            ) from error
        raise StoreError(
            f"the store {place.directory} cannot be locked: {error.strerror}",
            "Choose a --store on a disk of this machine: without a lock two invocations could pay for the same calls.",
        ) from error


def _take_folder(folder: int, place: Place) -> None:
    """The lock's file may be removed while it is held, by somebody who takes it for a leftover: the folder is locked too."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            raise StoreError(
                f"the store {place.directory} is in use by an invocation whose lock file was removed",
                "Wait for it to end: its lock ends with it, however it ends. To run beside it, choose another --store.",
            ) from error
        # A disk that does not lock folders (NFS does not): the file's lock holds.


def _name(file: int) -> str:
    return os.pread(file, _LONGEST_NAME, 0).decode(errors="replace").strip()


def _set_name(file: int, name: str) -> None:
    """For people only: a full disk does not matter."""
    with suppress(OSError):
        os.ftruncate(file, 0)
        os.pwrite(file, name.encode(errors="replace")[:_LONGEST_NAME], 0)
