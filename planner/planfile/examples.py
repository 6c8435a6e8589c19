"""One example of each rule, from examples.yaml: plans that break only this rule, and the same plans fixed.

`planner explain` and the tests use them. An example is written as

* a string, which is plan.yaml, or a mapping of file names to strings, with the `environment` to check with, if any;
* lines that begin with `- ` are in the broken file only, those with `+ ` in the fixed one only, all others, indented by
  two spaces, in both. A file whose lines are all in both is one that both plans need. The fixed plans have no
  diagnostics;
* plan.yaml begins with `_HEAD` unless it has a version; without `scenarios:` it is the scenario of the plan in `_PLAN`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from textwrap import indent

from planner.diagnostics import Diagnostics
from planner.planfile.files import misplaced_projects, plan_files
from planner.planfile.load import load_files
from planner.planfile.project import load_project
from planner.planfile.yaml.reader import read
from planner.values import frozen

TODAY = date(2026, 11, 25)
"""The day on which examples are checked."""

WITHOUT: Mapping[str, str] = {
    "file-unreadable": "an unreadable file has no text to show",
    "file-too-large": "the file would have more than 16 MiB",
    "not-utf8": "the file would not be text",
    "takes-too-long": "the plan would take three seconds",
    "unknown-tool": "planner.yaml and plans do not show which tools an agent has",
    "unknown-argument": "planner.yaml and plans do not show which arguments a tool takes",
    "more-errors": "the file would have more than 1,000 errors",
}
"""Codes that no example can show, and why."""

_FILE = Path(__file__).with_suffix(".yaml")
_HEAD = """\
version: 1
plan: refunds
"""
_PLAN = """\
targets: {support: {agent: 12}}
scenarios:
  refund-window:
"""


@frozen
class Example:
    """Strings by file name; `broken` and `fixed` are plans, `beside` are files that both need."""

    broken: Mapping[str, str]
    fixed: Mapping[str, str]
    beside: Mapping[str, str]
    environment: str | None = None


@cache
def examples() -> Mapping[str, Example]:
    """Every example, by the code of its rule."""
    table, problems = read(_FILE.read_bytes(), _FILE.name)
    assert table is not None, problems
    return {
        code: _example({"plan.yaml": part} if isinstance(part, str) else dict(part)) for code, part in table.items()
    }


def _example(files: dict[str, str]) -> Example:
    environment = files.pop("environment", None)
    broken = {name: text for name, marked in files.items() if (text := _text(name, marked, "- "))}
    fixed = {name: text for name, marked in files.items() if (text := _text(name, marked, "+ "))}
    beside = {name: text for name, text in broken.items() if fixed.get(name) == text}
    return Example(_without(broken, beside), _without(fixed, beside), beside, environment)


def _text(name: str, marked: str, mark: str) -> str:
    lines = (line[2:] for line in marked.splitlines(keepends=True) if line.startswith((mark, "  ", "\n")))
    text = "".join(line or "\n" for line in lines)
    if name == "plan.yaml" and "scenarios:" not in marked:
        text = _PLAN + indent(text, "    ")
    return text if name != "plan.yaml" or "version:" in marked else _HEAD + text


def _without(files: Mapping[str, str], others: Mapping[str, str]) -> Mapping[str, str]:
    return {name: text for name, text in files.items() if name not in others}


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
    found = load_files(
        [Path()],
        cwd=folder,
        project=project,
        environment=example.environment if example.environment in environments else None,
        today=TODAY,
    )
    diagnostics.items.extend(found.diagnostics.items)
    return diagnostics
