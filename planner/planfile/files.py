"""Which files are plans, and which files a plan may read."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PureWindowsPath
from stat import S_ISLNK, S_ISREG

from planner.errors import UsageError
from planner.planfile.text import nearest, shorten

PROJECT_FILE = "planner.yaml"
_PLAN_SUFFIXES = (".yaml", ".yml")
_KEPT_FOLDERS = frozenset({".git", ".planner"})
"""They may hold credentials and what was said on calls."""
_OPENING = sum(getattr(os, flag, 0) for flag in ("O_RDONLY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
"""Follows no link that was put there since links were resolved, and does not wait for the other end of a pipe."""
_FOLLOWS_NONE = hasattr(os, "O_NOFOLLOW")


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that has `.git` or `planner.yaml`, else `start`; resolved."""
    start = start.resolve()
    return next((folder for folder in (start, *start.parents) if is_project_root(folder)), start)


def is_project_root(folder: Path) -> bool:
    """Whether it has what makes a folder the root of all below it."""
    return (folder / ".git").exists() or (folder / PROJECT_FILE).is_file()


def plan_files(paths: Sequence[Path]) -> list[Path]:
    """Plan files in order: files as given, folders as the YAML files inside them, hidden ones and `planner.yaml` left out.

    Raises `UsageError` for a path that does not exist and for a folder with no plans.
    """
    found: dict[str, Path] = {}
    folders: dict[str, str] = {}
    """Resolved: there are many files, and few folders."""
    for path in paths:
        mode = _mode(path)
        try:
            if S_ISREG(mode):
                inside = [path]
            else:
                inside = sorted(_inside(path)) if path.is_dir() else [path] if path.exists() else None
        except OSError as error:
            raise UsageError(f"{shorten(path.as_posix())} cannot be read: {error.strerror}") from error
        if inside is None:
            raise UsageError(
                f"{path.as_posix()} does not exist",
                "name plan files, or folders with plan files; planner init writes a first one",
            )
        if not inside:
            raise UsageError(f"no plans in {path.as_posix()}", "a plan is a .yaml file; README.md explains a first one")
        for file in inside:
            folder, name = os.path.split(file)
            if folder not in folders:
                folders[folder] = os.path.realpath(folder)
            is_link = S_ISLNK(mode if file is path else _mode(file))
            real = os.path.realpath(file) if is_link else os.path.join(folders[folder], name)  # noqa: PTH118 - many
            found.setdefault(real, file)
    return list(found.values())


def _mode(path: Path) -> int:
    """What kind of thing has this name, be it a link; 0 where there is none."""
    try:
        return os.lstat(path).st_mode
    except (OSError, ValueError):
        return 0


