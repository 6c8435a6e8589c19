"""Plans with one fault each, made by one edit of a sound plan: what is said, and where, to the letter.

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
    stagger_seconds: 2
    timeout_seconds: 900
    min_runs: 3
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
    "missing version": ("version: 1\n", "", snapshot("plan.yaml:1:1 error missing-key\n")),
    "version as text": ("version: 1\n", 'version: "1"\n', snapshot("plan.yaml:1:10 error wrong-type\n")),
    "version from the future": ("version: 1\n", "version: 3\n", snapshot("plan.yaml:1:10 error version-unknown\n")),
    "missing plan name": ("plan: refunds\n", "", snapshot("plan.yaml:1:1 error missing-key\n")),
    "plan name not a slug": ("plan: refunds\n", "plan: Refund Window\n", snapshot("plan.yaml:2:7 error not-a-slug\n")),
    "unknown key at the top": ("owners:", "owner:", snapshot("plan.yaml:4:1 error unknown-key\n")),
    "owner is not a list": (
        'owners: ["@acme/voice"]',
        'owners: "@acme/voice"',
        snapshot("plan.yaml:4:9 error wrong-type\n"),
    ),
    "unquoted owner": (
        'owners: ["@acme/voice"]',
        "owners: [@acme/voice]",
        snapshot("plan.yaml:4:10 error yaml-syntax\n"),
    ),
    "bad tag": ("tags: [billing, smoke]", "tags: [billing, two words]", snapshot("plan.yaml:5:17 error bad-value\n")),
    "target id as text": ("{agent: 12}", '{agent: "12"}', snapshot("plan.yaml:7:20 error wrong-type\n")),
    "target of two kinds": (
        "{agent: 12}",
        "{agent: 12, phone_number: 7}",
        snapshot("plan.yaml:7:12 error bad-value\n"),
    ),
    "target of no kind": ("{agent: 12}", "{}", snapshot("plan.yaml:7:12 error bad-value\n")),
    "target kind mistyped": ("{agent: 12}", "{agnet: 12}", snapshot("plan.yaml:7:13 error unknown-key\n")),
    "target id zero": ("{agent: 12}", "{agent: 0}", snapshot("plan.yaml:7:20 error out-of-range\n")),
    "alias not a slug": (
        "  hotline:",
        "  Hot Line:",
        snapshot("""\
