"""Texts without quotes that YAML cuts or joins: a warning each, and none for what is meant."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

PLAN = """\
version: 1
plan: p  # the plan
targets: {{support: {{agent: 12}}}} #agents
defaults: {{runs: 3}} #often
scenarios:
  hello:
    description: Billing #todo
    prompt: {prompt}
    expect:
      - check: says
        any_of:
{phrases}
"""


def faults(workspace: Any, prompt: str = "Say hello.", phrases: str = "          - hello") -> str:
    found: str = workspace.faults(PLAN.format(prompt=prompt, phrases=phrases))
    return found


def test_a_text_that_is_cut_at_a_hash(workspace: Any) -> None:
    """YAML drops the rest as a comment."""
    assert faults(
        workspace, "Ask about order #12345 please", "          - order #123\n          - two words #wow"
    ) == snapshot("8:29 warning not-as-it-looks, 12:19 warning not-as-it-looks, 13:23 warning not-as-it-looks")


def test_an_item_that_continues_the_one_above(workspace: Any) -> None:
    """Indented more, it is no item: both are one phrase that nobody says."""
    assert faults(workspace, phrases="          - Hello\n            - Goodbye") == snapshot(
        "13:13 warning not-as-it-looks"
    )
    plan = PLAN.format(prompt="x", phrases="").replace("any_of:\n", "any_of: Hello\n          - Goodbye")
    assert "not-as-it-looks" in workspace.faults(plan)


@pytest.mark.parametrize("prompt", ['"Ask about order #12345"'])
def test_intended_text_is_not_reported(workspace: Any, prompt: str) -> None:
    """Quoted and block texts, comments after a space, and text after numbers and containers."""
    assert faults(workspace, prompt) == ""
