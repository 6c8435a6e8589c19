"""`planner reconcile`: what a person says of a launch is taken only where it can be so."""

from __future__ import annotations

import httpx
from hours import SATURDAY

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.reconcile.test_open_launches import lose  # pyright: ignore[reportMissingImports]
from tests.commands.run.test_run import CONSENT  # pyright: ignore[reportMissingImports]


def call_dora(service: Served) -> int:
    """What the lost launch asks for, carried out."""
    return httpx.post(
        f"{service.url}/v1/test-call-batches",
        headers={"Authorization": "Bearer sk_test_x"},
        json={
            "target_type": "agent",
            "target_id": 12,
            "direction": "outbound",
            "scenario_prompts": ["You are Dora."],
            "run_count": 1,
            "consent_to_charge": True,
        },
    ).json()["run_ids"][0]


def test_reconcile_without_a_journal(project: Project) -> None:
    """Looking leaves no journal behind."""
    assert project.planner("reconcile").out == "No launch is open: this store has no launches.\n"
    assert not (project.root / ".planner" / "log.db").exists()


def test_adopting_an_impossible_run_is_refused(project: Project, service: Served) -> None:
    """A slip of the hand would have somebody else's call judged, or the launch's own charged twice."""
    project.write("plans/hours.yaml", SATURDAY)
    assert project.planner("run", CONSENT).code == 0
    (made,) = service.own_runs()
    service.control({"foreign_runs": {"count": 1}})
    (foreign,) = [run for run in service.ledger()["runs"] if run["requested_by_id"] != 1]
    lose(project)
    for arguments, text in (
        (["--assume-not-sent"], "name the launch: planner reconcile LAUNCH …"),
        (["lost-1", "--adopt", "1", "--assume-not-sent"], "--adopt and --assume-not-sent cannot be used together"),
        (["lost-2", "--assume-not-sent"], "launch lost-2 is not open"),
        (["lost-1", "--adopt", "1", "--adopt", "2"], "launch lost-1 asked for 1 run, but --adopt names 2"),
        (["lost-1", "--adopt", str(made["run_id"])], f"runs {made['run_id']} already belong to another launch"),
        (["lost-1", "--adopt", "999999"], "the service shows no run 999999 since "),
        (
            ["lost-1", "--adopt", str(foreign["run_id"])],
            f"run {foreign['run_id']} does not match launch lost-1: another target, prompt or requester",
        ),
    ):
        ran = project.planner("reconcile", *arguments)
        assert (ran.code, text in ran.err) == (2, True), (arguments, ran.err)
    assert "lost-1  1 call to agent 12" in project.planner("reconcile", "lost-1").out


def test_a_launch_that_was_never_sent_is_open_no_more(project: Project, service: Served) -> None:
    """A person who has looked says so, once."""
    del service
    project.write("plans/hours.yaml", SATURDAY)
    lose(project)
    ran = project.planner("reconcile", "lost-1", "--assume-not-sent")
    assert (ran.code, ran.out) == (
        0,
        "lost-1 is settled as not sent; the next run may make its 1 call again.\nNo launch is open.\n",
    )
    again = project.planner("reconcile", "lost-1", "--assume-not-sent")
    assert again.code == 2
    assert "launch lost-1 is not open: it is absent, a person confirmed that it was not sent" in again.err


def test_not_sent_is_refused_while_the_service_shows_it(project: Project, service: Served) -> None:
    """Each run that may be the launch's is named, with what to type; only who names them all as somebody else's is believed."""
    made, other = call_dora(service), call_dora(service)
    lose(project, slack_seconds=600)
    ran = project.planner("reconcile", "lost-1", "--assume-not-sent", "--not-ours", str(other))
    assert ran.code == 2
    assert f"run {made}" in ran.err
    assert ran.err.endswith(f"planner reconcile lost-1 --assume-not-sent --not-ours {other} --not-ours {made}\n")
    assert project.planner("reconcile").code == 4
    assert project.planner("reconcile", "lost-1", "--not-ours", str(made)).code == 2
    command = ran.err.strip().rpartition("planner ")[2]
    assert project.planner(*command.split()).out == (
        "lost-1 is settled as not sent; the next run may make its 1 call again.\nNo launch is open.\n"
    )


def test_reconcile_lists_and_adopts(project: Project, service: Served) -> None:
    """An open launch is listed with the run it may have become; adopted, it is open no more."""
    made = call_dora(service)
    lose(project, slack_seconds=600)
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


def test_reconcile_as_json(project: Project, service: Served) -> None:
    """The open launches with their candidates; standard output has only the document, also when one is settled."""
    project.write("plans/hours.yaml", SATURDAY)
    lose(project)
    run_id = call_dora(service)
    listed = project.planner("reconcile", "--format", "json")
    (launch,) = listed.json["launches"]
    assert (listed.code, listed.json["exit_code"], launch["launch_id"], launch["calls"]) == (4, 4, "lost-1", 1)
    assert [candidate["run_ids"] for candidate in launch["candidates"]] == [[run_id]]
    settled = project.planner("reconcile", "lost-1", "--adopt", str(run_id), "--format", "json")
    assert (settled.code, settled.json["launches"]) == (0, [])


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
            "consent_to_charge": True,
        },
    ).json()["run_ids"]
    lose(project, *prompts, store="elsewhere", slack_seconds=600)
    ran = project.planner("reconcile", "--store", "elsewhere")
    assert ran.code == 4
    command = ran.out.strip().partition("UTC: planner ")[2]
    assert command == "reconcile lost-1 --store elsewhere " + " ".join(f"--adopt {run_id}" for run_id in made)
    assert project.planner(*command.split()).out.startswith("lost-1 is adopted; the next run resumes its 2 calls")
    assert project.planner("reconcile", "--store", "elsewhere").code == 0
