"""Cases with the same call are reported before any call is charged."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

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
    assert workspace.faults(head + plan) == expected


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
    assert [code for code, *_ in workspace.codes(head + plan) if code != "unused-target"] == []


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
