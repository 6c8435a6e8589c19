"""The minimum price of a plan against its limits; known offline only if the project sets rates."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

from planner.planfile.model import Policy, Project


def plan(budget: int | None, runs: int = 5, matrix: str = "{axes: {mood: [calm, furious, confused]}}") -> str:
    """Fifteen calls, unless it is said otherwise."""
    return f"""\
version: 1
plan: p
targets: {{support: {{agent: 12}}}}
{f"budget: {{max_cost_cents: {budget}}}" if budget is not None else "tags: [a]"}
scenarios:
  one:
    prompt: You are {{{{ mood }}}}.
    matrix: {matrix}
    runs: {runs}
    expect: [{{check: says, any_of: [yes]}}]
"""


RATES = (("spark", 8.0), ("flash", 6.0))


def test_a_plan_that_is_sure_to_break_its_budget(workspace: Any) -> None:
    """The cheapest product's started minute, twice, for each call: less than that is not possible."""
    workspace.project = Project(rates=RATES)
    assert workspace.faults(plan(15 * 12)) == ""
    assert workspace.faults(plan(15 * 12 - 1)) == snapshot("4:26 warning over-budget")


def test_a_budget_that_allows_no_call_is_an_error(workspace: Any) -> None:
    """Up to the price of one call, part of the plan can be called; below it, nothing ever."""
    workspace.project = Project(rates=RATES)
    assert [code for code, *_ in workspace.codes(plan(12))] == ["over-budget"]
    assert len(workspace.load()[0]) == 1
    assert workspace.faults(plan(11)) == snapshot("4:26 over-budget")
    assert workspace.load()[0] == ()


def test_limits_of_the_project(workspace: Any) -> None:
    """They are the policy's, so that the plan is only warned of: part of it can be called."""
    workspace.project = Project(rates=RATES, policy=Policy(max_cost_cents=100, max_calls=14))
    assert workspace.faults(plan(None)) == snapshot("2:7 warning over-budget, 2:7 warning too-many-calls")
    assert len(workspace.load()[0]) == 1
    workspace.project = Project(rates=RATES, policy=Policy(max_cost_cents=180, max_calls=15))
    assert workspace.faults(plan(None)) == ""


@pytest.mark.parametrize("rates", [(), (("flash", 0.0),)])
def test_nothing_is_reported_if_the_price_is_unknown(workspace: Any, rates: tuple[tuple[str, float], ...]) -> None:
    """Without rates the published one may be another product's; a product that costs nothing breaks no budget."""
    workspace.project = Project(rates=rates)
    assert workspace.faults(plan(1)) == ""


def test_retries_count_as_calls_as_they_do_when_it_is_run(workspace: Any) -> None:
    """`planner run` reckons with a retry of each run, and so does the warning; it names what else can be lowered."""
    retried = plan(None, runs=3).replace("    runs: 3\n", "    runs: 3\n    retries: 2\n")
    workspace.project = Project(policy=Policy(max_calls=26))
    assert workspace.faults(retried) == snapshot("2:7 warning too-many-calls")
    workspace.project = Project(policy=Policy(max_calls=27))
    assert workspace.faults(retried) == ""
