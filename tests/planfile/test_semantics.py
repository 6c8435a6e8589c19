"""Plans that are well formed and cannot be meant: parts that do nothing, equal calls, strings that YAML cuts."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot


def test_the_same_words_twice(workspace: Any, head: str) -> None:
    """A warning at its place."""
    expected = """
      - {check: says, any_of: [30 days, 30-Days, "{{ mood }}"]}
      - {check: says, any_of: [30 days, 30-Days]}
      - {check: never_says, id: other, all_of: [sorry, Sorry]}
"""
    scenario = "scenarios:\n  s:\n    prompt: Be {{ mood }}.\n    matrix: {axes: {mood: [calm, furious]}}\n    expect:"
    assert workspace.diagnostics(head + scenario + expected) == snapshot(
        "11:41 warning duplicate-item, 12:56 warning duplicate-item"
    )


PLANS = {
    "a target that is mistyped": (
        """targets: {support: {agent: 12}}
scenarios:
  s: {targets: [suport], prompt: Hello., expect: [{check: call, status: completed}]}
""",
        snapshot("5:17 unknown-target"),
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
        snapshot("4:14 warning literal-template, 8:25 warning literal-template"),
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
            "4:40 warning unused-variable, 8:31 unresolved-variable, 8:51 unresolved-variable, 8:73 unresolved-variable, 9:7 unresolved-variable"
        ),
    ),
    "dollar sign": (
        """targets: {support: {agent: 12}}
scenarios:
  s:
    prompt: Ask for $ORDER and $ORDER; it costs $5, or USD $A.
    expect: [{check: call, status: completed}]
""",
        snapshot("6:21 warning unresolved-variable"),
    ),
    "only warnings": (
        """targets: {support: {agent: 12}}
defaults: {expect: [{check: call, status: completed, severity: warning}]}
scenarios:
  s: {prompt: Hello.}
  t: {prompt: Hi., expect: [{check: duration, max_seconds: 9}]}
""",
        snapshot("6:3 warning cannot-fail"),
    ),
    "no run has to pass": (
        """targets: {support: {agent: 12}}
defaults: {min_pass_rate: 0, expect: [{check: call, status: completed}]}
scenarios:
  s: {prompt: Hello.}
  t: {prompt: Hi., min_pass_rate: 0.0, expect: [{check: duration, max_seconds: 9, severity: critical}]}
  u: {prompt: Bye., runs: 2, min_pass_rate: 0.01}
""",
        snapshot("4:27 bad-value, 7:35 bad-value"),
    ),
    "the same call": (
        """targets: {support: {agent: 12}, other: {agent: 14}}
defaults: {targets: [support]}
scenarios:
  s: {prompt: Hello., expect: [{check: call, status: completed}]}
  t: {prompt: Hello., expect: [{check: duration, max_seconds: 9}], runs: 3}
  u: {prompt: Hello., expect: [{check: call, status: completed}], targets: [other]}
  v: {prompt: Hello., expect: [{check: call, status: completed}], mode: sip}
