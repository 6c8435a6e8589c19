"""Results in a local folder (default `.planner/`): private to its owner, ignored by git, crash-safe. And locks
between processes, which end with their process.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import Final

from planner.bounds import MAX_DOCUMENT_BYTES
from planner.errors import StoreError
from planner.stores.store import Change, segments

_LOCK: Final = ".lock"
_IGNORE: Final = ".gitignore"
_HALF_WRITTEN: Final = ".half-written-"

_READING: Final = sum(getattr(os, flag, 0) for flag in ("O_RDONLY", "O_CLOEXEC", "O_NONBLOCK", "O_BINARY"))
"""Flags to open a document: do not wait for the writer of a pipe."""
_ELSEWHERE: Final = "or choose another place with --store"


class DirectoryStore:
    """A `Store` of plain files. The first write creates the folder; reading creates nothing.

    The folder has mode 0700 and its own `.gitignore`; files have mode 0600. Writers in any number of processes and
    threads take turns with one lock file; readers need no lock.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._swept: set[Path] = set()

    def get(self, key: str) -> bytes | None:
        path = self._path(key)
        with self._mapped("read", path):
            try:
                self._refuse_links(path)
                descriptor = os.open(path, _READING)
            except FileNotFoundError:
                return None
            with os.fdopen(descriptor, "rb") as file:
                about = os.fstat(descriptor)
                if not S_ISREG(about.st_mode):
                    raise StoreError(f"{path} is not a file", f"Remove it, {_ELSEWHERE}")
                if about.st_size > MAX_DOCUMENT_BYTES:
                    raise StoreError(
                        f"{path} is too large: stored documents have at most {MAX_DOCUMENT_BYTES:,} bytes",
                        "Restore it from a backup, or delete it.",
                    )
                return file.read()

    def has(self, key: str) -> bool:
        path = self._path(key)
        with self._mapped("read", path):
            self._refuse_links(path)
            return path.is_file()

    def update(self, change: Change) -> None:
        with self._mapped("written", self._folder), self._locked():
            wanted = {self._path(key): data for key, data in change(self).items()}
            for path in wanted:
                self._refuse_links(path)
            unsynced: Path | None = None
            for path, data in wanted.items():
                if (
                    unsynced is not None and unsynced != path.parent
                ):  # later files must not become visible before earlier ones
                    _sync(unsynced)
                with self._mapped("written", path):
                    if data is not None:
                        self._make_folder(path.parent)
                        _replace(path, data)
                    elif path.exists():
                        path.unlink()
                    else:
                        continue
                unsynced = path.parent
            if unsynced is not None:
                _sync(unsynced)

    def keys(self, prefix: str) -> Iterator[str]:
        folder = prefix.rpartition("/")[0]
        start = self._folder.joinpath(*segments(folder)) if folder else self._folder
        with self._mapped("listed", start):
            found = sorted(_walk(start, f"{folder}/" if folder else ""))
        return (key for key in found if key.startswith(prefix))

    def erase(self, change: Change) -> None:
        self.update(change)

    def prepare(self, keys: Sequence[str]) -> None:
        """Does nothing: files need no preparation."""

    def refresh(self) -> None:
        """Every read is of what is there now."""

    def list_ahead(self, folders: Sequence[str]) -> None:
        """Does nothing: listing is fast."""

    def locate(self, key: str) -> str:
        return str(self._path(key))

    def make(self, *, ours: bool = False) -> None:
        """Create the folder, private and ignored by git. `ours`: its name says that it is planner's, so git ignores it
        even if it has other content (reports)."""
        with self._mapped("written", self._folder), self._locked():
            if ours and not os.path.lexists(self._folder / _IGNORE):
                _replace(self._folder / _IGNORE, b"*\n")

    def check_writable(self, namespace: str = "") -> None:
        """Check that the existing folders of the store and of a namespace are writable, before anybody pays for results
        that cannot be stored."""
        places = (self._folder, self._folder / namespace)
        folders = [folder for place in places for folder in (place, *place.glob("[!.]*/"))]
        for folder in dict.fromkeys(folders):
            with (
                self._mapped("written", folder),
                contextlib.suppress(FileNotFoundError),
                tempfile.TemporaryFile(dir=folder),
            ):
                pass

    def _path(self, key: str) -> Path:
        return self._folder.joinpath(*segments(key))

    @contextmanager
    def _mapped(self, done: str, path: Path) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"results cannot be {done} at {path}: {error.strerror or error}",
                f"Free some space, make {self._folder} a folder that this user can write, {_ELSEWHERE}",
            ) from error

    @contextmanager
    def _locked(self) -> Generator[None]:
        """Serialize writers. The lock ends with its process."""
        if not self._folder.is_dir():
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            _sync(self._folder.parent)
        path = self._folder / _LOCK
        lock = os.open(path, OPENING, 0o600)
        try:
            with locked_file(lock, path, wait=True):
                if all(is_lock(entry, _LOCK) for entry in self._folder.iterdir()):
                    # Only in an empty folder: `--store .` must not make git ignore a whole project.
                    _replace(self._folder / _IGNORE, b"*\n")
                yield
        finally:
            os.close(lock)

    def _make_folder(self, folder: Path) -> None:
        """Under the lock: create a key's folders, and once per folder remove partial files of killed writers."""
        inside = self._folder
        for name in folder.relative_to(self._folder).parts:
            inside = inside / name
            if not inside.is_dir():
                inside.mkdir(mode=0o700)
                _sync(inside.parent)
        if folder not in self._swept:
            for leftover in folder.glob(f"{_HALF_WRITTEN}*"):
                leftover.unlink(missing_ok=True)
            self._swept.add(folder)

    def _refuse_links(self, path: Path) -> None:
        """Refuse links inside the store, which could lead anywhere; the store never creates any."""
        inside = os.fspath(self._folder)
        for name in path.relative_to(self._folder).parts:
            inside = f"{inside}{os.sep}{name}"
            if os.path.islink(inside):  # noqa: PTH114 - `Path` takes four times as long, for every file of every call
                raise StoreError(
                    f"{inside} is a symbolic link, which is not allowed in a results store", f"Remove it, {_ELSEWHERE}"
                )


def _replace(path: Path, data: bytes) -> None:
    """Replace a file by one whose bytes are durable. The caller syncs the folder."""
    file, name = tempfile.mkstemp(prefix=_HALF_WRITTEN, dir=path.parent)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _walk(folder: Path, prefix: str) -> Iterator[str]:
    """The keys in a folder. It may have many thousands of files."""
    try:
        entries = [entry for entry in os.scandir(folder) if entry.name[0] != "."]
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_file(follow_symlinks=False):
            yield prefix + entry.name
        elif entry.is_dir(follow_symlinks=False):
            yield from _walk(folder / entry.name, f"{prefix}{entry.name}/")


def _sync(path: Path) -> None:
    """Sync a folder's entries, which Windows does not support."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
