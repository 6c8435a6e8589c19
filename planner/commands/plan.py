"""`planner plan`: show what would be called, why, and what it would cost."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import anyio

from planner.api.wire import WireBilling
from planner.changes.consent import Limits, consent_command, policy_refusal
from planner.errors import RefusedError
from planner.reports import change_explanation
from planner.reports.change_set import Preview, render_json, render_markdown, render_text
from planner.reports.quantities import money
from planner.session.affordable_calls import guaranteed_calls
from planner.session.interruption import interruptible
from planner.session.jobs import jobs_of, ledger_of, short_of
from planner.session.locking import lock_holder
from planner.session.orphaned_launches import launch_documents
from planner.session.policy_source import PolicySource
from planner.session.preparing import Preparation, charged_slots, open_journal, prepare
from planner.session.reporting import print_diagnostics, publisher_of, redactor_of
from planner.session.saved_plans import save_plan, saved_command
from planner.session.selection import Loaded, Selection, load, picked
from planner.session.service import TargetState, open_client, read_billing, read_targets
from planner.session.shell import Shell
from planner.session.stores import Place, place_of
from planner.session.worlds import named_world

CALLS_WOULD_BE_MADE = 10


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """`refresh` reads agent revisions, products and the balance from the service."""

    selection: Selection
    refresh: bool = False
    detailed_exitcode: bool = False
    output_format: Literal["text", "json"] = "text"
    out: Path | None = None
    """File to save the plan to."""
    explain: tuple[str, ...] = ()
    """Globs on case ids to explain instead of printing the change set."""


def plan(shell: Shell, options: PlanOptions) -> int:
    loaded = load(shell, options.selection)
    print_diagnostics(shell, loaded.diagnostics)
    place = place_of(shell, loaded.root, options.selection, loaded.project)
    if lock_owner := lock_holder(place):
        shell.log(
            f"the store is in use, or was left by one that was killed: {lock_owner}; what that has called is counted as made"
        )
    # requests to the sandbox are free
    ask = options.refresh or options.selection.sandbox
    targets, billing = anyio.run(_ask, shell, options, loaded, place) if ask else ({}, None)
    journal = open_journal(shell, place, loaded.cases)
    try:
        prepared = prepare(shell, options.selection, loaded, place, targets=targets, journal=journal)
        charged = charged_slots(journal, prepared.change_set.digest) if journal else []
        bills = journal.bills(prepared.change_set.digest) if journal else []
    finally:
        if journal:
            journal.close()
    policy = loaded.project.policy
    if options.selection.sandbox:
        policy = replace(policy, quiet_hours=None)
    limits = Limits(loaded.plans, policy, shell.clock.now())
    refusal = policy_refusal(prepared.change_set, limits, prepared.progress)
    if options.explain:
        _explain(shell, options, loaded, prepared)
        return 0
    reserved_cents = sum(prepared.reserved_cents.values()) + prepared.orphans.reserved_cents
    short = short_of(billing, prepared.change_set.estimate.expected_cents, reserved_cents=reserved_cents)
    if not ask and prepared.calls_to_make and prepared.change_set.estimate.high_cents is None:
        short.append("the price of these calls is unknown: run `planner plan --refresh` with a key to ask the service")
    if not refusal:
        orphaned_cents = prepared.orphans.reserved_cents
        ledger = ledger_of(
            loaded, charged, max_cost_cents=None, billing=billing, orphaned_cents=orphaned_cents, bills=bills
        )
        short += guaranteed_calls(jobs_of(prepared.change_set), prepared.already_made, ledger)
    if loaded.base is not None and not loaded.base.has_project:
        short.append(PolicySource(loaded.root, loaded.base).note)
    _show(shell, options, loaded, prepared, refusal, short)
    if refusal:
        return refusal.exit_code
    return CALLS_WOULD_BE_MADE if options.detailed_exitcode and prepared.calls_to_make else 0


def _explain(shell: Shell, options: PlanOptions, loaded: Loaded, prepared: Preparation) -> None:
    change_set, redactor = prepared.change_set, redactor_of(loaded.project)
    known = [change.case_id for change in change_set.changes]
    wanted = picked("--explain", options.explain, known)
    changes = [change for change in change_set.changes if change.case_id in wanted]
    if options.output_format == "json":
        shell.print(change_explanation.render_json(change_set, changes, redactor=redactor))
        return
    now = shell.clock.now()
    shell.print(
        change_explanation.render_text(
            change_set, changes, redactor=redactor, now=now, width=shell.width, color=shell.color
        )
    )


async def _ask(
    shell: Shell, options: PlanOptions, loaded: Loaded, place: Place
) -> tuple[dict[tuple[str, int], TargetState], WireBilling | None]:
    selection = options.selection
    if selection.sandbox:
        place.make()
    async with (
        interruptible(),
        open_client(
            shell, sandbox_dir=place.directory if selection.sandbox else None, world=named_world(shell, selection)
        ) as client,
    ):
        targets = await read_targets(client, loaded.cases)
        billing = await read_billing(client)
        if billing is not None and billing.balance_cents is not None:
            left = billing.test_call_budget_left_cents
            budget = f" · test-call budget left {money(left)}" if left is not None else ""
            shell.log(f"balance {money(billing.balance_cents)}{budget}")
        return targets, billing


def _show(
    shell: Shell,
    options: PlanOptions,
    loaded: Loaded,
    prepared: Preparation,
    refusal: RefusedError | None,
    short: list[str],
) -> None:
    change_set = prepared.change_set
    redactor = redactor_of(loaded.project)
    if options.out is not None:
        save_plan(shell, options.selection, change_set, options.out, redactor.text)
    command = (
        saved_command(options.out)
        if options.out is not None and not refusal
        else consent_command(
            shlex.join(["planner", "run", *options.selection.words()]),
            change_set,
            already_spent_cents=sum(prepared.spent_cents.values()),
        )
    )
    refused = (str(refusal), refusal.hint) if refusal else None
    preview = Preview(
        change_set,
        loaded.plans,
        _ceilings(loaded),
        command,
        prepared.already_made,
        prepared.unconfirmed_runs,
        shell.clock.now(),
        redactor,
        refused,
        prepared.warnings,
        [*prepared.orphans.notes(options.selection.reconcile_command()), *short],
    )
    if options.output_format == "json":
        shell.print(render_json(preview, open_launches=launch_documents(prepared.orphans.unsettled)))
    else:
        shell.print(render_text(preview, width=shell.width, color=shell.color))
    if to_github := publisher_of(shell):
        to_github.change_set(change_set, render_markdown(preview))


def _ceilings(loaded: Loaded) -> list[tuple[str, int]]:
    """The ceilings of the project, then of its plans."""
    limits = [
        ("policy", loaded.project.policy.max_cost_cents),
        *((f"plan {plan.name}", plan.max_cost_cents) for plan in loaded.plans),
    ]
    return [(name, cents) for name, cents in limits if cents is not None]
