"""Contradictions inside `all_of`, `any_of` and `not`, and between these and what is expected besides."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

HEAD = """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: Ask.
    expect:
"""

CONTRADICTIONS = {
    "parts of all_of": (
        """\
- check: all_of
  of:
    - {check: says, any_of: [thirty days]}
    - {check: never_says, any_of: [thirty days]}
""",
        snapshot("""\
plan.yaml:11:13: error: two parts contradict each other [contradiction]
   11 |           - {check: never_says, any_of: [thirty days]}
      |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        the parts of this cannot hold together: "thirty days" is wanted and unwanted
        the other part: plan.yaml:10:13
   10 |           - {check: says, any_of: [thirty days]}
      |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

1 error in 1 file
"""),
    ),
    "not against what it denies": (
        """\
- {check: says, any_of: [thirty days]}
- {check: not, of: {check: says, any_of: [thirty]}}
""",
        snapshot("""\
plan.yaml:9:26: error: two parts contradict each other [contradiction]
    9 |       - {check: not, of: {check: says, any_of: [thirty]}}
      |                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        this cannot hold together with `says`: who says "thirty days" says "thirty"
        `says`: plan.yaml:8:9
    8 |       - {check: says, any_of: [thirty days]}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

1 error in 1 file
"""),
    ),
    "not without an opposite kind": (
        """\
- {check: grade, min_score: 0.8}
- {check: not, of: {check: grade, min_score: 0.8}}
""",
        snapshot("""\
plan.yaml:9:26: error: two parts contradict each other [contradiction]
    9 |       - {check: not, of: {check: grade, min_score: 0.8}}
      |                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        this cannot hold together with `grade`: the one is the opposite of the other
        `grade`: plan.yaml:8:9
    8 |       - {check: grade, min_score: 0.8}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

1 error in 1 file
"""),
    ),
    "no part of any_of": (
        """\
- {check: never_says, id: no-days, any_of: [days]}
- {check: tool_not_called, name: lookup_order}
- check: any_of
  of:
    - {check: says, any_of: [thirty days]}
    - check: all_of
      of:
        - {check: says, any_of: [a month]}
        - {check: tool_called, name: lookup_order}
""",
        snapshot("""\
plan.yaml:10:9: error: two parts contradict each other [contradiction]
   10 |       - check: any_of
      |         ^^^^^^^^^^^^^
        no part of this can hold: who says "thirty days" says "days"
        `no-days`: plan.yaml:8:9
    8 |       - {check: never_says, id: no-days, any_of: [days]}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        `tool_not_called`: plan.yaml:9:9
    9 |       - {check: tool_not_called, name: lookup_order}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

1 error in 1 file
"""),
    ),
    "one part of any_of": (
        """\
- {check: never_says, any_of: [guarantee]}
- {check: any_of, of: [{check: says, any_of: [guarantee]}, {check: says, any_of: [policy]}]}
""",
        snapshot("""\
