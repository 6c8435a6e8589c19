"""Plans with one diagnostic each, made by one edit of a sound plan: what is said, and where, to the letter.

The sound plan itself is the passing twin of all of them.
"""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

SOUND = """\
version: 1
plan: refunds
description: The refund policy holds up under pressure.
owners: ["@acme/voice"]
tags: [billing, smoke]
targets:
  support: {agent: 12}
  hotline: {phone_number: 77}
vars: {policy_days: 30}
budget: {max_cost_cents: 900}
defaults:
  runs: 3
  expect:
    - {check: call, status: completed}
scenarios:
  refund-window:
    targets: [support, hotline]
    direction: outbound
    target_number: "+14155550199"
    prompt: |
      You are {{ caller.name }}, {{ mood }}. You speak {{ language }}.
      Ask how many days you have to return order {{ order }}.
    matrix:
      axes:
        mood: [calm, furious]
        language: [English, Spanish]
        caller:
          - {id: ana, name: Ana Ruiz}
          - {id: bob, name: Bob Lee}
        order: [15, "17"]
      exclude: [{mood: calm, language: Spanish}]
      include: [{mood: confused, language: English, caller: ana, order: "17"}]
      strategy: full
    runs: 5
    min_pass_rate: 0.8
    mode: bot
    timeout_seconds: 900
    retries: 1
    expect:
      - check: says
        id: states-window
        any_of: ["{{ policy_days }} days", "thirty days"]
        severity: critical
      - {check: never_says, matches: "(?i)guarantee"}
      - {check: tool_called, name: lookup_order, arguments: {order_id: "{{ order }}"}}
      - {check: duration, max_seconds: 180}
  opening:
    prompt: Ask when you open.
"""

BROKEN = {
    "missing version": ("version: 1\n", "", snapshot("1:1 missing-key")),
    "version from the future": ("version: 1\n", "version: 3\n", snapshot("1:10 version-unknown")),
    "missing plan name": ("plan: refunds\n", "", snapshot("1:1 missing-key")),
    "plan name not a slug": ("plan: refunds\n", "plan: Refund Window\n", snapshot("2:7 not-a-slug")),
    "unknown key at the top": ("owners:", "owner:", snapshot("4:1 unknown-key")),
    "owner is not a list": ('owners: ["@acme/voice"]', 'owners: "@acme/voice"', snapshot("4:9 wrong-type")),
    "unquoted owner": ('owners: ["@acme/voice"]', "owners: [@acme/voice]", snapshot("4:10 yaml-syntax")),
    "bad tag": ("tags: [billing, smoke]", "tags: [billing, two words]", snapshot("5:17 bad-value")),
    "target id as text": ("{agent: 12}", '{agent: "12"}', snapshot("7:20 wrong-type")),
    "target of two kinds": ("{agent: 12}", "{agent: 12, phone_number: 7}", snapshot("7:12 bad-value")),
    "target id zero": ("{agent: 12}", "{agent: 0}", snapshot("7:20 out-of-range")),
    "alias not a slug": ("  hotline:", "  Hot Line:", snapshot("8:3 not-a-slug, 17:24 unknown-target")),
    "unused variable": ("policy_days: 30", "policy_days: 30, extra: 1", snapshot("9:25 warning unused-variable")),
    "variable name": ("policy_days: 30", "policy_days: 30, policy-days: 1", snapshot("9:25 not-a-name")),
    "budget mistyped": ("max_cost_cents: 900", "max_cost: 900", snapshot("10:10 unknown-key")),
    "prompt in the defaults": ("  runs: 3", "  prompt: hello", snapshot("12:3 unknown-key")),
    "scenario id": ("  refund-window:", "  Refund window:", snapshot("16:3 not-a-slug")),
    "no targets": ("targets: [support, hotline]", "targets: []", snapshot("17:14 no-targets")),
    "direction": ("direction: outbound", "direction: outbond", snapshot("18:16 not-a-choice")),
    "number with spaces": ('"+14155550199"', '"+1 (415) 555-0199"', snapshot("19:20 not-e164")),
    "undefined name in the prompt": ("{{ language }}", "{{ langage }}", snapshot("21:59 template-undefined")),
    "template not closed": ("{{ language }}", "{{ language }", snapshot("21:56 template-syntax")),
    "axis used by no template": (
        "        mood: [calm, furious]",
        "        mood: [calm, furious]\n        extra: [1, 2]",
        snapshot("26:9 unused-axis, 33:17 missing-key"),
    ),
    "exclude of an unknown value": (
        "exclude: [{mood: calm,",
        "exclude: [{mood: clam,",
        snapshot("31:24 matches-nothing"),
    ),
    "exclude of an unknown axis": ("exclude: [{mood: calm,", "exclude: [{mod: calm,", snapshot("31:18 unknown-axis")),
    "exclude of everything": (
        'exclude: [{mood: calm, language: Spanish}]\n      include: [{mood: confused, language: English, caller: ana, order: "17"}]',
        "exclude: [{mood: calm}, {mood: furious}]",
        snapshot("31:16 no-cases"),
    ),
    "include of a case that is there": (
        "include: [{mood: confused,",
        "include: [{mood: calm,",
        snapshot("32:17 colliding-case-id"),
    ),
    "include of an unknown id": ("caller: ana, order", "caller: zoe, order", snapshot("32:61 matches-nothing")),
    "too many cases": ("      strategy: full", "      max_cases: 20", snapshot("33:18 too-many-cases")),
    "quarantine without a reason": (
        "    retries: 1",
        "    quarantine: {until: 2027-01-31}",
        snapshot("38:5 missing-key"),
    ),
    "quarantine until no day": (
        "    retries: 1",
        "    quarantine: {until: 2027-02-30, reason: ticket VOX-41}",
        snapshot("38:25 bad-value"),
    ),
    "key without a value": ("    retries: 1", "    retries:", snapshot("38:5 wrong-type")),
    "duplicate key": ("    retries: 1", "    runs: 3", snapshot("38:5 duplicate-key")),
    "unknown check": ("check: says", "check: say", snapshot("40:16 unknown-check")),
    "check mistyped": (
        "- {check: duration, max_seconds: 180}",
        "- {chek: duration, max_seconds: 180}",
        snapshot("46:10 unknown-key"),
    ),
    "library": ("- {check: duration, max_seconds: 180}", "- use: polite", snapshot("46:14 unknown-use")),
    "expectation that checks nothing": (
        "- {check: duration, max_seconds: 180}",
        "- {check: duration}",
        snapshot("46:9 bad-expectation"),
    ),
    "expectation's field mistyped": ("max_seconds: 180}", "max_second: 180}", snapshot("46:27 unknown-key")),
    "undefined name in an expectation": (
        "{{ policy_days }} days",
        "{{ policy_day }} days",
        snapshot("42:22 template-undefined"),
    ),
    "bad regex": ("(?i)guarantee", "(?=guarantee)", snapshot("44:38 bad-regex")),
    "severity": ("severity: critical", "severity: critcal", snapshot("43:19 not-a-choice")),
    "id of another": (
        "      - {check: never_says,",
        "      - {check: never_says, id: states-window,",
        snapshot("44:33 duplicate-id"),
    ),
    "unquoted template": ('order_id: "{{ order }}"', "order_id: {{ order }}", snapshot("45:72 key-not-string")),
    "no prompt": ("    prompt: Ask when you open.\n", "    runs: 1\n", snapshot("47:3 no-prompt")),
    "two prompts": (
        "    prompt: Ask when you open.\n",
        "    prompt: Ask when you open.\n    prompt_file: prompts/x.md\n",
        snapshot("49:5 two-prompts"),
    ),
    "empty prompt": ("    prompt: Ask when you open.\n", '    prompt: ""\n', snapshot("48:13 empty-prompt")),
    "prompt renders to nothing": (
        "    prompt: Ask when you open.\n",
        '    prompt: "{% if policy_days > 99 %}Hello{% endif %}"\n',
        snapshot("48:13 empty-prompt"),
    ),
    "prompt_file missing": (
        "    prompt: Ask when you open.\n",
        "    prompt_file: prompts/x.md\n",
        snapshot("48:18 file-missing"),
    ),
    "scenario is a text": (
        "  opening:\n    prompt: Ask when you open.\n",
        "  opening: Ask when you open.\n",
        snapshot("47:12 wrong-type"),
    ),
    "bad indentation": (
        "    prompt: Ask when you open.\n",
        "   prompt: Ask when you open.\n     runs: 1\n",
        snapshot("49:10 yaml-syntax"),
    ),
    "tab": ("    prompt: Ask when you open.\n", "\tprompt: Ask when you open.\n", snapshot("48:1 yaml-syntax")),
    "quote not closed": (
        "    prompt: Ask when you open.\n",
        '    prompt: "Ask when you open.\n',
        snapshot("48:13 yaml-syntax"),
    ),
}
"""What is wrong → the text replaced, what it is replaced by, what `planner validate` then says."""


