"""What is estimated and what is billed are of the same calls."""

from __future__ import annotations

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.run.test_run import CONSENT  # pyright: ignore[reportMissingImports]


def test_calls_of_another_change_set_are_in_neither_sum(project: Project, service: Served) -> None:
    """Two shards that were done and not merged stand in for their calls: the whole pays for the rest, is expected to cost what the
    rest does, and counts as one estimate that held."""
    assert project.planner("run", CONSENT, "--rerun", "all").code == 0
    project.edit("plans/hours.yaml", "runs: 2", "runs: 2\n    when_settled: continue")
    project.edit("plans/hours.yaml", ", calm", ", patient")
    assert project.planner("run", CONSENT, "--shard", "1/2").code == 0
    before, made = service.ledger()["total_cents"], len(service.own_runs())
    assert 5 < made < 10
    planned = project.planner("plan", "--format", "json").json["estimate"]
    assert planned["calls"] < 5
    ran = project.planner("run", CONSENT)
    assert ran.code == 0, ran.out + ran.err
    cost = project.results()["cost"]
    assert cost["actual_cents"] == service.ledger()["total_cents"] - before
    assert cost["estimated_cents"] == planned["expected_cents"]
    assert "more was paid by earlier invocations, for runs that stand in for calls here" in " ".join(ran.out.split())
