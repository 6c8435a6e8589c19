"""One example of each rule, in a file named by its code: plans that break it and nothing else, and the same plans mended.

`planner explain`, docs/diagnostics.md and the tests show these files and no others. A file has

* `broken` and `mended`: file names to what is in them. Mended plans have no fault at all;
* `beside`: files that are there with both, such as planner.yaml or a prompt;
* `environment`: the one that is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import cast

from planner.diagnostics import Diagnostics
from planner.planfile.files import plan_files
from planner.planfile.load import load_plans
from planner.planfile.project.load import load_project
from planner.planfile.project.places import misplaced_projects
from planner.planfile.reporter import Reporter
from planner.planfile.yaml.reader import MAX_BYTES
from planner.planfile.yaml.reading import decode, parse

FOLDER = Path(__file__).parent
TODAY = date(2026, 11, 25)
"""The day on which examples are checked."""

WITHOUT: Mapping[str, str] = {
    "file-unreadable": "a file that may not be read is no text to show",
    "file-too-large": "the file would have more than 16 MiB",
    "not-utf8": "what is no text cannot be shown as text",
    "more-faults": "the file would have more than 1,000 faults",
}
"""Codes that no example can show, and why."""


@dataclass(frozen=True, slots=True)
class Example:
    """File names to texts; `broken` and `mended` are the plans, `beside` what they are checked with."""

    broken: Mapping[str, str]
    mended: Mapping[str, str]
    beside: Mapping[str, str]
    environment: str | None = None


def example_of(code: str) -> Example | None:
    """The example of a rule; None where it can have none, or has none yet."""
    path = FOLDER / f"{code}.yaml"
    if not path.is_file():
        return None
    diagnostics = Diagnostics()
    reporter = Reporter(diagnostics)
    source = decode(path.read_bytes()[:MAX_BYTES], path.name, reporter)
    document = parse(source, reporter) if source is not None else None
    assert document is not None, list(diagnostics)
    part = cast("Mapping[str, Mapping[str, str]]", document.root)
    return Example(part["broken"], part["mended"], part.get("beside", {}), document.root.get("environment"))


def check(files: Mapping[str, str], example: Example, folder: Path) -> Diagnostics:
    """What is wrong with these files of the example, found as ever: they are written into `folder`, which is empty.

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
    _, found = load_plans(
        [Path()],
        cwd=folder,
        project=project,
        environment=example.environment if example.environment in environments else None,
        today=TODAY,
    )
    diagnostics.items.extend(found.items)
    return diagnostics
