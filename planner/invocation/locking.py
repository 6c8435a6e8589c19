"""One invocation at a time per store: two at once would both pay for the same calls.

The lock is the operating system's, so that it ends with its holder, however that ends; nobody has to remove anything.
Its file tells who holds it. A name that is still there when the lock is free is of one that was killed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress

from planner.errors import StoreError
from planner.invocation.shell import Shell
from planner.invocation.stores import Place
from planner.reports.phrasing import moment
from planner.results.directory import DirectoryStore
from planner.results.file_lock import OPENING, locked_file, locked_folder

_BUSY = (errno.EAGAIN, errno.EACCES)
_LOCK = "lock"
_LONGEST_NAME = 500
_WAIT = "Wait for it to end: its lock ends with it, however it ends. To run beside it, choose another --store."


@contextmanager
def locked(shell: Shell, place: Place, command: str) -> Generator[None]:
    """For as long as the body takes. `command` is what was typed.

    Raises:
        StoreError: another invocation holds the store (it says which), or its folder cannot be written or locked.
    """
    path = place.directory / _LOCK
    try:
        place.make()
        DirectoryStore(place.directory).check_writable()
        file = os.open(path, OPENING, 0o600)
    except OSError as error:
        raise StoreError(
            f"the store {place.directory} cannot be written: {error.strerror}",
            "Mend its permissions, or choose another --store.",
        ) from error
    try:
        with _held(file, place):
            if killed := _name(file):
                shell.tell(f"the last session here did not end by itself: {killed}; its lock ended with it")
            _set_name(file, f"{shell.process} since {moment(shell.clock.now())}: {command}")
            try:
                yield
            finally:
                _set_name(file, "")
    finally:
        os.close(file)


def holder(place: Place) -> str:
    """Who holds the store, or held it when it was killed; empty where nobody does. Only looks: to try the lock would be in the way
    of an invocation that begins at this moment."""
    try:
        return (place.directory / _LOCK).read_text(encoding="utf-8", errors="replace")[:_LONGEST_NAME].strip()
    except OSError:
        return ""


@contextmanager
def _held(file: int, place: Place) -> Generator[None]:
    """The lock's file may be removed while it is locked, by somebody who takes it for a leftover: the folder is locked too."""
    with ExitStack() as locks:
        try:
            locks.enter_context(locked_file(file, place.directory / _LOCK, wait=False))
        except OSError as error:
            if error.errno in _BUSY:
                raise StoreError(
                    f"the store {place.directory} is in use by {_name(file) or 'another process'}", _WAIT
                ) from error
            raise StoreError(
                f"the store {place.directory} cannot be locked: {error.strerror}",
                "Choose a --store on a disk of this machine: without a lock two sessions could pay for the same calls.",
            ) from error
        try:
            locks.enter_context(locked_folder(place.directory))
        except OSError as error:
            raise StoreError(
                f"the store {place.directory} is in use by a session whose lock file was removed", _WAIT
            ) from error
        yield


def _name(file: int) -> str:
    os.lseek(file, 0, os.SEEK_SET)
    return os.read(file, _LONGEST_NAME).decode(errors="replace").strip()


def _set_name(file: int, name: str) -> None:
    """For people only: a full disk does not matter."""
    with suppress(OSError):
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, name.encode(errors="replace")[:_LONGEST_NAME])
