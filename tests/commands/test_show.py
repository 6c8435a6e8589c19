"""`planner show`: a case, rendered, with the lines of its expectations."""

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
targets: {support: {agent: 12}, hotline: {phone_number: 77}}
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
        language: [English, Spanish]
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


def test_a_case_as_json(written: Project) -> None:
    """The same for programs."""
    case_id = "refunds/window[language=English,order=1,caller=ana]@support"
    shown = written.planner("show", case_id, "--environment", "staging", "--format", "json").json
    assert (list(shown), shown["schema_version"]) == (
        ["schema_version", "exit_code", "error", "diagnostics", "cases"],
        "2.0",
    )
    (case,) = shown["cases"]
    assert case["now"].pop("fingerprints")["stored"] is None
    assert case == snapshot(
        {
            "case_id": "refunds/window[language=English,order=1,caller=ana]@support",
            "plan": "refunds",
            "scenario": "window",
            "description": "A caller asks how long they have.",
            "file": "plans/hours.yaml",
            "line": 13,
            "column": 3,
            "target": {"alias": "support", "kind": "agent", "id": 12},
            "tags": ["billing", "policy"],
            "axes": {"language": "English", "order": "1", "caller": "ana"},
            "settings": {
                "direction": "outbound",
                "mode": "bot",
                "runs": 3,
                "min_pass_rate": 0.5,
                "timeout_seconds": 900,
                "retries": 0,
                "max_age": "14d",
                "quarantine": {"until": "2999-01-31", "reason": "ticket VOX-41"},
            },
            "prompt": """\
Good morning. Speak English.

  You are Ana  Ruiz: order 1.
##[error]x
""",
            "expectations": [
                {
                    "id": "call",
                    "check": "call",
                    "status": "completed",
                    "file": "plans/hours.yaml",
                    "line": 11,
                    "column": 7,
                },
                {
                    "id": "window",
                    "check": "says",
                    "severity": "critical",
                    "any_of": ["30 days", "::error::x  y"],
                    "file": "plans/hours.yaml",
                    "line": 27,
                    "column": 9,
                },
                {
                    "id": "never_says",
                    "check": "never_says",
                    "matches": "(?i)calm down",
                    "file": "plans/hours.yaml",
                    "line": 28,
                    "column": 9,
                },
            ],
            "now": {
                "case_id": "refunds/window[language=English,order=1,caller=ana]@support",
                "action": "call",
                "reason": "new",
                "detail": "",
                "runs": 3,
                "kept_run_ids": [],
                "inputs": {
                    "now": {
                        "prompt": """\
Good morning. Speak English.

  You are Ana  Ruiz: order 1.
##[error]x
""",
                        "target_kind": "agent",
                        "target_id": 12,
                        "direction": "outbound",
                        "mode": "bot",
                        "target_number": None,
                        "agent_revision": None,
                        "configuration": None,
                        "has_agent_file": False,
                    },
                    "stored": None,
                },
                "expectations": ["call", "window", "never_says"],
                "stored": None,
                "price": {
                    "expected_cents": None,
                    "low_cents": None,
                    "high_cents": None,
                    "basis": "unknown: no past runs and the product is unknown",
                },
            },
        }
    )


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
        ("hours/", "Did you mean 'hours/*' (3 cases)?"),
        ("hours/cancle@clinic", "Did you mean hours/cancel@clinic?"),
        ("saturday", "Did you mean hours/saturday[name=Ana]@clinic or hours/saturday[name=Bob]@clinic?"),
        ("hours/saturdy", "Did you mean hours/saturday["),
        ("saturdy@clinic", "Did you mean hours/saturday["),
        ("hours/saturdy[name=Bbo]@clinic", "Did you mean hours/saturday[name=Bob]@clinic?"),
        ("hours/saturday[name=Bo", "Did you mean hours/saturday[name=Bob]@clinic?"),
        ("hours/saturday@clinic", "Did you mean 'hours/saturday[*]@clinic' (2 cases)?"),
        ("clinik", "Did you mean the target clinic?"),
        ("zzz", "`*` and `?` are wildcards"),
    ],
)
def test_no_such_case(project: Project, wanted: str, message: str) -> None:
    ran = project.planner("show", wanted)
    assert (ran.code, ran.out) == (2, "")
    assert f"there is no case or target {wanted}" in ran.err
    assert message in ran.err


RUN = ("run", "--sandbox", "--consent-to-charge")


def test_what_happens_to_a_case_and_why(project: Project) -> None:
    """Before and after its calls, with another prompt, and without, where other plans are invalid."""

    def now(case: str = "hours/cancel@clinic") -> tuple[str, str, int]:
        (found,) = project.planner("show", case, "--sandbox", "--format", "json").json["cases"]
        stored = found["now"]["stored"] or {"run_ids": []}
        return found["now"]["action"], found["now"]["reason"], len(stored["run_ids"])

    assert now() == ("call", "new", 0)
    assert project.planner(*RUN).code == 0
    assert now() == ("reuse", "passed", 1)
    project.edit("plans/hours.yaml", "Cancel your appointment", "Move your appointment")
    assert now() == ("call", "caller_prompt_changed", 1)
    text = project.planner("show", "hours/cancel@clinic", "--sandbox").out
    assert "caller prompt changed" in text
    project.write("plans/broken.yaml", "version: 9\n")
    (found,) = project.planner("show", "hours/cancel@clinic", "--sandbox", "--format", "json").json["cases"]
    assert "now" not in found


def test_a_target_and_its_cases(project: Project) -> None:
    """Its agent, and each case with its outcome, its runs and what happens to it."""
    assert project.planner(*RUN).code == 0
    target = project.planner("show", "clinic", "--sandbox", "--format", "json").json["target"]
    (agent,) = target["agents"]
    assert (target["alias"], agent["kind"], agent["id"]) == ("clinic", "agent", 12)
    assert agent["revision"].startswith(agent["edited_at"])
    assert [(case["runs_passed"], case["runs_countable"]) for case in target["cases"]] == [(2, 2), (2, 2), (1, 1)]
    assert [(case["outcome"], case["action"], len(case["run_ids"])) for case in target["cases"]] == [
        ("passed", "reuse", 2),
        ("passed", "reuse", 2),
        ("passed", "reuse", 1),
    ]
    text = project.planner("show", "clinic", "--sandbox").out
    assert "agent 12" in text
    assert text.count("passed · reused: passed") == 3
