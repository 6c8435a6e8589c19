"""A log in a folder: a file for each entry, created once under its number and never changed.

Readers and writers need no lock: a file gets its name (`link`, which fails if the name is taken) when its bytes are
durable. The folder has mode 0700, files 0600.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from stat import S_ISLNK, S_ISREG
from typing import Final

from planner.errors import StoreError, UsageError
from planner.log.stores.objects import ENTRIES, ObjectsStore, entry_name, entry_numbers

_UNFINISHED: Final = "unfinished"
"""The folder of files that have no name yet."""
_UNFINISHED_SECONDS: Final = 86_400.0
"""Of a writer that was killed: none takes so long."""
_READING: Final = sum(getattr(os, flag, 0) for flag in ("O_RDONLY", "O_CLOEXEC", "O_NONBLOCK", "O_BINARY"))
"""Flags to open a file: do not wait for the writer of a pipe."""
_WITHOUT_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_ELSEWHERE: Final = "or choose another store"


class FolderStore(ObjectsStore):
    """The log of this name (`log_name`) in `folder`. Reading creates nothing."""

    def __init__(self, folder: Path, name: str, writer: str) -> None:
        self._folder = folder
        self._place = folder.joinpath(*name.split("/"))
        super().__init__(f"the log in {self._place}", writer)

    def _numbers(self, first: int) -> Sequence[int]:
        place = self._place / ENTRIES
        with self._mapped("read", place):
            # Since entries are removed in ascending order, those after one that is there are there, too.
            if first and self._is_file(first):
                last = next(number for number in count(first) if not self._is_file(number + 1))
                return range(first, last + 1)
            self._refuse_links(place)
            try:
                names = os.listdir(place)  # noqa: PTH208 - `Path.iterdir` makes an object for each
            except FileNotFoundError:
                return []
        return entry_numbers(names, first)

    def _is_file(self, number: int) -> bool:
        return (self._place / entry_name(number)).is_file()

    def _get(self, name: str, most_bytes: int) -> bytes | None:
        path = self._place / name
        with self._mapped("read", path):
            self._refuse_links(path)
            try:
                descriptor = os.open(path, _READING)
            except FileNotFoundError:
                return None
            with os.fdopen(descriptor, "rb") as file:
                about = os.fstat(descriptor)
                if not S_ISREG(about.st_mode) or about.st_size > most_bytes:
                    raise StoreError(f"{path} is not a file, or too large to be planner's", f"Remove it, {_ELSEWHERE}.")
                return file.read()

    def _create_object(self, name: str, data: bytes) -> bool:
        return self._write(self._place / name, data, replace=False)

    def _put(self, name: str, data: bytes) -> None:
        self._write(self._place / name, data, replace=True)

    def _delete(self, names: Sequence[str]) -> None:
        paths = [self._place / name for name in names]
        for path in paths:
            with self._mapped("written", path):
                self._refuse_links(path.parent)
                path.unlink(missing_ok=True)
        with self._mapped("written", self._place):
            changed = {path.parent for path in paths if path.parent.exists()}
            for folder in changed:
                _sync(folder)
            self._sweep(max((folder.stat().st_mtime for folder in changed), default=0.0))

    def _delete_all(self) -> None:
        with self._mapped("written", self._place):
            self._refuse_links(self._place)
            if self._place.exists():
                shutil.rmtree(self._place)
                _sync(self._place.parent)

    def _sweep(self, now: float) -> None:
        """Delete what writers left that were killed. `now` is the time of the file system."""
        for path in (self._place / _UNFINISHED).glob("*"):
            with suppress(FileNotFoundError):
                if now - path.stat().st_mtime > _UNFINISHED_SECONDS:
                    path.unlink()

    def _write(self, path: Path, data: bytes, *, replace: bool) -> bool:
        """Write a file whose bytes are durable before its name is. False if there is one, unless it is to be
        replaced."""
        with self._mapped("written", path):
            self._make_folder(path.parent)
            self._make_folder(self._place / _UNFINISHED)
            descriptor, unfinished = tempfile.mkstemp(dir=self._place / _UNFINISHED)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(descriptor)
                if replace:
                    Path(unfinished).replace(path)
                else:
                    _name_once(unfinished, path)
            except FileExistsError:
                return False
            finally:
                Path(unfinished).unlink(missing_ok=True)
            _sync(path.parent)
        return True

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            self._refuse_links(folder)
            return
        is_new = not self._folder.exists()
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        inside = self._folder.parent
        for name in (self._folder.name, *folder.relative_to(self._folder).parts):
            inside = inside / name
            if not inside.is_dir():
                inside.mkdir(mode=0o700, exist_ok=True)
                _sync(inside.parent)
        self._refuse_links(folder)
        if is_new:  # never in a folder that has other files: git would ignore them
            (self._folder / ".gitignore").write_bytes(b"*\n")

    def _refuse_links(self, path: Path) -> None:
        """Refuse links inside the store, which could lead anywhere; the store never creates any."""
        inside = os.fspath(self._folder)
        for name in path.relative_to(self._folder).parts:
            inside = f"{inside}{os.sep}{name}"
            try:
                mode = os.lstat(inside).st_mode
            except FileNotFoundError:
                return
            if S_ISLNK(mode):
                raise StoreError(f"{inside} is a symbolic link, which a store never has", f"Remove it, {_ELSEWHERE}.")

    @contextmanager
    def _mapped(self, done: str, path: Path) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"the log cannot be {done} at {path}: {error.strerror or error}",
                f"Free some space, make {self._folder} a folder that this user can write, {_ELSEWHERE}.",
            ) from error


def _name_once(unfinished: str, path: Path) -> None:
    """Give the file its name. Raises `FileExistsError` if the name is taken, also where a file is renamed instead."""
    if os.name == "nt":
        os.rename(unfinished, path)  # noqa: PTH104 - never replaces a file on Windows; `Path.rename` is the same
        return
    try:
        os.link(unfinished, path)
    except OSError as error:
        if error.errno in _WITHOUT_LINKS:
            raise UsageError(
                f"the file system of {path.parent} cannot create a file only if there is none (hard links)",
                "Choose a store on another file system: two machines could pay for the same calls.",
            ) from error
        raise


def _sync(folder: Path) -> None:
    """Make the names in a folder durable, which Windows does not support."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