""",
        snapshot("7:3 warning same-call"),
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
        snapshot("4:1 unknown-key, 5:1 unknown-key, 6:1 unknown-key, 7:12 unknown-key, 9:23 unknown-key"),
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_lint_of_a_plan(workspace: Any, name: str) -> None:
    """Unused parts, and parts that mean something else than they appear to."""
    text, said = PLANS[name]
    assert workspace.diagnostics(f"version: 1\nplan: p\n{text}") == said


MOODS = "matrix: {axes: {mood: [calm, furious, sad]}}"
SAYS = "expect: [{check: says, any_of: [yes]}]"


def scenario(prompt: str, matrix: str, expect: str = SAYS) -> str:
    return f"scenarios:\n  s:\n    prompt: {prompt}\n    {matrix}\n    {expect}\n"


SAME = {
    "a mistyped value, in a condition that never holds": (
        scenario("\"Ask. {% if mood == 'frious' %}Shout.{% endif %}\"", MOODS),
        snapshot("6:3 warning same-call"),
    ),
    "some values": (
        scenario(
            "\"Ask for {{ order }}. {% if mood == 'furious' %}Shout.{% endif %}\"",
            "matrix: {axes: {mood: [calm, furious, sad, sorry], order: [1, 2]}}",
        ),
        snapshot("6:3 warning same-call"),
    ),
    "an axis that matters for one value of another": (
        scenario(
            "\"Ask. {% if mood == 'furious' %}Shout {{ why }}.{% endif %}\"",
            "matrix: {axes: {mood: [calm, furious], why: [late, lost, broken]}}",
        ),
        snapshot("6:3 warning same-call"),
    ),
    "mappings that differ in their id alone": (
        scenario(
            '"You are {{ caller.name }}."', "matrix: {axes: {caller: [{id: ana, name: Ana}, {id: bob, name: Ana}]}}"
        ),
        snapshot("6:3 warning same-call"),
    ),
}


@pytest.mark.parametrize("name", SAME)
def test_same_call_for_several_values(workspace: Any, head: str, name: str) -> None:
    """One warning, at the scenario."""
    plan, expected = SAME[name]
    assert workspace.diagnostics(head + plan) == expected


@pytest.mark.parametrize(
    "plan",
    [
        scenario("\"Ask. {% if mood == 'sad' %}Cry.{% elif mood == 'furious' %}Shout.{% endif %}\"", MOODS),
        scenario("Ask.", MOODS, 'expect: [{check: says, any_of: ["{{ mood }}"]}]'),
        scenario('"{{ mood }}"', MOODS + "\n    targets: [support, other]").replace(
            "scenarios", "# {other: {agent: 3}}\nscenarios"
        ),
    ],
)
def test_cases_that_differ_in_anything_are_not_the_same_call(workspace: Any, head: str, plan: str) -> None:
    """In the prompt, in an expectation or in the target."""
    head = head.replace("{agent: 12}", "{agent: 12}, other: {agent: 13}")
    assert workspace.codes(head + plan) == []


def test_values_of_a_shared_file_are_reported_at_the_scenario(workspace: Any, head: str) -> None:
    """Another plan may need them."""
    workspace.write("moods.csv", "calm\nfurious\n")
    plan = scenario("\"Ask{% if mood == 'x' %}!{% endif %}\"", "matrix: {axes: {mood: {file: moods.csv}}}")
    workspace.write("moods.csv", "mood\ncalm\nfurious\n")
    plan = plan.replace("moods.csv}", "moods.csv, column: mood}")
    assert workspace.codes(head + plan) == [("same-call", 6, 3)]


def test_cases_with_errors_are_not_compared(workspace: Any, head: str) -> None:
    """An invalid expectation that was dropped might distinguish the cases."""
    plan = scenario(
        "\"Ask{% if mood == 'x' %}!{% endif %}\"", MOODS, 'expect: [{check: says, any_off: ["{{ mood }}"]}]'
    )
    assert "same-call" not in {code for code, *_ in workspace.codes(head + plan)}


def test_a_plan_without_calls_has_no_calls_to_compare(workspace: Any, head: str) -> None:
    """Only the unreadable targets are reported."""
    plan = scenario("\"Ask{% if mood == 'x' %}!{% endif %}\"", MOODS)
    assert workspace.codes(head.replace("targets", "target") + plan) == [("unknown-key", 3, 1)]


PLAIN = """\
version: 1
plan: p  # the plan
targets: {{support: {{agent: 12}}}} #agents
defaults: {{runs: 3}} #often
scenarios:
  hello:
    description: Billing #todo
    prompt: {prompt}
    expect:
      - check: says
        any_of:
{phrases}
"""


def errors(workspace: Any, prompt: str = "Say hello.", phrases: str = "          - hello") -> str:
    found: str = workspace.diagnostics(PLAIN.format(prompt=prompt, phrases=phrases))
    return found


def test_a_text_that_is_cut_at_a_hash(workspace: Any) -> None:
    """YAML drops the rest as a comment."""
    assert errors(
        workspace, "Ask about order #12345 please", "          - order #123\n          - two words #wow"
    ) == snapshot("8:29 warning not-as-it-looks, 12:19 warning not-as-it-looks, 13:23 warning not-as-it-looks")


def test_an_item_that_continues_the_one_above(workspace: Any) -> None:
    """Indented more, it is no item: both are one phrase that nobody says."""
    assert errors(workspace, phrases="          - Hello\n            - Goodbye") == snapshot(
        "13:13 warning not-as-it-looks"
    )
    plan = PLAIN.format(prompt="x", phrases="").replace("any_of:\n", "any_of: Hello\n          - Goodbye")
    assert "not-as-it-looks" in workspace.diagnostics(plan)


@pytest.mark.parametrize("prompt", ['"Ask about order #12345"'])
def test_intended_text_is_not_reported(workspace: Any, prompt: str) -> None:
    """Quoted and block strings, comments after a space, and text after numbers and containers."""
    assert errors(workspace, prompt) == ""
