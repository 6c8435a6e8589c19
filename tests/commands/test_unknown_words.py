"""Commands and options that do not exist: what was probably meant."""

from __future__ import annotations

import pytest

from planner.cli.unknown import REMOVED
from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("valdate", "Did you mean `planner validate`?"),
        ("deploy clinic", "Did you mean `planner agent deploy`?"),
        ("gate", "Did you mean `planner ci gate`?"),
        ("ci gat", "Did you mean `planner ci gate`?"),
        ("recheck", ""),
        ("plan --sandobx", "Did you mean `--sandbox`?"),
        ("run --consent", "Did you mean `--consent-to-charge`?"),
        ("run --plan-digest x", "Did you mean `--digest`?"),
        ("ci plan", "Did you mean `planner plan`?"),
        ("run --json", "Did you mean `--format json`?"),
        ("report --markdown", "Did you mean `--format markdown`?"),
        ("run --dry-run", ""),
        ("run --fresh x", ""),
        ("plan --consent-by me", "It is an option of `planner ci run`."),
        ("plan --fail-fast", "It is an option of `planner run`, `planner ci run`."),
        ("--offline plan", "It is an option of `planner plan`, `planner run` and "),
        ("plan -x", ""),
        *((name if not name.startswith("-") else f"run {name}", instead) for name, instead in REMOVED.items()),
    ],
)
def test_what_was_meant(project: Project, words: str, hint: str) -> None:
    """Only what is near: no hint is better than a wrong one."""
    ran = project.planner(*words.split())
    (message,) = [line for line in ran.err.splitlines() if line.startswith("Error: ")]
    assert (ran.code, message.partition("'.")[2].strip()[: len(hint) or None]) == (2, hint)
