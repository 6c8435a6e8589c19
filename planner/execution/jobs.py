"""The calls of a consented change set, as the engine makes them, and the ledger with their ceilings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from planner.changes.consent import MAX_COST, Limits
from planner.changes.consented_calls import key_of_calls
from planner.changes.model import ChangeSet
from planner.execution.consents import Spending
from planner.execution.engine import Job
from planner.execution.ledger import Ceiling, Ledger, Purpose
from planner.execution.spending import judge_spending
from planner.planfile.model import AgentFile
from planner.providers.base import Line

Copies: TypeAlias = Mapping[tuple[int, AgentFile], int]
"""The previews that are called, by source agent and file."""


def jobs_of(change_set: ChangeSet, copies: Copies) -> list[Job]:
    """`copies` are the previews that are called instead of agents."""
    jobs: list[Job] = []
    for change in change_set.payers:
        case = change.case
        if case is None:
            continue
        cases = [each.case for each in change_set.sharing(change) if each.case is not None]
        price, target = change_set.prices.get(change.case_id), case.target
        copy_id = copies.get((target.id, target.config)) if target.config is not None else None
        called_id = target.id if copy_id is None else copy_id
        jobs.append(
            Job(
                case_id=case.case_id,
                plan=case.plan,
                line=Line(target.kind, called_id, case.direction, case.mode, case.target_number),
                prompt=case.prompt,
                key=key_of_calls(change),
                agent_revision=change.inputs.agent_revision if change.inputs else None,
                runs=change.calls,
                timeout_seconds=case.timeout_seconds,
                await_grade=any(each.wants_grade for each in cases),
                reserve_cents=price.high_cents if price else None,
                expected_seconds=price.expected_seconds if price else None,
                retries=case.retries,
                configuration=change.inputs.configuration if change.inputs else None,
            )
        )
    return jobs


def ledger_of(
    limits: Limits,
    spending: Spending,
    *,
    max_cost_cents: int | None,
) -> Ledger:
    """The ledger with all ceilings. `spending` is what was spent under the consent."""
    ceilings: list[Ceiling] = []
    if max_cost_cents is not None:
        ceilings.append(Ceiling(MAX_COST, max_cost_cents))
    if limits.policy.max_cost_cents is not None:
        ceilings.append(Ceiling("policy.max_cost_cents", limits.policy.max_cost_cents))
    ceilings += [
        Ceiling(f"the budget of plan {plan.name}", plan.max_cost_cents, plan.name)
        for plan in limits.plans
        if plan.max_cost_cents is not None
    ]
    judged = judge_spending(spending)
    for ceiling in ceilings:
        ceiling.committed_cents = judged.committed_cents(ceiling.plan)
    ledger = Ledger(ceilings, largest_bill_cents=spending.largest_bill_cents)
    for by_plan in spending.launches.values():
        for plan, amount in by_plan.items():
            ledger.count(Purpose(plan), spent_cents=amount.spent, reserved_cents=amount.reserved)
    return ledger
