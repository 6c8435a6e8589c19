"""Plans that are well formed and cannot be meant: parts that contradict each other, do nothing or are used by nothing."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

EXPECT = {
    "says and never_says": (
        """
      - {check: says, id: window, any_of: [30 days guaranteed]}
      - {check: never_says, matches: "(?i)guarantee"}""",
        snapshot("""\
plan.yaml:10:9: error: two parts contradict each other [contradiction]
   10 |       - {check: never_says, matches: "(?i)guarantee"}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        this cannot hold together with `window`: "30 days guaranteed" matches "(?i)guarantee"
        `window`: plan.yaml:9:9
    9 |       - {check: says, id: window, any_of: [30 days guaranteed]}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

1 error in 1 file
"""),
    ),
    "in one case only": (
        """
      - {check: never_says, any_of: [calm down]}
      - {check: says, any_of: ["{{ mood }} down"]}""",
        snapshot("""\
plan.yaml:10:9: error: two parts contradict each other [contradiction]
   10 |       - {check: says, any_of: ["{{ mood }} down"]}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        this cannot hold together with `never_says`: "calm down" is wanted and unwanted (in case
        p/s[mood=calm])
        `never_says`: plan.yaml:9:9
    9 |       - {check: never_says, any_of: [calm down]}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

1 error in 1 file
"""),
    ),
    "one of them is a warning": (
        """
      - {check: call, status: completed}
      - {check: call, status: failed, severity: warning}""",
        snapshot("""\
plan.yaml:10:9: warning: two parts contradict each other [contradiction]
   10 |       - {check: call, status: failed, severity: warning}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        this cannot hold together with `call`: no call is both completed and failed
        `call`: plan.yaml:9:9
    9 |       - {check: call, status: completed}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

1 warning in 1 file
"""),
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
        snapshot("""\
plan.yaml:10:9: error: two parts contradict each other [contradiction]
   10 |       - {check: tool_called, name: refund}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        this cannot hold together with `tool_not_called`: refund is to be called and not to be
        called
        `tool_not_called`: plan.yaml:9:9
    9 |       - {check: tool_not_called, name: refund}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

plan.yaml:11:9: error: two parts contradict each other [contradiction]
   11 |       - {check: tool_called, name: refund, arguments: {id: 5}}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        this cannot hold together with `tool_not_called`: refund is to be called and not to be
        called
        `tool_not_called`: plan.yaml:9:9
    9 |       - {check: tool_not_called, name: refund}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

2 errors in 1 file
"""),
    ),
    "the same words twice": (
        """
      - {check: says, any_of: [30 days, 30-Days, "{{ mood }}"]}
      - {check: says, any_of: [30 days, 30-Days]}
      - {check: never_says, id: other, all_of: [sorry, Sorry]}""",
        snapshot("""\
plan.yaml:10:41: warning: item is listed twice [duplicate-item]
   10 |       - {check: says, any_of: [30 days, 30-Days]}
      |                                         ^^^^^^^
        "30-Days" says the same words as "30 days"

plan.yaml:11:56: warning: item is listed twice [duplicate-item]
   11 |       - {check: never_says, id: other, all_of: [sorry, Sorry]}
      |                                                        ^^^^^
        "Sorry" says the same words as "sorry"

2 warnings in 1 file
"""),
    ),
}


@pytest.mark.parametrize("name", EXPECT)
def test_fault_of_expectations(workspace: Any, name: str) -> None:
    """What no call can satisfy is an error at the later of two expectations; what is only odd is a warning."""
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
