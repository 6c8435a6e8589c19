"""One example of each rule, in a table by area: plans that break only this rule, and the same plans fixed.

`planner explain`, docs/diagnostics.md and the tests use these files. An example has

* `broken`: texts by file name;
* `fix`: texts to replace in them, each of which is there once, or `fixed`, the fixed texts as a whole. The fixed plans
  have no diagnostics;
* `beside`: further files that both need, such as planner.yaml or a prompt;
* `environment`: the one to check with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path

from planner.diagnostics import Diagnostics
from planner.planfile.files import misplaced_projects, plan_files
from planner.planfile.load import load_files
from planner.planfile.project import load_project
from planner.planfile.yaml.reader import read
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


@cache
def examples() -> Mapping[str, Example]:
    """Every example, by the code of its rule."""
    found: dict[str, Example] = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        table, problems = read(path.read_bytes(), path.name)
        assert table is not None, problems
        for code, part in table.items():
            fixed = part.get("fixed") or {name: _fixed(text, part["fix"]) for name, text in part["broken"].items()}
            found[code] = Example(part["broken"], fixed, part.get("beside", {}), part.get("environment"))
    return found


def _fixed(text: str, replacements: Iterable[Mapping[str, str]]) -> str:
    for each in replacements:
        text = text.replace(each["from"], each["to"])
    return text


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
