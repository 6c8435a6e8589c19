"""`planner show`: a case, rendered, with where each part of it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from inline_snapshot import snapshot

if TYPE_CHECKING:
    from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

PLAN = """\
version: 1
plan: refunds
imports: [lib/voice.yaml]
tags: [billing]
targets: [support, hotline]
vars: {greeting: Good morning}
defaults:
  runs: 3
  tags: [nightly]
  expect:
    - {check: call, status: completed}
scenarios:
  window:
    description: A caller asks how long they have.
    tags: [policy]
    prompt_file: prompts/window.md
    matrix:
      axes:
        language: {use: languages}
        order: {file: orders.csv, column: number}
        caller: [{id: ana, name: "Ana  Ruiz"}, {id: bob, name: Bob}]
      include: [{language: Welsh, order: "3", caller: bob}]
    min_pass_rate: 0.5
    max_age: 14d
    quarantine: {until: 2999-01-31, reason: ticket VOX-41}
    expect:
      - {check: says, id: window, any_of: ["{{ policy_days }} days", "::error::x  y"], severity: critical}
      - use: polite
"""
LIBRARY = """\
version: 1
kind: library
vars: {policy_days: 30}
targets: {hotline: {phone_number: 77}}
axes: {languages: [English, Spanish]}
expectations:
  polite: [{check: never_says, matches: "(?i)calm down"}]
"""


@pytest.fixture
def written(project: Project) -> Project:
    project.write("planner.yaml", "environments: {staging: {support: {agent: 12}}}\n")
    project.write("plans/hours.yaml", PLAN)
    project.write("plans/lib/voice.yaml", LIBRARY)
    project.write("plans/orders.csv", "number\n1\n2\n")
    project.write(
        "plans/prompts/window.md",
        "{{ greeting }}. Speak {{ language }}.\n\n  You are {{ caller.name }}: order {{ order }}.\n##[error]x\n",
    )
    return project


def test_a_case_with_all_its_origins(written: Project) -> None:
    """Each value is shown as it is called and judged with, and each place: scenario, defaults, library, environment, format."""
    ran = written.planner(
        "show", "refunds/window[language=English,order=1,caller=ana]@support", "--environment", "staging"
    )
    assert ran.code == 0
    assert ran.out == snapshot("""\
refunds/window[language=English,order=1,caller=ana]@support
A caller asks how long they have.

Target      support: agent 12            environment staging, used at plans/hours.yaml:5
Tags        billing                      plans/hours.yaml:4
            policy                       plans/hours.yaml:15
Axes        language = English           plans/lib/voice.yaml:5, used at plans/hours.yaml:19
            order = 1                    plans/hours.yaml:20
            caller = ana                 plans/hours.yaml:21
Variables   greeting = "Good morning"    plans/hours.yaml:6
            policy_days = 30             plans/lib/voice.yaml:3
Settings    direction = outbound         default
            mode = bot                   default
            runs = 3                     plans/hours.yaml:8 (defaults)
            min_pass_rate = 0.5          plans/hours.yaml:23
            min_runs = 2                 default
            platform_failures = ignore   default
            caller_faults = ignore       default
            when_settled = stop          default
            stagger_seconds = 0          default
            timeout_seconds = 900        default
            retries = 0                  default
            max_age = "14d"              plans/hours.yaml:24
            quarantine = {"until": "2999-01-31", "reason": "ticket VOX-41"}
               plans/hours.yaml:25

Prompt      plans/prompts/window.md:1, used at plans/hours.yaml:16
  | Good morning. Speak English.
  |
  |   You are Ana  Ruiz: order 1.
  | # #[error]x

Expected
  call   plans/hours.yaml:11 (defaults)
    check: call
    status: completed
  window   plans/hours.yaml:27
    check: says
    severity: critical
    any_of: ["30 days", ":\\u003aerror:\\u003ax  y"]
  never_says   plans/lib/voice.yaml:7, used at plans/hours.yaml:28
    check: never_says
    matches: "(?i)calm down"