def _inside(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(_PLAN_SUFFIXES) and not name.startswith(".") and name != PROJECT_FILE:
                yield Path(parent, name)


def _refuse(error: OSError) -> None:
    """A folder that cannot be read may hold plans: leaving it out would be silent."""
    where = shorten(Path(error.filename or "").as_posix())
    raise UsageError(f"{where} cannot be read: {error.strerror}") from error


def display_name(path: Path, cwd: Path) -> str:
    """The name diagnostics and reports use: relative to the working directory, with `/`.

    Bytes of a name that are not UTF-8 are written as escapes: no document can hold them as they are.
    """
    folder, name = os.path.split(path)
    name = _display_folder(folder, cwd) + name if name not in {"", ".", ".."} else _relative(path, cwd)
    return name if name.isascii() else os.fsencode(name).decode(errors="backslashreplace")


@lru_cache(maxsize=1_000)
def _display_folder(folder: str, cwd: Path) -> str:
    """What the names of its files begin with."""
    name = _relative(Path(folder), cwd)
    return "" if name == "." else name.removesuffix("/") + "/"


def _relative(path: Path, cwd: Path) -> str:
    try:
        return Path(os.path.relpath(path, cwd)).as_posix()
    except ValueError:  # pragma: no cover - another drive, on Windows
        return path.as_posix()


class FileFault(Exception):  # noqa: N818 - becomes a diagnostic where the path is written
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Neighbours:
    """Plan files and the files beside them (prompts, axis values, libraries). They stay inside the repository."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd
        self._roots: dict[Path, Path] = {}
        self._folders: dict[str, str] = {}
        """Folders with plans, links resolved; what is in them may be read."""
        self._contents: dict[Path, bytes] = {}

    def plan(self, path: Path, shown: str, max_bytes: int) -> bytes:
        """What `read_authored` gives, with what is the same for all files of a folder found out once. Raises `FileFault`."""
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = f"{_contained(Path(folder), self._root_by_name(Path(folder)))}{os.sep}"
        resolved = self._folders[folder] + name
        if name != ".." and (_FOLLOWS_NONE or not os.path.islink(resolved)):  # noqa: PTH114 - many
            try:
                return _content(resolved, shown, max_bytes)
            except OSError as error:
                if not os.path.islink(resolved):  # noqa: PTH114 - says False where pathlib raises
                    raise _unreadable(Path(resolved), shown, error) from error
        return _read(_contained(path, self._root(path.parent)), shown, max_bytes)

    def _root(self, folder: Path) -> Path:
        if folder not in self._roots:
            self._roots[folder] = find_root(folder)
        return self._roots[folder]

    def _root_by_name(self, folder: Path) -> Path:
        """The root of a folder with plans. What is in the repository of the working directory by its name must be there in fact:
        a link is part of the tree, and would lead its reader anywhere."""
        here = self._root(self.cwd)
        return here if Path(os.path.abspath(folder)).is_relative_to(here) else self._root(folder)  # noqa: PTH100 - no links

    def read(self, plan: Path, path: str, max_bytes: int) -> tuple[Path, bytes]:
        """The file that `plan` calls `path`, and its content. Raises `FileFault`."""
        shown, resolved = self.find(plan, path)
        if resolved not in self._contents:
            self._contents[resolved] = _read(resolved, display_name(shown, self.cwd), max_bytes)
        return shown, self._contents[resolved]

    def find(self, plan: Path, path: str) -> tuple[Path, Path]:
        """The file that `plan` calls `path`, beside it and with links resolved. Raises `FileFault` where it may not be read."""
        if "\0" in path or "://" in path or path.startswith(("/", "\\", "~")) or PureWindowsPath(path).drive:
            raise FileFault("file-outside", "write a path relative to this file, inside the repository")
        folder = plan.parent
        return folder / path, _contained(folder / path, self._root(folder))


def read_authored(path: Path, shown: str, max_bytes: int) -> bytes:
    """A plan file or project config, which may come from a stranger's pull request: never by a link out of the repository.

    Raises `FileFault`.
    """
    return _read(_contained(path, find_root(path.parent)), shown, max_bytes)


def _contained(path: Path, root: Path) -> Path:
    """`path` with links resolved. Raises `FileFault` where that is outside of `root`, or among what git and planner keep there."""
    resolved = Path(os.path.realpath(path))
    if not resolved.is_relative_to(root):
        raise FileFault("file-outside", "this leads out of the repository; files that a plan names stay inside it")
    kept = _KEPT_FOLDERS.intersection(map(_folded, resolved.relative_to(root).parts))
    if kept:
        raise FileFault("file-outside", f"what is in {min(kept)} is no part of the repository's files")
    return resolved


def _folded(name: str) -> str:
    """A name as the file systems that are least particular about case, endings and streams take it."""
    return name.partition(":")[0].rstrip(" .").casefold()


def _read(resolved: Path | str, shown: str, max_bytes: int) -> bytes:
    """Not more than `max_bytes`, whatever the file becomes meanwhile."""
    try:
        return _content(resolved, shown, max_bytes)
    except OSError as error:
        raise _unreadable(Path(resolved), shown, error) from error


def _content(resolved: Path | str, shown: str, max_bytes: int) -> bytes:
    """Without a file object, which asks for much that nobody needs to know. Raises `OSError` where it cannot be read."""
    descriptor = os.open(resolved, _OPENING)
    try:
        status = os.fstat(descriptor)
        if not S_ISREG(status.st_mode):
            raise FileFault("file-missing", f"{shown} is not a file")
        content = os.read(descriptor, min(status.st_size, max_bytes) + 1)
        # It may come in parts, grow, or not know its size.
        while len(content) != status.st_size and (more := os.read(descriptor, max(0, max_bytes + 1 - len(content)))):
            content += more
    finally:
        os.close(descriptor)
    if len(content) > max_bytes:
        told = (
            f"{max_bytes // 1024:,} KiB" if max_bytes >= 1024 else f"{max_bytes} bytes"
        )  # one more or less is not told
        raise FileFault("file-too-large", f"{shown} has more than {told}; split or shorten it")
    return content


def _near(path: Path, shown: str) -> str:
    """A file that may be meant: in the same folder, with nearly the same name."""
    try:
        names = os.listdir(path.parent)  # noqa: PTH208 - names are all that is needed
    except OSError:
        return ""
    other = {".yaml": ".yml", ".yml": ".yaml"}.get(path.suffix, "")
    meant = f"{path.stem}{other}" if other else ""
    if meant not in names:
        meant = nearest(path.name, [name for name in names if name.endswith(path.suffix)])
    return f"; did you mean {shown.removesuffix(path.name)}{meant}?" if meant is not None else ""


def _unreadable(path: Path, shown: str, error: OSError) -> FileFault:
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return FileFault("file-missing", f"there is no file {shown}{_near(path, shown)}")
    if error.errno in {errno.ENXIO, errno.EISDIR} or os.path.isdir(path):  # noqa: PTH112 - says False where pathlib raises
        return FileFault("file-missing", f"{shown} is not a file")
    return FileFault("file-unreadable", f"this file cannot be read: {error.strerror}")
