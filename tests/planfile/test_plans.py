"""Whole plans: what each key comes to, targets and environments, and how scenarios take from the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from planner.diagnostics import Span
from planner.errors import UsageError
from planner.planfile.load import load_files
from planner.planfile.model import Policy, Project, Target

STAGING = Project(
    environments=(
        ("staging", (Target("support", "agent", 12), Target("hotline", "phone_number", 31))),
        ("production", (Target("support", "agent", 40),)),
    )
)


def test_everything_a_plan_says_is_in_its_cases(workspace: Any) -> None:
    """Each key of the format has its place in the values others work with."""
    workspace.write(
        "plan.yaml",
        """\
version: 1
plan: refunds
description: |
  The refund policy holds up under pressure.
owners: ["@acme/voice", Ana]
tags: [billing]
targets:
  support: {agent: 12}
  hotline: {phone_number: 9223372036854775807}
budget: {max_cost_cents: 900}
scenarios:
  window:
    description: A caller asks how long they have.
    tags: [policy]
    targets: [hotline]
    direction: inbound
    mode: sip
    target_number: "+14155550199"
    prompt: Ask how long you have.
    runs: 5
    min_pass_rate: 0.8
    timeout_seconds: 90.5
    expect: [{check: call, status: completed}]
  hours:
    prompt: Ask when you open.
    runs: 5
    expect: [{check: call, status: completed}]
""",
    )
    (plan,), diagnostics = workspace.load()
    assert len(diagnostics) == 0
    assert (plan.name, plan.file, plan.description) == (
        "refunds",
        "plan.yaml",
        "The refund policy holds up under pressure.",
    )
    assert (plan.owners, plan.tags, plan.max_cost_cents) == (("@acme/voice", "Ana"), {"billing"}, 900)
    window, at_support, at_hotline = plan.cases
    assert window.case_id == "refunds/window@hotline"
    assert (window.plan, window.scenario, window.point) == ("refunds", "window", ())
    assert window.target == Target("hotline", "phone_number", 9223372036854775807)
    assert window.description == "A caller asks how long they have."
    assert window.tags == {"billing", "policy"}
    assert (window.direction, window.mode, window.target_number) == ("inbound", "sip", "+14155550199")
    assert (window.prompt, window.runs, window.min_pass_rate, window.min_runs) == ("Ask how long you have.", 5, 0.8, 3)
    assert window.timeout_seconds == 90.5
    assert window.span == Span("plan.yaml", 12, 3, 12, 9)
    assert [at_support.case_id, at_hotline.case_id] == ["refunds/hours@support", "refunds/hours@hotline"]
    assert (at_support.direction, at_support.mode, at_support.target_number) == ("outbound", "bot", None)
    assert (at_support.min_pass_rate, at_support.min_runs) == (1.0, 3)
    assert (at_support.timeout_seconds, at_support.tags) == (900, {"billing"})


def test_scenario_overrides_the_defaults_and_adds_to_their_expectations(workspace: Any) -> None:
    """What a scenario says is its own, even if it is the format's default; expectations come after the defaults'."""
    cases = workspace.cases("""\
version: 1
plan: p
targets: {a: {agent: 1}, b: {agent: 2}}
defaults:
  description: Any call.
  targets: [a]
  tags: [slow]
  runs: 3
  mode: sip
  target_number: "+14155550199"
  expect: [{check: call, status: completed}]
scenarios:
  s: {prompt: Hello.}
  t:
    prompt: Hello.
    description: Mine.
    targets: [b]
    tags: []
    runs: 1
    mode: bot
    target_number: "+442071838750"
    expect: [{check: cost, max_cents: 5}]
""")
    s, t = cases
    found = [(c.description, c.target.alias, c.tags, c.runs, c.mode, c.target_number) for c in (s, t)]
    assert found[0] == ("Any call.", "a", {"slow"}, 3, "sip", "+14155550199")
    assert found[1] == ("Mine.", "b", set(), 1, "bot", "+442071838750")
    assert [[item.check for item in case.expectations] for case in cases] == [["call"], ["call", "cost"]]


def test_fault_of_the_defaults_is_reported_once(workspace: Any) -> None:
    """Faults of the defaults are theirs, however many scenarios take them."""
    assert workspace.diagnostics("""\
version: 1
plan: p
targets: {a: {agent: 1}}
defaults:
  runs: 3
  target_number: +14155550199
  targets: [b, a]
  expect: [{check: call, status: completed}, {check: cost}]
scenarios:
  s: {prompt: Hello.}
  t: {prompt: Hello.}
""") == snapshot("6:18 not-e164, 7:13 unknown-target, 8:46 missing-key")


def test_merge_keys_and_aliases_may_build_scenarios(workspace: Any) -> None:
    """A scenario may be written as another one with changes; its places are where the values are written."""
    cases = workspace.cases("""\
version: 1
plan: p
targets: {a: {agent: 1}}
scenarios:
  s: &s
    prompt: Hello.
    runs: 2
    expect: &e [{check: call, status: completed}]
  t: {<<: *s, runs: 4, mode: sip}
  u: {prompt: Other., expect: *e}
