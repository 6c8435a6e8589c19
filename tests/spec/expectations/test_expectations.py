"""Expectations of a plan: what they become, how they are named, and what templates in them may do."""

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
    """Texts in lists and mappings are rendered with the case's values; keys and other values are left alone."""
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


def test_whole_template_in_a_number_field_is_read_as_a_number(workspace: Any) -> None:
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


def test_values_that_python_takes_for_equal_are_told_apart(workspace: Any) -> None:
    """1, 1.0 and true are three values of an axis, and three expectations."""
    text = plan('{check: says, any_of: ["press {{ key }}"]}', matrix="{axes: {key: [1, 1.0, true]}}")
    assert [case.expectations[0].any_of for case in workspace.cases(text)] == [
        ("press 1",),
        ("press 1.0",),
        ("press true",),
    ]


def test_equal_expectations_are_one_value(workspace: Any) -> None:
    """What renders alike is validated once and shared: many cases of large plans stay cheap."""
    cases = workspace.cases(
        plan(
            "{check: duration, max_seconds: 5}", '{check: says, any_of: ["{{ word }}"]}', matrix="{axes: {a: [1, 2]}}"
        ).replace("'{{ limit", "'{{ a }}{{ limit")
    )
    assert [one is other for one, other in zip(cases[0].expectations, cases[1].expectations, strict=True)] == [
        True,
        True,
    ]


