"""The limits in docs/plans.md are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.checks import expression, field, patterns
from planner.planfile import expectations as rendering
from planner.planfile import library as libraries
from planner.planfile import plan
from planner.planfile.grammar import models as keys
from planner.planfile.matrix import expand as expansion
from planner.planfile.templates import environment as metering
from planner.planfile.templates import prompts
from planner.planfile.templates import templates as template

PAGE = " ".join((Path(__file__).parents[2] / "docs" / "plans.md").read_text(encoding="utf-8").split())


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (plan.MAX_SCENARIOS, "{:,} scenarios"),
        (keys.MAX_TARGETS, "{:,} targets"),
        (libraries.MAX_TEMPLATE_VALUES, "{:,} values under `vars`"),
        (keys.MAX_ITEMS, "{:,} tags"),
        (libraries.MAX_LIBRARY_EXPECTATIONS, "A library has at most {:,} expectations"),
        (expansion.MAX_CASES_PER_PLAN, "{:,} cases"),
        (rendering.MAX_EXPECTATIONS, "a scenario {},"),
        (rendering.MAX_NODES, "an expectation with templates {:,} values"),
        (prompts.MAX_PROMPT_BYTES // 1024, "A prompt has {} KiB"),
        (template.MAX_TEXT // 1024, "{} KiB, as has any text"),
        (template.MAX_SOURCE // 1024, "a template {} Ki characters"),
        (template.MAX_PROGRAMS // 1024, "have {} Ki in a plan"),
        (metering.WORK_PER_PLAN, "may do {:,} steps"),
        (metering.WORK_PER_RENDER, "one of them {:,} for one case"),
        (patterns.MAX_LENGTH, "A regular expression has {:,} characters"),
        (expression.MAX_LENGTH, "a CEL expression {:,}"),
        (field.MAX_LENGTH, "a JSONPath {}"),
    ],
)
def test_documented_limits(limit: int, text: str) -> None:
    """The page has the number that the code has."""
    assert text.format(limit) in PAGE
