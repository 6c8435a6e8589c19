"""Loading any file gives plans or diagnostics that can be rendered, never an exception."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.planfile.rules import RULES
from planner.reports.diagnostic_documents import render_github, render_json, render_sarif

PLANS = Path(__file__).parents[2] / "plans"
EXAMPLES = sorted(PLANS.glob("*.yaml"))
YAML_PIECES = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\t",
    '"',
    "'",
    "|",
    ">",
    "&a",
    "*a",
    "<<: *a",
    "!",
    "!!int ",
    "#",
    "%",
    "@",
    ",",
]
VALUES = [
    "{{",
    "}}",
    "{% if %}",
    "{% for x in y %}",
    "null",
    "~",
    "5",
    "-1",
    "1e999",
    ".inf",
    "true",
    "\0",
    "\ud7ff",
    "é",
    "😀",
    "\u2028",
    "\r",
]
KEYS = [
    "plan",
    "version: 2",
    "targets",
    "expect",
    "check",
    "axes",
    "include",
    "exclude",
    "runs: x",
    "prompt_file: /etc/passwd",
    "id: a",
]
FRAGMENTS = [*YAML_PIECES, *VALUES, *KEYS]
quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)


def survives(workspace: Any, content: bytes) -> None:
    workspace.write("plans/plan.yaml", content)
    plans, diagnostics = workspace.load("plans")
    assert bool(plans) is not diagnostics.has_errors
    for item in diagnostics:
        assert RULES[item.code].summary == item.summary
        assert item.span.file.startswith("plans/")
        assert (1, 1) <= (item.span.line, item.span.column) <= (item.span.end_line, item.span.end_column)
        assert item.detail
        assert "\n" not in item.detail
    workspace.rendered(diagnostics)
    render_json(diagnostics)
    render_github(diagnostics)
    render_sarif(diagnostics, tool_version="0")


@quick
@given(st.binary(max_size=200))
def test_any_bytes(workspace: Any, content: bytes) -> None:
    """Bytes that are no plan at all."""
    survives(workspace, content)


@quick
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join))
def test_any_yaml_like_text(workspace: Any, content: str) -> None:
    """Pieces of YAML and of plans in any order."""
    survives(workspace, content.encode())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_mutated_examples(workspace: Any, example: Path) -> None:
    """The example plans with pieces cut out, put in, doubled and swapped at random places, the same ones each time."""
    for prompt in (PLANS / "prompts").glob("*"):
        workspace.write(f"plans/prompts/{prompt.name}", prompt.read_bytes())
    original = example.read_text()
    chance = random.Random(example.name)  # noqa: S311 - repeatable, no secret
    for _ in range(150):
        text = original
        for _ in range(chance.randint(1, 4)):
            start = chance.randrange(len(text))
            end = min(len(text), start + chance.choice([0, 1, 1, 3, 20, 200]))
            text = text[:start] + chance.choice(["", *FRAGMENTS, text[start:end] * 2]) + text[end:]
        survives(workspace, text.encode())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_with_one_value_replaced(workspace: Any, example: Path) -> None:
    """Each line's value replaced by one of another type: a fault or not, never an exception."""
    for prompt in (PLANS / "prompts").glob("*"):
        workspace.write(f"plans/prompts/{prompt.name}", prompt.read_bytes())
    lines = example.read_text().splitlines(keepends=True)
    values = ["5", "-1", "1.5", "true", "", "text", "[]", "{}", "[1, [2]]", "{a: {b: c}}", '"{{ x }}"', "*x"]
    chance = random.Random(example.name)  # noqa: S311 - repeatable, no secret
    for number, line in enumerate(lines):
        if ":" in line:
            changed = line.split(":", 1)[0] + ": " + chance.choice(values) + "\n"
            survives(workspace, "".join([*lines[:number], changed, *lines[number + 1 :]]).encode())
