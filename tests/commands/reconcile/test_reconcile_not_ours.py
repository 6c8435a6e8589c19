"""A person's word that a launch was not sent, while the service shows runs that may be it."""

from __future__ import annotations

from journals import edit_launches

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.plan.test_plan_command import call_dora, open_launch  # pyright: ignore[reportMissingImports]


def test_not_sent_is_refused_while_the_service_shows_it(project: Project, service: Served) -> None:
    """Each run that may be the launch's is named, with what to type; only who names them all as somebody else's is believed."""
    made, other = call_dora(service), call_dora(service)
    open_launch(project).close()
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


def test_runs_of_another_time_are_shown_too(project: Project, service: Served) -> None:
    """Where no answered launch shows that the service's times are those of its clock, a run that asks for the same may be the
    launch's whenever it was made."""
    made = call_dora(service)
    open_launch(project).close()
    edit_launches(
        project.root / ".planner/journal.sqlite", lambda launch: launch.update(sent_at="2026-01-01T00:00:00Z")
    )
    ran = project.planner("reconcile")
    assert ran.code == 4
    assert ran.out.splitlines()[2] == (
        "  no run matches its time and prompts, but the service does not always list these as they were sent. Possible matches:"
    )
    assert ran.out.endswith(f" UTC: planner reconcile lost-1 --adopt {made}\n")
    assert project.planner("reconcile", "lost-1", "--assume-not-sent").code == 2
    assert project.planner("reconcile", "lost-1", "--adopt", str(made)).code == 0
