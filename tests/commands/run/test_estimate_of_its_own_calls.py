"""What is estimated and what is billed are of the same calls."""

from __future__ import annotations

import signal

from patience import PATIENCE_SECONDS, wait_for

from planner.execution.journal import Journal
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.run.test_run import CONSENT, start  # pyright: ignore[reportMissingImports]


def test_calls_of_another_change_set_are_in_neither_sum(project: Project, service: Served) -> None:
    """Cases called by an earlier session are neither paid for nor estimated again; the estimate still counts as accurate."""
    assert project.planner("run", CONSENT, "--rerun", "all").code == 0
    project.edit("plans/hours.yaml", "runs: 2", "runs: 2\n    when_settled: continue")
    project.edit("plans/hours.yaml", ", calm", ", patient")
    changed = next(case_id for case_id, (action, *_) in project.actions().items() if action == "call")
    selected = changed.replace("[", "?").replace("]", "?")
    assert project.planner("run", CONSENT, "--select", selected).code == 0
    before, made = service.ledger()["total_cents"], len(service.own_runs())
    assert 5 < made < 10
    planned = project.planner("plan", "--format", "json").json["estimate"]
    assert planned["calls"] < 5
    ran = project.planner("run", CONSENT)
    assert ran.code == 0, ran.out + ran.err
    cost = project.results()["cost"]
    assert cost["actual_cents"] == service.ledger()["total_cents"] - before
    assert cost["estimated_cents"] == planned["expected_cents"]
    assert "more was paid by earlier sessions" in " ".join(ran.out.split())


def test_earlier_payments_are_part_of_the_expected_cost(project: Project, service: Served) -> None:
    """A resumed session is expected to cost what it has cost plus the estimate of the rest."""
    project.edit("plans/hours.yaml", "runs: 2", "runs: 6\n    when_settled: continue")
    service.hold(3, retry_after_seconds=600)
    process = start(project, "--max-concurrent", "2")

    def billed() -> bool:
        if not project.rests():
            return False
        journal = Journal(project.root / ".planner/journal.sqlite", read_only=True)
        try:
            slots = journal.unconsumed_slots()
        finally:
            journal.close()
        return bool(slots) and all(slot.cost_cents is not None for slot in slots)

    wait_for(billed)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_SECONDS)
    paid = service.ledger()["total_cents"]
    assert project.results()["cost"]["actual_cents"] == paid > 0
    service.release()
    rest = project.planner("plan", "--format", "json").json["estimate"]
    ran = project.planner("run", CONSENT)
    assert ran.code == 0, ran.err
    cost = project.results()["cost"]
    assert (cost["paid_before_cents"], cost["estimated_cents"]) == (paid, paid + rest["expected_cents"])
    assert cost["estimated_high_cents"] == paid + rest["high_cents"]
    text = " ".join(ran.out.split())
    assert f"{dollars(cost['actual_cents'])} of {dollars(cost['estimated_cents'])} expected" in text
    assert f"{dollars(paid)} paid before, plus {dollars(rest['expected_cents'])} for the remaining calls" in text


def dollars(cents: int) -> str:
    return f"${cents / 100:.2f}"