""")


def test_a_case_as_json(written: Project) -> None:
    """The same for programs."""
    case_id = "refunds/window[language=English,order=1,caller=ana]@support"
    shown = written.planner("show", case_id, "--environment", "staging", "--format", "json").json
    assert (list(shown), shown["schema_version"]) == (["schema_version", "cases"], "1.0")
    (case,) = shown["cases"]
    assert {key: value for key, value in case.items() if isinstance(value, str | int)} == {
        "case_id": case_id, "plan": "refunds", "scenario": "window", "description": "A caller asks how long they have.",
        "file": "plans/hours.yaml", "line": 13, "column": 3,
    }  # fmt: skip
    used = {"file": "plans/hours.yaml", "line": 5, "column": 11}
    target = {"alias": "support", "kind": "agent", "id": 12, "from": {"source": "environment", "used": used}}
    assert case["target"] == target
    assert [(tag["tag"], tag["from"]["source"]) for tag in case["tags"]] == [
        ("billing", "plan"),
        ("policy", "scenario"),
    ]
    axes = [("language", "English"), ("order", "1"), ("caller", "ana")]
    assert [(axis["axis"], axis["value"]) for axis in case["axes"]] == axes
    assert case["axes"][0]["from"] == {
        "source": "library", "file": "plans/lib/voice.yaml", "line": 5, "column": 20,
        "used": {"file": "plans/hours.yaml", "line": 19, "column": 19},
    }  # fmt: skip
    variables = [("greeting", "Good morning"), ("policy_days", 30)]
    assert [(item["name"], item["value"]) for item in case["variables"]] == variables
    settings = {item["name"]: (item["value"], item["from"]["source"]) for item in case["settings"]}
    assert settings == {
        "direction": ("outbound", "default"), "mode": ("bot", "default"), "runs": (3, "defaults"), "min_pass_rate": (0.5, "scenario"),
        "min_runs": (2, "default"), "platform_failures": ("ignore", "default"), "caller_faults": ("ignore", "default"),
        "when_settled": ("stop", "default"), "stagger_seconds": (0, "default"), "timeout_seconds": (900, "default"),
        "retries": (0, "default"), "max_age": ("14d", "scenario"),
        "quarantine": ({"until": "2999-01-31", "reason": "ticket VOX-41"}, "scenario"),
    }  # fmt: skip
    assert case["prompt"]["text"].startswith("Good morning. Speak English.\n\n")
    assert case["prompt"]["from"]["file"] == "plans/prompts/window.md"
    assert [{key: value for key, value in item.items() if key != "from"} for item in case["expectations"]] == [
        {"id": "call", "check": "call", "status": "completed"},
        {"id": "window", "check": "says", "severity": "critical", "any_of": ["30 days", "::error::x  y"]},
        {"id": "never_says", "check": "never_says", "matches": "(?i)calm down"},
    ]
    assert [item["from"]["source"] for item in case["expectations"]] == ["defaults", "scenario", "library"]


def test_a_pattern_shows_several(project: Project) -> None:
    """`*` and `?` match as in `--select`; brackets stand for themselves."""
    ran = project.planner("show", "hours/saturday[*")
    assert ran.code == 0
    assert [line for line in ran.out.splitlines() if line.startswith("hours/")] == [
        "hours/saturday[name=Ana]@clinic",
        "hours/saturday[name=Bob]@clinic",
    ]


def test_an_id_is_what_is_shown(project: Project) -> None:
    """A case id of hostile text can be copied from the output and asked for again."""
    project.edit("plans/hours.yaml", "[Ana, Bob]", '["a  b::c ##[error]", "*"]')
    shown = project.planner("show", "hours/saturday[*").out.splitlines()
    ids = [line for line in shown if line.startswith("hours/")]
    assert ids == [
        'hours/saturday[name="a \\u0020b:\\u003ac ##\\u005berror]"]@clinic',
        'hours/saturday[name="*"]@clinic',
    ]
    for case_id in ids:
        again = project.planner("show", case_id, "--format", "json")
        assert [case["case_id"] for case in again.json["cases"]] == [case_id]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("hours/cancle@clinic", "Did you mean hours/cancel@clinic?"),
        ("saturday", "Did you mean hours/saturday[name=Ana]@clinic or hours/saturday[name=Bob]@clinic?"),
        ("hours/saturdy", "Did you mean hours/saturday["),
        ("saturdy@clinic", "Did you mean hours/saturday["),
        ("hours/saturdy[name=Bbo]@clinic", "Did you mean hours/saturday[name=Bob]@clinic?"),
        ("hours/saturday[name=Bo", "Did you mean hours/saturday[name=Bob]@clinic?"),
        ("zzz", "`*` and `?` are wildcards"),
    ],
)
def test_no_such_case(project: Project, wanted: str, message: str) -> None:
    ran = project.planner("show", wanted)
    assert (ran.code, ran.out) == (2, "")
    assert f"there is no case {wanted}" in ran.err
    assert message in ran.err


def test_other_plans_may_be_broken(project: Project) -> None:
    """A sound plan's case is shown, with the faults of others; a case that may be theirs is not there for that."""
    project.write("plans/broken.yaml", "version: 1\nplan: broken\n")
    found = project.planner("show", "hours/cancel@clinic")
    assert found.code == 0
    assert "hours/cancel@clinic" in found.out
    assert "missing-key" in found.err
    lost = project.planner("show", "broken/x@y")
    assert lost.code == 2
    assert "no valid plan has a case broken/x@y" in lost.err
    assert "missing-key" in lost.err


def test_libraries_are_counted(written: Project) -> None:
    """`validate` says how many libraries it read; alone, they are no plans to run."""
    assert written.planner("validate", "--environment", "staging").out == snapshot(
        "1 plan valid · 18 cases · 54 runs · 1 library valid\n"
    )
    assert written.planner("validate", "plans/lib/voice.yaml").out == snapshot("1 library valid\n")
    ran = written.planner("plan", "plans/lib")
    assert ran.code == 2
    assert "there are only libraries and no plan" in ran.err
