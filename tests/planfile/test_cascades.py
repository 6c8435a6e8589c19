"""One mistake is one error: at the place to fix, with the other places as related ones."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

HEADER = """\
version: 1
plan: p
"""

CASCADES = {
    "an undefined name in several templates": (
        """\
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are {{ caler }}.
    expect: [{check: says, any_of: ["{{ caler }} yes", "{{ caler }}"]}]
  two:
    prompt: You are {{ caler }}. Ask.
    expect: [{check: says, any_of: [yes]}]
  three:
    prompt: You are {{ caler }}. Ask again.
    expect: [{check: says, any_of: [yes]}]
""",
        snapshot("6:24 template-undefined"),
    ),
    "an axis of another scenario": (
        """\
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are {{ mood }}.
    matrix: {axes: {mood: [calm, furious]}}
    expect: [{check: says, any_of: [yes]}]
  two:
    prompt: You are {{ mood }}. Ask.
    expect: [{check: says, any_of: [yes]}]
""",
        snapshot("10:24 template-undefined"),
    ),
    "a mistyped axis": (
        """\
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are {{ mood }}. You ask for {{ order }}.
    matrix:
      axes:
        moood: [calm, furious]
        order: [A, B]
      exclude: [{mood: calm, order: A}]
    expect: [{check: says, any_of: ["{{ mood }}"]}]
""",
        snapshot("6:24 template-undefined"),
    ),
    "a deleted axis": (
        """\
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are {{ mood }}. You ask for {{ order }}.
    matrix:
      axes:
        order: [A, B]
      exclude: [{mood: calm, order: A}, {mood: furious, order: B}]
    expect: [{check: says, any_of: [yes]}]
""",
        snapshot("6:24 template-undefined"),
    ),
    "a mistyped variable": (
        """\
targets: {support: {agent: 12}}
vars: {polcy_days: 30}
defaults: {expect: [{check: says, any_of: ["{{ policy_days }}"]}]}
scenarios:
  one:
    prompt: You are one.
  two:
    prompt: You have {{ policy_days }} days.
""",
        snapshot("5:48 template-undefined"),
    ),
    "a mistyped target": (
        """\
targets: {suport: {agent: 12}, sales: {agent: 13}}
defaults: {expect: [{check: says, any_of: [yes]}]}
scenarios:
  one:
    targets: [support, sales]
    prompt: You are one.
  two:
    targets: [support]
    prompt: You are two.
  three:
    targets: [support]
    prompt: You are three.
""",
        snapshot("7:15 unknown-target"),
    ),
    "a target mistyped where it is called": (
        """\
targets: {support: {agent: 12}}
defaults: {expect: [{check: says, any_of: [yes]}]}
scenarios:
  one:
    targets: [support]
    prompt: You are one.
  two:
    targets: [suport]
    prompt: You are two.
  three:
    targets: [suport]
    prompt: You are three.
""",
        snapshot("10:15 unknown-target"),
    ),
    "a deleted name between two scenarios": (
        """\
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are one.
    expect: [{check: says, any_of: [yes]}]
    prompt: You are two.
    runs: 3
    expect: [{check: says, any_of: [yes]}]
""",
        snapshot("8:5 duplicate-key"),
    ),
    "a deleted dash": (
        """\
targets: {support: {agent: 12}}
scenarios:
  one:
    prompt: You are one.
    expect:
      - check: says
        any_of: [yes]
        check: call
        status: completed
""",
        snapshot("10:9 duplicate-key"),
    ),
    "scenarios as a list": (
        """\
targets: {support: {agent: 12}}
scenarios:
  - name: one
    prompt: You are one.
    expect: [{check: says, any_of: [yes]}]
""",
        snapshot("5:3 wrong-type"),
    ),
    "a missing import": (
        """\
imports: [lib/voice.yaml]
targets: {support: {agent: 12}}
vars: {days: 30}
defaults: {expect: [{use: polite}]}
scenarios:
  one:
    prompt: You are {{ anyone }}. You have {{ day }} days.
    runs: none
  two:
    targets: [suport, sales]
    prompt: You are two.
""",
        snapshot(
            "3:11 file-missing, 9:47 template-undefined, 10:11 wrong-type, 12:15 unknown-target, 12:23 unknown-target"
        ),
    ),
}


@pytest.mark.parametrize("mistake", CASCADES)
def test_one_mistake_is_one_error(mistake: str, workspace: Any) -> None:
    """Each of these plans has one mistake; the last has four."""
    text, said = CASCADES[mistake]
    assert workspace.diagnostics(HEADER + text) == said


def test_undefined_name_of_a_library_is_reported_there(workspace: Any) -> None:
    """With a place in the plan as well, the error is in the plan, and the library's place is related."""
    workspace.write(
        "lib/voice.yaml",
        'version: 1\nkind: library\nexpectations:\n  days: {check: says, any_of: ["{{ policy_days }} days"]}\n',
    )
    head = HEADER + "imports: [lib/voice.yaml]\ntargets: {support: {agent: 12}}\n"
    scenario = "scenarios:\n  one:\n    prompt: Ask.\n    expect: [{use: days}]\n"
    assert workspace.diagnostics(head + scenario) == snapshot("lib/voice.yaml:4:36 template-undefined")
    assert workspace.diagnostics(head + scenario.replace("Ask.", "You have {{ policy_days }}.")) == snapshot(
        "7:25 template-undefined"
    )
    assert workspace.diagnostics(
        head + "vars: {policy_day: 3}\n" + scenario.replace("Ask.", "You have {{ policy_days }}.")
    ) == snapshot("8:25 template-undefined")