BROKEN = {
    "number in quotes": (
        '{check: duration, max_seconds: "180"}',
        snapshot("""\
plan.yaml:9:40: error: wrong type of value [wrong-type]
    9 |       - {check: duration, max_seconds: "180"}
      |                                        ^^^^^
        this must be a number, but it is the text "180"; remove the quotes

1 error in 1 file
"""),
    ),
    "boolean for a number": (
        "{check: duration, max_seconds: true}",
        snapshot("""\
plan.yaml:9:40: error: expectation cannot be used [bad-expectation]
    9 |       - {check: duration, max_seconds: true}
      |                                        ^^^^
        must be a number, not true

1 error in 1 file
"""),
    ),
    "template that makes no number": (
        '{check: duration, max_seconds: "{{ word }}"}',
        snapshot("""\
plan.yaml:9:40: error: wrong type of value [wrong-type]
    9 |       - {check: duration, max_seconds: "{{ word }}"}
      |                                        ^^^^^^^^^^^^
        this must be a number, but it is the text "hello"

1 error in 1 file
"""),
    ),
    "template that makes a number too large": (
        '{check: duration, max_seconds: "{{ limit }}", min_pass_rate: "{{ limit }}"}',
        snapshot("""\
plan.yaml:9:70: error: value is out of range [out-of-range]
    9 |       - {check: duration, max_seconds: "{{ limit }}", min_pass_rate: "{{ limit }}"}
      |                                                                      ^^^^^^^^^^^^^
        90 is out of range: it must be at most 1; 90 % is written 0.9

1 error in 1 file
"""),
    ),
    "template that makes no finite number": (
        '{check: duration, max_seconds: "{{ infinite }}"}',
        snapshot("""\
plan.yaml:9:40: error: wrong type of value [wrong-type]
    9 |       - {check: duration, max_seconds: "{{ infinite }}"}
      |                                        ^^^^^^^^^^^^^^^^
        this must be a number, but it is the text ".inf"

1 error in 1 file
"""),
    ),
    "part of a text for a number": (
        '{check: duration, max_seconds: "{{ limit }}0"}',
        snapshot("""\
plan.yaml:9:40: error: wrong type of value [wrong-type]
    9 |       - {check: duration, max_seconds: "{{ limit }}0"}
      |                                        ^^^^^^^^^^^^^^
        this must be a number, but it is the text "900"

1 error in 1 file
"""),
    ),
    "template that makes a bad pattern": (
        '{check: says, matches: "({{ word }}"}',
        snapshot("""\
plan.yaml:9:32: error: regular expression is not valid [bad-regex]
    9 |       - {check: says, matches: "({{ word }}"}
      |                                ^^^^^^^^^^^^^
        this is not a regular expression: a ( is not closed; close it, or write \\( for the character
        itself; it is "(hello"

1 error in 1 file
"""),
    ),
    "mapping in a text": (
        '{check: says, any_of: ["{{ who }}"]}',
        snapshot("""\
plan.yaml:9:36: error: template cannot be rendered [template-failed]
    9 |       - {check: says, any_of: ["{{ who }}"]}
      |                                    ^^^
        `who`: the value is a mapping, not text; write one of its keys, such as .id

1 error in 1 file
"""),
    ),
    "unknown key of a mapping": (
        '{check: says, any_of: ["a", "b {{ who.nme }}"]}',
        snapshot("""\
plan.yaml:9:47: error: template uses an undefined name [template-undefined]
    9 |       - {check: says, any_of: ["a", "b {{ who.nme }}"]}
      |                                               ^^^
        `nme` is not a key of this mapping; did you mean `name`?

1 error in 1 file
"""),
    ),
    "template syntax": (
        '{check: says, any_of: ["{{ word"], id: "{% if %}"}',
        snapshot("""\
plan.yaml:9:33: error: template is not valid [template-syntax]
    9 |       - {check: says, any_of: ["{{ word"], id: "{% if %}"}
      |                                 ^^^^^^^
        a tag is not closed: }} or %} is missing

plan.yaml:9:49: error: template is not valid [template-syntax]
    9 |       - {check: says, any_of: ["{{ word"], id: "{% if %}"}
      |                                                 ^^^^^^^^
        something is missing before the end of this tag

2 errors in 1 file
"""),
    ),
    "undefined name": (
        '{check: says, any_of: ["{{ wrd }}"], description: "{{ flg }}"}',
        snapshot("""\
plan.yaml:9:36: error: template uses an undefined name [template-undefined]
    9 |       - {check: says, any_of: ["{{ wrd }}"], description: "{{ flg }}"}
      |                                    ^^^
        `wrd` is neither a variable of the plan nor an axis of `s`; did you mean `word`?

plan.yaml:9:63: error: template uses an undefined name [template-undefined]
    9 |       - {check: says, any_of: ["{{ wrd }}"], description: "{{ flg }}"}
      |                                                               ^^^
        `flg` is neither a variable of the plan nor an axis of `s`; did you mean `flag`?

2 errors in 1 file
"""),
    ),
    "id is a number": (
        "{check: call, status: completed, id: 5}",
        snapshot("""\
plan.yaml:9:46: error: wrong type of value [wrong-type]
    9 |       - {check: call, status: completed, id: 5}
      |                                              ^
        this must be text, but it is the number 5; put it in quotes: "5"

1 error in 1 file
"""),
    ),
    "id is a list": (
        "{check: call, status: completed, id: [a]}",
        snapshot("""\
plan.yaml:9:46: error: wrong type of value [wrong-type]
    9 |       - {check: call, status: completed, id: [a]}
      |                                              ^^^
        this must be text, but it is a list; one stands here, without brackets

1 error in 1 file
"""),
    ),
    "check is a number": (
        "{check: 5}",
        snapshot("""\
plan.yaml:9:17: error: wrong type of value [wrong-type]
    9 |       - {check: 5}
      |                 ^
        this must be text, but it is the number 5; put it in quotes: "5"

1 error in 1 file
"""),
    ),
    "check is a template": (
        '{check: "{{ word }}"}',
        snapshot("""\
plan.yaml:9:17: error: no such check [unknown-check]
    9 |       - {check: "{{ word }}"}
      |                 ^^^^^^^^^^^^
        there is no check `{{ word }}`; known: `all_of`, `any_of`, `call`, `cost`, `duration`,
        `expression`, `field`, `grade`, `judge`, `language`, `latency`, `never_says`, `no_pii`,
        `not`, `pacing`, `says`, `sequence`, `similar`, `tool_called`, `tool_not_called`

1 error in 1 file
"""),
    ),
    "check is empty": (
        "{check: }",
        snapshot("""\
plan.yaml:9:10: error: wrong type of value [wrong-type]
    9 |       - {check: }
      |          ^^^^^
        this must be text, but it is empty

1 error in 1 file
"""),
    ),
    "fields of another check": (
        "{check: cost, max_seconds: 5, max_cents: 5}",
        snapshot("""\
plan.yaml:9:23: error: unknown key [unknown-key]
    9 |       - {check: cost, max_seconds: 5, max_cents: 5}
      |                       ^^^^^^^^^^^
        `max_seconds` is not a key here; known: `check`, `description`, `id`, `max_cents`,
        `min_pass_rate`, `severity`

1 error in 1 file
"""),
    ),
    "field of a nested mapping": (
        "{check: tool_called, name: x, times: {mn: 1}}",
        snapshot("""\
plan.yaml:9:47: error: unknown key [unknown-key]
    9 |       - {check: tool_called, name: x, times: {mn: 1}}
      |                                               ^^
        `mn` is not a key here; did you mean `min`?

1 error in 1 file
"""),
    ),
    "missing field": (
        "{check: tool_called}",
        snapshot("""\
plan.yaml:9:9: error: required key is missing [missing-key]
    9 |       - {check: tool_called}
      |         ^^^^^^^^^^^^^^^^^^^^
        `name` is required by this check

1 error in 1 file
"""),
    ),
    "missing field, mistyped": (
        "{check: tool_called, nme: x}",
        snapshot("""\
plan.yaml:9:30: error: unknown key [unknown-key]
    9 |       - {check: tool_called, nme: x}
      |                              ^^^
        `nme` is not a key here; did you mean `name`?

1 error in 1 file
"""),
    ),
    "empty list": (
        "{check: says, any_of: []}",
        snapshot("""\
plan.yaml:9:31: error: expectation cannot be used [bad-expectation]
    9 |       - {check: says, any_of: []}
      |                               ^^
        needs at least one phrase

1 error in 1 file
"""),
    ),
    "empty phrase": (
        '{check: says, any_of: [""]}',
        snapshot("""\
plan.yaml:9:32: error: expectation cannot be used [bad-expectation]
    9 |       - {check: says, any_of: [""]}
      |                                ^^
        a phrase needs a letter, a digit or a sign such as % or $: nothing else is looked for

1 error in 1 file
"""),
    ),
    "min over max": (
        "{check: duration, min_seconds: 9, max_seconds: 5}",
        snapshot("""\
plan.yaml:9:9: error: expectation cannot be used [bad-expectation]
    9 |       - {check: duration, min_seconds: 9, max_seconds: 5}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        `max_seconds` (5) is less than `min_seconds` (9)

1 error in 1 file
"""),
    ),
    "two ways to say it": (
        "{check: says, any_of: [a], matches: b}",
        snapshot("""\
plan.yaml:9:9: error: expectation cannot be used [bad-expectation]
    9 |       - {check: says, any_of: [a], matches: b}
      |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        takes one of `any_of`, `all_of` and `matches`, not `any_of` and `matches`

1 error in 1 file
"""),
    ),
    "pass rate": (
        "{check: cost, max_cents: 5, min_pass_rate: 1.5}",
        snapshot("""\
plan.yaml:9:52: error: value is out of range [out-of-range]
    9 |       - {check: cost, max_cents: 5, min_pass_rate: 1.5}
      |                                                    ^^^
        1.5 is out of range: it must be at most 1

1 error in 1 file
"""),
    ),
    "argument with a leading zero": (
        "{check: tool_called, name: x, arguments: {zip: 02139}}",
        snapshot("""\
plan.yaml:9:56: warning: unquoted number loses characters [number-rewritten]
    9 |       - {check: tool_called, name: x, arguments: {zip: 02139}}
      |                                                        ^^^^^
        YAML reads 02139 as the number 2139; write "02139" to keep it as it is

1 warning in 1 file
"""),
    ),
    "a list too many": (
        "[{check: call}]",
        snapshot("""\
plan.yaml:9:9: error: wrong type of value [wrong-type]
    9 |       - [{check: call}]
      |         ^^^^^^^^^^^^^^^
        this must be a mapping such as {check: says, any_of: [...]}, but it is a list; write its
        items in the list around it, each by itself

1 error in 1 file
"""),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_fault_of_an_expectation(workspace: Any, name: str) -> None:
    """Each fault is at the value that has it; which case is named only where a template makes the difference."""
    written, said = BROKEN[name]
    assert workspace.faults(plan(written)) == said


def test_fault_of_one_case_is_reported_once_with_its_case(workspace: Any) -> None:
    """Where a text cannot be used in any case, the first is named; where it can in some, the values that are at fault."""
    text = plan(
        '{check: duration, max_seconds: "{{ n }}"}',
        '{check: says, any_of: ["{{ who.x[n] }}"]}',
        matrix="{axes: {n: [1, two, three, 4]}}",
    )
    assert workspace.faults(text) == snapshot("""\
plan.yaml:8:28: error: wrong type of value [wrong-type]
    8 |     matrix: {axes: {n: [1, two, three, 4]}}
      |                            ^^^
        this must be a number, but it is the text "two"
        used here: plan.yaml:10:40
   10 |       - {check: duration, max_seconds: "{{ n }}"}
      |                                        ^^^^^^^^^

plan.yaml:8:33: error: wrong type of value [wrong-type]
    8 |     matrix: {axes: {n: [1, two, three, 4]}}
      |                                 ^^^^^
        this must be a number, but it is the text "three"
        used here: plan.yaml:10:40
   10 |       - {check: duration, max_seconds: "{{ n }}"}
      |                                        ^^^^^^^^^

plan.yaml:11:40: error: template uses an undefined name [template-undefined]
   11 |       - {check: says, any_of: ["{{ who.x[n] }}"]}
      |                                        ^
        `x` is not a key of this mapping; known: `name` (in case p/s[n=1])

3 errors in 1 file
""")


def test_ids_that_meet_in_a_case_are_reported(workspace: Any) -> None:
    """An id of the scenario that the defaults have is a fault, at the scenario's."""
    text = plan("{check: cost, max_cents: 5, id: a}", defaults=("{check: cost, max_cents: 9, id: a}",))
    assert workspace.codes(text) == [("duplicate-id", 12, 41)]


def test_ids_that_templates_make_equal_are_reported(workspace: Any) -> None:
    """Two ids that differ as written may meet when rendered."""
    text = plan('{check: cost, max_cents: 5, id: "a{{ limit }}"}', "{check: cost, max_cents: 6, id: a90}")
    assert workspace.faults(text) == snapshot("""\
plan.yaml:10:41: error: two expectations have one id [duplicate-id]
   10 |       - {check: cost, max_cents: 6, id: a90}
      |                                         ^^^
        another expectation has the id `a90` as well

1 error in 1 file
""")


def test_large_expectation_with_templates_is_refused(workspace: Any) -> None:
    """What is rendered for each case is bounded; without a template the same is read once and allowed."""
    phrases = ", ".join(f"p{number}" for number in range(1_000))
    assert workspace.codes(plan(f"{{check: says, any_of: [{phrases}]}}")) == []
    assert workspace.codes(plan(f'{{check: says, any_of: [{phrases}], description: "{{{{ word }}}}"}}')) == [
        ("too-many-nodes", 9, 9)
    ]


def test_default_that_a_scenario_cannot_fill_is_reported_for_it(workspace: Any) -> None:
    """A default's template may use an axis; a scenario without that axis is named."""
    text = plan(
        "{check: cost, max_cents: 5}",
        defaults=('{check: says, any_of: ["{{ mood }}"]}',),
        matrix="{axes: {mood: [calm]}}",
        extra="  t:\n    prompt: Hello.\n",
    )
    assert workspace.faults(text) == snapshot("""\
plan.yaml:7:34: error: template uses an undefined name [template-undefined]
    7 |     - {check: says, any_of: ["{{ mood }}"]}
      |                                  ^^^^
        `mood` is neither a variable of the plan nor an axis of `t`; `s` has such an axis, and each
        scenario has its own

1 error in 1 file
""")


def test_equal_texts_with_an_alias_are_not_the_same(workspace: Any) -> None:
    """What `*a` stands for may have changed in between, here from a number to a boolean."""
    plan = """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  s:
    prompt: Ask.
    runs: &a 1
    expect: [{check: duration, max_seconds: *a}]
  t:
    prompt: "{{ w }}"
    matrix: {axes: {w: [&a true]}}
    expect: [{check: duration, max_seconds: *a}]
"""
    assert workspace.codes(plan) == [("bad-expectation", 12, 45)]


def test_what_is_told_of_a_plan_does_not_depend_on_how_much_was_read_before_it(workspace: Any) -> None:
    """Expectations are known again by their text, and no more than so many of them: a plan is told of as if it stood alone."""
    head = "version: 1\nplan: {}\ntargets: {{support: {{agent: 12}}}}\nvars: {{day: Monday}}\nscenarios:\n"
    scenario = "  s{}:\n    prompt: Ask, on {{{{ day }}}}.\n    expect:\n{}"
    repeated = "      - {check: says, any_of: [Hello, hello]}\n      - {check: duration, max_seconds: 180}\n"
    many = [f"      - {{check: says, any_of: [word-{number}]}}\n" for number in range(1_100)]
    parts = ["".join(many[start : start + 275]) for start in range(0, len(many), 275)]
    before = head.format("before") + "".join(
        scenario.format(number, repeated + part) for number, part in enumerate(parts)
    )
    workspace.write("before.yaml", before)
    workspace.write("plan.yaml", head.format("after") + scenario.format(0, repeated + repeated))
    alone, told_alone = workspace.load("plan.yaml")
    (_, after), told = workspace.load("before.yaml", "plan.yaml")
    assert after == alone[0]
    assert [item for item in told.items if item.span.file == "plan.yaml"] == told_alone.items
    assert {item.code for item in told_alone.items} == {"duplicate-item"}
