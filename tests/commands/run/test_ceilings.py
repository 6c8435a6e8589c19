"""Every kind of ceiling, reached in the middle, against a served sandbox: exit 3, never a cent above it, what is left is listed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hours import SATURDAY

from planner.agents.known_service import money_line
from planner.calls.balance import check_balance, short_of
from planner.providers.base import Balance
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

CONSENT = "--consent-to-charge"
TEN_CALLS = SATURDAY.replace("expect:", "runs: 10\n    expect:")
CHEAP_RATES = "rates: {spark: 2}\n"
"""A quarter of what the service charges: the expected cost fits under ceilings that the bills then reach."""


SHORT = {
    "balance_cents": "the organization's balance is $0.90, less than the $3.20 expected: some calls will not be made; top it up"
    " first, or resume afterwards",
    "test_call_budget_cents": "the organization's test-call budget is $0.90, less than the $3.20 expected: some calls will not"
    " be made; raise it first, or resume afterwards",
}
TOP_UP = "Top up the organization's balance to make the remaining calls; nothing is charged twice."


def world(folder: Path, **settings: int) -> str:
    path = folder / "world.yaml"
    lines = [f"{name}: {value}\n" for name, value in settings.items()]
    path.write_text("extends: demo\nversion: 1\nworld: poor\ntime_scale: 600\n" + "".join(lines))
    return str(path)


def stopped_at(project: Project, served: Served, *arguments: str) -> tuple[int, dict[str, Any]]:
    """(cents billed, results) of a session that a ceiling stops between its first call and its last."""
    before = served.ledger()["total_cents"]
    project.limit_calls(1)
    ran = project.planner("run", CONSENT, *arguments)
    assert ran.code == 3, ran.err + ran.out
    results = project.results()
    (case,) = results["cases"]
    made = case["runs_total"]
    assert 0 < made < 10
    assert results["outcome"] == "refused"
    assert results["finished"] is False
    assert f"{10 - made} calls of 1 case not made" in results["problems"]
    assert f"{10 - made} of 10 calls not made: " in case["outcome_reason"]
    assert results["stats"]["launches"] == made
    billed = served.ledger()["total_cents"] - before
    assert results["cost"]["this_session_cents"] == billed
    return billed, results


def test_ceilings_of_command_plan_and_project(project: Project, service: Served) -> None:
    """The message shows the arithmetic. A higher ceiling resumes the same change set and still limits it."""
    project.write("planner.yaml", CHEAP_RATES)
    project.write("plans/hours.yaml", TEN_CALLS)
    billed, results = stopped_at(project, service, "--max-cost", "0.90", "--store", "a")
    assert billed <= 90
    assert results["problems"][0].startswith(
        f"the ceiling was reached (--max-cost allows $0.90: $0.{billed} spent, $0.00 reserved;"
    )
    step = next(step["text"] for step in results["next_steps"] if step["code"] == "raise_ceiling")
    enough = step.removeprefix("Raise the ceiling (--max-cost $").partition(" is enough) to make")[0]
    assert project.planner("run", CONSENT, "--max-cost", enough, "--store", "a").code == 0
    assert project.results()["cost"]["actual_cents"] == service.ledger()["total_cents"]
    assert len(service.own_runs()) == 10

    project.write("plans/hours.yaml", TEN_CALLS.replace("scenarios:", "budget: {max_cost_cents: 90}\nscenarios:"))
    billed, results = stopped_at(project, service, "--store", "b")
    assert billed <= 90
    assert "(the budget of plan hours allows $0.90: " in results["problems"][0]

    project.write("plans/hours.yaml", TEN_CALLS)
    project.write("planner.yaml", CHEAP_RATES + "policy: {max_cost_cents: 90}\n")
    billed, results = stopped_at(project, service, "--store", "c")
    assert billed <= 90
    assert "(policy.max_cost_cents allows $0.90: " in results["problems"][0]


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("balance_cents", "the organization's balance allows $0.90: "),
        ("test_call_budget_cents", "402"),
    ],
)
def test_ceilings_of_the_service(
    setting: str,
    text: str,
    project: Project,
    serve_here: Callable[..., Served],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The balance is a ceiling of ours, too. The service alone decides about its test-call budget."""
    path = world(tmp_path_factory.mktemp("world"), **{setting: 90})
    served = serve_here("--world", path)
    project.write("plans/hours.yaml", TEN_CALLS)
    planned = " ".join(project.planner("plan").out.split())
    assert SHORT[setting] in planned
    project.write("planner.yaml", CHEAP_RATES)
    billed, results = stopped_at(project, served)
    assert billed <= 90
    if "402" not in results["problems"][0]:
        assert results["next_steps"][0]["code"] == "top_up"
    assert text in results["problems"][0] or "402" in results["problems"][0], results["problems"]


