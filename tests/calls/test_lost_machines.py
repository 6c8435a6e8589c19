"""Stories of machines that are lost: whole sessions that share a store, in virtual time. More of them, and with real
processes, are in `tests/benchmarks/lost_machines.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lost_machines import AGENT_FILE, AGENTS, JUDGE, JUDGED, PROJECT_OF_STORIES, Fate, Fleet, Story
from mortality import Life, effects

FOUND = (19, 23, 45, 7700302, 8800489, 8801684, 42000486, 42000653)
"""Two sessions side by side made the same calls: one looked too early, or while the other had already finished. Then: a
process that stood still made a copy of an agent which the other took for one never made; one that was killed after it had stored
its calls never shared them; one deleted a copy with calls of the other that were in no
results yet; one took the runs of results that it read after the launches for those of somebody else; and one was killed while a launch was
under way whose runs the other found."""
SAMPLE = (3, 4)


@pytest.mark.parametrize("seed", [*FOUND, *SAMPLE])
def test_no_story_pays_twice_or_leaves_anything(tmp_path: Path, seed: int) -> None:
    story = Story(seed, tmp_path)
    story.run()
    assert story.problems == []
    assert story.calls == story.wanted.total()


PLAN = """\
version: 1
plan: lost
targets: {clinic: {agent: 12CONFIG}}
scenarios:
  hours:
    prompt: "You are {{ who }}. Ask for Saturday."
    matrix: {axes: {who: [Ana, Bob]}}
    targets: [clinic]
    runs: 3
    expect: [{check: call, status: completed}JUDGED]
