"""`planner plan`: show what would be called, why, and what it would cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from planner.agents.known_service import known_service
from planner.calls.balance import short_of
from planner.calls.open_launches import launch_documents
from planner.changes.consent import consent_command
from planner.changes.detail import needs_new_calls
from planner.errors import PlannerError
from planner.log.fold import State
from planner.quantities import count, money
from planner.reports.change_set import PlanView, render_json, render_text
from planner.results.outcomes import Action, CaseOutcome
from planner.session.consents import refusal_of
from planner.session.preparing import Preparation, prepare, stored_state
from planner.shell import Shell, redactor_of
from planner.values import frozen
from planner.workspace.agreed_calls import store_consented
from planner.workspace.selection import Selection
from planner.workspace.stores import Workspace, open_workspace

CALLS_WOULD_BE_MADE = 10


@frozen
class PlanOptions:
    selection: Selection
    detailed_exitcode: bool = False
    output_format: Literal["text", "json"] = "text"


def plan(shell: Shell, options: PlanOptions) -> int:
    selection = options.selection
    work = open_workspace(shell, selection)
    loaded = work.loaded
    known = known_service(work)
    with stored_state(work) as state:
        prepared = prepare(work, known.targets, state)
        failing = _known_failures(work, prepared, state)
    refusal = refusal_of(work, replace(prepared, balance=known.balance if known.was_asked else None))
    estimate = prepared.change_set.estimate
    short = short_of(known.balance, estimate.expected_cents, reserved_cents=prepared.all_reserved_cents)
    notes = [] if refusal else short
    notes += [known.note] if known.note else []
    notes += [] if prepared.month is None else [str(prepared.month)]
    if not known.was_asked and prepared.calls_to_make and estimate.high_cents is None:
        notes.append("the price of these calls is unknown: with an API key, planner reads it from the service")
    notes += [loaded.limits_note] if loaded.limits_note else []
    store_consented(work, prepared.change_set)
    exit_code = CALLS_WOULD_BE_MADE if options.detailed_exitcode and prepared.calls_to_make else 0
    exit_code = refusal.exit_code if refusal else exit_code
    view = replace(_view(work, prepared, refusal, notes), known_failures=failing)
    if options.output_format == "json":
        open_launches = launch_documents(prepared.open_launches.unsettled)
        shell.print(render_json(view, open_launches=open_launches, diagnostics=loaded.diagnostics, exit_code=exit_code))
    else:
        shell.print(render_text(view, width=shell.width, color=shell.color))
    return exit_code


def _known_failures(work: Workspace, prepared: Preparation, state: State | None) -> str:
    """What calls the cases again that failed and are not called, as nothing changed; "" if there are none."""
    kept = {
        change.case_id
        for change in prepared.change_set.with_action(Action.REUSE)
        if change.prior is not None and change.prior.outcome is CaseOutcome.FAILED
    }
    if not kept:
        return ""
    selection = replace(work.selection, rerun="failed")
    again = prepare(replace(work, selection=selection), prepared.targets, state, records=prepared.records).change_set
    called = [change for change in again.with_action(Action.CALL) if change.case_id in kept]
    if not called:
        return ""
    price = sum((again.prices[each.case_id].expected_cents or 0) * each.calls for each in called if each.calls)
    calls = count(sum(change.calls for change in called), "call")
    cost = f", {money(round(price))}" if price else ""
    them = "it" if len(called) == 1 else "them"
    return f"{len(called):,} failing, unchanged: `{selection.command('run')}` calls {them} again ({calls}{cost})"


def _view(work: Workspace, prepared: Preparation, refusal: PlannerError | None, notes: list[str]) -> PlanView:
    shell, loaded, change_set = work.shell, work.loaded, prepared.change_set
    command = consent_command(work.selection.command("run"), change_set, prepared.progress)
    if needs_new_calls(change_set.changes):
        command = replace(work.selection, rerun="failed").command("plan")
    ceilings = [("policy", loaded.project.policy.max_cost_cents)]
    ceilings += [(f"plan {plan.name}", plan.max_cost_cents) for plan in loaded.plans]
    return PlanView(
        change_set,
        loaded.plans,
        [(name, cents) for name, cents in ceilings if cents is not None],
        command,
        prepared.progress.runs_made,
        prepared.unconfirmed_runs,
        shell.clock.now(),
        redactor_of(loaded.project),
        refusal,
        prepared.all_warnings,
        [*prepared.open_launches.notes(work.selection.reconcile_command()), *notes],
        prepared.agents,
        prepared.live_tools.names,
        spent_cents=prepared.progress.all_spent_cents,
        shows_all=shell.verbosity > 0,
    )
