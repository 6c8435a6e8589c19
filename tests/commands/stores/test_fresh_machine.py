"""A machine that has nothing but the shared folder: what another one launched is resumed, never paid for again."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from patience import wait_for

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.run.test_run import CONSENT, start  # pyright: ignore[reportMissingImports]


@pytest.mark.parametrize("kept", ["the folder", "a copy of it"])
def test_a_fresh_machine_resumes(
    project: Project,
    service: Served,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    kept: str,
) -> None:
    """Killed in the middle with a launch unanswered; the next job has the plans and the store, and no report, no journal of
    its own: each call is made once, the first machine's are adopted or resumed, and the bill is the service's to the cent."""
    shared = tmp_path_factory.mktemp("shared") / "results"
    project.edit("plans/hours.yaml", "runs: 2", "runs: 6")
    service.control({"faults": [{"kind": "slow", "route": "launch", "after": 2, "seconds": 1000}]})
    process = start(project, "--store", str(shared), "--max-concurrent", "1")  # no other beside it
    wait_for(lambda: len(service.ledger()["launches"]) > 2)
    process.kill()
    process.communicate()
    service.release()
    assert 2 < len(service.own_runs()) < 13

    fresh = tmp_path_factory.mktemp("fresh")
    shutil.copytree(project.root / "plans", fresh / "plans")
    shutil.rmtree(project.root / "plans")
    if kept == "a copy of it":  # a CI job's cache, restored elsewhere
        shared = Path(shutil.move(shared, fresh / "cached"))
    monkeypatch.chdir(fresh)
    second = Project(fresh, project.capsys)
    ran = second.planner("run", CONSENT, "--store", str(shared))
    assert ran.code == 0, ran.err + ran.out
    assert "an earlier session was killed with 1 unconfirmed launch" in ran.err
    assert Counter(Counter(run["prompt"] for run in service.own_runs()).values()) == {6: 2, 1: 1}
    results = second.results()
    assert any(run["adopted"] for case in results["cases"] for run in case["runs"])
    assert results["cost"]["actual_cents"] == service.ledger()["total_cents"]
    assert second.planner("run", "--store", str(shared)).code == 0
    assert len(service.own_runs()) == 13