plan.yaml:9:30: warning: two parts contradict each other [contradiction]
    9 |       - {check: any_of, of: [{check: says, any_of: [guarantee]}, {check: says, any_of: [po…
      |                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        this part can never hold: "guarantee" is wanted and unwanted
        `never_says`: plan.yaml:8:9
    8 |       - {check: never_says, any_of: [guarantee]}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

1 warning in 1 file
"""),
    ),
    "not before any_of denies each part": (
        """\
- {check: tool_called, name: lookup_order}
- {check: not, of: {check: any_of, of: [{check: tool_called, name: lookup_order}, {check: says, any_of: [hm]}]}}
""",
        snapshot("""\
plan.yaml:9:47: error: two parts contradict each other [contradiction]
    9 | …not, of: {check: any_of, of: [{check: tool_called, name: lookup_order}, {check: says, any_…
      |                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        this cannot hold together with `tool_called`: lookup_order is to be called and not to be
        called
        `tool_called`: plan.yaml:8:9
    8 |       - {check: tool_called, name: lookup_order}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

1 error in 1 file
"""),
    ),
    "not before all_of denies one part": (
        """\
- {check: says, any_of: [days]}
- {check: tool_called, name: lookup_order}
- {check: not, of: {check: all_of, of: [{check: tool_called, name: lookup_order}, {check: says, any_of: [days]}]}}
""",
        snapshot("""\
plan.yaml:10:26: error: two parts contradict each other [contradiction]
   10 |       - {check: not, of: {check: all_of, of: [{check: tool_called, name: lookup_order}, {c…
      |                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        no part of this can hold: lookup_order is to be called and not to be called
        `tool_called`: plan.yaml:9:9
    9 |       - {check: tool_called, name: lookup_order}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        `says`: plan.yaml:8:9
    8 |       - {check: says, any_of: [days]}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

1 error in 1 file
"""),
    ),
    "a part or its opposite": (
        """\
- {check: any_of, of: [{check: says, any_of: [days]}, {check: not, of: {check: says, any_of: [days]}}]}
""",
        snapshot("""\
plan.yaml:8:9: error: expectation cannot be used [bad-expectation]
    8 |       - {check: any_of, of: [{check: says, any_of: [days]}, {check: not, of: {check: says,…
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        one of these two parts holds on every call, so this checks nothing
        the one: plan.yaml:8:30
    8 |       - {check: any_of, of: [{check: says, any_of: [days]}, {check: not, of: {check: says,…
      |                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        the other: plan.yaml:8:78
    8 | …_of, of: [{check: says, any_of: [days]}, {check: not, of: {check: says, any_of: [days]}}]}
      |                                                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

1 error in 1 file
"""),
    ),
}


def plan(expected: str) -> str:
    return HEAD + "".join(f"      {line}\n" for line in expected.splitlines())


@pytest.mark.parametrize("kind", CONTRADICTIONS)
def test_parts_that_contradict(kind: str, workspace: Any) -> None:
    """Each is told where the later part is written, with the earlier one beside it."""
    expected, said = CONTRADICTIONS[kind]
    assert workspace.faults(plan(expected)) == said


@pytest.mark.parametrize(
    "expected",
    [
        "- {check: not, of: {check: not, of: {check: says, any_of: [days]}}}\n- {check: says, any_of: [days]}\n",
        "- {check: any_of, of: [{check: says, any_of: [a]}, {check: says, any_of: [b]}]}\n- {check: never_says, any_of: [c]}\n",
        "- {check: all_of, of: [{check: says, any_of: [a]}, {check: never_says, any_of: [b]}]}\n",
        "- {check: not, of: {check: says, any_of: [a], min_count: 2}}\n- {check: says, any_of: [a]}\n",
        "- {check: not, of: {check: call, end_reason: transfer}}\n- {check: call, status: completed}\n",
        "- {check: not, of: {check: tool_called, name: a, times: 1}}\n- {check: tool_called, name: a}\n",
        "- {check: says, any_of: [a]}\n- {check: not, min_pass_rate: 0.5, of: {check: says, any_of: [a]}}\n",
    ],
)
def test_what_can_hold_together_is_no_contradiction(expected: str, workspace: Any) -> None:
    """Nothing is said where a call could satisfy everything, or where it need not always."""
    assert workspace.faults(plan(expected)) == ""


def test_what_is_denied_of_something_weaker(workspace: Any, head: str) -> None:
    """A score of 0.9 is one of 0.8, which must not be reached; a score of 0.7 may be below it."""
    text = "scenarios:\n  s:\n    prompt: Hello.\n    expect:\n      - {check: grade, min_score: 0.9}\n      - {check: not, of: {check: grade, min_score: 0.8}}\n"
    assert workspace.faults(head + text) == snapshot("""\
plan.yaml:10:26: error: two parts contradict each other [contradiction]
   10 |       - {check: not, of: {check: grade, min_score: 0.8}}
      |                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        this cannot hold together with `grade`: where the one holds, so does what must not hold
        `grade`: plan.yaml:9:9
    9 |       - {check: grade, min_score: 0.9}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

1 error in 1 file
""")
    assert workspace.codes(head + text.replace("0.9", "0.7")) == []


def test_what_is_expected_twice(workspace: Any, head: str) -> None:
    """Word for word, here or in the defaults; under two names it may be meant."""
    same = "{check: says, any_of: [30 days]}"
    text = f"scenarios:\n  s:\n    prompt: Hello.\n    expect:\n      - {same}\n      - {{check: says, id: other, any_of: [30 days]}}\n      - {same}\n      - {{check: call, status: completed}}\n"
    assert workspace.faults(head + text) == snapshot("""\
plan.yaml:11:9: warning: item is listed twice [duplicate-item]
   11 |       - {check: says, any_of: [30 days]}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        this is expected already; keep one
        the first time: plan.yaml:9:9
    9 |       - {check: says, any_of: [30 days]}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

plan.yaml:12:9: warning: item is listed twice [duplicate-item]
   12 |       - {check: call, status: completed}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        this is expected already; keep one
        the first time: plan.yaml:4:21
    4 | defaults: {expect: [{check: call, status: completed}]}
      |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

2 warnings in 1 file
""")


LIBRARY = """\
version: 1
kind: library
expectations:
  helps: {check: any_of, of: [{check: call, end_reason: transfer}, {check: tool_called, name: hand_over}]}
"""


@pytest.mark.parametrize(
    "expected",
    [
        "{use: helps}, {check: tool_not_called, name: hand_over}",
        "{use: helps}, {check: tool_not_called, name: '{{ tool }}'}",
    ],
)
def test_a_part_that_holds_for_other_plans_or_cases_is_not_doubted(workspace: Any, expected: str) -> None:
    """A choice of a library, or with templates, may leave open what this case does not."""
    workspace.write("lib.yaml", LIBRARY)
    plan = (
        "version: 1\nplan: p\nimports: [lib.yaml]\ntargets: {a: {agent: 1}}\nscenarios:\n  s:\n    prompt: 'Use {{ tool }}.'\n"
        f"    matrix: {{axes: {{tool: [hand_over, track]}}}}\n    expect: [{expected}]\n"
    )
    assert workspace.codes(plan) == []
    written = LIBRARY.partition("helps: ")[2].strip()
    assert workspace.codes(plan.replace("{use: helps}", written).replace("imports: [lib.yaml]\n", "")) == (
        [("contradiction", 8, 72)] if "{{ tool }}'" not in expected else []
    )
