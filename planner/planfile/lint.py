"""Warnings about valid but suspicious parts of a plan."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from planner.checks.base import CheckSeverity
from planner.diagnostics import Related
from planner.planfile.drafts import ExpectationDraft
from planner.planfile.model import Case, Plan, Project, least_call_cents
from planner.planfile.reporter import Reporter
from planner.planfile.yaml.document import YamlMapping


def has_used_anchor(root: YamlMapping, variables: YamlMapping, name: str) -> bool:
    """Whether a YAML alias refers to the variable or a part of it, which counts as a use."""
    text = root.source.text
    _, start, _, end = variables.mark(name)
    anchors = set(re.findall(r"[\s,\[{:]&([^\s,\[\]{}]+)", text[start - 1 : end]))
    return bool(anchors) and not anchors.isdisjoint(re.findall(r"[\s,\[{:]\*([^\s,\[\]{}]+)", text[end - 1 :]))


def cannot_fail(drafts: Sequence[ExpectationDraft]) -> bool:
    """Whether a scenario passes even if all its expectations fail."""
    return bool(drafts) and all(draft.written.get("severity") == CheckSeverity.WARNING.value for draft in drafts)


def warn_of_same_calls(plans: Sequence[Plan], reporter: Reporter) -> None:
    """One warning for each scenario that makes a call of another scenario."""
    first: dict[tuple[object, ...], Case] = {}
    warned: set[tuple[str, str]] = set()
    for case in (case for plan in plans for case in plan.cases):
        target = case.target.kind, case.target.id, case.target.config
        other = first.setdefault((case.prompt, *target, case.direction, case.mode, case.target_number), case)
        scenario = case.plan, case.scenario
        if (other.plan, other.scenario) == scenario or scenario in warned:
            continue
        warned.add(scenario)
        detail = (
            f"`{case.case_id}` makes the same call as `{other.case_id}`: they share it, and the first one pays "
            "(to repeat calls, use `runs`)"
        )
        reporter.warning("same-call", detail, case.span, Related("the same call", other.span))


def report_price(root: YamlMapping, plan: Plan, project: Project, reporter: Reporter) -> None:
    """Report limits that a run of the whole plan is sure to break. Retries and longer calls come on top."""
    calls = sum(case.runs for case in plan.cases)
    place = root.span("plan")
    policy = project.policy
    attempts = sum(case.runs * (1 + case.retries) for case in plan.cases)
    if attempts > policy.max_calls:
        detail = (
            f"this plan makes up to {attempts:,} calls with `retries`, and the project's policy allows "
            f"{policy.max_calls:,} per session; reduce `runs`, `retries` or the number of cases, or use --select"
        )
        reporter.warning("too-many-calls", detail, place)
    cents = least_call_cents(project)
    if not cents:
        return
    least = f"{calls:,} calls cost at least {_cents(calls * cents)} ¢ (a started minute each, at {_cents(cents)} ¢)"
    fewer = "reduce `runs` or the number of cases, use --select, or raise"
    budget: Any = root.get("budget")
    limit = plan.max_cost_cents
    if limit is not None and limit < calls * cents and isinstance(budget, YamlMapping):
        report = reporter.error if limit < cents else reporter.warning  # not even one call is possible
        report("over-budget", f"{least}; {fewer} the budget", budget.span("max_cost_cents"))
    allowed = policy.max_cost_cents
    if allowed is not None and allowed < calls * cents:
        detail = f"{least}; {fewer} `policy.max_cost_cents` ({allowed:,} ¢) in planner.yaml"
        reporter.warning("over-budget", detail, place)


def _cents(cents: float) -> str:
    return f"{cents:,.0f}" if float(cents).is_integer() else f"{cents:,.2f}"


def warn_of_unasked_model(plans: Iterable[Plan], reporter: Reporter) -> None:
    """The first expectation of each plan that needs a language model, if `planner.yaml` names none."""
    detail = (
        "this needs a language model, but planner.yaml names none under `judge`. `planner run` refuses such a plan; "
        "with --sandbox, only answers recorded in the world can decide it"
    )
    for plan in plans:
        places = (
            place
            for case in plan.cases
            for expectation, place in zip(case.expectations, case.expectation_places, strict=True)
            if expectation.asks_model
        )
        first = next(places, None)
        if first is not None:
            reporter.warning("judge-not-configured", detail, first.span)
