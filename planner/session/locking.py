"""Allows one session per store: two would pay for the same calls.

The operating system releases the lock when its process ends in any way. The lock file names the holder; a name in an
unlocked file is that of a killed session.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress

from planner.errors import StoreError
from planner.reports.quantities import moment
from planner.results.directory import DirectoryStore
from planner.results.file_lock import OPENING, locked_file, locked_folder
from planner.session.shell import Shell
from planner.session.stores import Place

_BUSY = (errno.EAGAIN, errno.EACCES)
_LOCK = "lock"
_LONGEST_NAME = 500
_WAIT = "Wait until it ends; its lock ends with it. To run at the same time, choose another --store."


@contextmanager
def locked(shell: Shell, place: Place, command: str) -> Generator[None]:
    """Hold the lock while the body runs. `command` is what was typed.

    Raises:
        StoreError: another session holds the lock (named in the message), or the folder cannot be written or locked.
    """
    path = place.directory / _LOCK
    try:
        place.make()
        DirectoryStore(place.directory).check_writable()
        file = os.open(path, OPENING, 0o600)
    except OSError as error:
        raise StoreError(
            f"the store {place.directory} cannot be written: {error.strerror}",
            "Fix its permissions, or choose another --store.",
        ) from error
    try:
        with _locked(file, place):
            if killed := _name(file):
                shell.log(f"the last session in this store was killed: {killed}")
            _set_name(file, f"{shell.process} since {moment(shell.clock.now())}: {command}")
            try:
                yield
            finally:
                _set_name(file, "")
    finally:
        os.close(file)


def lock_holder(place: Place) -> str:
    """The holder's name, also of a killed one; "" if there is none. Does not try to lock, which could block a starting
    session."""
    try:
        return (place.directory / _LOCK).read_text(encoding="utf-8", errors="replace")[:_LONGEST_NAME].strip()
    except OSError:
        return ""


@contextmanager
def _locked(file: int, place: Place) -> Generator[None]:
    """Lock the file and the folder, since somebody may delete the file as a leftover."""
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
                "Choose a --store on a local disk: without a lock, two sessions could pay for the same calls.",
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
    """Informational only, so a full disk does not matter."""
    with suppress(OSError):
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, name.encode(errors="replace")[:_LONGEST_NAME])
