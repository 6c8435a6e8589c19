"""`planner plan`, `reconcile`, `schema`, `validate` and the program's own manners."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from journals import Events, edit_journal

from planner.execution.events import Intended, Moved
from planner.execution.journal import Journal
from planner.execution.launches import LaunchIntent, LaunchState, SlotIntent
from planner.providers.base import Line
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"
ONE_CALL = """\
version: 1
plan: hours
targets:
  clinic: {agent: 12}
scenarios:
  saturday:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    expect:
      - {check: call, status: completed}
"""


def test_plan_is_keyless_and_stores_only_the_set_of_calls(project: Project) -> None:
    """It works from what is stored, calls nobody, and writes nothing but the set behind the digest."""
    ran = project.planner("plan")
    assert ran.code == 0
    assert "hours/cancel@clinic" in ran.out
    assert "Nothing was called. To run exactly this, with --max-cost to bound what it costs:" in ran.out
    assert "the price of these calls is unknown: run `planner plan --refresh` with a key to ask the service" in ran.out
    assert sorted(path.name for path in project.root.iterdir()) == [".planner", "plans"]
    assert sorted(path.name for path in (project.root / ".planner").iterdir()) == [".gitignore", ".lock", "change-sets"]


def test_plan_as_json(project: Project) -> None:
    """The documented fields; an unknown price is null, never 0."""
    document = project.planner("plan", "--format", "json").json
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", document["digest"])
    assert document["summary"] == {"call": 3, "recheck": 0, "keep": 0, "drop": 0}
    assert document["estimate"]["calls"] == 5
    assert document["estimate"]["expected_cents"] is None
    assert list(document["changes"][0]) == [
        "case_id",
        "action",
        "reason",
        "runs",
        "runs_made",
        "runs_of_unknown_fate",
        "detail",
    ]


def test_detailed_exit_code(project: Project) -> None:
    """10 when calls would be made, 0 when none would."""
    assert project.planner("plan", "--sandbox", "--detailed-exitcode").code == 10
    assert project.planner("run", "--sandbox", CONSENT).code == 0
    assert project.planner("plan", "--sandbox", "--detailed-exitcode").code == 0


def test_a_plan_that_run_would_reject_is_reported(project: Project, service: Served) -> None:
    """Over a budget or against a policy there is no command to type, and the exit code is that of the refusal."""
    priced = project.planner("plan", "--refresh")
    assert (priced.code, "planner run --consent-to-charge" in priced.out) == (0, True)
    assert "planner plan --refresh" not in priced.out
    project.edit("plans/hours.yaml", "scenarios:", "budget: {max_cost_cents: 50}\nscenarios:")
    ran = project.planner("plan", "--refresh", "--detailed-exitcode")
    assert ran.code == 3
    assert "`planner run` would refuse this: $1.60 expected, budget.max_cost_cents of plan" in ran.out
    assert "--consent-to-charge" not in ran.out
    project.write("planner.yaml", "policy: {max_calls: 4}\n")
    ran = project.planner("plan", "--format", "json")
    assert ran.code == 3
    assert ran.json["refused"] == "5 calls would be made, policy.max_calls allows 4 per session"


@pytest.mark.parametrize(
    ("plan", "config", "named"),
    [
        ("budget: {max_cost_cents: 50}\n", "", "budget.max_cost_cents of plan hours"),
        ("", "policy: {max_cost_cents: 50}\n", "policy.max_cost_cents"),
    ],
)
def test_a_ceiling_that_allows_no_call_is_reported(
    project: Project, service: Served, plan: str, config: str, named: str
) -> None:
    """A call is launched where the most it may cost fits: where it does not, `plan` refuses, as `run` does, and says what fits."""
    project.write("plans/hours.yaml", ONE_CALL.replace("scenarios:", f"{plan}scenarios:"))
    project.write("planner.yaml", config)
    assert project.planner("run", CONSENT, "--max-cost", "0.64").code == 3
    ran = project.planner("plan", "--refresh", "--format", "json")
    assert ran.code == 3
    assert ran.json["estimate"]["expected_cents"] <= 50
    assert ran.json["refused"] == f"one call may cost up to $0.64, {named} allows $0.50, so no call could be launched"
    report = project.planner("plan", "--refresh")
    assert (report.code, CONSENT in report.out) == (3, False)
    assert "raise it to at least $0.64" in " ".join(report.out.split()).lower()
    assert not service.own_runs()

    project.write("plans/hours.yaml", ONE_CALL.replace("scenarios:", f"{plan}scenarios:").replace(": 50", ": 64"))
    project.write("planner.yaml", config.replace(": 50", ": 64"))
    assert project.planner("plan", "--refresh").code == 0
    assert project.planner("run", CONSENT).code == 0


def test_keyless_and_keyed_plans_agree(project: Project, service: Served) -> None:
    """The digest does not depend on what only a key can see; the price does."""
    keyless = project.planner("plan", "--format", "json").json
    keyed = project.planner("plan", "--format", "json", "--refresh").json
    assert keyless["digest"] == keyed["digest"]
    assert keyed["estimate"]["expected_cents"] == 160


def test_an_edited_agent_is_drift(project: Project, service: Served) -> None:
    """Changes outside git have their own reason. They need a key to be seen."""
    project.planner("run", CONSENT)
    service.control({"deploy": {"agent_id": 12}})
    assert {action for action, _, _ in project.actions("--refresh").values()} == {"keep"}  # same prompt: no other agent
    project.edit("plans/hours.yaml", "agent: 12", "agent: 14")
    project.planner("run", CONSENT)
    service.control({"deploy": {"agent_id": 14, "revision": 2}})
    assert {reason for _, reason, _ in project.actions("--refresh").values()} == {"agent_edited"}
    assert {action for action, _, _ in project.actions().values()} == {"keep"}


def test_sandbox_and_real_results_never_mix(project: Project, service: Served) -> None:
    """What passed on the embedded sandbox is still new for the service."""
    project.planner("run", "--sandbox", CONSENT)
    assert {reason for _, reason, _ in project.actions().values()} == {"new"}


def test_an_interrupted_change_set_keeps_its_digest(project: Project) -> None:
    """Runs already made lower the price, not the digest, so that the same command goes on after a crash."""
    before = project.planner("plan", "--sandbox", "--format", "json").json
    project.planner("run", "--sandbox", CONSENT, "--select", "hours/cancel*")
    after = project.planner("plan", "--sandbox", "--format", "json").json
    assert after["digest"] == before["digest"]
    assert after["estimate"]["calls"] == before["estimate"]["calls"] - 1


def test_runs_left_by_a_crash_are_distinguished(project: Project, service: Served) -> None:
    """Of a case's runs: those made, those that may have been, and those that were about to be sent and never were. Consent is
    asked for what will be called."""

    def counts() -> tuple[int, int, int]:
        document = project.planner("plan", "--format", "json").json
        made, unknown = (
            sum(change[name] for change in document["changes"]) for name in ("runs_made", "runs_of_unknown_fate")
        )
        return made, unknown, document["estimate"]["calls"]

    project.write("planner.yaml", "execution: {linger_seconds: 0}\n")
    assert counts() == (0, 0, 5)
    assert project.planner("run", CONSENT, "--select", "hours/cancel*").code == 0
    assert counts() == (1, 0, 4)
    service.control({"faults": [{"kind": "error_before", "route": "launch", "times": 1}]})
    assert project.planner("run", CONSENT).code == 4
    assert counts() == (1, 4, 0)
    for expected in ((1, 4, 0), (1, 0, 4)):  # as kill -9 would leave it: sent, then intended
        edit_journal(project.root / ".planner/journal.sqlite", lambda events: events[:-1])
        assert counts() == expected
    assert "4 calls, expected" in project.planner("run").err
    assert project.planner("run", CONSENT).code == 0
    assert len(service.own_runs()) == 5


def open_launch(project: Project, *prompts: str, store: str = ".planner") -> Journal:
    """A launch whose answer was lost, in the journal of a store."""
    from datetime import UTC, datetime

    journal = Journal(project.root / store / "journal.sqlite")
    journal.record(
        Intended(
            LaunchIntent(
                "lost-1",
                "earlier",
                "sha256:0",
                Line("agent", 12, "outbound", "bot", None, 0),
                "planner lost-1",
                datetime.now(UTC),
                600.0,  # so much earlier a run may have been made, and be it
                tuple(
                    SlotIntent("hours/cancel@clinic", "hours", prompt, "f", None, 32)
                    for prompt in prompts or ("You are Dora.",)
                ),
            )
        )
    )
    journal.record(Moved("lost-1", LaunchState.SENT))
    journal.record(Moved("lost-1", LaunchState.AMBIGUOUS, detail="no answer in time"))
    return journal


def call_dora(service: Served) -> int:
    """What the open launch asks for, carried out."""
    return httpx.post(
        f"{service.url}/v1/test-calls",
        headers={"Authorization": "Bearer sk_test_x"},
        json={
            "target_type": "agent",
            "target_id": 12,
            "direction": "outbound",
            "scenario_prompt": "You are Dora.",
            "consent_to_charge": True,
        },
    ).json()["id"]


def test_reconcile_lists_and_adopts(project: Project, service: Served) -> None:
    """An open launch is listed with the run it may have become; adopted, it is open no more."""
    made = call_dora(service)
    open_launch(project).close()
    ran = project.planner("reconcile")
    assert ran.code == 4
    assert f"planner reconcile lost-1 --adopt {made}" in ran.out
    assert project.planner("reconcile", "lost-1", "--adopt", str(made), "--adopt", "8").code == 2
    assert project.planner("reconcile", "lost-1", "--adopt", "8").err.startswith(
        "planner: the service shows no run 8 since 2"
    )
    assert project.planner("reconcile").code == 4
    assert project.planner("reconcile", "lost-1", "--adopt", str(made)).code == 0
    assert project.planner("reconcile").code == 0


def test_reconcile_rejects_another_call(project: Project, service: Served) -> None:
    """A run with another prompt is not the launch's; a launch that is not open is said not to be, and what it became."""
    project.planner("run", CONSENT)
    other = service.own_runs()[0]["run_id"]
    open_launch(project).close()
    settled = ""

    def forget_results(events: Events) -> Events:
        """The journal no longer knows the runs of the first session; the open launch is old."""
        nonlocal settled
        for kind, event in events:
            if kind == "moved" and event["state"] == "acknowledged":
                settled = event["launch_id"]
                event["run_ids"], event["bindings"] = [], {}
            if kind == "intended" and event["intent"]["launch_id"] == "lost-1":
                event["intent"]["sent_at"] = "2026-01-01T00:00:00Z"
        return [(kind, event) for kind, event in events if kind not in ("evidence_stored", "consumed")]

    edit_journal(project.root / ".planner/journal.sqlite", forget_results)
    ran = project.planner("reconcile", "lost-1", "--adopt", str(other))
    assert ran.code == 2
    assert ran.err == (
        f"planner: run {other} does not match launch lost-1: another target, prompt or requester\n"
        "  Run `planner reconcile lost-1` for its candidates.\n"
    )
    assert project.planner("reconcile", "lost-2").err == (
        "planner: launch lost-2 is not open\n  Run `planner reconcile` for a list of open launches.\n"
    )
    assert project.planner("reconcile", settled).err.startswith(
        f"planner: launch {settled} is not open: it is acknowledged"
    )


