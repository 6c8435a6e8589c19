"""`planner reconcile`: what a person says of a launch is taken only where it can be so."""

from __future__ import annotations

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.reconcile.test_orphaned_launches import PLAN, lose  # pyright: ignore[reportMissingImports]
from tests.commands.run.test_run import CONSENT  # pyright: ignore[reportMissingImports]


def test_reconcile_without_a_journal(project: Project) -> None:
    """Looking leaves no journal behind."""
    assert project.planner("reconcile").out == "No launch is open: nothing was ever launched from this store.\n"
    assert not (project.root / ".planner" / "journal.sqlite").exists()


def test_adopting_an_impossible_run_is_refused(project: Project, service: Served) -> None:
    """A slip of the hand would have somebody else's call judged, or the launch's own charged twice."""
    project.write("plans/hours.yaml", PLAN)
    assert project.planner("run", CONSENT).code == 0
    (made,) = service.own_runs()
    service.control({"foreign_runs": {"count": 1}})
    (foreign,) = [run for run in service.ledger()["runs"] if run.get("foreign")]
    lose(project)
    for arguments, text in (
        (["--assume-not-sent"], "name the launch: planner reconcile LAUNCH …"),
        (["lost-1", "--adopt", "1", "--assume-not-sent"], "--adopt and --assume-not-sent exclude each other"),
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
    project.write("plans/hours.yaml", PLAN)
    lose(project)
    ran = project.planner("reconcile", "lost-1", "--assume-not-sent")
    assert (ran.code, ran.out) == (
        0,
        "lost-1 is settled as not sent; the next run may make its 1 call again.\nNo launch is open.\n",
    )
    again = project.planner("reconcile", "lost-1", "--assume-not-sent")
    assert again.code == 2
    assert "launch lost-1 is not open: it is absent, a person confirmed that it was not sent" in again.err
