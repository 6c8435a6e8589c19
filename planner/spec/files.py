"""Which files are plans, and which files a plan may read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from planner.errors import UsageError
from planner.spec.wording import shorten

PROJECT_FILE = "planner.yaml"
_PLAN_SUFFIXES = (".yaml", ".yml")
_KEPT_FOLDERS = frozenset({".git", ".planner"})
"""They may hold credentials and what was said on calls."""


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that has `.git` or `planner.yaml`, else `start`; resolved."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / ".git").exists() or (folder / PROJECT_FILE).is_file():
            return folder
    return start


def plan_files(paths: Sequence[Path]) -> list[Path]:
    """Plan files in order: files as given, folders as the YAML files inside them, hidden ones and `planner.yaml` left out.

    Raises `UsageError` for a path that does not exist and for a folder with no plans.
    """
    found: dict[str, Path] = {}
    for path in paths:
        try:
            inside = sorted(_inside(path)) if path.is_dir() else [path] if path.exists() else None
        except OSError as error:
            raise UsageError(f"{shorten(path.as_posix())} cannot be read: {error.strerror}") from error
        if inside is None:
            raise UsageError(f"{path.as_posix()} does not exist", "name plan files, or folders with plan files")
        if not inside:
            raise UsageError(f"no plans in {path.as_posix()}", "a plan is a .yaml file; README.md explains a first one")
        for file in inside:
            found.setdefault(os.path.realpath(file), file)
    return list(found.values())


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
    try:
        name = Path(os.path.relpath(path, cwd)).as_posix()
    except ValueError:  # pragma: no cover - another drive, on Windows
        name = path.as_posix()
    return name if name.isascii() else os.fsencode(name).decode(errors="backslashreplace")


class FileFault(Exception):  # noqa: N818 - becomes a diagnostic where the path is written
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Neighbours:
    """Files beside a plan (prompts, axis values), read once each. They stay inside the repository."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd
        self._roots: dict[Path, Path] = {}
        self._contents: dict[Path, bytes] = {}

    def read(self, plan: Path, path: str, max_bytes: int) -> tuple[Path, bytes]:
        """The file that `plan` calls `path`, and its content. Raises `FileFault`."""
        shown, resolved = self.find(plan, path)
        if resolved not in self._contents:
            self._contents[resolved] = _read(resolved, display_name(shown, self.cwd), max_bytes)
        return shown, self._contents[resolved]

    def find(self, plan: Path, path: str) -> tuple[Path, Path]:
        """The file that `plan` calls `path`, beside it and with links resolved. Raises `FileFault` where it may not be read."""
        if "\0" in path or Path(path).is_absolute() or path.startswith("~"):
            raise FileFault("file-outside", "write a path relative to this file, inside the repository")
        folder = plan.parent
        if folder not in self._roots:
            self._roots[folder] = find_root(folder)
        return folder / path, _contained(folder / path, self._roots[folder])


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
    kept = _KEPT_FOLDERS.intersection(resolved.relative_to(root).parts)
    if kept:
        raise FileFault("file-outside", f"what is in {min(kept)} is no part of the repository's files")
    return resolved


def _read(resolved: Path, shown: str, max_bytes: int) -> bytes:
    try:
        if not resolved.exists():
            raise FileFault("file-missing", f"there is no file {shown}")
        if not resolved.is_file():
            raise FileFault("file-missing", f"{shown} is not a file")
        with resolved.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise FileFault("file-unreadable", f"this file cannot be read: {error.strerror}") from error
    if len(content) > max_bytes:
        raise FileFault("file-too-large", f"{shown} has more than {max_bytes:,} bytes")
    return content
