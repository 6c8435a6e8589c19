"""A log in a folder: a file for each entry, created once under its number and never changed.

Readers and writers need no lock: a file gets its name (`link`, which fails if the name is taken) when its bytes are
durable. The folder has mode 0700, files 0600.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from stat import S_ISLNK, S_ISREG
from typing import Final

from planner.bounds import MAX_DOCUMENT_BYTES
from planner.errors import StoreError, UsageError
from planner.log.stores.chain import ChainedStore, NewSegment
from planner.log.stores.entries import Entry, entry_name, entry_numbers
from planner.log.stores.store import MAX_EVIDENCE_BYTES

_UNFINISHED: Final = ".unfinished-"
_UNFINISHED_SECONDS: Final = 86_400.0
"""Of a writer that was killed: none takes so long."""
_READING: Final = sum(getattr(os, flag, 0) for flag in ("O_RDONLY", "O_CLOEXEC", "O_NONBLOCK", "O_BINARY"))
"""Flags to open a file: do not wait for the writer of a pipe."""
_WITHOUT_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_ELSEWHERE: Final = "or choose another store"


class FolderStore(ChainedStore):
    """The log of this name (`log_name`) in `folder`. Reading creates nothing."""

    def __init__(self, folder: Path, name: str, writer: str) -> None:
        self._folder = folder
        self._place = folder.joinpath(*name.split("/"))
        super().__init__(f"the log in {self._place}", writer)

    # Entries and segments

    def _numbers(self, first: int) -> Sequence[int]:
        place = self._place / "entries"
        with self._mapped("read", place):
            # Entries are removed in ascending order: if one is there, those after it are, too.
            if first and self._entry(first).is_file():
                last = next(number for number in count(first) if not self._entry(number + 1).is_file())
                return range(first, last + 1)
            self._refuse_links(place)
            try:
                names = os.listdir(place)  # noqa: PTH208 - `Path.iterdir` makes an object for each
            except FileNotFoundError:
                return []
        return entry_numbers(names, first)

    def _load(self, numbers: Sequence[int]) -> Sequence[bytes | None]:
        return [self._read_file(self._entry(number), MAX_DOCUMENT_BYTES) for number in numbers]

    def _create(self, entry: Entry, segment: NewSegment | None) -> bool:
        if segment is not None:
            self._write(self._segment(segment.digest), segment.data, replace=True)
        path = self._entry(entry.header.number)
        return self._write(path, entry.data) or self._read_file(path, MAX_DOCUMENT_BYTES) == entry.data

    def _load_segment(self, digest: str) -> bytes | None:
        return self._read_file(self._segment(digest), MAX_DOCUMENT_BYTES)

    def _remove_before(self, number: int) -> None:
        place = self._place / "entries"
        with self._mapped("written", place):
            for old in self._numbers(1):
                if old < number:
                    self._entry(old).unlink(missing_ok=True)
            now = self._entry(number).stat().st_mtime  # by the clock of the file system
            for leftover in place.glob(f"{_UNFINISHED}*"):
                with suppress(FileNotFoundError):
                    if leftover.stat().st_mtime < now - _UNFINISHED_SECONDS:
                        leftover.unlink()
            _sync(place)

    def _withdraw(self, number: int) -> None:
        path = self._entry(number)
        with self._mapped("written", path):
            path.unlink(missing_ok=True)
            _sync(path.parent)

    # Documents

    def _put_document(self, digest: str, document: bytes) -> None:
        path = self._document(digest)
        if self._read_file(path, MAX_EVIDENCE_BYTES) != document:
            self._write(path, document, replace=True)

    def _get_document(self, digest: str) -> bytes | None:
        return self._read_file(self._document(digest), MAX_EVIDENCE_BYTES)

    def _delete_documents(self, digests: Sequence[str]) -> None:
        for digest in digests:
            path = self._document(digest)
            with self._mapped("written", path):
                self._refuse_links(path.parent)
                path.unlink(missing_ok=True)

    # Files

    def _entry(self, number: int) -> Path:
        return self._place / "entries" / entry_name(number)

    def _segment(self, digest: str) -> Path:
        return self._place / "segments" / digest

    def _document(self, digest: str) -> Path:
        return self._place / "evidence" / digest[:2] / digest

    def _read_file(self, path: Path, most_bytes: int) -> bytes | None:
        with self._mapped("read", path):
            self._refuse_links(path)
            try:
                descriptor = os.open(path, _READING)
            except FileNotFoundError:
                return None
            with os.fdopen(descriptor, "rb") as file:
                about = os.fstat(descriptor)
                if not S_ISREG(about.st_mode):
                    raise StoreError(f"{path} is not a file", f"Remove it, {_ELSEWHERE}.")
                if about.st_size > most_bytes:
                    raise StoreError(f"{path} is too large to be planner's", f"Remove it, {_ELSEWHERE}.")
                return file.read()

    def _write(self, path: Path, data: bytes, *, replace: bool = False) -> bool:
        """Write a file whose bytes are durable before its name is. False if there is one, unless it is to be
        replaced."""
        with self._mapped("written", path):
            self._make_folder(path.parent)
            descriptor, unfinished = tempfile.mkstemp(prefix=_UNFINISHED, dir=path.parent)
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
