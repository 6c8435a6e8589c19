"""Expectations of a plan, combined ones too: what they become, how they are named, and what templates in them may do."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

from planner.diagnostics import Span

HEAD = """\
version: 1
plan: p
targets: {support: {agent: 12}}
vars: {limit: 90, rate: 0.5, flag: true, word: hello, order: "17", who: {name: Ana}, infinite: ".inf"}
"""


def plan(*expectations: str, defaults: tuple[str, ...] = (), matrix: str = "", extra: str = "") -> str:
    """A plan with one scenario that expects these, all variables used."""
    text = HEAD
    if defaults:
        text += "defaults:\n  expect:\n" + "".join(f"    - {item}\n" for item in defaults)
    text += "scenarios:\n  s:\n    prompt: '{{ limit }}{{ rate }}{{ flag }}{{ word }}{{ order }}{{ who.name }}{{ infinite }}'\n"
    text += f"    matrix: {matrix}\n" if matrix else ""
    return text + "    expect:\n" + "".join(f"      - {item}\n" for item in expectations) + extra


def test_ids_are_given_or_made_from_the_check(workspace: Any) -> None:
    """The check's name, with -2, -3 for repeats; what an author has named keeps its name, and defaults come first."""
    case = workspace.case(
        plan(
            "{check: duration, max_seconds: 1}",
            "{check: cost, max_cents: 5, id: duration-2}",
            "{check: duration, max_seconds: 2}",
            "{check: call, id: duration, status: completed}",
            defaults=("{check: duration, max_seconds: 3}", "{check: cost, max_cents: 9}"),
        )
    )
    assert [(item.id, item.check) for item in case.expectations] == [
        ("duration-3", "duration"),
        ("cost", "cost"),
        ("duration-4", "duration"),
        ("duration-2", "cost"),
        ("duration-5", "duration"),
        ("duration", "call"),
    ]


def test_each_expectation_knows_where_it_is_written(workspace: Any) -> None:
    """One span for each expectation, the defaults' in the defaults."""
    case = workspace.case(
        plan(
            "{check: cost, max_cents: 5}",
            "check: duration\n        max_seconds: 5",
            defaults=("{check: cost, max_cents: 9}",),
        )
    )
    assert case.expectation_spans == (
        Span("plan.yaml", 7, 7, 7, 34),
        Span("plan.yaml", 12, 9, 12, 36),
        Span("plan.yaml", 13, 9, 14, 23),
    )


def test_templates_apply_to_texts_anywhere(workspace: Any) -> None:
    """Strings in lists and mappings are rendered with the case's values; keys and other values are left alone."""
    cases = workspace.cases(
        plan(
            '{check: says, any_of: ["order {{ order }}", "{{ name }}"], id: "says-{{ name }}"}',
            '{check: tool_called, name: look, arguments: {id: "{{ order }}", deep: [{"{{ key }}": "{{ name }}!"}], n: 5}}',
            matrix="{axes: {name: [ana, bob]}}",
        )
    )
    found = [[item.model_dump(exclude_none=True) for item in case.expectations] for case in cases]
    assert [(items[0]["id"], items[0]["any_of"]) for items in found] == [
        ("says-ana", ("order 17", "ana")),
        ("says-bob", ("order 17", "bob")),
    ]
    assert [items[1]["arguments"] for items in found] == [
        {"id": "17", "deep": [{"{{ key }}": "ana!"}], "n": 5},
        {"id": "17", "deep": [{"{{ key }}": "bob!"}], "n": 5},
    ]


def test_a_template_in_a_number_field_is_read_as_a_number(workspace: Any) -> None:
    """`max_seconds: "{{ limit }}"` is a number; where the field takes text, the same stays text."""
    case = workspace.case(
        plan(
            '{check: duration, max_seconds: "{{ limit }}", min_pass_rate: "{{ rate }}"}',
            '{check: says, any_of: ["{{ limit }}"], ignore_case: "{{ flag }}", min_count: "{{ limit }}"}',
            '{check: tool_called, name: x, times: "{{ limit }}", arguments: {a: "{{ limit }}"}}',
            '{check: tool_called, name: x, times: {min: "{{ limit }}"}}',
        )
    )
    duration, says, tool, bounds = case.expectations
    assert (duration.max_seconds, duration.min_pass_rate) == (90.0, 0.5)
    assert (says.any_of, says.ignore_case, says.min_count) == (("90",), True, 90)
    assert (tool.times, tool.arguments) == (90, {"a": "90"})
    assert bounds.times.min == 90


def test_values_that_python_takes_for_equal_are_distinguished(workspace: Any) -> None:
    """1, 1.0 and true are three values of an axis, and three expectations."""
    text = plan('{check: says, any_of: ["press {{ key }}"]}', matrix="{axes: {key: [1, 1.0, true]}}")
    assert [case.expectations[0].any_of for case in workspace.cases(text)] == [
        ("press 1",),
        ("press 1.0",),
        ("press true",),
    ]


