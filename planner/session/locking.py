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
from planner.quantities import moment
from planner.results.directory import OPENING, DirectoryStore, locked_file, locked_folder
from planner.session.shell import Shell
from planner.session.stores import Place

_BUSY = (errno.EAGAIN, errno.EACCES)
_LOCK = "lock"
_LONGEST_NAME = 500


@contextmanager
def locked(shell: Shell, place: Place, command: str) -> Generator[None]:
    """Hold the lock while the body runs. `command` is what was typed. Raises `StoreError` if another session holds the
    lock (named in the message), or the folder cannot be written or locked."""
    path = place.directory / _LOCK
    with ExitStack() as stack:
        try:
            place.make()
            DirectoryStore(place.directory).check_writable()
            file = os.open(path, OPENING, 0o600)
        except OSError as error:
            raise StoreError(
                f"the store {place.directory} cannot be written: {error.strerror}",
                "Fix its permissions, or choose another --store.",
            ) from error
        stack.callback(os.close, file)
        try:
            stack.enter_context(locked_file(file, path, wait=False))
            stack.enter_context(locked_folder(place.directory))  # somebody may delete the file as a leftover
        except OSError as error:
            if error.errno in _BUSY:
                raise StoreError(
                    f"the store {place.directory} is in use by {_name(file) or 'another process'}",
                    "Wait until it ends; its lock ends with it. To run at the same time, choose another --store.",
                ) from error
            raise StoreError(
                f"the store {place.directory} cannot be locked: {error.strerror}",
                "Choose a --store on a local disk: without a lock, two sessions could pay for the same calls.",
            ) from error
        if killed := _name(file):
            shell.log(f"the last session in this store was killed: {killed}")
        _set_name(file, f"{shell.process} since {moment(shell.clock.now())}: {command}")
        stack.callback(_set_name, file, "")
        yield


def lock_holder(place: Place) -> str:
    """The holder's name, also of a killed one; "" if there is none. Does not try to lock, which could block a starting
    session."""
    try:
        return (place.directory / _LOCK).read_text(encoding="utf-8", errors="replace")[:_LONGEST_NAME].strip()
    except OSError:
        return ""


def _name(file: int) -> str:
    os.lseek(file, 0, os.SEEK_SET)
    return os.read(file, _LONGEST_NAME).decode(errors="replace").strip()


def _set_name(file: int, name: str) -> None:
    """Informational only, so a full disk does not matter."""
    with suppress(OSError):
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, name.encode(errors="replace")[:_LONGEST_NAME])
