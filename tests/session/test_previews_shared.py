"""Previews in a store that machines share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from clinic import PROJECT, Clinic, make_clinic
from mortality import Life
from repositories import commit, git


def _machines(folder: Path) -> tuple[Clinic, Clinic]:
    """Two clones of one repository, whose results are in a git ref of it."""
    project = PROJECT + "store: git:refs/planner/results\n"
    first = make_clinic(folder / "first")
    first.write("planner.yaml", project)
    shutil.rmtree(first.root / ".git")
    git(first.root, "init", "-q", "-b", "main")
    commit(first.root)
    git(folder, "clone", "-q", "--bare", str(first.root), str(folder / "shared.git"))
    git(first.root, "remote", "add", "origin", str(folder / "shared.git"))
    git(folder, "clone", "-q", str(folder / "shared.git"), str(folder / "second"))
    second = Clinic(folder / "second")
    second.write("planner.yaml", project)
    second.sandbox = first.sandbox
    vars(first.sandbox)["_clock"] = lambda: max(first.now(), second.now()).timestamp()
    return first, second


def _shared_previews(machine: Clinic) -> list[str]:
    refs = git(machine.root.parent / "shared.git", "for-each-ref", "--format=%(refname)", "refs/planner").split()
    names = [git(machine.root.parent / "shared.git", "ls-tree", "-r", "--name-only", ref).split() for ref in refs]
    return [name for found in names for name in found if name.startswith("previews/")]


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
    first, second = _machines(tmp_path)
    assert first.run(life=Life(dies_at)).code is None
    assert len(_shared_previews(first)) == 1
    second.seconds = first.seconds + 60
    second.finish()
    second.seconds += 700
    assert second.run().code == 0
    first.requests += second.requests
    first.check()
    assert _shared_previews(first) == []
    assert sum(request.endswith("/duplicate") for request in first.requests) == 1


def test_the_intent_is_shared_before_the_copy_is_asked_for(tmp_path: Path) -> None:
    first, second = _machines(tmp_path)
    assert first.run(life=Life("before POST /v1/agents/12/duplicate")).code is None
    assert len(_shared_previews(first)) == 1
    second.seconds = first.seconds + 700
    second.finish()
    assert _shared_previews(first) == []
    second.check()


@pytest.mark.parametrize("is_shared", [False, True])
def test_an_agent_with_another_name_is_left_alone(tmp_path: Path, is_shared: bool) -> None:
    """Neither a journal nor a shared store can make planner delete or edit an agent that is no copy: it goes by the name
    that it gave."""
    first, second = _machines(tmp_path)
    assert first.run(life=Life("after POST /v1/agents/18/deploy")).code is None
    agents = first.sandbox.agents
    agents.deploy(18, {"name": "Production"}, first.now().timestamp())
    machine = second if is_shared else first
    machine.seconds = first.seconds + 700
    machine.requests.clear()
    machine.finish()
    assert agents.ids == [12, 14, 17, 18]
    assert not [request for request in machine.requests if "/18" in request and not request.startswith("GET")]
