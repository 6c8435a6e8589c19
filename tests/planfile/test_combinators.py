"""Combined expectations are read, rendered and rejected like simple ones."""

from __future__ import annotations

from typing import Any

from inline_snapshot import snapshot

HEAD = """\
version: 1
plan: p
targets: {support: {agent: 12}}
vars: {limit: 90}
scenarios:
  s:
    prompt: "{{ limit }}"
    expect:
"""


def test_parts_are_rendered_with_the_cases_values(workspace: Any) -> None:
    """A template is a template at any depth, and one that is the whole of a number is a number."""
    case = workspace.case(
        HEAD
        + """\
      - check: any_of
        of:
          - {check: duration, max_seconds: "{{ limit }}"}
          - check: not
            of: {check: all_of, of: [{check: says, any_of: ["{{ limit }}"]}, {check: cost, max_cents: "{{ limit }}"}]}
"""
    )
    (whole,) = case.expectations
    duration, opposite = whole.of
    says, cost = opposite.of.of
    assert (whole.id, duration.max_seconds, says.any_of, cost.max_cents) == ("any_of", 90, ("90",), 90)


def test_errors_of_parts_are_reported_where_they_are_written(workspace: Any) -> None:
    """All wrong fields of parts are reported at once, like those of any expectation."""
    assert workspace.faults(
        HEAD
        + """\
      - check: any_of
        of:
          - check: all_of
            of:
              - {check: says, anyof: [x]}
              - {check: cost}
              - {check: tool_called, name: x, arguments: {a: 007}}
              - {check: cost, max_cents: 5, severity: warning}
          - {check: not, of: {check: says, matches: "("}}
      - {check: any_of, of: [{check: says, any_of: ["{{ limitt }}"]}, {check: cost, max_cents: 5}]}
"""
    ) == snapshot(
        "13:31 unknown-key, 14:17 missing-key, 15:62 warning number-rewritten, 16:17 bad-expectation, "
        "17:53 bad-regex, 18:57 template-undefined"
    )


def test_an_invalid_part_is_reported_like_any_expectation(workspace: Any) -> None:
    """Unknown kinds, missing kinds, empty keys, and lists where there is one part or the other way round."""
    assert workspace.faults(
        HEAD
        + """\
      - {check: all_of, of: [{check: sayz}, {chek: says}, 5, {any_of: [x]}]}
      - {check: not, of: {check: says, any_of: null}}
      - {check: not, of: [{check: cost, max_cents: 5}]}
      - {check: all_of, of: {check: cost, max_cents: 5}}
      - {check: all_of, of: null}
      - {check: not}
"""
    ) == snapshot(
        "9:38 unknown-check, 9:46 unknown-key, 9:59 wrong-type, 9:63 missing-key, 10:40 wrong-type, "
        "11:26 wrong-type, 12:29 wrong-type, 13:25 wrong-type, 14:9 missing-key"
    )


def test_a_fault_inside_an_expression_is_pointed_at(workspace: Any) -> None:
    """A wrong name in CEL is a fault in the plan file, at its own column, folded text or not; rendered text has none."""
    assert workspace.faults(
        HEAD
        + """\
      - {check: expression, cel: "call.duration < 1.0"}
      - check: expression
        cel: >
          call.duration_seconds < 120.0 &&
          turns.exists(t, t.rol == 'agent')
      - {check: expression, cel: "call.durations < {{ limit }}.0"}
"""
    ) == snapshot("9:40 bad-expectation, 13:29 bad-expectation, 14:34 bad-expectation")