BROKEN = {
    "number in quotes": ('{check: duration, max_seconds: "180"}', snapshot("9:40 wrong-type")),
    "boolean for a number": ("{check: duration, max_seconds: true}", snapshot("9:40 bad-expectation")),
    "template that makes no number": ('{check: duration, max_seconds: "{{ word }}"}', snapshot("9:40 wrong-type")),
    "template that makes a number too large": (
        '{check: duration, max_seconds: "{{ limit }}", min_pass_rate: "{{ limit }}"}',
        snapshot("9:70 out-of-range"),
    ),
    "template that makes no finite number": (
        '{check: duration, max_seconds: "{{ infinite }}"}',
        snapshot("9:40 wrong-type"),
    ),
    "template that makes a bad pattern": ('{check: says, matches: "({{ word }}"}', snapshot("9:32 bad-regex")),
    "mapping in a text": ('{check: says, any_of: ["{{ who }}"]}', snapshot("9:33 template-failed")),
    "unknown key of a mapping": (
        '{check: says, any_of: ["a", "b {{ who.nme }}"]}',
        snapshot("9:47 template-undefined"),
    ),
    "template syntax": (
        '{check: says, any_of: ["{{ word"], id: "{% if %}"}',
        snapshot("9:33 template-syntax, 9:49 template-syntax"),
    ),
    "undefined name": (
        '{check: says, any_of: ["{{ wrd }}"], description: "{{ flg }}"}',
        snapshot("9:36 template-undefined, 9:63 template-undefined"),
    ),
    "id is a number": ("{check: call, status: completed, id: 5}", snapshot("9:46 wrong-type")),
    "id is a list": ("{check: call, status: completed, id: [a]}", snapshot("9:46 wrong-type")),
    "check is a number": ("{check: 5}", snapshot("9:17 wrong-type")),
    "check is a template": ('{check: "{{ word }}"}', snapshot("9:17 unknown-check")),
    "check is empty": ("{check: }", snapshot("9:10 wrong-type")),
    "fields of another check": ("{check: cost, max_seconds: 5, max_cents: 5}", snapshot("9:23 unknown-key")),
    "field of a nested mapping": ("{check: tool_called, name: x, times: {mn: 1}}", snapshot("9:47 unknown-key")),
    "missing field": ("{check: tool_called}", snapshot("9:9 missing-key")),
    "empty list": ("{check: says, any_of: []}", snapshot("9:31 bad-expectation")),
    "empty phrase": ('{check: says, any_of: [""]}', snapshot("9:32 bad-expectation")),
    "min over max": ("{check: duration, min_seconds: 9, max_seconds: 5}", snapshot("9:9 bad-expectation")),
    "two ways to say it": ("{check: says, any_of: [a], matches: b}", snapshot("9:9 bad-expectation")),
    "argument with a leading zero": (
        "{check: tool_called, name: x, arguments: {zip: 02139}}",
        snapshot("9:56 warning number-rewritten"),
    ),
    "a list too many": ("[{check: call}]", snapshot("9:9 wrong-type")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_fault_of_an_expectation(workspace: Any, name: str) -> None:
    """Each diagnostic is at the value that has it; which case is named only where a template makes the difference."""
    written, said = BROKEN[name]
    assert workspace.diagnostics(plan(written)) == said


def test_ids_that_meet_in_a_case_are_reported(workspace: Any) -> None:
    """An id of the scenario that the defaults have is a diagnostic, at the scenario's."""
    text = plan("{check: cost, max_cents: 5, id: a}", defaults=("{check: cost, max_cents: 9, id: a}",))
    assert workspace.codes(text) == [("duplicate-id", 12, 41)]


def test_ids_that_templates_make_equal_are_reported(workspace: Any) -> None:
    """Two ids that differ as written may meet when rendered."""
    text = plan('{check: cost, max_cents: 5, id: "a{{ limit }}"}', "{check: cost, max_cents: 6, id: a90}")
    assert workspace.diagnostics(text) == snapshot("10:41 duplicate-id")


def test_default_that_a_scenario_cannot_fill_is_reported_for_it(workspace: Any) -> None:
    """A default's template may use an axis; a scenario without that axis is named."""
    text = plan(
        "{check: cost, max_cents: 5}",
        defaults=('{check: says, any_of: ["{{ mood }}"]}',),
        matrix="{axes: {mood: [calm]}}",
        extra="  t:\n    prompt: Hello.\n",
    )
    assert workspace.diagnostics(text) == snapshot("7:34 template-undefined")


COMBINED = """\
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
        COMBINED
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
    assert workspace.diagnostics(
        COMBINED
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
    assert workspace.diagnostics(
        COMBINED
        + """\
      - {check: all_of, of: [{check: sayz}, {chek: says}, 5, {any_of: [x]}]}
      - {check: not, of: {check: says, any_of: null}}
      - {check: not, of: [{check: cost, max_cents: 5}]}
      - {check: all_of, of: {check: cost, max_cents: 5}}
      - {check: all_of, of: null}
      - {check: not}
"""
    ) == snapshot(
        "9:38 unknown-check, 9:46 unknown-key, 9:59 wrong-type, 9:62 missing-key, 10:40 wrong-type, 11:26 wrong-type, 12:29 wrong-type, 13:25 wrong-type, 14:9 missing-key"
    )


def test_a_fault_inside_an_expression_is_pointed_at(workspace: Any) -> None:
    """A wrong name in CEL is a diagnostic in the plan file, at its own column, folded text or not; rendered text has none."""
    assert workspace.diagnostics(
        COMBINED
        + """\
      - {check: expression, cel: "call.duration < 1.0"}
      - check: expression
        cel: >
          call.duration_seconds < 120.0 &&
          turns.exists(t, t.rol == 'agent')
      - {check: expression, cel: "call.durations < {{ limit }}.0"}
"""
    ) == snapshot("9:40 bad-expectation, 14:34 bad-expectation")
