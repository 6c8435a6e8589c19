"""Expectations made of expectations: read, rendered and refused as those that stand alone are."""

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


def test_faults_of_parts_stand_where_they_are_written(workspace: Any) -> None:
    """Fields of a part that are wrong are told as those of any expectation are, all at once."""
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
    ) == snapshot("""\
plan.yaml:13:31: error: unknown key [unknown-key]
   13 |               - {check: says, anyof: [x]}
      |                               ^^^^^
        `anyof` is not a key here; did you mean `any_of`?

plan.yaml:14:17: error: required key is missing [missing-key]
   14 |               - {check: cost}
      |                 ^^^^^^^^^^^^^
        `max_cents` is required by this check

plan.yaml:15:62: warning: unquoted number loses characters [number-rewritten]
   15 |               - {check: tool_called, name: x, arguments: {a: 007}}
      |                                                              ^^^
        YAML reads 007 as the number 7; write "007" to keep it as it is

plan.yaml:16:17: error: expectation cannot be used [bad-expectation]
   16 |               - {check: cost, max_cents: 5, severity: warning}
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        `severity` is the whole's: write it beside `of`, not inside

plan.yaml:17:53: error: regular expression is not valid [bad-regex]
   17 |           - {check: not, of: {check: says, matches: "("}}
      |                                                     ^^^
        this is not a regular expression: a ( is not closed; close it, or write \\( for the character
        itself

plan.yaml:18:57: error: template uses an undefined name [template-undefined]
   18 | …check: any_of, of: [{check: says, any_of: ["{{ limitt }}"]}, {check: cost, max_cents: 5}]}
      |                                                 ^^^^^^
        `limitt` is neither a variable of the plan nor an axis of `s`; did you mean `limit`?

5 errors and 1 warning in 1 file
""")


def test_what_cannot_be_a_part_is_told_as_anywhere(workspace: Any) -> None:
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
    ) == snapshot("""\
plan.yaml:9:38: error: no such check [unknown-check]
    9 |       - {check: all_of, of: [{check: sayz}, {chek: says}, 5, {any_of: [x]}]}
      |                                      ^^^^
        there is no check `sayz`; did you mean `says`?

plan.yaml:9:46: error: unknown key [unknown-key]
    9 |       - {check: all_of, of: [{check: sayz}, {chek: says}, 5, {any_of: [x]}]}
      |                                              ^^^^
        `chek` is not a key here; did you mean `check`?

plan.yaml:9:59: error: wrong type of value [wrong-type]
    9 |       - {check: all_of, of: [{check: sayz}, {chek: says}, 5, {any_of: [x]}]}
      |                                                           ^
        this must be a mapping such as {check: says, any_of: [...]}, but it is the number 5

plan.yaml:9:63: error: required key is missing [missing-key]
    9 |       - {check: all_of, of: [{check: sayz}, {chek: says}, 5, {any_of: [x]}]}
      |                                                               ^^^^^^
        `check` is required: it names the kind of check; with this beside it: `check: says` or
        `check: never_says`

plan.yaml:10:40: error: wrong type of value [wrong-type]
   10 |       - {check: not, of: {check: says, any_of: null}}
      |                                        ^^^^^^
        there is no value here; write one, or remove the key

plan.yaml:11:26: error: wrong type of value [wrong-type]
   11 |       - {check: not, of: [{check: cost, max_cents: 5}]}
      |                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        this must be a mapping of keys to values, but it is a list; write it without the brackets

plan.yaml:12:29: error: wrong type of value [wrong-type]
   12 |       - {check: all_of, of: {check: cost, max_cents: 5}}
      |                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^
        this must be a list, but it is a mapping; write [{…}], or `- ` before it

plan.yaml:13:25: error: wrong type of value [wrong-type]
   13 |       - {check: all_of, of: null}
      |                         ^^
        there is no value here; write one, or remove the key

plan.yaml:14:9: error: required key is missing [missing-key]
   14 |       - {check: not}
      |         ^^^^^^^^^^^^
        `of` is required by this check

9 errors in 1 file
""")


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
    ) == snapshot("""\
plan.yaml:9:40: error: expectation cannot be used [bad-expectation]
    9 |       - {check: expression, cel: "call.duration < 1.0"}
      |                                        ^^^^^^^^
        a call has no `duration`; write duration_seconds

plan.yaml:13:29: error: expectation cannot be used [bad-expectation]
   13 |           turns.exists(t, t.rol == 'agent')
      |                             ^^^
        a turn has no `rol`; known: `number`, `role`, `text`, `start_ms`, `end_ms`, `ttfa_ms`

plan.yaml:14:34: error: expectation cannot be used [bad-expectation]
   14 |       - {check: expression, cel: "call.durations < {{ limit }}.0"}
      |                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        a call has no `durations`; known: `call_id`, `status`, `end_reason`, `duration_seconds`,
        `product`, `transferred_to`, `variant_id`, `variant_label`, `document`

3 errors in 1 file
""")
