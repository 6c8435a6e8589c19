"""From a consented change set to what the engine needs: the calls wanted, and every ceiling they must stay under."""

from __future__ import annotations

from collections.abc import Iterable

from planner.api.wire import WireBilling
from planner.changes.model import Action, ChangeSet
from planner.errors import RefusedError
from planner.execution.context import Context
from planner.execution.launches import Slot
from planner.execution.ledger import Ceiling, Ledger
from planner.execution.work import CaseWork, Line, Target
from planner.invocation.selection import Loaded
from planner.reports.quantities import money
from planner.verdicts.ending import BALANCE, TEST_CALL_BUDGET
from planner.verdicts.judged_runs import wants_grade


def works_of(change_set: ChangeSet) -> list[CaseWork]:
    works: list[CaseWork] = []
    for change in change_set.with_action(Action.CALL):
        case = change.case
        if case is None:
            continue
        price = change_set.prices.get(change.case_id)
        works.append(
            CaseWork(
                case_id=case.case_id,
                plan=case.plan,
                line=Line(
                    case.target.kind,
                    case.target.id,
                    case.direction,
                    case.mode,
                    case.target_number,
                    case.stagger_seconds,
                ),
                prompt=case.prompt,
                call_fingerprint=change.call_fingerprint,
                agent_revision=change.inputs.agent_revision if change.inputs else None,
                runs=change.runs,
                timeout_seconds=case.timeout_seconds,
                await_grade=wants_grade(case),
                reserve_cents=price.high_cents if price else None,
                expected_seconds=price.expected_seconds if price else None,
                retries=case.retries,
                may_settle=case.when_settled == "stop",
            )
        )
    return works


def ledger_of(
    loaded: Loaded,
    charged: Iterable[Slot],
    *,
    max_cost_cents: int | None,
    billing: WireBilling | None,
    stray_cents: int = 0,
    bills: Iterable[tuple[Target, int, int]] = (),
) -> Ledger:
    """Every ceiling that holds; `charged` is what this change set has spent or reserved already. `stray_cents` is what launches of
    others may still be billed: it is no part of what was consented to now, but the service's money it is. `bills` are
    `Journal.bills`, which later reservations learn from."""
    ceilings: list[Ceiling] = []
    if max_cost_cents is not None:
        ceilings.append(Ceiling("--max-cost", max_cost_cents))
    if loaded.project.policy.max_cost_cents is not None:
        ceilings.append(Ceiling("policy.max_cost_cents", loaded.project.policy.max_cost_cents))
    ceilings += [
        Ceiling(f"the budget of plan {plan.name}", plan.max_cost_cents, plan.name)
        for plan in loaded.plans
        if plan.max_cost_cents is not None
    ]
    ledger = Ledger(ceilings)
    for target, reserved_cents, billed_cents in bills:
        ledger.learn(target, reserved_cents=reserved_cents, billed_cents=billed_cents)
    for slot in charged:
        ledger.reserve(slot.plan, slot.reserved_cents)
        if slot.cost_cents is not None:
            ledger.bill(slot.plan, reserved_cents=slot.reserved_cents, billed_cents=slot.cost_cents)
    if billing is not None and billing.balance_cents is not None:  # past bills are gone from it already
        held_cents = ledger.reserved_cents + stray_cents
        ceilings.append(Ceiling(BALANCE, billing.balance_cents, None, held_cents, held_cents, by_service=True))
    return ledger


def check_balance(billing: WireBilling) -> None:
    """Found by a read, before anything is spent; a balance that runs out later is the ledger's and the service's business."""
    if billing.balance_cents is not None and billing.balance_cents <= 0:
        raise RefusedError("the organisation has no balance left", "Top it up, then run the same command again.")
    if billing.spending_limit_reached:
        raise RefusedError(
            "the organisation's monthly spending limit is reached", "Raise it, then run the same command again."
        )


def short_of(billing: WireBilling | None, expected_cents: int | None, *, held_cents: int) -> list[str]:
    """Warnings about money that the organisation lacks for these calls. `expected_cents` is None where the price is unknown.

    None of them stops a run: it makes the calls that the money covers. The service decides about its test-call budget (402).
    """
    if billing is None or expected_cents == 0:
        return []
    warnings: list[str] = []
    if billing.spending_limit_reached:
        warnings.append("the organisation's monthly spending limit is reached: no call would be made; raise it before")
    budget_cents = billing.test_call_budget_left_cents
    if budget_cents is not None and budget_cents <= 0:
        warnings.append(f"{TEST_CALL_BUDGET} is used up: the service may refuse these calls (402); raise it before")
        budget_cents = None
    warnings += [
        f"{label} is {money(cents)}, less than the {money(expected_cents + held_cents)} expected{_with(held_cents)}:"
        f" {'some calls would not' if cents > 0 else 'no call would'} be made; {fix} before, or go on afterwards"
        for label, cents, fix in (
            (BALANCE, billing.balance_cents, "top it up"),
            (TEST_CALL_BUDGET, budget_cents, "raise it"),
        )
        if expected_cents is not None and cents is not None and cents < expected_cents + held_cents
    ]
    return warnings


def _with(held_cents: int) -> str:
    return f" ({money(held_cents)} of it for calls already made)" if held_cents else ""


def tell_terms(context: Context) -> None:
    """For `-v`, before anything is launched: what each ceiling allows, or that nothing will be."""
    for ceiling in context.ledger.ceilings:
        context.observer.narrate(ceiling.told())
    if context.stopped:
        context.observer.narrate(
            "nothing is launched without consent to charge for it; what is under way is gone on with"
        )
