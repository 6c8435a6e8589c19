"""Which files are plans, where `planner.yaml` is, and which files a plan may read."""

from __future__ import annotations

import errno
import itertools
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path, PureWindowsPath
from stat import S_ISREG

from planner.diagnostics import Diagnostics
from planner.errors import UsageError
from planner.planfile.reporter import Reporter
from planner.planfile.text import nearest, shorten

PROJECT_FILE = "planner.yaml"
_PLAN_SUFFIXES = (".yaml", ".yml")
_PRIVATE_FOLDERS = frozenset({".git", ".planner"})
"""Folders that plans may not read: they may hold credentials and transcripts."""
_OPENING = sum(getattr(os, flag, 0) for flag in ("O_RDONLY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
"""Flags for opening files: do not follow a link created since links were resolved, and do not block on a pipe."""


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that has `.git` or `planner.yaml`, else `start`; resolved."""
    start = start.resolve()
    return next((folder for folder in (start, *start.parents) if is_project_root(folder)), start)


def is_project_root(folder: Path) -> bool:
    """Whether the folder is the root of a project."""
    return (folder / ".git").exists() or (folder / PROJECT_FILE).is_file()


def plan_files(paths: Sequence[Path], *, cwd: Path | None = None) -> list[Path]:
    """Plan files in order: files as given, folders as the YAML files inside them, hidden ones and `planner.yaml` left
    out. Errors name paths relative to `cwd`; None: as they are.

    Raises `UsageError` for a path that does not exist and for a folder with no plans.
    """
    found: dict[str, Path] = {}
    for path in paths:
        name = path.as_posix() if cwd is None else display_name(path, cwd)
        try:
            if not path.exists():
                raise UsageError(
                    f"{name} does not exist",
                    "Name plan files, or folders with plan files; planner init writes a first one",
                )
            inside = sorted(_inside(path)) if path.is_dir() else [path]
        except OSError as error:
            raise UsageError(f"{shorten(name)} cannot be read: {error.strerror}", "Check its permissions.") from error
        if not inside:
            raise UsageError(f"no plans in {name}", "A plan is a .yaml or .yml file; planner init writes a first one")
        for file in inside:
            found.setdefault(os.path.realpath(file), file)
    return list(found.values())


def has_plan_files(folder: Path) -> bool:
    """Raises `UsageError` if the folder cannot be read."""
    return folder.is_dir() and next(_inside(folder), None) is not None


def is_plan_file(name: str) -> bool:
    return name.lower().endswith(_PLAN_SUFFIXES) and not name.startswith(".") and name != PROJECT_FILE


def _inside(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if is_plan_file(name):
                yield Path(parent, name)


def _refuse(error: OSError) -> None:
    """A folder that cannot be read may hold plans: skipping it would hide them."""
    where = shorten(Path(error.filename or "").as_posix())
    raise UsageError(f"{where} cannot be read: {error.strerror}", "Check its permissions.") from error


def display_name(path: Path, cwd: Path) -> str:
    """The name diagnostics and reports use: relative to the working directory, with `/`.

    Bytes of a name that are not UTF-8 are written as escapes, because no document can contain them.
    """
    try:
        name = Path(os.path.relpath(path, cwd)).as_posix()
    except ValueError:  # pragma: no cover - another drive, on Windows
        name = path.as_posix()
    return name if name.isascii() else os.fsencode(name).decode(errors="backslashreplace")


class FileError(Exception):  # becomes a diagnostic where the path is written
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Neighbours:
    """Reads plan files and the files beside them (prompts, axis values, libraries), which stay inside the
    repository."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd
        self._roots: dict[Path, Path] = {}
        self._contents: dict[Path, bytes] = {}

    def plan(self, path: Path, shown: str, max_bytes: int) -> bytes:
        """The content of a plan file. Raises `FileError`.

        A folder whose name is inside the repository of the working directory must really be there: a link belongs to
        the tree that may come from a stranger, and could lead anywhere.
        """
        folder, here = path.parent, self._root(self.cwd)
        inside = Path(os.path.abspath(folder)).is_relative_to(here)  # noqa: PTH100 - no links
        _contained(folder, here if inside else self._root(folder))
        return _read(_contained(path, self._root(folder)), shown, max_bytes)

    @property
    def read_files(self) -> tuple[Path, ...]:
        """The files that were read because another file names them, with links resolved."""
        return tuple(self._contents)

    def _root(self, folder: Path) -> Path:
        if folder not in self._roots:
            self._roots[folder] = find_root(folder)
        return self._roots[folder]

    def read(self, plan: Path, path: str, max_bytes: int) -> tuple[Path, bytes]:
        """The file that `plan` calls `path`, and its content. Raises `FileError`."""
        shown, resolved = self.find(plan, path)
        if resolved not in self._contents:
            self._contents[resolved] = _read(resolved, display_name(shown, self.cwd), max_bytes)
        return shown, self._contents[resolved]

    def find(self, plan: Path, path: str) -> tuple[Path, Path]:
        """The file that `plan` calls `path`, beside it and with links resolved. Raises `FileError` if it must not be
        read."""
        if "\0" in path or "://" in path or path.startswith(("/", "\\", "~")) or PureWindowsPath(path).drive:
            raise FileError("file-outside", "write a path relative to this file, inside the repository")
        folder, root = plan.parent, self._root(plan.parent)
        resolved = _contained(folder / path, root)
        hidden = [name for name in resolved.relative_to(root).parts if name.startswith(".")]
        if hidden:
            detail = f"`{shorten(hidden[0], 40)}` begins with a dot, so it may be private; use a file of another name"
            raise FileError("file-outside", detail)
        return folder / path, resolved


def read_authored(path: Path, shown: str, max_bytes: int) -> bytes:
    """A plan file or project config, which may come from a stranger's pull request: never by a link out of the
    repository.

    Raises `FileError`.
    """
    return _read(_contained(path, find_root(path.parent)), shown, max_bytes)


def _contained(path: Path, root: Path) -> Path:
    """`path` with links resolved. Raises `FileError` if that is outside of `root`, or in a private folder of git or
    planner."""
    resolved = Path(os.path.realpath(path))
    if not resolved.is_relative_to(root):
        raise FileError("file-outside", "this path leads out of the repository; copy the file into the repository")
    private = _PRIVATE_FOLDERS.intersection(map(_folded, resolved.relative_to(root).parts))
    if private:
        raise FileError("file-outside", f"files in {min(private)} are private; a plan cannot name them")
    return resolved


def _folded(name: str) -> str:
    """A file name as case-insensitive file systems and Windows read it: without case, trailing dots and streams."""
    return name.partition(":")[0].rstrip(" .").casefold()


def _read(resolved: Path, shown: str, max_bytes: int) -> bytes:
    """At most `max_bytes`, even if the file grows meanwhile. Raises `FileError`."""
    try:
        descriptor = os.open(resolved, _OPENING)
        if not S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileError("file-missing", f"{shown} is not a file")
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            raise FileError("file-missing", f"there is no file {shown}{_near(resolved, shown)}") from error
        if error.errno in {errno.ENXIO, errno.EISDIR} or os.path.isdir(resolved):  # noqa: PTH112 - does not raise
            raise FileError("file-missing", f"{shown} is not a file") from error
        raise FileError("file-unreadable", f"this file cannot be read: {error.strerror}") from error
    if len(content) > max_bytes:
        limit = f"{max_bytes // 1024:,} KiB" if max_bytes >= 1024 else f"{max_bytes} bytes"
        raise FileError("file-too-large", f"{shown} has more than {limit}; split or shorten it")
    return content


def _near(path: Path, shown: str) -> str:
    """A file in the same folder with a similar name."""
    endings = _PLAN_SUFFIXES if path.suffix in _PLAN_SUFFIXES else path.suffix
    try:
        names = [name for name in os.listdir(path.parent) if name.endswith(endings)]  # noqa: PTH208 - names suffice
    except OSError:
        return ""
    meant = nearest(path.name, names)
    return f"; did you mean {shown.removesuffix(path.name)}{meant}?" if meant is not None else ""


_MAX_READ = 64 * 1024


def root_of(cwd: Path, paths: Sequence[Path]) -> Path:
    """The root of the project that `cwd` is in, or else of the one project that all of the plans are in.

    Raises `UsageError` if the plans have several.
    """
    root = find_root(cwd)
    if is_project_root(root):
        return root
    roots = {find_root(path if path.is_dir() else path.parent) for path in paths}
    roots = {own for own in roots if (own / PROJECT_FILE).is_file()}
    if len(roots) > 1:
        listed = ", ".join(sorted(shorten(own.as_posix(), 200) for own in roots))
        raise UsageError(
            f"these plans belong to several projects: {listed}", "Name the plans of one project at a time."
        )
    return roots.pop() if roots else root


def misplaced_projects(
    root: Path, folders: Collection[Path], *, cwd: Path, known: Callable[[Path], bool] = lambda _: False
) -> Diagnostics:
    """An error for each project file around `cwd` or plans in these folders that is not the one in `root`. Files that
    are `known` are no error by themselves."""
    diagnostics = Diagnostics()
    reporter = Reporter(diagnostics)
    there = display_name(root / PROJECT_FILE, cwd)
    starts = dict.fromkeys(path.resolve() for path in (cwd, *folders))
    for folder in dict.fromkeys(folder for start in starts for folder in _upwards(start)):
        own = folder / PROJECT_FILE
        if folder != root and own.is_file():
            if root.is_relative_to(folder):
                if not (known(own) and known(root / PROJECT_FILE)):
                    detail = f"`{display_name(own, cwd)}` already covers this folder; merge this file into it, then"
                    reporter.file_error(there, "project-misplaced", f"{detail} delete this one")
            elif not known(own):
                detail = f"planner reads {there} instead; move the settings there, or start planner in its folder"
                reporter.file_error(display_name(own, cwd), "project-misplaced", detail)
        for near in itertools.filterfalse(known, _misnamed(folder)):
            where = "" if folder == root else f", and move it to {there}"
            detail = f"planner does not read a file of this name; rename it to {PROJECT_FILE}{where}"
            reporter.file_error(display_name(near, cwd), "project-misplaced", detail)
    return diagnostics


def _upwards(start: Path) -> Iterator[Path]:
    """The folder and those above it in the same repository; without one, up to the first project file, or one more."""
    above = (start, *start.parents)
    for marker in (".git", PROJECT_FILE):
        for number, folder in enumerate(above):
            if (folder / marker).exists():
                yield from above[: number + 1]
                return
    yield from above[:2]


def _misnamed(folder: Path) -> list[Path]:
    """Files whose names are almost that of the project file, and that set what a project sets."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if _is_near(entry.name))
        return [path for name in names if _is_project(path := folder / name, folder / PROJECT_FILE)]
    except OSError:
        return []  # planner reads nothing there either


def _is_near(name: str) -> bool:
    stem, _, ending = name.casefold().lstrip(".").rpartition(".")
    return (
        name != PROJECT_FILE and ending in {"yaml", "yml"} and bool(get_close_matches(stem, ["planner"], cutoff=0.85))
    )


def _is_project(path: Path, own: Path) -> bool:
    from planner.planfile.project import ProjectFields  # which imports this module

    if not path.is_file() or (own.exists() and path.samefile(own)):  # names may differ by capitals only
        return False
    with path.open("rb") as file:
        keys = set(re.findall(r"^(\w+) *:", file.read(_MAX_READ).decode("utf-8", "replace"), re.MULTILINE))
    return bool(keys & (ProjectFields.model_fields.keys() - {"version"})) and not keys & {"plan", "scenarios", "kind"}