plan.yaml:8:3 error not-a-slug
plan.yaml:17:24 error unknown-target
"""),
    ),
    "unused variable": (
        "policy_days: 30",
        "policy_days: 30, extra: 1",
        snapshot("plan.yaml:9:25 warning unused-variable\n"),
    ),
    "variable name": (
        "policy_days: 30",
        "policy_days: 30, policy-days: 1",
        snapshot("plan.yaml:9:25 error not-a-name\n"),
    ),
    "reserved variable name": (
        "policy_days: 30",
        "policy_days: 30, loop: 1",
        snapshot("plan.yaml:9:25 error not-a-name\n"),
    ),
    "number that loses its zero": (
        "policy_days: 30",
        "policy_days: 030",
        snapshot("plan.yaml:9:21 warning number-rewritten\n"),
    ),
    "negative budget": (
        "max_cost_cents: 900",
        "max_cost_cents: -900",
        snapshot("plan.yaml:10:26 error out-of-range\n"),
    ),
    "budget mistyped": ("max_cost_cents: 900", "max_cost: 900", snapshot("plan.yaml:10:10 error unknown-key\n")),
    "mistyped default": ("  runs: 3", "  runz: 3", snapshot("plan.yaml:12:3 error unknown-key\n")),
    "prompt in the defaults": ("  runs: 3", "  prompt: hello", snapshot("plan.yaml:12:3 error unknown-key\n")),
    "scenario id": ("  refund-window:", "  Refund window:", snapshot("plan.yaml:16:3 error not-a-slug\n")),
    "target not there": (
        "targets: [support, hotline]",
        "targets: [suport, hotline]",
        snapshot("plan.yaml:17:15 error unknown-target\n"),
    ),
    "target twice": (
        "targets: [support, hotline]",
        "targets: [support, support]",
        snapshot("plan.yaml:17:24 error duplicate-item\n"),
    ),
    "no targets": ("targets: [support, hotline]", "targets: []", snapshot("plan.yaml:17:14 error no-targets\n")),
    "direction": ("direction: outbound", "direction: outbond", snapshot("plan.yaml:18:16 error not-a-choice\n")),
    "unquoted number": ('"+14155550199"', "+14155550199", snapshot("plan.yaml:19:20 error not-e164\n")),
    "number with spaces": ('"+14155550199"', '"+1 (415) 555-0199"', snapshot("plan.yaml:19:20 error not-e164\n")),
    "number without country": ('"+14155550199"', '"4155550199"', snapshot("plan.yaml:19:20 error not-e164\n")),
    "impossible number": ('"+14155550199"', '"+1415555"', snapshot("plan.yaml:19:20 error not-e164\n")),
    "no such country": ('"+14155550199"', '"+9991234567"', snapshot("plan.yaml:19:20 error not-e164\n")),
    "undefined name in the prompt": (
        "{{ language }}",
        "{{ langage }}",
        snapshot("plan.yaml:21:59 error template-undefined\n"),
    ),
    "undefined key in the prompt": (
        "{{ caller.name }}",
        "{{ caller.nmae }}",
        snapshot("plan.yaml:21:25 error template-undefined\n"),
    ),
    "template not closed": ("{{ language }}", "{{ language }", snapshot("plan.yaml:21:56 error template-syntax\n")),
    "unknown filter": ("{{ language }}", "{{ language | uper }}", snapshot("plan.yaml:21:70 error template-syntax\n")),
    "forbidden attribute": (
        "{{ language }}",
        "{{ language.__class__ }}",
        snapshot("plan.yaml:21:68 error template-forbidden\n"),
    ),
    "mapping in the prompt": ("{{ caller.name }}", "{{ caller }}", snapshot("plan.yaml:21:18 error template-failed\n")),
    "axis used by no template": (
        "        mood: [calm, furious]",
        "        mood: [calm, furious]\n        extra: [1, 2]",
        snapshot("""\
plan.yaml:26:9 error unused-axis
plan.yaml:33:17 error missing-key
"""),
    ),
    "value twice": (
        "mood: [calm, furious]",
        "mood: [calm, furious, calm]",
        snapshot("plan.yaml:25:31 error duplicate-item\n"),
    ),
    "colliding values": (
        'order: [15, "17"]',
        'order: [15, "15"]',
        snapshot("plan.yaml:30:21 error colliding-case-id\n"),
    ),
    "mapping without id": ("{id: bob, name: Bob Lee}", "{name: Bob Lee}", snapshot("plan.yaml:29:13 error bad-axis\n")),
    "empty axis": ("mood: [calm, furious]", "mood: []", snapshot("plan.yaml:25:15 error bad-axis\n")),
    "axis is one text": ("mood: [calm, furious]", "mood: calm", snapshot("plan.yaml:25:15 error wrong-type\n")),
    "exclude of an unknown value": (
        "exclude: [{mood: calm,",
        "exclude: [{mood: clam,",
        snapshot("plan.yaml:31:24 error matches-nothing\n"),
    ),
    "exclude of an unknown axis": (
        "exclude: [{mood: calm,",
        "exclude: [{mod: calm,",
        snapshot("plan.yaml:31:18 error unknown-axis\n"),
    ),
    "exclude of everything": (
        'exclude: [{mood: calm, language: Spanish}]\n      include: [{mood: confused, language: English, caller: ana, order: "17"}]',
        "exclude: [{mood: calm}, {mood: furious}]",
        snapshot("plan.yaml:31:16 error no-cases\n"),
    ),
    "exclude of what is excluded": (
        "exclude: [{mood: calm, language: Spanish}]",
        "exclude: [{mood: calm}, {mood: calm, language: Spanish}]",
        snapshot("""\