""")
    assert [(case.case_id, case.prompt, case.runs) for case in cases] == [
        ("p/s@a", "Hello.", 2),
        ("p/t@a", "Hello.", 4),
        ("p/u@a", "Other.", 1),
    ]
    assert {case.expectation_spans[0].line for case in cases} == {8}


LISTED = """\
version: 1
plan: p
targets: [support]
defaults: {expect: [{check: call, status: completed}]}
scenarios:
  s: {prompt: Hello.}
"""


@pytest.mark.parametrize(("environment", "target"), [("staging", 12), ("production", 40)])
def test_environment_defines_an_alias(workspace: Any, environment: str, target: int) -> None:
    """The same plan calls other targets in another environment, under the same case ids."""
    workspace.project, workspace.environment = STAGING, environment
    case = workspace.case(LISTED)
    assert (case.case_id, case.target) == ("p/s@support", Target("support", "agent", target))


@pytest.mark.parametrize(
    ("environment", "old", "new", "said"),
    [
        (None, "", "", snapshot("3:11 environment-needed")),
        ("staging", "[support]", "[suport]", snapshot("3:11 unknown-target")),
        (None, "[support]", "[suport]", snapshot("3:11 unknown-target")),
        ("production", "[support]", "[support, hotline]", snapshot("3:20 unknown-target")),
        ("staging", "[support]", "[support, support, 5]", snapshot("3:20 duplicate-item, 3:29 wrong-type")),
        ("staging", "[support]", "{support: {agent: 13}}", snapshot("3:11 target-conflict")),
        ("staging", "[support]", "support", snapshot("3:10 wrong-type")),
        ("staging", "[support]", "[]", snapshot("3:10 no-targets")),
        ("staging", "[support]", "{}", snapshot("3:10 no-targets")),
        ("staging", "targets: [support]\n", "", snapshot("1:1 missing-key")),
        ("staging", "[support]", "", snapshot("3:1 wrong-type")),
        ("staging", "[support]", "{support: 12}", snapshot("3:20 wrong-type")),
    ],
    ids=range(12),
)
def test_fault_of_targets(workspace: Any, environment: str | None, old: str, new: str, said: str) -> None:
    """Each alias that cannot be called says why, and what would help."""
    workspace.project, workspace.environment = STAGING, environment
    assert workspace.diagnostics(LISTED.replace(old, new, 1)) == said


def test_unknown_environment_is_a_usage_error(workspace: Any) -> None:
    """An environment is chosen on the command line, so that the diagnostic is there."""
    workspace.write("plan.yaml", LISTED)
    with pytest.raises(UsageError, match="no environment `stagin`; did you mean `staging`") as caught:
        load_files([Path("plan.yaml")], cwd=workspace.root, project=STAGING, environment="stagin")
    assert caught.value.hint == "Environments are defined in planner.yaml, at the repository's root"


def test_policy_limits_targets(workspace: Any) -> None:
    """A target that the project does not allow is refused where it is named, in the plan or by its alias."""
    workspace.project = Project(
        STAGING.environments, policy=Policy(allowed_targets=frozenset({("agent", 12), ("agent", 40)}))
    )
    workspace.environment = "staging"
    workspace.write("plan.yaml", LISTED.replace("[support]", "[support, hotline]"))
    workspace.write(
        "other.yaml", LISTED.replace("[support]", "{mine: {phone_number: 12}}").replace("plan: p", "plan: q")
    )
    assert workspace.rendered(workspace.load("plan.yaml", "other.yaml")[1]) == snapshot(
        "other.yaml:3:17 target-not-allowed, 3:20 target-not-allowed"
    )
    workspace.project = Project(policy=Policy(allowed_targets=frozenset()))
    workspace.environment = None
    workspace.write("plan.yaml", LISTED.replace("[support]", "{mine: {agent: 12}}"))
    assert workspace.diagnostics() == snapshot("3:17 target-not-allowed")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("scenarios:\n  s: {prompt: Hello.}\n", "", snapshot("1:1 no-scenarios")),
        ("scenarios:\n  s: {prompt: Hello.}\n", "scenarios:\n", snapshot("5:1 wrong-type")),
        ("scenarios:\n  s: {prompt: Hello.}\n", "scenarios: {}\n", snapshot("5:12 no-scenarios")),
        ("scenarios:\n  s: {prompt: Hello.}\n", "scenarios: [s]\n", snapshot("5:12 wrong-type")),
        ("{prompt: Hello.}", "", snapshot("6:3 wrong-type")),
        ("defaults: {expect: [{check: call, status: completed}]}\n", "", snapshot("5:3 no-expectations")),
        (
            "defaults: {expect: [{check: call, status: completed}]}\n",
            "defaults: {expect: []}\n",
            snapshot("6:3 no-expectations"),
        ),
        ("defaults: {expect: [{check: call, status: completed}]}\n", "defaults: [x]\n", snapshot("4:11 wrong-type")),
        ("defaults: {expect: [{check: call, status: completed}]}\n", "defaults:\n", snapshot("4:1 wrong-type")),
        ("{expect: [{check: call, status: completed}]}", "{expect: {check: call}}", snapshot("4:20 wrong-type")),
        ("{prompt: Hello.}", "{prompt: Hello., expect: [{check: kall}]}", snapshot("6:40 unknown-check")),
        ("{prompt: Hello.}", "{prompt: Hello., targets: support}", snapshot("6:32 wrong-type")),
        ("{prompt: Hello.}", "{prompt: Hello., targets: [5]}", snapshot("6:33 wrong-type")),
        ("{prompt: Hello.}", "{prompt: Hello., matrix: [a]}", snapshot("6:31 wrong-type")),
        ("{prompt: Hello.}", '{prompt: "{{ a }}", matrix: }', snapshot("6:26 wrong-type")),
        ("{prompt: Hello.}", "{prompt_file: ''}", snapshot("6:20 bad-value")),
        ("plan: p\n", "plan: p\nvars: [a]\n", snapshot("3:7 wrong-type")),
        ("plan: p\n", "plan: p\nvars:\n", snapshot("3:1 wrong-type")),
        ("plan: p\n", "plan: p\nbudget: 900\n", snapshot("3:9 wrong-type")),
        ("plan: p\n", "plan: p\nimports: [lib.yaml]\nkind: library\n", snapshot("3:11 file-missing, 4:7 bad-value")),
        ("plan: p\n", "plan:\n", snapshot("2:1 wrong-type")),
        ("plan: p\n", "plan: 5\n", snapshot("2:7 wrong-type")),
        ("plan: p\n", "plan: " + "p" * 101 + "\n", snapshot("2:7 bad-value")),
        ("version: 1\n", "version: true\n", snapshot("1:10 wrong-type")),
        ("version: 1\n", "version:\n", snapshot("1:1 wrong-type")),
        ("version: 1\n", "version: 0\n", snapshot("1:10 version-unknown")),
        ("version: 1\n", "version: 1.0\n", snapshot("1:10 wrong-type")),
        (
            "plan: p\n",
            "plan: p\ntags: [5, a, '']\nowners: ['']\n",
            snapshot("3:8 wrong-type, 3:14 bad-value, 4:10 bad-value"),
        ),
        ("  s: {prompt: Hello.}\n", "  " + "s" * 101 + ": {prompt: Hello.}\n", snapshot("6:3 not-a-slug")),
    ],
    ids=range(29),
)
def test_fault_of_the_frame(workspace: Any, old: str, new: str, said: str) -> None:
    """What a plan must have, and the types of its parts, each diagnostic at its place and said once."""
    assert workspace.diagnostics(LISTED.replace("[support]", "{support: {agent: 12}}").replace(old, new, 1)) == said


def test_numbers_that_yaml_rewrites_are_warned_of_in_vars(workspace: Any, head: str) -> None:
    """At any depth of `vars`; a quoted one, and one that is written as it is read, are no concern."""
    text = head + "vars: {a: {zip: 02139, ok: 5, list: [1.50, '007', -0]}}\nscenarios:\n  s: {prompt: '{{ a.zip }}'}\n"
    assert workspace.diagnostics(text) == snapshot(
        "5:17 warning number-rewritten, 5:38 warning number-rewritten, 5:51 warning number-rewritten"
    )


def test_empty_mapping_is_a_plan_without_anything(workspace: Any) -> None:
    """Where there is no key to point at, the file itself is the place."""
    assert workspace.codes("{}\n") == [
        ("missing-key", 1, 1),
        ("missing-key", 1, 1),
        ("missing-key", 1, 1),
        ("no-scenarios", 1, 1),
    ]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("5.5", "not-e164"),
        ("+14155550199", "not-e164"),
        ("true", "not-e164"),
        ("[a]", "not-e164"),
        ('"+1415555019x"', "not-e164"),
        ('"+"', "not-e164"),
        ('"+٤١٥"', "not-e164"),
        ('"+4420718387500000"', "not-e164"),
        ('"+44207183875000001234567890"', "not-e164"),
    ],
)
def test_invalid_phone_number(workspace: Any, head: str, number: str, code: str) -> None:
    """One diagnostic, at the number."""
    plan = f"{head}scenarios:\n  s: {{prompt: Hello., target_number: {number}}}\n"
    assert workspace.codes(plan) == [(code, 6, 38)]


def test_prompt_is_measured_in_bytes(workspace: Any, head: str) -> None:
    """The service takes bytes: 20,000 two-byte characters are too many, as many plain ones are not."""
    assert workspace.codes(f"{head}scenarios:\n  s: {{prompt: {'e' * 20_000}}}\n") == []
    workspace.write("plan.yaml", f"{head}scenarios:\n  s: {{prompt: {'é' * 20_000}}}\n")
    _, diagnostics = workspace.load()
    assert [(item.code, item.detail) for item in diagnostics] == [
        ("template-too-large", "the prompt has 40,000 bytes, the limit is 32,768")
    ]
