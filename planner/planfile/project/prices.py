"""The minimum cost of a plan where it is known before any call, and whether a limit forbids it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from planner.planfile.model import Plan, Project
from planner.planfile.reporter import Reporter
from planner.planfile.yaml.document import Document
from planner.planfile.yaml.document import Mapping as Written

DEFAULT_RATES: Final[Mapping[str, float]] = MappingProxyType({"spark": 8.0})
"""Cents per started minute by product, where the service publishes them; a project's own rates take precedence."""

KNOWN_PRODUCTS: Final = (
    "spark",
    "bolt",
    "storm-base",
    "storm-base-with-ack",
    "storm-extra",
    "storm-extra-with-ack",
    "bolt-base-experimental",
    "bolt-extra-experimental",
)
"""Products that the service names. There may be others: only near misses of these get a warning."""

CHARGE_MULTIPLIER: Final = 2
"""A test call is billed at twice the product's rate."""


def least_call_cents(project: Project) -> float | None:
    """The least that one call costs: a started minute of the cheapest product. None if the project does not set rates."""
    rates = {**DEFAULT_RATES, **dict(project.rates)}
    return min(rates.values()) * CHARGE_MULTIPLIER if project.rates else None


def report_price(document: Document, plan: Plan, project: Project, reporter: Reporter) -> None:
    """Report limits that a run of the whole plan is sure to break. Retries and longer calls come on top."""
    calls = sum(case.runs for case in plan.cases)
    place = document.value(document.root, "plan")
    policy = project.policy
    attempts = sum(case.runs * (1 + case.retries) for case in plan.cases)
    if attempts > policy.max_calls:
        detail = (
            f"this plan makes up to {attempts:,} calls with `retries`, and the project's policy allows {policy.max_calls:,} "
            "per session; reduce `runs`, `retries` or the number of cases, or use --select"
        )
        reporter.warning("too-many-calls", detail, place)
    cents = least_call_cents(project)
    if not cents:
        return
    least = f"{calls:,} calls cost at least {_cents(calls * cents)} ¢ (a started minute each, at {_cents(cents)} ¢)"
    fewer = "reduce `runs` or the number of cases, or use --select"
    one = f"one call costs at least {_cents(cents)} ¢ (a started minute), so no call is possible"
    budget: Any = document.root.get("budget")
    limit = plan.max_cost_cents
    if limit is not None and limit < calls * cents and isinstance(budget, Written):
        budget_place = document.value(budget, "max_cost_cents")
        if limit < cents:
            reporter.error("over-budget", f"{one}; raise the budget", budget_place)
        else:
            reporter.warning("over-budget", f"{least}; raise the budget, or {fewer}", budget_place)
    allowed = policy.max_cost_cents
    if allowed is not None and allowed < calls * cents:
        detail = f"{one}; raise" if allowed < cents else f"{least}; {fewer}, or raise"  # the plan is not to blame
        reporter.warning("over-budget", f"{detail} `policy.max_cost_cents` ({allowed:,} ¢) in planner.yaml", place)


def _cents(cents: float) -> str:
    return f"{cents:,.0f}" if float(cents).is_integer() else f"{cents:,.2f}"
