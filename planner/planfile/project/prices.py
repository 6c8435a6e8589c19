"""What the least that a plan can cost is, as far as that is known before anybody is called, and where that is too much."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from planner.planfile.model import Case, Plan, Project
from planner.planfile.reporter import Reporter
from planner.planfile.yaml.document import Document
from planner.planfile.yaml.document import Mapping as Written

DEFAULT_RATES: Final[Mapping[str, float]] = MappingProxyType({"spark": 8.0})
"""Cents per started minute by product, as far as the service publishes them; a project's own rates take precedence."""

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
"""Those that the service names. There may be others, so that only what is nearly one of these is doubted."""

CHARGE_MULTIPLIER: Final = 2
"""A test call is billed at twice the product's rate."""

_FEWER = "have fewer `runs` or cases, or call part of it with --select"


def least_call_cents(project: Project) -> float | None:
    """What one call costs at least: a started minute of the cheapest product. None where the project does not tell its rates."""
    rates = {**DEFAULT_RATES, **dict(project.rates)}
    return min(rates.values()) * CHARGE_MULTIPLIER if project.rates else None


def report_price(document: Document, plan: Plan, project: Project, reporter: Reporter) -> None:
    """Report where calling the whole plan breaks a limit for certain. Retries and longer calls come on top."""
    calls = sum(case.runs for case in plan.cases)
    cents = least_call_cents(project)
    if cents:
        _report_cost(document, plan, project, calls, cents, reporter)
    attempts = sum(case.runs * (1 + case.retries) for case in plan.cases)
    if attempts > project.policy.max_calls:
        made, fewer = f"{calls:,} calls", _FEWER
        if attempts > calls:
            made, fewer = f"up to {attempts:,} calls, `retries` included", _FEWER.replace("`runs`", "`runs`, `retries`")
        detail = f"this plan makes {made}, and the project's policy allows {project.policy.max_calls:,} an invocation; {fewer}"
        reporter.warning("too-many-calls", detail, document.value(document.root, "plan"))


def _report_cost(
    document: Document, plan: Plan, project: Project, calls: int, cents: float, reporter: Reporter
) -> None:
    least = f"(a started minute{' each' if calls > 1 else ''}, at {_cents(cents)} ¢)"
    told = f"{_told(plan.cases, calls)} at least {_cents(calls * cents)} ¢ {least}"
    one = f"one call costs at least {_cents(cents)} ¢ (a started minute)"
    budget: Any = document.root.get("budget")
    limit = plan.max_cost_cents
    if limit is not None and limit < calls * cents and isinstance(budget, Written):
        place = document.value(budget, "max_cost_cents")
        if limit < cents:
            reporter.error("over-budget", f"{one}, so that nothing could be called; raise the budget", place)
        else:
            reporter.warning("over-budget", f"{told}; raise the budget, {_FEWER}", place)
    allowed = project.policy.max_cost_cents
    if allowed is not None and allowed < calls * cents:
        policy = f"and the project's policy allows {allowed:,} ¢ an invocation"
        detail = f"{told}, {policy}; {_FEWER}"
        if allowed < cents:  # the plan is not at fault
            detail = (
                f"{one}, {policy}, so that nothing could be called; have `policy.max_cost_cents` in planner.yaml raised"
            )
        reporter.warning("over-budget", detail, document.value(document.root, "plan"))


def _told(cases: Iterable[Case], calls: int) -> str:
    count = len(list(cases))
    if calls == 1:
        return "the one call of this plan costs"
    return f"the {calls:,} calls of {count:,} cases cost" if count > 1 else f"the {calls:,} calls of this plan cost"


def _cents(cents: float) -> str:
    return f"{cents:,.0f}" if float(cents).is_integer() else f"{cents:,.2f}"
