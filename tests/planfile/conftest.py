"""A folder to write plans into, and what loading them gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from planner.diagnostics import Diagnostics
from planner.planfile.load import load_files
from planner.planfile.model import Case, Plan, Project


@dataclass
class Workspace:
    """A repository with plans. `project` and `environment` are what they are loaded with."""

    root: Path
    project: Project = field(default_factory=Project)
    environment: str | None = None

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file, and the folders it needs."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def load(self, *paths: str) -> tuple[tuple[Plan, ...], Diagnostics]:
        named = [Path(path) for path in paths or ("plan.yaml",)]
        loaded = load_files(named, cwd=self.root, project=self.project, environment=self.environment)
        return loaded.plans, loaded.diagnostics

    def cases(self, plan: str) -> tuple[Case, ...]:
        """The cases of a plan that has no diagnostic."""
        self.write("plan.yaml", plan)
        plans, diagnostics = self.load()
        assert self.rendered(diagnostics) == ""
        return plans[0].cases

    def case(self, plan: str) -> Case:
        """The only case of a plan that has no diagnostic."""
        (case,) = self.cases(plan)
        return case

    def diagnostics(self, plan: str | bytes | None = None) -> str:
        """What is wrong with a plan: `rendered`."""
        if plan is not None:
            self.write("plan.yaml", plan)
        return self.rendered(self.load()[1])

    def codes(self, plan: str | bytes | None = None) -> list[tuple[str, int, int]]:
        """Code, line and column of each diagnostic."""
        if plan is not None:
            self.write("plan.yaml", plan)
        return [(item.code, item.span.line, item.span.column) for item in self.load()[1]]

    def rendered(self, diagnostics: Diagnostics) -> str:
        """Place and code of each diagnostic: the file where it is not the plan, `warning` where it is one."""
        return ", ".join(
            f"{'' if item.span.file == 'plan.yaml' else f'{item.span.file}:'}{item.span.line}:{item.span.column} "
            f"{'warning ' if item.severity.value == 'warning' else ''}{item.code}"
            for item in diagnostics
        )

    def read(self, file: str) -> str | None:
        path = self.root / file
        return path.read_text("utf-8", "replace") if path.is_file() else None


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / ".git").mkdir()
    return Workspace(tmp_path)


HEAD = """\
version: 1
plan: p
targets: {support: {agent: 12}}
defaults: {expect: [{check: call, status: completed}]}
"""


@pytest.fixture(scope="session")
def head() -> str:
    """The first four lines of a plan that needs scenarios only."""
    return HEAD
