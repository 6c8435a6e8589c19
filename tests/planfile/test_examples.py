"""The examples of the rules: each breaks its rule and no other, and the fixed plan has no diagnostic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from planner.planfile import budget
from planner.planfile.examples import WITHOUT, check, examples
from planner.planfile.reporter import rules
from tests.planfile.conftest import Workspace  # pyright: ignore[reportMissingImports]

SHOWN = sorted(examples())

SOUND = """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  hello:
    prompt: Say hello.
    expect: [{check: call, status: completed}]
"""


def test_every_rule_has_an_example() -> None:
    """A code is either shown or said to be impossible to show, and no example is left over from a code that is gone."""
    assert set(SHOWN).isdisjoint(WITHOUT)
    assert rules().keys() - {*SHOWN, *WITHOUT} == set()
    assert {*SHOWN, *WITHOUT} - rules().keys() == set()


@pytest.mark.parametrize("code", SHOWN)
def test_a_broken_example_has_one_fault(code: str, tmp_path: Path) -> None:
    """One mistake is one diagnostic: it breaks its rule, and nothing else is said of it."""
    example = examples()[code]
    assert [found.code for found in check(example.broken, example, tmp_path)] == [code]


@pytest.mark.parametrize("code", SHOWN)
def test_a_fixed_example_has_no_fault(code: str, tmp_path: Path) -> None:
    """The fixed plans have no diagnostics, warnings included."""
    example = examples()[code]
    assert example.fixed != example.broken
    assert list(check(example.fixed, example, tmp_path)) == []


def unreadable(workspace: Workspace) -> None:
    """Not by taking away a permission: root reads everything."""
    workspace.write("plan.yaml", SOUND.replace("prompt: Say hello.", f"prompt_file: {'very-' * 60}long.md"))


def too_large(workspace: Workspace) -> None:
    workspace.write("plan.yaml", SOUND + "#" * 16 * 1024 * 1024)


def not_text(workspace: Workspace) -> None:
    workspace.write("plan.yaml", SOUND.replace("Say hello.", "Say Grüß Gott.").encode("latin-1"))


def many_errors(workspace: Workspace) -> None:
    workspace.write("plan.yaml", SOUND + "".join(f"x{number}: 1\n" for number in range(1_001)))


def slow(workspace: Workspace) -> None:
    lists = "a: &a [" + ", ".join("x" * 9_000) + "]\n"
    loops = "{% for x in a %}{% if a <= a %}{% endif %}{% endfor %}" * 100
    workspace.write("plan.yaml", SOUND.replace("Say hello.", f'"{loops}Say hello."') + f"vars:\n  {lists}")


BUILT: dict[str, tuple[Callable[[Workspace], None], str]] = {
    "file-unreadable": (unreadable, snapshot("6:18 file-unreadable")),
    "file-too-large": (too_large, snapshot("1:1 file-too-large")),
    "not-utf8": (not_text, snapshot("6:19 not-utf8")),
    "takes-too-long": (slow, snapshot("6:13 takes-too-long")),
    "more-errors": (many_errors, snapshot("1008:1 more-errors")),
}


def test_diagnostics_without_an_example_are_triggered() -> None:
    """No code goes untested because it cannot be shown. What agents have is tested with their files."""
    assert set(BUILT) | {"unknown-tool", "unknown-argument"} == set(WITHOUT)


@pytest.mark.parametrize("code", BUILT)
def test_faults_that_no_example_can_show(code: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are said like all others, and the sound plan they are made from has none of them."""
    assert workspace.diagnostics(SOUND) == ""
    if code == "takes-too-long":
        monkeypatch.setattr(budget, "MAX_SECONDS", 0.2)
    build, said = BUILT[code]
    build(workspace)
    assert [error for error in workspace.diagnostics().split(", ") if error.endswith(f" {code}")] == [said]