plan.yaml:25:16 warning unused-value
plan.yaml:31:31 warning matches-nothing
"""),
    ),
    "include of a case that is there": (
        "include: [{mood: confused,",
        "include: [{mood: calm,",
        snapshot("plan.yaml:32:17 error colliding-case-id\n"),
    ),
    "include without an axis": (
        'caller: ana, order: "17"}]',
        "caller: ana}]",
        snapshot("plan.yaml:32:17 error missing-key\n"),
    ),
    "include of an unknown id": (
        "caller: ana, order",
        "caller: zoe, order",
        snapshot("plan.yaml:32:61 error matches-nothing\n"),
    ),
    "too many cases": (
        "      strategy: full",
        "      max_cases: 20",
        snapshot("plan.yaml:33:18 error too-many-cases\n"),
    ),
    "runs as a word": ("    runs: 5", "    runs: five", snapshot("plan.yaml:34:11 error wrong-type\n")),
    "no runs": ("    runs: 5", "    runs: 0", snapshot("plan.yaml:34:11 error out-of-range\n")),
    "pass rate in percent": (
        "min_pass_rate: 0.8",
        "min_pass_rate: 80",
        snapshot("plan.yaml:35:20 error out-of-range\n"),
    ),
    "long stagger": ("stagger_seconds: 2", "stagger_seconds: 61", snapshot("plan.yaml:36:22 error out-of-range\n")),
    "timeout as text": (
        "timeout_seconds: 900",
        'timeout_seconds: "900"',
        snapshot("plan.yaml:37:22 error wrong-type\n"),
    ),
    "more required runs than runs": ("min_runs: 3", "min_runs: 6", snapshot("plan.yaml:38:15 error out-of-range\n")),
    "quarantine without a reason": (
        "    min_runs: 3",
        "    quarantine: {until: 2027-01-31}",
        snapshot("plan.yaml:38:5 error missing-key\n"),
    ),
    "quarantine without an end": (
        "    min_runs: 3",
        "    quarantine: {reason: ticket VOX-41}",
        snapshot("plan.yaml:38:5 error missing-key\n"),
    ),
    "quarantine until no day": (
        "    min_runs: 3",
        "    quarantine: {until: 2027-02-30, reason: ticket VOX-41}",
        snapshot("plan.yaml:38:25 error bad-value\n"),
    ),
    "quarantine until some day": (
        "    min_runs: 3",
        "    quarantine: {until: next week, reason: ticket VOX-41}",
        snapshot("plan.yaml:38:25 error bad-value\n"),
    ),
    "quarantine by default without a reason is said once": (
        "  runs: 3",
        "  quarantine: {until: 2027-01-31}",
        snapshot("plan.yaml:12:3 error missing-key\n"),
    ),
    "age without a unit": ("    min_runs: 3", "    max_age: 14", snapshot("plan.yaml:38:14 error wrong-type\n")),
    "age in months": ("    min_runs: 3", "    max_age: 2 months", snapshot("plan.yaml:38:14 error bad-value\n")),
    "key without a value": ("    min_runs: 3", "    min_runs:", snapshot("plan.yaml:38:5 error wrong-type\n")),
    "duplicate key": ("    min_runs: 3", "    runs: 3", snapshot("plan.yaml:38:5 error duplicate-key\n")),
    "unknown check": ("check: says", "check: say", snapshot("plan.yaml:40:16 error unknown-check\n")),
    "check mistyped": (
        "- {check: duration, max_seconds: 180}",
        "- {chek: duration, max_seconds: 180}",
        snapshot("plan.yaml:46:10 error unknown-key\n"),
    ),
    "check missing": (
        "- {check: duration, max_seconds: 180}",
        "- {max_seconds: 180}",
        snapshot("plan.yaml:46:9 error missing-key\n"),
    ),
    "library": (
        "- {check: duration, max_seconds: 180}",
        "- use: polite",
        snapshot("plan.yaml:46:14 error unknown-use\n"),
    ),
    "expectation as a word": (
        "- {check: duration, max_seconds: 180}",
        "- duration",
        snapshot("plan.yaml:46:9 error wrong-type\n"),
    ),
    "expectation that checks nothing": (
        "- {check: duration, max_seconds: 180}",
        "- {check: duration}",
        snapshot("plan.yaml:46:9 error bad-expectation\n"),
    ),
    "expectation's field mistyped": (
        "max_seconds: 180}",
        "max_second: 180}",
        snapshot("plan.yaml:46:27 error unknown-key\n"),
    ),
    "expectation's field of wrong type": (
        "max_seconds: 180}",
        "max_seconds: long}",
        snapshot("plan.yaml:46:40 error wrong-type\n"),
    ),
    "expectation's field without value": (
        "max_seconds: 180}",
        "max_seconds: }",
        snapshot("plan.yaml:46:27 error wrong-type\n"),
    ),
    "undefined name in an expectation": (
        "{{ policy_days }} days",
        "{{ policy_day }} days",
        snapshot("plan.yaml:42:22 error template-undefined\n"),
    ),
    "bad regex": ("(?i)guarantee", "(?=guarantee)", snapshot("plan.yaml:44:38 error bad-regex\n")),
    "severity": ("severity: critical", "severity: critcal", snapshot("plan.yaml:43:19 error not-a-choice\n")),
    "expectation id": ("id: states-window", "id: States Window", snapshot("plan.yaml:41:13 error not-a-slug\n")),
    "id of another": (
        "      - {check: never_says,",
        "      - {check: never_says, id: states-window,",
        snapshot("plan.yaml:44:33 error duplicate-id\n"),
    ),
    "unquoted template": (
        'order_id: "{{ order }}"',
        "order_id: {{ order }}",
        snapshot("plan.yaml:45:72 error key-not-text\n"),
    ),
    "no prompt": ("    prompt: Ask when you open.\n", "    runs: 1\n", snapshot("plan.yaml:47:3 error no-prompt\n")),
    "two prompts": (
        "    prompt: Ask when you open.\n",
        "    prompt: Ask when you open.\n    prompt_file: prompts/x.md\n",
        snapshot("plan.yaml:49:5 error two-prompts\n"),
    ),
    "empty prompt": (
        "    prompt: Ask when you open.\n",
        '    prompt: ""\n',
        snapshot("plan.yaml:48:13 error empty-prompt\n"),
    ),
    "prompt renders to nothing": (
        "    prompt: Ask when you open.\n",
        '    prompt: "{% if policy_days > 99 %}Hello{% endif %}"\n',
        snapshot("plan.yaml:48:13 error empty-prompt\n"),
    ),
    "prompt is a number": (
        "    prompt: Ask when you open.\n",
        "    prompt: 7\n",
        snapshot("plan.yaml:48:13 error wrong-type\n"),
    ),
    "prompt_file missing": (
        "    prompt: Ask when you open.\n",
        "    prompt_file: prompts/x.md\n",
        snapshot("plan.yaml:48:18 error file-missing\n"),
    ),
    "prompt_file outside": (
        "    prompt: Ask when you open.\n",
        "    prompt_file: ../../etc/passwd\n",
        snapshot("plan.yaml:48:18 error file-outside\n"),
    ),
    "scenario is a text": (
        "  opening:\n    prompt: Ask when you open.\n",
        "  opening: Ask when you open.\n",
        snapshot("plan.yaml:47:12 error wrong-type\n"),
    ),
    "bad indentation": (
        "    prompt: Ask when you open.\n",
        "   prompt: Ask when you open.\n     runs: 1\n",
        snapshot("plan.yaml:49:10 error yaml-syntax\n"),
    ),
    "tab": (
        "    prompt: Ask when you open.\n",
        "\tprompt: Ask when you open.\n",
        snapshot("plan.yaml:48:1 error yaml-syntax\n"),
    ),
    "colon in a text": (
        "    prompt: Ask when you open.\n",
        "    prompt: Ask this: when do you open?\n",
        snapshot("plan.yaml:48:21 error yaml-syntax\n"),
    ),
    "quote not closed": (
        "    prompt: Ask when you open.\n",
        '    prompt: "Ask when you open.\n',
        snapshot("plan.yaml:48:13 error yaml-syntax\n"),
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
    """One edit makes exactly the faults it should, each at its line and column, in these words."""
    old, new, said = BROKEN[name]
    assert SOUND.count(old) >= 1
    assert workspace.faults(SOUND.replace(old, new, 1)) == said


@pytest.mark.parametrize("name", BROKEN)
def test_plan_with_an_error_is_not_returned(workspace: Any, name: str) -> None:
    """A plan that has any error calls nobody; warnings alone do not keep it."""
    old, new, _ = BROKEN[name]
    workspace.write("plan.yaml", SOUND.replace(old, new, 1))
    plans, diagnostics = workspace.load()
    assert len(diagnostics) > 0
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


def test_mistyped_expectations_are_reported_once(workspace: Any) -> None:
    """A scenario whose `expect` is mistyped, or the defaults', does not expect nothing."""
    plan = SOUND.replace("  expect:\n    - {check: call, status: completed}\n", "")
    assert [code for code, *_ in workspace.codes(plan)] == ["no-expectations"]
    assert [code for code, *_ in workspace.codes(plan + "    expct: [{check: call, status: completed}]\n")] == [
        "unknown-key"
    ]
    assert [
        code
        for code, *_ in workspace.codes(
            SOUND.replace("  expect:\n    - {check: call", "  expects:\n    - {check: call")
        )
    ] == ["unknown-key"]
    assert [code for code, *_ in workspace.codes(SOUND.replace("defaults:", "defalts:"))] == ["unknown-key"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "budget: {max_cost_cents: 900}",
            "budget:\nmax_cost_cents: 900",
            snapshot([("wrong-type", 10, 1), ("unknown-key", 11, 1)]),
        ),
        (
            "defaults:\n  runs: 3\n  expect:\n    - {check: call, status: completed}\n",
            "defaults:\nruns: 3\nexpect:\n  - {check: call, status: completed}\n",
            snapshot([("wrong-type", 11, 1), ("unknown-key", 12, 1), ("unknown-key", 13, 1)]),
        ),
        (
            "{check: tool_called, name: lookup_order,",
            "{check: tool_called, name lookup_order,",
            snapshot([("unknown-key", 45, 30)]),
        ),
        ("defaults:\n  runs: 3", "defaults:\n  ? runs 3", snapshot([("unknown-key", 12, 5)])),
    ],
    ids=range(4),
)
def test_a_misplaced_key_is_reported_once(workspace: Any, old: str, new: str, said: list[tuple[str, int, int]]) -> None:
    """Wrong indentation or a missing colon is one diagnostic."""
    assert SOUND.count(old) == 1
    workspace.write("plan.yaml", SOUND.replace(old, new))
    assert workspace.codes() == said


def test_a_template_without_quotes_is_reported_once(workspace: Any) -> None:
    """The rest of the line is no YAML because of it; only the cause is reported."""
    plan = SOUND.replace('["{{ policy_days }} days", "thirty days"]', '[{{ policy_days }} days, "thirty days"]')
    assert plan != SOUND
    (fault,) = workspace.codes(plan)
    assert fault[0] == "key-not-text"


def test_the_start_of_an_error_is_described(workspace: Any) -> None:
    """The parser's own words for what it was doing are nobody's."""
    workspace.write("plan.yaml", SOUND.replace("tags: [billing, smoke]", "tags: [billing, smoke"))
    (fault,) = workspace.load()[1]
    assert fault.code == "yaml-syntax"
    assert [(related.message, related.span.line, related.span.column) for related in fault.related] == [
        ("this began here", 5, 7)
    ]
    assert "while" not in workspace.faults(SOUND.replace("description: The", "\tdescription: The"))


def test_a_budget_of_nothing(workspace: Any) -> None:
    """An empty budget limits nothing, so it was meant to say something."""
    plan = SOUND.replace("budget: {max_cost_cents: 900}", "budget: {}")
    assert workspace.codes(plan) == [("missing-key", 10, 1)]
