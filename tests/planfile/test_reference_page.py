"""docs/plans.md: the whole grammar and its limits, as the program has them, with examples that are valid."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from planner.checks import expression, patterns
from planner.planfile import budget, grammar, jinja, load, prompts
from planner.planfile.load import load_files
from planner.planfile.project import load_project

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "plans.md").read_text(encoding="utf-8")


def test_every_key_is_in_the_reference() -> None:
    """The page has all keys of all mappings, with today's types, defaults and descriptions."""
    ran = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "plan_reference.py")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr, ran.returncode) == ("", "", 0)


def test_the_examples_of_the_reference_are_valid(workspace: Any) -> None:
    """The files shown make up a repository without a diagnostic or a warning."""
    files = dict(re.findall(r"<!-- file: (\S+) -->\n```yaml\n(.*?)```", PAGE, re.DOTALL))
    assert set(files) == {"plans/refunds.yaml", "plans/lib/voice.yaml", "planner.yaml"}
    for name, text in files.items():
        workspace.write(name, text)
    project, errors = load_project(workspace.root, cwd=workspace.root)
    loaded = load_files([Path("plans")], cwd=workspace.root, project=project)
    assert workspace.rendered(errors) + workspace.rendered(loaded.diagnostics) == ""
    assert [len(plan.cases) for plan in loaded.plans] == [12]
    assert len(loaded.libraries) == 1


def test_every_kind_of_yaml_block_is_checked() -> None:
    """No example of the page is left out of the one above."""
    assert PAGE.count("```yaml") == PAGE.count("<!-- file: ")


WORDS = " ".join(PAGE.split())


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (budget.MAX_SECONDS, "| Reading a file and its imports | {:.0f} seconds of CPU time |"),
        (load.MAX_CASES, "| A plan | {:,} cases, or `policy.max_calls`"),
        (grammar.DEFAULT_MAX_CASES, "| A scenario | {} cases, or `max_cases` |"),
        (prompts.MAX_PROMPT_BYTES // 1024, "| A prompt | {} KiB |"),
        (jinja.MAX_TEXT // 1024, "| A string that a template makes | {} KiB |"),
        (jinja.MAX_SOURCE // 1024, "| A template | {} Ki characters |"),
        (patterns.MAX_LENGTH, "| A regular expression | {:,} characters |"),
        (expression.MAX_LENGTH, "| A CEL expression | {:,} characters |"),
    ],
)
def test_documented_limits(limit: float, text: str) -> None:
    """The page has the number that the code has."""
    assert text.format(limit) in WORDS