def test_reconcile_prints_the_command_for_a_batch(project: Project, service: Served) -> None:
    """The command runs as printed: one option per run, and the store."""
    prompts = ["You are Dora.", "You are Eve."]
    made = httpx.post(
        f"{service.url}/v1/test-call-batches",
        headers={"Authorization": "Bearer sk_test_x"},
        json={
            "target_type": "agent",
            "target_id": 12,
            "direction": "outbound",
            "scenario_prompts": prompts,
            "run_count": 2,
            "stagger_seconds": 0,
            "consent_to_charge": True,
        },
    ).json()["run_ids"]
    open_launch(project, *prompts, store="elsewhere").close()
    ran = project.planner("reconcile", "--store", "elsewhere")
    assert ran.code == 4
    command = ran.out.strip().partition("UTC: planner ")[2]
    assert command == "reconcile lost-1 --store elsewhere " + " ".join(f"--adopt {run_id}" for run_id in made)
    assert project.planner(*command.split()).out.startswith("lost-1 is adopted; the next run resumes its 2 calls")
    assert project.planner("reconcile", "--store", "elsewhere").code == 0


def test_reconcile_assume_not_sent(project: Project, service: Served) -> None:
    """A person's word settles it; twice is once too often."""
    open_launch(project).close()
    ran = project.planner("reconcile", "lost-1")
    assert ran.code == 4
    assert "planner reconcile lost-1 --assume-not-sent" in ran.out
    assert project.planner("reconcile", "--assume-not-sent").code == 2
    assert project.planner("reconcile", "lost-1", "--adopt", "1", "--assume-not-sent").code == 2
    assert project.planner("reconcile", "lost-1", "--assume-not-sent").code == 0
    assert project.planner("reconcile", "lost-1", "--assume-not-sent").code == 2


