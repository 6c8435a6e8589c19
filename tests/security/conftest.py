"""Fixtures of the attacks: a project in a folder, a service and a model on loopback, a folder outside the repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from repositories import program

from tests.commands.conftest import project, serve, serve_here, service  # pyright: ignore[reportMissingImports]
from tests.judge.conftest import model  # pyright: ignore[reportMissingImports]

__all__ = ["model", "project", "serve", "serve_here", "service"]


@dataclass(frozen=True)
class Spy:
    """A program that the attacker wants planner to run. It records that it ran, and its environment."""

    program: Path
    seen: Path

    @property
    def was_run(self) -> bool:
        return self.seen.exists()

    @property
    def environment(self) -> dict[str, str]:
        lines = self.seen.read_text(encoding="utf-8", errors="replace").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the repository."""
    return tmp_path_factory.mktemp("outside")


@pytest.fixture
def spy(outside: Path) -> Spy:
    seen = outside / "seen"
    return Spy(program(outside / "spy", f"env >> {seen}"), seen)
