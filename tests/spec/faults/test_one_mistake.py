"""One mistake is told where it is made, with its own cure, and blames nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

HEAD = """\
version: 1
plan: p
targets: {support: {agent: 12}}
defaults: {expect: [{check: call, status: completed}]}
"""


def told(workspace: Any, plan: str) -> list[tuple[str, int, str]]:
    workspace.write("plan.yaml", HEAD + plan)
    return [(item.code, item.span.line, item.detail) for item in workspace.load()[1]]


@pytest.mark.parametrize("key", ["Prompt", "PROMPT"])
def test_a_key_in_capitals_is_meant_as_it_is(workspace: Any, key: str) -> None:
    """The same word in other letters comes before a longer word that begins alike."""
    faults = told(workspace, f"scenarios: {{s: {{{key}: hello}}}}\n")
    assert faults[0] == ("unknown-key", 5, f"`{key}` is not a key here; did you mean `prompt`?")


def test_a_costly_template_does_not_use_up_what_others_may_do(workspace: Any) -> None:
    """Only the template that does too much work is told of, in however many cases, and what is wrong with others is."""
    costly = "".join(
        f"  c{number}: {{prompt: '{{% for i in range(100000000) %}}{number}{{% endfor %}}'}}\n" for number in range(3)
    )
    looping = """\
  loop:
    prompt: '{% for i in range(99999) %}{{ i ~ a }}{% endfor %}'
    matrix: {axes: {a: {file: values.txt}}}
"""
    workspace.write("values.txt", "".join(f"{number}\n" for number in range(400)))
    faults = told(workspace, f"scenarios:\n{costly}{looping}  last: {{prompt: '{{{{ 1 + 1 }}}} {{{{ [].x.y }}}}'}}\n")
    assert [(code, line) for code, line, _ in faults] == snapshot(
        [
            ("template-too-costly", 6),
            ("template-too-costly", 7),
            ("template-too-costly", 8),
            ("template-too-costly", 10),
            ("template-undefined", 12),
        ]
    )
    assert {detail.partition(" (in case")[0] for code, _, detail in faults if code == "template-too-costly"} == {
        "this template does too much work; use fewer or shorter loops"
    }


MATRIX = """\
scenarios:
  s:
    prompt: "{{ x }} {{ y.n }}"
    matrix:
      axes: {x: [1, 2], y: [{id: a, n: 1}]}
      include:
"""


def test_an_id_is_one_value_in_included_cases_too(workspace: Any) -> None:
    """The second content of an id is the fault, be the first one in the axis or in another included case."""
    first = MATRIX + "        - {x: 1, y: {id: d, N: 3}}\n"
    assert told(workspace, first + "        - {x: 5, y: {id: d, n: 3}}\n") == snapshot(
        [("colliding-case-id", 12, "`d` is another value of `y` already; write {id: d} for that one, or another id")]
    )
    assert told(workspace, MATRIX + "        - {x: 3, y: {id: a, n: 9}}\n") == snapshot(
        [("colliding-case-id", 11, "`a` is another value of `y` already; write {id: a} for that one, or another id")]
    )


def test_an_id_alone_stands_for_its_value(workspace: Any) -> None:
    """Of the axis, or of a case that is included before; writing all of it again is the same."""
    cases = workspace.cases(
        HEAD
        + MATRIX
        + "        - {x: 3, y: a}\n        - {x: 3, y: {id: d, n: 7}}\n"
        + "        - {x: 4, y: {id: d}}\n        - {x: 5, y: {id: d, n: 7}}\n        - {x: 6, y: {id: a, n: 1}}\n"
    )
    assert [case.prompt for case in cases] == ["1 1", "2 1", "3 1", "3 7", "4 7", "5 7", "6 1"]


def test_a_variable_that_keeps_what_an_alias_stands_for_is_used(workspace: Any) -> None:
    """There is no other place for it, and removing it would break the plan."""
    scenario = "scenarios: {s: {<<: *c, prompt: hello}}\n"
    assert told(workspace, "vars: {common: &c {runs: 3}}\n" + scenario) == []
    assert told(workspace, "vars: {common: {inner: &c {runs: 3}}}\n" + scenario) == []
    faults = told(workspace, "vars: {common: &c {runs: 3}, b: &d 3}\n" + scenario)
    assert [(code, detail) for code, _, detail in faults] == [
        ("unused-variable", "no template of this plan uses `b`; remove it")
    ]


def test_a_faulty_bound_bounds_nothing(workspace: Any) -> None:
    """How many cases there may be is not known where `max_cases` cannot be read."""
    axes = "axes: {a: {file: v.txt}, b: {file: v.txt}}"
    workspace.write("v.txt", "".join(f"{number}\n" for number in range(30)))
    faults = told(
        workspace, f"scenarios: {{s: {{prompt: '{{{{ a }}}}{{{{ b }}}} ', matrix: {{max_cases: 1000000, {axes}}}}}}}\n"
    )
    assert [code for code, _, _ in faults] == ["out-of-range"]


def test_a_list_is_not_empty_for_what_cannot_be_read(workspace: Any) -> None:
    """Its one item has the fault; an empty list is one by itself."""
    plan = "scenarios: {{s: {{prompt: hi, expect: [{{check: no_pii, kinds: [{}]}}]}}}}\n"
    assert [code for code, _, _ in told(workspace, plan.format("cards"))] == ["not-a-choice"]
    assert [code for code, _, _ in told(workspace, plan.format(""))] == ["bad-expectation"]


def test_a_scenario_lacks_nothing_that_an_alias_may_have(workspace: Any) -> None:
    """What a mistyped alias was to bring in is not missed besides; without one it is."""
    assert [code for code, _, _ in told(workspace, "scenarios: {s: {<<: *nope}}\n")] == ["bad-alias"]
    workspace.write("plan.yaml", HEAD.partition("defaults")[0] + "scenarios: {s: {<<: *nope}, t: {runs: 3}}\n")
    assert [item.code for item in workspace.load()[1]] == ["bad-alias", "no-expectations", "no-prompt"]


def test_one_expectation_against_several_is_one_fault(workspace: Any) -> None:
    """The others are named with it; one that is only a warning does not make it one."""
    plan = """\
scenarios:
  s:
    prompt: hi
    expect:
      - {check: says, id: a1, any_of: [thirty days]}
      - {check: says, id: a2, any_of: [thirty days]%s}
      - {check: says, id: a3, any_of: [in thirty days]}
      - {check: never_says, any_of: [thirty days]}
"""
    workspace.write("plan.yaml", HEAD + plan % "")
    assert [
        (item.severity.value, item.span.line, item.detail, len(item.related)) for item in workspace.load()[1]
    ] == snapshot(
        [("error", 12, 'this cannot hold together with `a1`: "thirty days" is wanted and unwanted; and with 2 more', 3)]
    )
    workspace.write("plan.yaml", HEAD + plan % ", severity: warning")
    assert [
        (item.severity.value, item.span.line, item.detail, len(item.related)) for item in workspace.load()[1]
    ] == snapshot(
        [
            ("error", 12, 'this cannot hold together with `a1`: "thirty days" is wanted and unwanted', 1),
            ("warning", 12, 'this cannot hold together with `a2`: "thirty days" is wanted and unwanted', 1),
            ("error", 12, 'this cannot hold together with `a3`: who says "in thirty days" says "thirty days"', 1),
        ]
    )
