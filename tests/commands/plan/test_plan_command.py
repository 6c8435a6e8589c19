"""`planner plan`, `schema` and the program's own manners."""

from __future__ import annotations

import json
import re

import pytest

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"


def test_plan_is_keyless_and_stores_only_the_set_of_calls(project: Project) -> None:
    """It works from what is stored, calls nobody, and writes nothing but the set behind the digest."""
    ran = project.planner("plan")
    assert ran.code == 0
    assert "hours/cancel@clinic" in ran.out
    assert "Nothing was called. To run exactly this, with --max-cost to bound what it costs:" in ran.out
    assert "the price of these calls is unknown: with an API key, planner reads it from the service" in ran.out
    assert sorted(path.name for path in project.root.iterdir()) == [".planner", "plans"]
    assert sorted(path.name for path in (project.root / ".planner").iterdir()) == [".gitignore", ".lock", "change-sets"]


def test_plan_as_json(project: Project) -> None:
    """The documented fields; an unknown price is null, never 0."""
    document = project.planner("plan", "--format", "json").json
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", document["digest"])
    assert document["summary"] == {"call": 3, "recheck": 0, "reuse": 0, "drop": 0}
    assert document["estimate"]["calls"] == 5
    assert document["estimate"]["expected_cents"] is None
    assert list(document["changes"][0]) == [
        "case_id",
        "action",
        "reason",
        "runs",
        "calls",
        "shares_with",
        "renamed_from",
        "runs_made",
        "unconfirmed_runs",
        "detail",
    ]


def test_detailed_exit_code(project: Project) -> None:
    """10 when calls would be made, 0 when none would."""
    assert project.planner("plan", "--sandbox", "--detailed-exitcode").code == 10
    assert project.planner("run", "--sandbox", CONSENT).code == 0
    assert project.planner("plan", "--sandbox", "--detailed-exitcode").code == 0


def test_a_plan_that_run_would_reject_is_reported(project: Project, service: Served) -> None:
    """Over a budget or against a policy there is no command to type, and the exit code is that of the refusal."""
    priced = project.planner("plan")
    assert (priced.code, "planner run --consent-to-charge" in priced.out) == (0, True)
    assert "price of these calls is unknown" not in priced.out
    project.edit("plans/hours.yaml", "scenarios:", "budget: {max_cost_cents: 50}\nscenarios:")
    ran = project.planner("plan", "--detailed-exitcode")
    assert ran.code == 3
    assert "`planner run` would refuse this: $1.60 expected, budget.max_cost_cents of plan" in ran.out
    assert "--consent-to-charge" not in ran.out
    project.write("planner.yaml", "policy: {max_calls: 4}\n")
    ran = project.planner("plan", "--format", "json")
    assert ran.code == 3
    assert ran.json["error"]["message"] == "5 calls would be made, policy.max_calls allows 4 per session"


def test_an_edited_agent_is_drift(project: Project, service: Served) -> None:
    """Changes outside git have their own reason. They need a key to be seen."""
    project.planner("run", CONSENT)
    service.control({"deploy": {"agent_id": 12}})
    assert {action for action, _, _ in project.actions().values()} == {"reuse"}  # same prompt: no other agent
    project.edit("plans/hours.yaml", "agent: 12", "agent: 14")
    project.planner("run", CONSENT)
    service.control({"deploy": {"agent_id": 14, "revision": 2}})
    assert {reason for _, reason, _ in project.actions().values()} == {"agent_edited"}
    assert {action for action, _, _ in project.actions("--offline").values()} == {"reuse"}


def test_runs_left_by_a_crash_are_distinguished(project: Project, service: Served) -> None:
    """Of a case's runs: those made, those that may have been, and those that were about to be sent and never were. Consent is
    asked for what will be called."""

    def counts() -> tuple[int, int, int]:
        document = project.planner("plan", "--format", "json").json
        made, unknown = (
            sum(change[name] for change in document["changes"]) for name in ("runs_made", "unconfirmed_runs")
        )
        return made, unknown, document["estimate"]["calls"]

    project.write("planner.yaml", "execution: {linger_seconds: 0}\n")
    assert counts() == (0, 0, 5)
    assert project.planner("run", CONSENT, "--select", "hours/cancel*").code == 0
    assert counts() == (0, 0, 4)
    service.control({"faults": [{"kind": "error_before", "route": "launch", "times": 1}]})
    assert project.planner("run", CONSENT).code == 4
    assert counts() == (0, 4, 0)
    service.advance(660)
    assert project.planner("run", CONSENT).code == 0
    assert len(service.own_runs()) == 5


def test_schemas_are_written(project: Project) -> None:
    ran = project.planner("schema", "--out", "somewhere")
    assert ran.code == 0
    for line in ran.out.split():
        assert json.loads((project.root / line).read_text())["$schema"].startswith("https://json-schema.org/")


def test_a_bug_says_that_it_is_one(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the traceback. Patched: no bug of ours can be asked for by name."""
    import planner.commands.validate

    def broken(*_: object, **__: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(planner.commands.validate, "validate", broken)
    ran = project.planner("validate")
    assert ran.code == 5
    assert "ZeroDivisionError" in ran.err
