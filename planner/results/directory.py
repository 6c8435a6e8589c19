"""Results in a local folder (default `.planner/`): private to its owner, ignored by git, crash-safe."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from planner.bounds import MAX_DOCUMENT_BYTES
from planner.errors import StoreError
from planner.results.file_lock import OPENING, is_lock, locked_file
from planner.results.store import UNCONDITIONAL, Change, Expected, segments

_LOCK: Final = ".lock"
_IGNORE: Final = ".gitignore"
_HALF_WRITTEN: Final = ".half-written-"

_ELSEWHERE: Final = "or choose another place with --store"
_HINTS: Final = {
    errno.ENOSPC: "the disk is full: free some space and run the same command again",
    errno.EDQUOT: "the disk quota is used up: free some space and run the same command again",
    errno.EROFS: "it is on a read-only file system: choose another place with --store",
    errno.EACCES: f"make the folder readable and writable for this user, {_ELSEWHERE}",
    errno.EPERM: f"make the folder readable and writable for this user, {_ELSEWHERE}",
    errno.ENOTDIR: f"something that is not a folder is in the way: move it, {_ELSEWHERE}",
    errno.EISDIR: f"a folder is in the way: move it, {_ELSEWHERE}",
    errno.EEXIST: f"something that is not a folder is in the way: move it, {_ELSEWHERE}",
    errno.ENAMETOOLONG: "a name is too long for this file system: shorten the plan's or the environment's name",
}


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
                if path.stat().st_size > MAX_DOCUMENT_BYTES:
                    raise StoreError(
                        f"{path} is too large: stored documents have at most {MAX_DOCUMENT_BYTES:,} bytes",
                        "Restore it from a backup, or delete it.",
                    )
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def has(self, key: str) -> bool:
        path = self._path(key)
        with self._mapped("read", path):
            self._refuse_links(path)
            return path.is_file()

    def put(self, key: str, data: bytes, *, expected: Expected) -> bool:
        path = self._path(key)
        with self._mapped("written", path), self._locked():
            self._refuse_links(path)
            self._make_folder(path.parent)
            if expected is not UNCONDITIONAL:
                try:
                    current = path.read_bytes()
                except FileNotFoundError:
                    current = None
                if current != expected:
                    return False
            _replace(path, data)
        return True

    def update(self, change: Change) -> None:
        with self._mapped("written", self._folder), self._locked():
            wanted = {self._path(key): data for key, data in change(self).items()}
            for path, data in wanted.items():
                self._refuse_links(path)
                if data is not None:
                    self._make_folder(path.parent)
            with _half_written({path: data for path, data in wanted.items() if data is not None}) as written:
                unsynced: Path | None = None
                for path in wanted:
                    if (
                        unsynced is not None and unsynced != path.parent
                    ):  # later files must not become visible before earlier ones
                        _sync(unsynced)
                    if path in written:
                        written[path].replace(path)
                    elif not path.exists():
                        continue
                    else:
                        path.unlink()
                    unsynced = path.parent
                if unsynced is not None:
                    _sync(unsynced)

    def keys(self, prefix: str) -> Iterator[str]:
        folder_names = prefix.split("/")[:-1]
        start = self._folder.joinpath(*segments("/".join(folder_names))) if folder_names else self._folder
        with self._mapped("listed", start):
            found = sorted(self._walk(start, "".join(f"{name}/" for name in folder_names)))
        return (key for key in found if key.startswith(prefix))

    def locate(self, key: str) -> str:
        return str(self._path(key))

    def make(self, *, ours: bool = False) -> None:
        """Create the folder, private and ignored by git. `ours`: its name says that it is planner's, so git ignores it
        even if it has other content (reports, a saved plan)."""
        with self._mapped("written", self._folder), self._locked():
            if ours and not os.path.lexists(self._folder / _IGNORE):
                _replace(self._folder / _IGNORE, b"*\n")

    def check_writable(self) -> None:
        """Check that existing folders are writable, before anybody pays for results that cannot be stored."""
        for folder in (self._folder, *(self._folder / name for name in ("evidence", "runs", "latest"))):
            with (
                self._mapped("written", folder),
                contextlib.suppress(FileNotFoundError),
                tempfile.TemporaryFile(dir=folder),
            ):
                pass

    def _path(self, key: str) -> Path:
        return self._folder.joinpath(*segments(key))

    def _walk(self, folder: Path, prefix: str) -> Iterator[str]:
        try:
            entries = list(os.scandir(folder))
        except FileNotFoundError:
            return
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(folder / entry.name, f"{prefix}{entry.name}/")
            elif entry.is_file(follow_symlinks=False):
                yield prefix + entry.name

    @contextmanager
    def _mapped(self, done: str, path: Path) -> Generator[None]:
        try:
            yield
        except OSError as error:
            hint = _HINTS.get(error.errno or 0, f"look at {self._folder}, {_ELSEWHERE}")
            raise StoreError(f"results cannot be {done} at {path}: {error.strerror or error}", hint) from error

    @contextmanager
    def _locked(self) -> Generator[None]:
        """Serialize writers. The lock ends with its process."""
        self._make_root()
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

    def _make_root(self) -> None:
        if not self._folder.is_dir():
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            _sync(self._folder.parent)

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
                    f"{inside} is a symbolic link, which is not allowed in a results store", f"remove it, {_ELSEWHERE}"
                )


def _replace(path: Path, data: bytes) -> None:
    """Replace a file durably: first the bytes, then the name, then the folder's entry."""
    with _half_written({path: data}) as written:
        written[path].replace(path)
    _sync(path.parent)


@contextmanager
def _half_written(contents: Mapping[Path, bytes]) -> Generator[Mapping[Path, Path]]:
    """Write temporary files durably next to their targets. All are written before the first sync, which halves the
    time. Files not moved by the end are removed."""
    halves: dict[Path, Path] = {}
    try:
        for path, data in contents.items():
            file, name = tempfile.mkstemp(prefix=_HALF_WRITTEN, dir=path.parent)
            halves[path] = Path(name)
            with os.fdopen(file, "wb") as stream:
                stream.write(data)
        for half in halves.values():
            _sync(half)
        yield halves
    except BaseException:
        for half in halves.values():
            half.unlink(missing_ok=True)
        raise


def _sync(path: Path) -> None:
    """Sync a file or a folder's entries. Windows supports neither for folders nor for read-only files."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
