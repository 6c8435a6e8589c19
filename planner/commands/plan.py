"""`planner plan`: show what would be called, why, and what it would cost."""

from __future__ import annotations

import shlex
from typing import Literal

from planner.changes.consent import consent_command
from planner.errors import RefusedError
from planner.reports.change_set import Preview, render_json, render_text
from planner.session.consent import store_consented
from planner.session.orphaned_launches import launch_documents
from planner.session.preparing import Preparation, prepare, refusal_of, short_of, stored_journal
from planner.session.selection import Loaded, Selection, picked
from planner.session.service import known_service
from planner.session.shell import Shell, publisher_of, redactor_of
from planner.session.stores import open_workspace
from planner.values import frozen

CALLS_WOULD_BE_MADE = 10


@frozen
class PlanOptions:
    """`refresh` reads agent revisions, products and the balance from the service."""

    selection: Selection
    refresh: bool = False
    detailed_exitcode: bool = False
    output_format: Literal["text", "json"] = "text"
    explain: tuple[str, ...] = ()
    """Globs on case ids to explain instead of printing the change set."""


def plan(shell: Shell, options: PlanOptions) -> int:
    selection = options.selection
    work = open_workspace(shell, selection)
    loaded = work.loaded
    known = known_service(work, refresh=options.refresh)
    with stored_journal(work) as journal:
        prepared = prepare(work, known.targets, journal)
    if options.explain:
        _explain(shell, options, loaded, prepared)
        return 0
    refusal = refusal_of(work, prepared)
    estimate = prepared.change_set.estimate
    notes = short_of(known.balance, estimate.expected_cents, reserved_cents=prepared.all_reserved_cents)
    notes += [known.note] if known.note else []
    if not known.was_asked and prepared.calls_to_make and estimate.high_cents is None:
        notes.append("the price of these calls is unknown: run `planner plan --refresh` with a key to ask the service")
    notes += [loaded.limits_note] if loaded.limits_note else []
    store_consented(work, prepared.change_set)
    _show(shell, options, loaded, prepared, refusal, notes)
    if refusal:
        return refusal.exit_code
    return CALLS_WOULD_BE_MADE if options.detailed_exitcode and prepared.calls_to_make else 0


def _explain(shell: Shell, options: PlanOptions, loaded: Loaded, prepared: Preparation) -> None:
    from planner.reports import change_explanation
    from planner.reports.agents import agent_notes, note_lines
    from planner.reports.terminal import painter

    change_set, redactor = prepared.change_set, redactor_of(loaded.project)
    wanted = picked("--explain", options.explain, [change.case_id for change in change_set.changes])
    changes = [change for change in change_set.changes if change.case_id in wanted]
    if options.output_format == "json":
        shell.print(change_explanation.render_json(change_set, changes, redactor=redactor))
        return
    now = shell.clock.now()
    targets = {change.case.target.config for change in changes if change.case is not None}
    notes = agent_notes([each for each in prepared.agents if each.file in targets], change_set, redactor)
    for line in note_lines(notes, shell.width, painter(color=shell.color)):
        shell.print(line)
    shell.print(
        change_explanation.render_text(
            change_set, changes, redactor=redactor, now=now, width=shell.width, color=shell.color
        )
    )


def _show(
    shell: Shell,
    options: PlanOptions,
    loaded: Loaded,
    prepared: Preparation,
    refusal: RefusedError | None,
    notes: list[str],
) -> None:
    change_set = prepared.change_set
    redactor = redactor_of(loaded.project)
    command = shlex.join(["planner", "run", *options.selection.words()])
    spent_cents = prepared.progress.all_spent_cents
    command = consent_command(command, change_set, already_spent_cents=spent_cents)
    ceilings = [("policy", loaded.project.policy.max_cost_cents)]
    ceilings += [(f"plan {plan.name}", plan.max_cost_cents) for plan in loaded.plans]
    preview = Preview(
        change_set,
        loaded.plans,
        [(name, cents) for name, cents in ceilings if cents is not None],
        command,
        prepared.progress.runs_made,
        prepared.unconfirmed_runs,
        shell.clock.now(),
        redactor,
        (str(refusal), refusal.hint) if refusal else None,
        prepared.warnings,
        [*prepared.orphans.notes(options.selection.reconcile_command()), *notes],
        prepared.agents,
    )
    if options.output_format == "json":
        shell.print(render_json(preview, open_launches=launch_documents(prepared.orphans.unsettled)))
    else:
        shell.print(render_text(preview, width=shell.width, color=shell.color))
    if to_github := publisher_of(shell):
        from planner.reports.change_set import render_markdown

        to_github.change_set(change_set, render_markdown(preview))