"""
PROJECT = PROJECT_OF_STORIES
WANTED = {"You are Ana. Ask for Saturday.": 3, "You are Bob. Ask for Saturday.": 3}
SHARES = 8
"""An eighth of the points is tried in each test, a quarter in all for each kind of plan."""


def fleet_of(folder: Path, *, rich: bool, like_client: bool = False) -> Fleet:
    """Two concurrent calls, where planner tries more; `rich` is with a preview and a judge."""
    plan = PLAN.replace("CONFIG", ", config: ../agents/clinic.yaml" if rich else "")
    files = {
        "plans/lost.yaml": plan.replace("JUDGED", f", {JUDGED}" if rich else ""),
        "planner.yaml": PROJECT + (JUDGE if rich else ""),
        "agents/clinic.yaml": AGENT_FILE,
    }
    return Fleet(folder, {"concurrency_limit": 2}, files=files, like_client=like_client)


class Waits(Fate):
    """Stands still at one boundary, named by its beginning, while something happens elsewhere."""

    def __init__(self, at: str, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self.at, self.once = at, [meanwhile]

    def boundary(self, name: str) -> None:
        super().boundary(name)
        if self.once and name.startswith(self.at):
            self.once.pop()()


def test_calls_that_finish_while_a_session_starts_are_not_repeated(tmp_path: Path) -> None:
    """A session reads the log, with an open launch of a killed one, and waits; another one finishes the calls; then it
    reads the results. Before: calls of the open launch looked as if `--rerun all` had been interrupted, and were made
    once more."""
    fleet = fleet_of(tmp_path, rich=False)
    machine = fleet.new_machine()
    assert fleet.session(machine, Life("before POST /v1/test-call-batches")).code is None
    fleet.lose(machine)
    fleet.seconds += 1000.0
    first, second = fleet.new_machine(), fleet.new_machine()
    ended: list[int | None] = []
    fate = Waits("before GET /v1/", lambda: ended.append(fleet.meanwhile(second, Fate()).code))
    assert (fleet.session(first, fate).code, ended) == (0, [0])
    assert fleet.made() == WANTED


@pytest.mark.parametrize(("rich", "share"), [(False, 0), (True, 2), (False, 4), (True, 6)])
def test_a_machine_that_is_lost_between_refusals_costs_no_second_call(
    tmp_path: Path, share: int, *, rich: bool
) -> None:
    """A machine is lost after any write or launch, some of which were refused; the next one has only the store.
    Before: up to twice the calls were paid. Now: each is made once."""
    alive = Life()
    fleet = fleet_of(tmp_path / "alive", rich=rich)
    assert fleet.session(fleet.new_machine(), alive).code == 0
    ends = [number for number in effects(alive.crossed) if "shared store" in alive.crossed[number - 1]]
    ends += [number for number in effects(alive.crossed) if "POST /v1/test-call" in alive.crossed[number - 1]]
    for number in sorted(ends)[share::SHARES]:
        fleet = fleet_of(tmp_path / str(number), rich=rich)
        machine = fleet.new_machine()
        assert fleet.session(machine, Life(number)).code is None
        fleet.lose(machine)
        machine = fleet.new_machine()
        codes = [4]
        while codes[-1] == 4 and len(codes) < 4:
            fleet.seconds += 100
            codes.append(fleet.session(machine, Life()).code or 0)
        assert codes[-1] == 0, alive.crossed[number - 1]
        assert fleet.made() == WANTED, alive.crossed[number - 1]
        assert fleet.left_over() == []


def test_a_copy_that_goes_before_its_calls_are_in_results(tmp_path: Path) -> None:
    """One machine was killed between two launches. Another one reads the calls of the first, on the copy, and cannot finish, since
    the second may have been made. It compares the copy, says so in the log, and deletes it: the calls count all the same."""
    fleet, life = _fleet_with_two_agents(tmp_path / "alive"), Life()
    assert fleet.session(fleet.new_machine(), life).code == 0
    second = [number for number, name in enumerate(life.crossed, 1) if name.startswith("before POST /v1/test-call")][1]
    fleet = _fleet_with_two_agents(tmp_path / "killed")
    machine = fleet.new_machine()
    assert fleet.session(machine, Life(second)).code is None
    assert [run.target_id for run in fleet.sandbox.state.runs] == [18, 18, 18]
    assert fleet.session(fleet.new_machine(), Life()).code == 4
    assert fleet.sandbox.agents.ids == AGENTS
    fleet.seconds += 700
    assert fleet.session(machine, Life()).code == 0
    assert (fleet.made(), fleet.left_over()) == (WANTED, [])


def _fleet_with_two_agents(folder: Path) -> Fleet:
    """Ana is called on a copy, Bob is not; a launch is unconfirmed for longer than a session waits."""
    plan = PLAN.replace("CONFIG}", ", config: ../agents/clinic.yaml}, orders: {agent: 14}").replace("JUDGED", "")
    ana = plan.replace("[Ana, Bob]", "[Ana]")
    _, _, scenario = plan.partition("scenarios:\n")
    bob = scenario.replace("hours:", "status:").replace("[Ana, Bob]", "[Bob]").replace("[clinic]", "[orders]")
    files = {
        "plans/lost.yaml": ana + bob,
        "planner.yaml": PROJECT.replace("settle_seconds: 60", "settle_seconds: 600"),
        "agents/clinic.yaml": AGENT_FILE,
    }
    return Fleet(folder, world={"concurrency_limit": 20}, files=files)


def test_a_copy_that_another_machine_deleted_was_not_edited(tmp_path: Path) -> None:
    """A machine was killed before it stored its calls. When it comes back after days, another one has deleted the copy."""
    fleet = fleet_of(tmp_path, rich=True)
    machine = fleet.new_machine()
    assert fleet.session(machine, Life("before putting runs")).code is None
    fleet.seconds += 2 * 86_400
    fleet.files["plans/lost.yaml"] = fleet.files["plans/lost.yaml"].replace("[Ana, Bob]", "[Cleo]")
    assert fleet.session(fleet.new_machine(), Life()).code == 0
    assert fleet.sandbox.agents.ids == AGENTS
    assert fleet.session(machine, Life()).code == 0
    assert fleet.made() == WANTED | {"You are Cleo. Ask for Saturday.": 3}
    assert fleet.left_over() == []


def test_a_new_machine_takes_no_run_of_somebody_else(tmp_path: Path) -> None:
    """A machine is lost just before a launch is sent, and another user of the organization makes the same call.
    Before: the next machine took it for its own. Now: who we are at the service is known from an earlier session,
    whose launches have ended."""
    fleet = fleet_of(tmp_path, rich=False, like_client=True)
    fleet.files["plans/lost.yaml"] = fleet.files["plans/lost.yaml"].replace("[Ana, Bob]", "[Ana]")
    assert fleet.session(fleet.new_machine(), Life()).code == 0
    fleet.files["plans/lost.yaml"] = fleet.files["plans/lost.yaml"].replace("runs: 3", "runs: 4")
    machine = fleet.new_machine()
    assert fleet.session(machine, Life("before POST /v1/test-call")).code is None
    fleet.lose(machine)
    fleet.sandbox.add_foreign_runs(1, identical=True)
    fleet.seconds += 100
    assert fleet.session(fleet.new_machine(), Life()).code == 0
    assert fleet.made() == {"You are Ana. Ask for Saturday.": 4}
