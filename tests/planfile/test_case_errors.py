"""Errors of cases: each text is reported once for all cases."""

from __future__ import annotations

from typing import Any

HEADER = """\
version: 1
plan: p
targets: {support: {agent: 12}}
"""


def test_each_text_is_reported_once(workspace: Any) -> None:
    """At the text, with the first case that it cannot be used in."""
    workspace.write(
        "plan.yaml",
        HEADER
        + """\
vars: {times: x}
scenarios:
  one:
    prompt: You are {{ caller.name }}. {{ limit }} is {{ (number + 1) * count }}.
    matrix:
      axes:
        limit: [100, soon, 200]
        count: [1, 2]
        number: [1, many]
        caller:
          - {id: ana, name: Ana}
          - {id: bob, nam: Bob}
    expect:
      - {check: duration, max_seconds: "{{ limit }}"}
      - {check: says, any_of: [yes], max_count: "{{ times }}"}
      - {check: says, matches: "{{ number }}{{ count }}("}
""",
    )
    found = {(item.code, item.span.line): item.detail for item in workspace.load()[1]}
    assert set(found) == {
        ("template-failed", 7),
        ("template-undefined", 7),
        ("wrong-type", 17),
        ("wrong-type", 18),
        ("bad-regex", 19),
    }
    assert "p/one[limit=soon,count=1,number=1,caller=ana]" in found["wrong-type", 17]
    assert "in case" not in found["wrong-type", 18]


def test_values_of_a_file_are_reported_once(workspace: Any) -> None:
    """However many of them cannot be used."""
    workspace.write("limits.csv", "limit\n10\n" + "".join(f"n{number}\n" for number in range(14)))
    plan = """\
scenarios:
  one:
    prompt: You wait {{ limit }} seconds.
    matrix: {axes: {limit: {file: limits.csv, column: limit}}}
    expect: [{check: duration, max_seconds: "{{ limit }}"}]
"""
    assert workspace.codes(HEADER + plan) == [("wrong-type", 8, 45)]
