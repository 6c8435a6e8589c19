"""`policy.max_cost_cents_per_month`, against a served sandbox: all consents of the store together, and never a cent above it."""

from __future__ import annotations

import re

from hours import SATURDAY

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"
PLAN = SATURDAY.replace("    expect:", "    runs: 3\n    expect:")
OTHER = PLAN.replace("plan: hours", "plan: cancel").replace("Ana", "Bob").replace("runs: 3", "runs: 10")
LIMIT = "policy: {max_cost_cents_per_month: %d}\n"


def test_the_month_is_refused_before_anything_is_spent(project: Project, service: Served) -> None:
    """What another plan cost this month counts. `plan` shows what is left, and the refusal."""
    project.write("planner.yaml", LIMIT % 150)
    project.write("plans/hours.yaml", PLAN)
    assert project.planner("run", CONSENT).code == 0
    spent = service.ledger()["total_cents"]
    project.write("plans/cancel.yaml", OTHER)
    planned = project.planner("plan", "plans/cancel.yaml")
    shown = " ".join(planned.out.split())
    assert planned.code == 3
    month = r"policy\.max_cost_cents_per_month \(20[0-9]{2}-[0-9]{2}\)"
    assert re.search(rf"{month} allows \$1\.50: \$0\.{spent} spent, \$0\.00 reserved", shown)
    assert f"plus $0.{spent} already spent this month, policy.max_cost_cents_per_month allows $1.50" in shown
    ran = project.planner("run", CONSENT, "plans/cancel.yaml")
    assert ran.code == 3
    assert service.ledger()["total_cents"] == spent
    project.write("planner.yaml", LIMIT % 1_000)
    assert project.planner("run", CONSENT, "plans/cancel.yaml").code == 0
    assert len(service.own_runs()) == 13


def test_the_month_ends_in_the_middle(project: Project, service: Served) -> None:
    """Estimated at a quarter of the real price. A higher ceiling resumes the same calls."""
    project.write("planner.yaml", "rates: {spark: 2}\n" + LIMIT % 100)
    project.write("plans/hours.yaml", OTHER)
    project.limit_calls(1)
    ran = project.planner("run", CONSENT, "--max-cost", "9.00")
    assert ran.code == 3, ran.err + ran.out
    results = project.results()
    assert "policy.max_cost_cents_per_month (20" in results["problems"][0]
    assert 0 < service.ledger()["total_cents"] <= 100
    (step,) = [each["text"] for each in results["next_steps"] if each["code"] == "raise_ceiling"]
    enough = re.search(r"\$([0-9.]+) is enough", step)
    assert enough is not None, step
    project.write("planner.yaml", "rates: {spark: 2}\n" + LIMIT % round(float(enough[1]) * 100))
    assert project.planner("run", CONSENT, "--max-cost", "9.00").code == 0
    assert len(service.own_runs()) == 10
