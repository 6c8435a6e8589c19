"""Turns a consented change set into jobs and ceilings for the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Final

from planner.changes.model import ChangeSet
from planner.errors import RefusedError
from planner.execution.engine import BALANCE, Job
from planner.execution.launches import Slot
from planner.execution.ledger import Ceiling, Ledger
from planner.providers.base import Balance, Line, Target
from planner.quantities import count, money
from planner.results.outcomes import Action
from planner.session.called_agents import Copies
from planner.session.selection import Loaded

_TEST_CALL_BUDGET: Final = "the organisation's test-call budget"


def jobs_of(change_set: ChangeSet, copies: Copies) -> list[Job]:
    """`copies` are the previews that are called instead of agents."""
    jobs: list[Job] = []
    for change in change_set.with_action(Action.CALL):
        case = change.case
        if case is None:
            continue
        price, target = change_set.prices.get(change.case_id), case.target
        copy_id = copies.get((target.id, target.config)) if target.config is not None else None
        called_id = target.id if copy_id is None else copy_id
        jobs.append(
            Job(
                case_id=case.case_id,
                plan=case.plan,
                line=Line(target.kind, called_id, case.direction, case.mode, case.target_number, case.stagger_seconds),
                prompt=case.prompt,
                call_fingerprint=change.call_fingerprint,
                agent_revision=change.inputs.agent_revision if change.inputs else None,
                runs=change.runs,
                timeout_seconds=case.timeout_seconds,
                await_grade=case.wants_grade,
                reserve_cents=price.high_cents if price else None,
                expected_seconds=price.expected_seconds if price else None,
                retries=case.retries,
                may_stop_early=case.when_settled == "stop",
                configuration=change.inputs.configuration if change.inputs else None,
            )
        )
    return jobs


def ledger_of(
    loaded: Loaded,
    charged: Iterable[Slot],
    *,
    max_cost_cents: int | None,
    balance: Balance | None,
    orphaned_cents: int = 0,
    bills: Iterable[tuple[Target, int, int]] = (),
) -> Ledger:
    """The ledger with all ceilings. `charged` are slots that this change set already launched. `orphaned_cents` may
    still be charged for other change sets: not part of this consent, but of the account's balance. `bills`
    (`Journal.bills`) set prices."""
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
    if balance is not None and balance.cents is not None:  # the balance already excludes past bills
        reserved_cents = ledger.reserved_cents + orphaned_cents
        ceilings.append(Ceiling(BALANCE, balance.cents, None, reserved_cents, reserved_cents, by_service=True))
    return ledger


def check_balance(balance: Balance) -> None:
    """Refuse before anything is spent. A balance that runs out later is handled by the ledger and the service. Raises
    `RefusedError` if the balance is empty or the spending limit is reached."""
    if balance.cents is not None and balance.cents <= 0:
        raise RefusedError("the organisation has no balance left", "Top it up, then run the same command again.")
    if balance.limit_reached:
        raise RefusedError(
            "the organisation's monthly spending limit is reached", "Raise it, then run the same command again."
        )


def short_of(balance: Balance | None, expected_cents: int | None, *, reserved_cents: int) -> list[str]:
    """Warnings if the organisation's money may not cover these calls. `expected_cents` is None if the price is unknown.

    They do not stop a run, which makes the calls that the money covers. The service enforces its test-call budget
    (402).
    """
    if balance is None or expected_cents == 0:
        return []
    warnings: list[str] = []
    if balance.limit_reached:
        warnings.append("the organisation's monthly spending limit is reached: no call will be made; raise it first")
    limits = [(BALANCE, balance.cents, "top it up")]
    budget_cents = balance.test_budget_left_cents
    if budget_cents is not None and budget_cents <= 0:
        warnings.append(f"{_TEST_CALL_BUDGET} is used up: the service may refuse these calls (402); raise it first")
    else:
        limits.append((_TEST_CALL_BUDGET, budget_cents, "raise it"))
    if expected_cents is None:
        return warnings
    needed = money(expected_cents + reserved_cents)
    reserved = f" ({money(reserved_cents)} of it reserved for earlier calls)" if reserved_cents else ""
    for label, cents, fix in limits:
        if cents is not None and cents < expected_cents + reserved_cents:
            made = "some calls will not be made" if cents > 0 else "no call will be made"
            warnings.append(
                f"{label} is {money(cents)}, less than the {needed} expected{reserved}: {made}; {fix} first, or resume afterwards"
            )
    return warnings


def guaranteed_calls(jobs: Sequence[Job], already_made: Mapping[str, int], ledger: Ledger) -> list[str]:
    """How many calls the ceilings cover at worst-case prices: a sentence; none if all, or if a price is unknown.

    A call is launched only if its high estimate fits under every ceiling next to spent and reserved money. Lower bills
    leave room for more.
    """
    left = [(job, job.runs - already_made.get(job.case_id, 0)) for job in jobs]
    if any(job.reserve_cents is None for job, runs in left if runs > 0):
        return []
    ledger, covered, wanted = deepcopy(ledger), 0, 0
    short: set[str] = set()
    for job, runs in left:
        for _ in range(runs):
            wanted += 1
            cents = ledger.reservation_for(job.plan, job.line.target, job.reserve_cents)
            if cents is not None:
                ledger.reserve(job.plan, cents)
                covered += 1
            short |= {
                f"{ceiling.label} ({money(ceiling.limit_cents)})"
                for ceiling in ledger.ceilings
                if cents is None and ceiling.covers(job.plan) and ceiling.left_cents < (job.reserve_cents or 0)
            }
    if covered == wanted:
        return []
    names = ", ".join(sorted(short))
    return [
        f"{names} {'covers' if len(short) == 1 else 'cover'} {covered:,} of {count(wanted, 'call')} at worst-case prices; the rest start if actual bills allow"
    ]
