"""The limits in docs/plans.md are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.checks import expression, field, patterns
from planner.planfile import expand, expectations, grammar, jinja_environment, library, load, prompts, templates

PAGE = " ".join((Path(__file__).parents[2] / "docs" / "plans.md").read_text(encoding="utf-8").split())


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (load.MAX_SCENARIOS, "{:,} scenarios"),
        (grammar.MAX_TARGETS, "{:,} targets"),
        (library.MAX_TEMPLATE_VALUES, "{:,} values under `vars`"),
        (grammar.MAX_ITEMS, "{:,} tags"),
        (library.MAX_LIBRARY_EXPECTATIONS, "A library has at most {:,} expectations"),
        (expand.MAX_CASES_PER_PLAN, "{:,} cases"),
        (expectations.MAX_EXPECTATIONS, "a scenario {},"),
        (expectations.MAX_NODES, "an expectation with templates {:,} values"),
        (prompts.MAX_PROMPT_BYTES // 1024, "A prompt has {} KiB"),
        (templates.MAX_TEXT // 1024, "{} KiB, as has any text"),
        (templates.MAX_SOURCE // 1024, "a template {} Ki characters"),
        (templates.MAX_PROGRAMS // 1024, "have {} Ki in a plan"),
        (jinja_environment.WORK_PER_PLAN, "may do {:,} steps"),
        (jinja_environment.WORK_PER_RENDER, "one of them {:,} for one case"),
        (patterns.MAX_LENGTH, "A regular expression has {:,} characters"),
        (expression.MAX_LENGTH, "a CEL expression {:,}"),
        (field.MAX_LENGTH, "a JSONPath {}"),
    ],
)
def test_documented_limits(limit: int, text: str) -> None:
    """The page has the number that the code has."""
    assert text.format(limit) in PAGE
