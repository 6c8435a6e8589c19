"""Plans that are well formed and cannot be meant: parts that contradict each other, do nothing or are used by nothing."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

from planner.planfile.model import Project, Target

EXPECT = {
    "says and never_says": (
        """
      - {check: says, id: window, any_of: [30 days guaranteed]}
      - {check: never_says, matches: "(?i)guarantee"}""",
        snapshot("10:9 contradiction"),
    ),
    "in one case only": (
        """
      - {check: never_says, any_of: [calm down]}
      - {check: says, any_of: ["{{ mood }} down"]}""",
        snapshot("10:9 contradiction"),
    ),
    "one of them is a warning": (
        """
      - {check: grade, goal: achieved}
      - {check: grade, goal: missed, severity: warning}""",
        snapshot("10:9 warning contradiction"),
    ),
    "in some runs one, in some the other": (
        """
      - {check: tool_called, name: refund, min_pass_rate: 0.5}
      - {check: tool_not_called, name: refund}""",
        snapshot(""),
    ),
    "three": (
        """
      - {check: tool_not_called, name: refund}
      - {check: tool_called, name: refund}
      - {check: tool_called, name: refund, arguments: {id: 5}}""",
        snapshot("10:9 contradiction, 11:9 contradiction"),
    ),
    "the same words twice": (
        """
      - {check: says, any_of: [30 days, 30-Days, "{{ mood }}"]}
      - {check: says, any_of: [30 days, 30-Days]}
      - {check: never_says, id: other, all_of: [sorry, Sorry]}""",
        snapshot("10:41 warning duplicate-item, 11:56 warning duplicate-item"),
    ),
}


@pytest.mark.parametrize("name", EXPECT)
def test_fault_of_expectations(workspace: Any, name: str) -> None:
    """Impossible combinations are errors at the later expectation; suspicious ones are warnings."""
    expect, said = EXPECT[name]
    text = f"""version: 1
plan: p
targets: {{support: {{agent: 12}}}}
scenarios:
  s:
    prompt: You are {{{{ mood }}}}.
    matrix: {{axes: {{mood: [calm, furious]}}}}
    expect:{expect}
"""
    assert workspace.faults(text) == said


PLANS = {
    "a target that nobody calls": (
        """targets: {support: {agent: 12}, hotline: {agent: 13}}
scenarios:
  s: {targets: [support], prompt: Hello., expect: [{check: call, status: completed}]}
""",
        snapshot([("unused-target", 3, 33)]),
    ),
    "an alias that nobody calls": (
        """targets: [support, hotline]
defaults: {targets: [support]}
scenarios:
  s: {prompt: Hello., expect: [{check: call, status: completed}]}
""",
        snapshot([("unused-target", 3, 20)]),
    ),
    "a target that is mistyped": (
        """targets: {support: {agent: 12}}
scenarios:
  s: {targets: [suport], prompt: Hello., expect: [{check: call, status: completed}]}
""",
        snapshot([("unknown-target", 5, 17)]),
    ),
    "an axis with the name of a variable": (
        """targets: {support: {agent: 12}}
vars: {mood: calm}
scenarios:
  s: {prompt: "{{ mood }}", expect: [{check: call, status: completed}]}
  t: {prompt: "{{ mood }}", matrix: {axes: {mood: [calm]}}, expect: [{check: call, status: completed}]}
""",
        snapshot([("shadowed-variable", 7, 45)]),
    ),
    "templates in values": (
        """targets: {support: {agent: 12}}
vars: {mood: {words: ["{{ x }}", calm]}}
scenarios:
  s:
    prompt: "{{ mood.words[0] }} {{ a }}"
    matrix: {axes: {a: ["{% if x %}", 5]}}
    expect: [{check: call, status: completed}]
""",
        snapshot([("literal-template", 4, 14), ("literal-template", 8, 25)]),
    ),
    "single braces": (
        """targets: {support: {agent: 12}}
vars: {days: 30, order: {number: "7"}, unused: 1}
scenarios:
  s:
    prompt: |
      You are {{ mood }}. Say {days}, ${days} and { order.number }, not {other}, {"days"} or {{days}}.
      { mood }
    matrix: {axes: {mood: [calm, sad]}}
    expect: [{check: call, status: completed}]
  raw:
    prompt: "{% raw %}{days}{% endraw %} ${order}"
    expect: [{check: call, status: completed}]
""",
        snapshot(
            [
                ("unused-variable", 4, 40),
                ("literal-template", 8, 31),
                ("literal-template", 8, 51),
                ("literal-template", 9, 7),
            ]
        ),
    ),
    "only warnings": (
        """targets: {support: {agent: 12}}
defaults: {expect: [{check: call, status: completed, severity: warning}]}
scenarios:
  s: {prompt: Hello.}
  t: {prompt: Hello., expect: [{check: duration, max_seconds: 9}]}
""",
        snapshot([("cannot-fail", 6, 3)]),
    ),
    "no run has to pass": (
        """targets: {support: {agent: 12}}
defaults: {min_pass_rate: 0, expect: [{check: call, status: completed}]}
scenarios:
  s: {prompt: Hello.}
  t: {prompt: Hello., expect: [{check: duration, max_seconds: 9, severity: critical}]}
  u: {prompt: Hello., expect: [{check: duration, max_seconds: 9, min_pass_rate: 0.5}]}
""",
        snapshot([("cannot-fail", 6, 3)]),
    ),
    "keys of other parts": (
        """targets: {support: {agent: 12}}
runs: 3
axes: {a: [1]}
expectations: []
defaults: {matrix: {axes: {a: [1]}}}
scenarios:
  s: {prompt: Hello., exclude: [], expect: [{check: call, status: completed}]}
""",
        snapshot(
            [
                ("unknown-key", 4, 1),
                ("unknown-key", 5, 1),
                ("unknown-key", 6, 1),
                ("unknown-key", 7, 12),
                ("unknown-key", 9, 23),
            ]
        ),
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_lint_of_a_plan(workspace: Any, name: str) -> None:
    """Unused parts, and parts that mean something else than they appear to."""
    text, said = PLANS[name]
    workspace.project = Project(
        environments=(("test", (Target("support", "agent", 1), Target("hotline", "agent", 2))),)
    )
    workspace.environment = "test" if "[support, hotline]" in text else None
    workspace.write("plan.yaml", f"version: 1\nplan: p\n{text}")
    found = workspace.codes()
    assert found == said
