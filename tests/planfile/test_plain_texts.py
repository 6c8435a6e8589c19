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


@pytest.mark.parametrize(
    "prompt",
    [
        '"Ask about order #12345"',
        "'Ask about #12345' #12345",
        "Ask about order  # 12345",
        "Ask about order#12345",
        "|\n      Ask about #12345 and\n      - this\n        - that",
        ">-\n      Ask about #12345",
        '"Ask about\n      - this\n        - that"',
        "Hello ##12",
    ],
)
def test_intended_text_is_not_reported(workspace: Any, prompt: str) -> None:
    """Quoted and block texts, comments after a space, and text after numbers and containers."""
    assert faults(workspace, prompt) == ""


def test_libraries_are_looked_at_too(workspace: Any) -> None:
    """An imported library is warned of once, however many plans have it."""
    workspace.write(
        "lib.yaml",
        "version: 1\nkind: library\nvars: {order: order}\nexpectations:\n  polite:\n    - {check: says, any_of: [the word, order #5\n]}\n",
    )
    workspace.write(
        "plan.yaml",
        "version: 1\nplan: p\nimports: [lib.yaml]\ntargets: {t: {agent: 1}}\nscenarios: {s: {prompt: '{{ order }}', expect: [{use: polite}]}}\n",
    )
    assert [(item.code, item.span.line) for item in workspace.load()[1]] == [("not-as-it-looks", 6)]


def test_texts_beside_merged_keys_are_looked_at(workspace: Any) -> None:
    """What aliases bring in is looked at where it is written, once."""
    workspace.write(
        "plan.yaml",
        """\
version: 1
plan: p
targets: {t: {agent: 1}}
scenarios:
  a: &a
    prompt: Order #1
    expect: [{check: call, status: completed}]
  b:
    <<: *a
    description: Number #2
""",
    )
    found = [(item.code, item.span.line) for item in workspace.load()[1] if item.code == "not-as-it-looks"]
    assert found == [("not-as-it-looks", 6), ("not-as-it-looks", 10)]
