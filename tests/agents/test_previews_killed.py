"""If a session is killed, or an answer is lost, around previews, no copy is left, no call is made twice, and the source agent is never written to."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest
from clinic import Clinic, make_clinic, two_machines
from mortality import Life, effects

from planner.ci.git import Git
from planner.log.stores.git import GitStore
from planner.log.stores.store import START

SHARES = 4
"""Points are divided among this many tests, of which some are run."""


@pytest.mark.parametrize("share", [0, 1])
def test_a_kill_after_any_durable_effect_leaves_nothing(tmp_path: Path, share: int) -> None:
    """Killed after each request that changes something, journal write and stored document, then run again. Between two of
    them, a kill leaves the same behind."""
    alive = Life()
    assert make_clinic(tmp_path / "alive").run(life=alive).code == 0
    assert {"after PATCH /v1/agents/18", "after DELETE /v1/agents/18"} <= set(alive.crossed)
    for number in effects(alive.crossed)[share::SHARES]:
        clinic = make_clinic(tmp_path / str(number))
        assert clinic.run(life=Life(number)).code is None
        clinic.finish()
        clinic.check()


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("share", [0, 3])
def test_a_lost_answer_leaves_nothing(tmp_path: Path, where: str, share: int) -> None:
    """The connection of each request breaks in turn, before or after its work; of equal polls, that of the first; of reads, after."""
    alive = make_clinic(tmp_path / "alive")
    assert alive.run().code == 0
    before = ["", *alive.requests]
    numbers = [
        number
        for number, request in enumerate(alive.requests, 1)
        if request != before[number - 1] and (where == "after" or not request.startswith("GET "))
    ]
    for number in numbers[share::SHARES]:
        clinic = make_clinic(tmp_path / f"{where}{number}")
        clinic.fail = lambda count, _, number=number: where if count == number else ""
        clinic.finish()
        clinic.check()


def test_a_lost_copy_is_found_by_the_next_session(tmp_path: Path) -> None:
    """The answer to the copy is lost, and the process with it: the next session uses exactly this copy."""
    clinic = make_clinic(tmp_path)
    clinic.fail = lambda _, request: "after" if request.endswith("/duplicate") else ""
    assert clinic.run(life=Life("before GET /v1/agents 2")).code is not None
    assert clinic.sandbox.agents.ids == [12, 14, 17]
    clinic.check()
    assert sum(request.endswith("/duplicate") for request in clinic.requests) == 1


def test_all_steps_are_durable_first(tmp_path: Path) -> None:
    """The log says what is sent before it is sent."""
    clinic = make_clinic(tmp_path)
    assert clinic.run(life=Life("after POST /v1/agents/12/duplicate")).code is None
    assert _steps(clinic) == ["intended"]
    assert clinic.run(life=Life("after DELETE")).code is None
    assert _steps(clinic) == ["intended", "made", "configured", "deleting"]
    clinic.finish()
    clinic.check()


def _steps(clinic: Clinic) -> list[str]:
    with sqlite3.connect(clinic.root / ".planner/sandbox/log.db") as db:
        rows = db.execute("SELECT line FROM lines ORDER BY number").fetchall()
    return _preview_steps(line for (line,) in rows)


def _preview_steps(lines: Iterable[str]) -> list[str]:
    return [fact["step"] for line in lines if (fact := json.loads(line))["fact"] == "preview"]


def _shared_steps(machine: Clinic) -> list[str]:
    repository = Git(machine.root, {"PATH": os.environ["PATH"]})
    lines, _ = GitStore(repository, "refs/planner/results-log/_/log", "origin", "reader").read(START)
    return _preview_steps(lines)


@pytest.mark.parametrize(
    "dies_at",
    [
        "after POST /v1/agents/12/duplicate",
        "after PATCH /v1/agents/18",
        "after POST /v1/agents/18/deploy",
        "after POST /v1/test-call-batches",
        "after DELETE /v1/agents/18",
    ],
)
def test_another_machine_takes_a_preview_over(tmp_path: Path, dies_at: str) -> None:
    """The machine is lost with everything on it: the next one reuses or deletes the copy."""
    first, second = two_machines(tmp_path)
    assert first.run(life=Life(dies_at)).code is None
    assert "intended" in _shared_steps(first)
    second.seconds = first.seconds + 60
    second.finish()
    second.seconds += 700
    assert second.run().code == 0
    first.requests += second.requests
    first.check()
    assert _shared_steps(first)[-1] == "deleted"
    assert sum(request.endswith("/duplicate") for request in first.requests) == 1


def test_another_machine_sees_that_a_preview_was_edited(tmp_path: Path) -> None:
    """Also if the edit was reverted."""
    first, second = two_machines(tmp_path)
    assert first.run(life=Life("after POST /v1/test-call-batches")).code is None
    agents, now = first.sandbox.agents, first.now().timestamp()
    agents.deploy(18, {"voice": "other"}, now)
    agents.deploy(18, {"voice": agents.snapshot(12).voice}, now + 1)
    second.seconds = first.seconds + 60
    ran = second.run()
    assert (ran.code, second.results()["cases"][0]["outcome"]) == (4, "unknown"), ran.err
    assert second.run().code == 0
    assert len(first.charged()) == 4


def test_the_intent_is_shared_before_the_copy_is_asked_for(tmp_path: Path) -> None:
    first, second = two_machines(tmp_path)
    assert first.run(life=Life("before POST /v1/agents/12/duplicate")).code is None
    assert _shared_steps(first) == ["intended"]
    second.seconds = first.seconds + 700
    second.finish()
    assert "absent" in _shared_steps(first)
    second.check()


@pytest.mark.parametrize("is_shared", [False, True])
def test_an_agent_with_another_name_is_left_alone(tmp_path: Path, is_shared: bool) -> None:
    """Neither a journal nor a shared store can make planner delete or edit an agent that is no copy: it goes by the name
    that it gave."""
    first, second = two_machines(tmp_path)
    assert first.run(life=Life("after POST /v1/agents/18/deploy")).code is None
    agents = first.sandbox.agents
    agents.deploy(18, {"name": "Production"}, first.now().timestamp())
    machine = second if is_shared else first
    machine.seconds = first.seconds + 700
    machine.requests.clear()
    machine.finish()
    assert agents.ids == [12, 14, 17, 18]
    assert not [request for request in machine.requests if "/18" in request and not request.startswith("GET")]