def test_schemas_are_written_and_checked(project: Project) -> None:
    """`--check` finds what is stale or missing."""
    assert project.planner("schema", "--check").code == 2
    ran = project.planner("schema", "--out", "somewhere")
    assert ran.code == 0
    for line in ran.out.split():
        assert json.loads((project.root / line).read_text())["$schema"].startswith("https://json-schema.org/")
    assert project.planner("schema", "--out", "somewhere", "--check").code == 0
    project.write("somewhere/plan.schema.json", "{}")
    ran = project.planner("schema", "--out", "somewhere", "--check")
    assert ran.code == 2
    assert "somewhere/plan.schema.json" in ran.err


def test_version_and_help(project: Project) -> None:
    """Both ways in answer alike, and every command helps."""
    for command in (
        [sys.executable, "-m", "planner", "--version"],
        [str(Path(sys.executable).with_name("planner")), "--version"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert re.fullmatch(r"planner \d+\.\d+\.\d+\n", done.stdout)
    for command in ("validate", "plan", "run", "reconcile", "schema", "sandbox"):
        assert project.planner(command, "--help").code == 0
    report = project.planner("--help").out
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    assert re.findall(r"^  (\d+)  ", report, re.MULTILINE) == re.findall(r"^\| (\d+) \|", readme, re.MULTILINE)
    assert "THUNDERPHONE_API_KEY" in report


def test_a_bug_says_that_it_is_one(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The traceback goes to a file; the user reads one line. Patched: no bug of ours can be asked for by name."""
    import planner.commands.validate

    def broken(*_: object, **__: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(planner.commands.validate, "validate", broken)
    ran = project.planner("validate")
    assert ran.code == 5
    assert "Traceback" not in ran.err
    log = re.search(r"details in (\S+)\.\n", ran.err)
    assert log
    assert "ZeroDivisionError" in Path(log[1]).read_text(encoding="utf-8")


def test_a_served_sandbox_says_how_to_call_it(serve: Callable[..., Served]) -> None:
    """What it prints is what a shell needs."""
    served = serve()
    assert served.program.output.readline() == (
        f"  export THUNDERPHONE_API_BASE_URL={served.url} THUNDERPHONE_API_KEY=sk_test_sandbox\n"
    )


def test_a_port_that_is_taken(project: Project, service: Served) -> None:
    """It says which, and what to do."""
    port = service.url.rsplit(":", 1)[1]
    ran = project.planner("sandbox", "--port", port)
    assert ran.code == 2
    assert f"port {port} of 127.0.0.1 cannot be used" in ran.err
