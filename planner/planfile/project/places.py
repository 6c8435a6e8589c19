"""Where `planner.yaml` is read. One in another place is an error, because the limits it sets would not apply."""

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
from planner.planfile.reporter import Reporter
from planner.planfile.text import shorten

_MAX_ENTRIES = 10_000
"""Entries of a folder."""
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


def misplaced_projects(root: Path, folders: Collection[Path], *, cwd: Path) -> Diagnostics:
    """An error for each project file around `cwd` or plans in these folders that is not the one in `root`."""
    diagnostics = Diagnostics()
    reporter = Reporter(diagnostics)
    there = display_name(root / PROJECT_FILE, cwd)
    starts = dict.fromkeys(path.resolve() for path in (cwd, *folders))
    for folder in dict.fromkeys(folder for start in starts for folder in _upwards(start)):
        own = folder / PROJECT_FILE
        if folder != root and own.is_file():
            if root.is_relative_to(folder):
                detail = f"there is another one above, {display_name(own, cwd)}; move what this one sets there"
                reporter.file_fault(there, "project-misplaced", detail)
            else:
                detail = f"planner reads {there} instead; move the settings there, or start planner in its folder"
                reporter.file_fault(display_name(own, cwd), "project-misplaced", detail)
        for near in _misnamed(folder):
            where = "" if folder == root else f", and move it to {there}"
            detail = f"planner does not read a file of this name; rename it to {PROJECT_FILE}{where}"
            reporter.file_fault(display_name(near, cwd), "project-misplaced", detail)
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
            names = sorted(entry.name for entry in islice(entries, _MAX_ENTRIES) if _is_near(entry.name))
        return [path for name in names if _is_project(path := folder / name, folder / PROJECT_FILE)]
    except OSError:
        return []  # planner reads nothing there either


def _is_near(name: str) -> bool:
    stem, _, ending = name.casefold().lstrip(".").rpartition(".")
    return (
        name != PROJECT_FILE and ending in {"yaml", "yml"} and bool(get_close_matches(stem, ["planner"], cutoff=0.85))
    )


def _is_project(path: Path, own: Path) -> bool:
    from planner.planfile.grammar.project_models import ProjectFields

    if not path.is_file() or (own.exists() and path.samefile(own)):  # names may differ by capitals only
        return False
    with path.open("rb") as file:
        keys = set(re.findall(r"^(\w+) *:", file.read(_MAX_READ).decode("utf-8", "replace"), re.MULTILINE))
    return bool(keys & (ProjectFields.model_fields.keys() - {"version"})) and not keys & {"plan", "scenarios", "kind"}
