"""Unconfirmed launches whose case is edited or removed before anybody could look for them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hours import SATURDAY
from lost_launches import lost_launch, note
from patience import wait_for

from planner.calls.open_launches import open_launches_of
from planner.log.facts import Outcome, Result
from planner.log.local import LocalLog
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.run.test_run import CONSENT  # pyright: ignore[reportMissingImports]


def kill_in_a_launch(project: Project, service: Served) -> None:
    """The launch is carried out, its answer is late, and the process is killed meanwhile."""
    _kill(project, service, [{"kind": "slow", "seconds": 1000}], lambda: bool(service.own_runs()))


def kill_after_an_answer(project: Project, service: Served) -> None:
    """The launch is carried out and answered, and the process is killed before it knows that its call has ended."""
    slow = [{"kind": "slow", "seconds": 1000, "route": route} for route in ("list", "batch")]
    _kill(project, service, slow, lambda: answered(project))


def _kill(project: Project, service: Served, faults: list[dict[str, Any]], when: Callable[[], bool]) -> None:
    service.control({"faults": faults})
    project.killed("run", CONSENT, when=when)
    service.release()
    wait_for(lambda: have_ended(service))


def have_ended(service: Served) -> bool:
    """What is looked for before has no bill yet."""
    return all(run["status"] == "completed" for run in service.own_runs())


def answered(project: Project) -> bool:
    """Whether there are launches, and none of them is under way."""
    return {launch.outcome and launch.outcome.result for launch in project.launches()} == {Result.ACCEPTED}


def lose(
    project: Project, *prompts: str, store: str = ".planner", seconds_ago: float = 0.0, slack_seconds: float = 5
) -> None:
    """A launch whose answer was lost. A run may have been made `slack_seconds` earlier, and be it."""
    sent_at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    launch = lost_launch("lost-1", sent_at, *(prompts or ("You are Dora.",)), slack_seconds=slack_seconds)
    note(project.root / store / "log.db", launch)


def flat(text: str) -> str:
    return " ".join(text.split())


def costs(project: Project) -> tuple[int, int]:
    cost: Any = project.results()["cost"]
    return cost["actual_cents"], cost["unconfirmed_cents"]


def test_a_launch_for_an_edited_case_is_named_found_and_billed(project: Project, service: Served) -> None:
    """`plan` shows its possible cost; `run` adopts it and reports its bill. Nothing is open afterwards."""
    project.write("plans/hours.yaml", SATURDAY)
    kill_in_a_launch(project, service)
    project.edit("plans/hours.yaml", "Ana, calm", "Ana, furious")
    open_launch = "1 unconfirmed launch (up to $0.64) for cases that are kept, edited, removed or not selected"
    planned = project.planner("plan")
    assert f"{open_launch}. `planner run` searches for them; planner reconcile shows them" in flat(planned.out)
    message = project.planner("plan", "--format", "json").json["open_launches"]
    assert [(launch["cases"], launch["reserved_cents"]) for launch in message] == [(["hours/saturday@clinic"], 64)]
    ran = project.planner("run", CONSENT, "--max-cost", "1.40")
    assert ran.code == 0
    (lost, _) = sorted(service.own_runs(), key=lambda run: run["run_id"])
    bill = (
        "1 call of earlier launches cost $0.16, for cases that are kept, edited, removed or not selected:"
        f" run {lost['run_id']}"
    )
    assert bill in flat(ran.out)
    assert project.results()["problems"] == [bill]
    assert project.results()["open_launches"] == []
    assert "1 call of earlier launches cost" in (project.root / "reports/report.md").read_text()
    assert costs(project) == (16, 0)
    assert project.planner("reconcile").code == 0
    assert "earlier launches" not in project.planner("run").out
    assert len(service.own_runs()) == 2


def test_a_launch_that_is_not_found_stays_in_every_report(project: Project, service: Served) -> None:
    """Its possible cost counts as unconfirmed, the way to it is shown, and the cases of this session pass all the same."""
    project.write("plans/hours.yaml", SATURDAY)
    lose(project)
    problem = "1 unconfirmed launch (up to $0.32) for cases that are kept, edited, removed or not selected"
    for _ in range(2):
        ran = project.planner("run", CONSENT)
        assert ran.code == 0
        assert problem in flat(ran.out)
        assert "         planner reconcile\n" in ran.out
        results = project.results()
        assert (results["outcome"], results["finished"], results["problems"]) == ("passed", True, [problem])
        assert [launch["launch_id"] for launch in results["open_launches"]] == ["lost-1"]
        assert costs(project)[1] == 32
        assert "`lost-1` · not found yet · 1 case · up to $0.32" in (project.root / "reports/report.md").read_text()
    assert len(service.own_runs()) == 1
    assert project.planner("reconcile").code == 4


def test_a_launch_that_has_settled_as_absent_is_open_no_more(project: Project, service: Served) -> None:
    """As long after it was sent as any launch is looked for."""
    project.write("plans/hours.yaml", SATURDAY)
    lose(project, seconds_ago=660)
    assert project.planner("run", CONSENT).code == 0
    assert project.results()["problems"] == []
    assert project.planner("reconcile").code == 0


def test_a_run_adopted_by_a_person_is_billed(project: Project, service: Served) -> None:
    """A run that somebody named, of a case edited since, is reported by its bill once."""
    project.write("plans/hours.yaml", SATURDAY)
    kill_in_a_launch(project, service)
    (lost,) = service.own_runs()
    listed = project.planner("reconcile").out
    launch_id = listed.split()[0]
    assert project.planner("reconcile", launch_id, "--adopt", str(lost["run_id"])).code == 0
    project.edit("plans/hours.yaml", "Ana, calm", "Ana, furious")
    assert "not billed yet" in flat(project.planner("plan").out)
    assert "1 call of earlier launches cost $0.16" in flat(project.planner("run", CONSENT).out)
    assert "earlier launches" not in project.planner("run").out


def test_an_answered_launch_for_an_edited_case_is_billed(project: Project, service: Served) -> None:
    """A launch that an interrupted session did not see end is billed, even if no case needs it. Undoing the edit reuses the call."""
    project.write("plans/hours.yaml", SATURDAY)
    kill_after_an_answer(project, service)
    (paid,) = service.own_runs()
    project.edit("plans/hours.yaml", "Ana, calm", "Ana, furious")
    whose = "for cases that are kept, edited, removed or not selected"
    unbilled = f"1 call of earlier launches (up to $0.64) {whose}: not billed yet. `planner run` searches for them"
    planned = flat(project.planner("plan").out)
    assert unbilled in planned
    assert "planner reconcile" not in planned  # only for unconfirmed launches
    assert project.planner("reconcile").out == "No launch is open.\n"
    ran = project.planner("run", CONSENT)
    assert ran.code == 0
    assert project.results()["problems"] == [f"1 call of earlier launches cost $0.16, {whose}: run {paid['run_id']}"]
    assert costs(project) == (16, 0)
    assert "earlier launches" not in project.planner("run").out
    project.edit("plans/hours.yaml", "Ana, furious", "Ana, calm")
    assert project.planner("run").code == 0
    assert [run["run_id"] for case in project.results()["cases"] for run in case["runs"]] == [paid["run_id"]]
    assert len(service.own_runs()) == 2


def test_a_bill_that_never_comes_is_waited_for_a_day(tmp_path: Path) -> None:
    """A run that never ends is not searched for, reported and reserved forever."""
    now = datetime.now(UTC)
    for launch_id, run_id, hours in (("young", 7, 23), ("old", 8, 25)):
        launch = lost_launch(launch_id, now - timedelta(hours=hours), "You are Dora.")
        note(tmp_path / "log.db", launch, Outcome(now, launch_id, Result.ACCEPTED, None, (run_id,)))
    with closing(LocalLog(tmp_path / "log.db", "", lambda: now)) as log:
        found = open_launches_of(log.state, set(), shared=False, now=now)
    assert [slot.run_id for slot in found.unbilled] == [7]
    assert found.reserved_cents == 32


def test_the_cost_of_an_adopted_launch_is_reported_by_another_change_set(project: Project, service: Served) -> None:
    """A run launched by an earlier change set and adopted by a person is not called again, and its cost is reported."""
    project.write("plans/hours.yaml", SATURDAY)
    kill_in_a_launch(project, service)
    (lost,) = service.own_runs()
    launch_id = project.planner("reconcile").out.split()[0]
    assert project.planner("reconcile", launch_id, "--adopt", str(lost["run_id"])).code == 0
    project.edit("plans/hours.yaml", "status: completed", "status: completed}, {check: duration, max_seconds: 600")
    ran = project.planner("run")
    assert ran.code == 0
    assert "$0.16 more was paid by earlier sessions, for runs reused here" in flat(ran.out)
    assert len(service.own_runs()) == 1
