"""Where only some values of an axis make a text unusable, they are at fault, and not the text."""

from __future__ import annotations

from typing import Any

from inline_snapshot import snapshot

HEADER = """\
version: 1
plan: p
targets: {support: {agent: 12}}
"""


def test_values_that_cannot_be_used_are_told_where_they_are_written(workspace: Any) -> None:
    """One fault for each value, with all that uses it; faults that come with every value are the text's."""
    assert workspace.faults(
        HEADER
        + """\
vars: {times: x}
scenarios:
  one:
    prompt: You are {{ caller.name }}, {{ caller.nam }}. {{ limit }} is {{ (number + 1) * count }}.
    matrix:
      axes:
        limit: [100, soon, 200]
        count: [1, 2]
        number: [1, many]
        caller:
          - {id: ana, name: Ana}
          - {id: bob, nam: Bob}
          - {id: eva, name: Eva, nam: Eve}
    expect:
      - {check: duration, max_seconds: "{{ limit }}"}
      - {check: says, any_of: [yes], max_count: "{{ limit }}"}
      - {check: says, any_of: [yes], max_count: "{{ count }}", min_count: 2}
      - {check: says, any_of: [yes], max_count: "{{ times }}"}
      - {check: says, matches: "{{ number }}{{ count }}("}
"""
    ) == snapshot("""\
plan.yaml:10:22 error wrong-type
plan.yaml:11:17 error bad-expectation
plan.yaml:12:21 error template-failed
plan.yaml:14:13 error template-undefined
plan.yaml:15:13 error template-undefined
plan.yaml:21:49 error wrong-type
plan.yaml:22:32 error bad-regex
""")


def test_the_only_value_of_an_axis_is_at_fault_where_a_text_is_nothing_else(workspace: Any) -> None:
    """There is no other to compare it with."""
    assert workspace.codes(
        HEADER
        + """\
scenarios:
  one:
    prompt: You wait {{ limit }} seconds, {{ mood }}.
    matrix: {axes: {limit: [soon], mood: ["("]}}
    expect: [{check: duration, max_seconds: "{{ limit }}"}, {check: says, matches: "{{ mood }}x"}]
"""
    ) == [("wrong-type", 7, 29), ("bad-regex", 8, 84)]


def test_cases_that_fail_for_another_reason_say_nothing_of_a_value(workspace: Any) -> None:
    """Bob's cases are not rendered as far as the sum: that many and 2 come together in one of them only hides nothing."""
    assert workspace.codes(
        HEADER
        + """\
scenarios:
  one:
    prompt: You are {{ caller.name }}. You want {{ number + count }}.
    matrix:
      axes:
        caller: [{id: ana, name: Ana}, {id: bob}]
        number: [1, many]
        count: [1, 2]
      exclude: [{caller: ana, number: many, count: 2}]
    expect: [{check: says, any_of: [yes]}]
"""
    ) == [("template-undefined", 9, 40), ("template-failed", 10, 21)]


def test_many_values_of_a_file_are_counted_after_the_tenth(workspace: Any) -> None:
    """Each is shown in the file; the place in the plan stands beside it."""
    workspace.write("limits.csv", "limit\n10\n" + "".join(f"n{number}\n" for number in range(14)))
    rendered = workspace.faults(
        HEADER
        + """\
scenarios:
  one:
    prompt: You wait {{ limit }} seconds.
    matrix: {axes: {limit: {file: limits.csv, column: limit}}}
    expect: [{check: duration, max_seconds: "{{ limit }}"}]
"""
    )
    assert rendered.count("wrong-type") == 10
    assert rendered[rendered.index("limits.csv:12:1") :] == snapshot("limits.csv:12:1 error wrong-type\n")


def test_values_of_a_library_are_told_there(workspace: Any) -> None:
    """The expectation that cannot be used with them may be in a library as well: it is told, and who uses it."""
    workspace.write(
        "voice.yaml",
        """\
version: 1
kind: library
axes: {limits: [10, soon]}
expectations: {quick: {check: duration, max_seconds: "{{ limit }}"}}
""",
    )
    assert workspace.faults(
        HEADER
        + """\
imports: [voice.yaml]
scenarios:
  one:
    prompt: You wait {{ limit }} seconds.
    matrix: {axes: {limit: {use: limits}}}
    expect: [{use: quick}]
"""
    ) == snapshot("voice.yaml:3:21 error wrong-type\n")


def test_a_wrong_part_of_a_mapping_is_told_at_its_key(workspace: Any) -> None:
    """At what the template looks up, however deep; the whole mapping where it is not written there."""
    workspace.write("callers.jsonl", '{"id": "ana", "limit": 10}\n{"id": "bob", "limit": "soon"}\n')
    assert workspace.faults(
        HEADER
        + """\
scenarios:
  one:
    prompt: You are {{ caller.id }}, {{ other.id }}.
    matrix:
      axes:
        caller:
          - {id: ana, times: {most: 10}}
          - {id: bob, times: {least: 1, most: soon}}
        other: {file: callers.jsonl}
    expect:
      - {check: duration, max_seconds: "{{ caller.times.most }}"}
      - {check: duration, max_seconds: "{{ other.limit }}"}
"""
    ) == snapshot("""\
callers.jsonl:2:1 error wrong-type
plan.yaml:11:47 error wrong-type
""")