def test_sound_plan_has_no_fault(workspace: Any) -> None:
    """The plan that all others are made from loads without a word, with the cases it should have."""
    workspace.write("plan.yaml", SOUND)
    plans, diagnostics = workspace.load()
    assert workspace.rendered(diagnostics) == ""
    assert [(plan.name, len(plan.cases)) for plan in plans] == [("refunds", (16 - 4 + 1) * 2 + 2)]


@pytest.mark.parametrize("name", BROKEN)
def test_fault_is_reported_at_its_place(workspace: Any, name: str) -> None:
    """One edit makes exactly the errors it should, each at its line and column. A plan with any error calls nobody."""
    old, new, said = BROKEN[name]
    assert SOUND.count(old) >= 1
    workspace.write("plan.yaml", SOUND.replace(old, new, 1))
    plans, diagnostics = workspace.load()
    assert workspace.rendered(diagnostics) == said
    assert bool(plans) is not diagnostics.has_errors


@pytest.mark.parametrize(
    ("old", "new", "code", "line"),
    [
        ("version: 1", "verson: 1", "unknown-key", 1),
        ("plan: refunds", "plam: refunds", "unknown-key", 2),
        ("targets:\n  support", "target:\n  support", "unknown-key", 6),
        ("vars:", "var:", "unknown-key", 9),
        ("scenarios:", "scenario:", "unknown-key", 15),
        ("    prompt: |", "    promt: |", "unknown-key", 20),
        ("    matrix:", "    matrx:", "unknown-key", 23),
        ("      axes:", "      axis:", "unknown-key", 24),
        ("vars: {policy_days", "vars: {policy-days", "not-a-name", 9),
    ],
    ids=range(9),
)
def test_a_mistyped_key_is_reported_once(workspace: Any, old: str, new: str, code: str, line: int) -> None:
    """What is missing because it is mistyped is not said to be missing, nor what would have used it to be undefined."""
    assert SOUND.count(old) == 1
    found = workspace.codes(SOUND.replace(old, new))
    assert [(each[0], each[1]) for each in found] == [(code, line)]


def test_a_budget_of_nothing(workspace: Any) -> None:
    """An empty budget limits nothing, so it was meant to say something."""
    plan = SOUND.replace("budget: {max_cost_cents: 900}", "budget: {}")
    assert workspace.codes(plan) == [("missing-key", 10, 1)]
