"""One example of each rule, in a file named by its code: plans that break only this rule, and the same plans fixed.

`planner explain`, docs/diagnostics.md and the tests use these files. A file has

* `broken` and `fixed`: texts by file name. The fixed plans have no diagnostics;
* `beside`: further files that both need, such as planner.yaml or a prompt;
* `environment`: the one to check with.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import cast

from planner.diagnostics import Diagnostics
from planner.planfile.files import misplaced_projects, plan_files
from planner.planfile.load import load_files
from planner.planfile.project import load_project
from planner.planfile.reporter import Reporter
from planner.planfile.yaml.reader import MAX_BYTES, decode, parse
from planner.values import frozen

FOLDER = Path(__file__).parent
TODAY = date(2026, 11, 25)
"""The day on which examples are checked."""

WITHOUT: Mapping[str, str] = {
    "file-unreadable": "an unreadable file has no text to show",
    "file-too-large": "the file would have more than 16 MiB",
    "not-utf8": "the file would not be text",
    "more-faults": "the file would have more than 1,000 faults",
}
"""Codes that no example can show, and why."""


@frozen
class Example:
    """Texts by file name; `broken` and `fixed` are plans, `beside` are files that both need."""

    broken: Mapping[str, str]
    fixed: Mapping[str, str]
    beside: Mapping[str, str]
    environment: str | None = None


def example_of(code: str) -> Example | None:
    """The example of a rule; None if it has none."""
    path = FOLDER / f"{code}.yaml"
    if not path.is_file():
        return None
    diagnostics = Diagnostics()
    reporter = Reporter(diagnostics)
    source = decode(path.read_bytes()[:MAX_BYTES], path.name, reporter)
    root = parse(source, reporter) if source is not None else None
    assert root is not None, list(diagnostics)
    part = cast("Mapping[str, Mapping[str, str]]", root)
    return Example(part["broken"], part["fixed"], part.get("beside", {}), root.get("environment"))


def check(files: Mapping[str, str], example: Example, folder: Path) -> Diagnostics:
    """The diagnostics of these files of the example, which are written into `folder`; it must be empty.

    Raises `OSError` where that cannot be.
    """
    folder = folder.resolve()
    (folder / ".git").mkdir()  # a repository of its own
    for name, text in {**example.beside, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    project, diagnostics = load_project(folder, cwd=folder)
    environments = [name for name, _ in project.environments]
    diagnostics.items.extend(
        misplaced_projects(folder, {path.parent for path in plan_files([folder])}, cwd=folder).items
    )
    _, _, found = load_files(
        [Path()],
        cwd=folder,
        project=project,
        environment=example.environment if example.environment in environments else None,
        today=TODAY,
    )
    diagnostics.items.extend(found.items)
    return diagnostics