def test_an_empty_balance_is_reported_before_calls() -> None:
    """An overdrawn balance to the cent, and that nothing would be called: `planner run` refuses it."""
    empty = Balance(-5, limit_reached=True)
    assert short_of(empty, 320, reserved_cents=0) == [
        "the organization's monthly spending limit is reached: no call will be made; raise it first",
        (
            "the organization's balance is -$0.05, less than the $3.20 expected: no call will be made; top it up first, or resume"
            " afterwards"
        ),
    ]
    assert short_of(empty, 0, reserved_cents=0) == []


@pytest.mark.parametrize("expected_cents", [320, None])
def test_a_spent_test_call_budget_is_a_warning(expected_cents: int | None) -> None:
    """The service decides, with 402; the price of the calls does not matter."""
    assert money_line(Balance(500, 90, monthly_limit_cents=1_000)) == (
        "balance $5.00 · monthly limit of the organization $10.00 · test-call budget left $0.90"
    )
    spent = Balance(500, test_budget_left_cents=0)
    check_balance(spent)
    (warning,) = short_of(spent, expected_cents, reserved_cents=0)
    assert "test-call budget is used up" in warning
    assert short_of(spent, 0, reserved_cents=0) == []  # nothing to call


def test_a_ceiling_that_bills_broke_is_named(project: Project, service: Served) -> None:
    """If bills exceed the ceiling, a line names what was allowed and what was billed."""
    project.write("planner.yaml", "rates: {spark: 0.1}\npolicy: {max_cost_cents: 30, max_concurrent_runs: 10}\n")
    project.write("plans/hours.yaml", TEN_CALLS)
    ran = project.planner("run", CONSENT, "--max-cost", "0.20")
    results = project.results()
    billed = results["cost"]["actual_cents"]
    assert billed == service.ledger()["total_cents"] > 30
    broken = (
        f"a ceiling was exceeded: --max-cost allows $0.20, and ${billed / 100:.2f} was billed and policy.max_cost_cents allows"
        f" $0.30, and ${billed / 100:.2f} was billed; calls in progress cost more than was reserved for them"
    )
    assert broken in results["problems"]
    assert broken in " ".join(ran.out.split())


def test_without_max_cost_the_ceiling_is_the_one_that_plan_prints(project: Project, service: Served) -> None:
    """Rates that are too low: the bills reach it in the middle, and it holds."""
    project.write("plans/hours.yaml", TEN_CALLS)
    project.write("planner.yaml", "version: 1\nrates: {spark: 1}\n")
    printed = project.planner("plan").out.partition("--max-cost ")[2].split()[0]
    spent, results = stopped_at(project, service)
    assert results["consent"]["max_cost_cents"] == round(float(printed) * 100)
    assert 0 < spent <= results["consent"]["max_cost_cents"]


def test_an_unknown_price_needs_a_ceiling(project: Project, serve_here: Callable[..., Served], tmp_path: Path) -> None:
    """Nobody is called without one; a budget of the plan is one."""
    dear = tmp_path / "dear.yaml"
    dear.write_text("extends: demo\nversion: 1\nworld: dear\ntime_scale: 600\nagents: {12: {product: bolt}}\n")
    service = serve_here("--world", str(dear))
    project.write("plans/hours.yaml", TEN_CALLS.replace("runs: 10", "runs: 1"))
    assert project.planner("plan", "--format", "json").json["estimate"]["high_cents"] is None
    ran = project.planner("run", CONSENT)
    assert (ran.code, "--max-cost" in ran.err) == (3, True)
    assert service.own_runs() == []
    project.edit("plans/hours.yaml", "scenarios:", "budget: {max_cost_cents: 500}\nscenarios:")
    project.planner("run", CONSENT)
    assert len(service.own_runs()) == 1
