"""Where `planner.yaml` is read, and those that are written where nobody reads them: a ceiling there would hold nothing back."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from planner.diagnostics import Diagnostics
from planner.errors import UsageError
from planner.planfile.files import PROJECT_FILE, display_name, find_root, is_project_root
from planner.planfile.grammar.project_models import ProjectFields
from planner.planfile.reporter import Reporter
from planner.planfile.text import shorten

_STEM = "planner"
_ENDINGS = (".yaml", ".yml")
_ALIKE = 0.85
_LOOKED_AT = 10_000
"""Entries of a folder."""
_READ = 64 * 1024
_OF_PROJECTS = re.compile(rf"^(?:{'|'.join(sorted({*ProjectFields.model_fields} - {'version'}))}) *:", re.MULTILINE)
_OF_PLANS = re.compile(r"^(?:plan|scenarios|kind) *:", re.MULTILINE)


def root_of(cwd: Path, paths: Sequence[Path]) -> Path:
    """The root of the project: the one that `cwd` is in, or else, where that is in none, the one that all of the plans are in.

    Raises `UsageError` where the plans have several.
    """
    root = find_root(cwd)
    if is_project_root(root):
        return root
    roots = {own for path in paths if _has_project(own := find_root(_folder(path)))}
    if len(roots) > 1:
        listed = ", ".join(sorted(shorten(own.as_posix(), 200) for own in roots))
        raise UsageError(f"these plans are of several projects: {listed}", "Name the plans of one project at a time.")
    return roots.pop() if roots else root


def misplaced_projects(root: Path, folders: Collection[Path], *, cwd: Path) -> Diagnostics:
    """An error for each project file that means something for `cwd` or plans in these folders and is not the one that is read."""
    diagnostics = Diagnostics()
    reporter = Reporter(diagnostics)
    read = root / PROJECT_FILE
    there = display_name(read, cwd)
    has_one = read.is_file()
    seen: set[Path] = set()
    for start in dict.fromkeys(path.resolve() for path in (cwd, *folders)):
        for folder in _upwards(start):
            if folder in seen:
                continue
            seen.add(folder)
            own = folder / PROJECT_FILE
            if folder != root and own.is_file():
                where, detail = _misplaced(own, read, has_one=has_one, cwd=cwd)
                reporter.file_fault(display_name(where, cwd), "project-misplaced", detail)
            for near in _near(folder, own):
                detail = f"nobody reads a file of this name; rename it to {PROJECT_FILE}"
                where = "" if folder == root else f", and move it to {there}"
                reporter.file_fault(display_name(near, cwd), "project-misplaced", detail + where)
    return diagnostics


def _misplaced(own: Path, read: Path, *, has_one: bool, cwd: Path) -> tuple[Path, str]:
    """The file that is to be changed, and how."""
    folder, root = own.parent, read.parent
    there = display_name(read, cwd)
    if root.is_relative_to(folder):
        above = display_name(own, cwd)
        return (
            read,
            f"there is another one above, {above}, at the root of the repository; move what this one sets there",
        )
    if not folder.is_relative_to(root) or (folder / ".git").exists():
        return own, "these plans are another project's, whose settings would not hold here; start planner in its folder"
    if has_one:
        return own, f"nobody reads this one; move what it sets to {there}, at the root of the repository"
    return (
        own,
        f"nobody reads this one; move it to {there}, at the root of the repository, or start planner in its folder",
    )


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _has_project(root: Path) -> bool:
    return (root / PROJECT_FILE).is_file()


def _upwards(start: Path) -> Iterator[Path]:
    """The folder and those above it in the same repository; where it is in none, up to the first project file, or one more."""
    above = (start, *start.parents)
    for number, folder in enumerate(above):
        if (folder / ".git").exists():
            yield from above[: number + 1]
            return
    for number, folder in enumerate(above):
        if _has_project(folder):
            yield from above[: number + 1]
            return
    yield from above[:2]


def _near(folder: Path, own: Path) -> list[Path]:
    """Files whose names are nearly that of the project file, and which are one by what is in them."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, _LOOKED_AT) if _is_near(entry.name)]
    except OSError:
        return []  # nothing is read there either
    found = [folder / name for name in sorted(names)]
    return [path for path in found if not _same(path, own) and _is_project(path)]


def _is_near(name: str) -> bool:
    stem, ending = os.path.splitext(name.casefold().lstrip("."))  # noqa: PTH122 - a name
    return name != PROJECT_FILE and ending in _ENDINGS and bool(get_close_matches(stem, (_STEM,), cutoff=_ALIKE))


def _same(path: Path, own: Path) -> bool:
    """Whether they are one file, as they are where names differ by no capitals."""
    try:
        return path.samefile(own)
    except OSError:
        return False


def _is_project(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            text = file.read(_READ).decode("utf-8", "replace")
    except OSError:
        return False
    return _OF_PROJECTS.search(text) is not None and _OF_PLANS.search(text) is None
