"""`planner ci gate`: decide the required check of a pull request. Makes no calls and stores nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from planner.agents.known_service import Known, known_service
from planner.ci.policy import NO_BASE
from planner.ci.step import publisher_of
from planner.commands.publication import Decision, problem_publication, publication_of, read_ended
from planner.errors import CredentialError, IncompleteError, PlannerError
from planner.reports.neutral import for_json_text, one_line
from planner.reports.required_check import render_json, render_text
from planner.results.outcomes import CheckState
from planner.session.preparing import checked_cases, prepare, stored_state
from planner.shell import Shell, redactor_of, write_output
from planner.values import frozen
from planner.verdicts.gate import Gate, decide_check, with_results
from planner.workspace.merge_base import why_no_plans
from planner.workspace.selection import Selection
from planner.workspace.stores import Workspace, open_workspace

if TYPE_CHECKING:
    from planner.commands.publication import Publication


@frozen
class GateOptions:
    selection: Selection
    output_format: Literal["text", "json"] = "text"
    publication: Path | None = None
    """File for the comment and the status."""
    results: Path | None = None
    """results.json of the session that this job has just ended."""
    name: str = "default"
    """Separates two uses in one repository."""


def gate(shell: Shell, options: GateOptions) -> int:
    """Print the answer; return its exit code. If there is none, the file for comment and status says why."""
    try:
        code, trouble = _decide(shell, options)
    except PlannerError as error:
        if options.publication is not None:
            _write(shell, options.publication, problem_publication(shell, error))
        raise
    if trouble is not None:
        raise trouble
    return code


def _decide(shell: Shell, options: GateOptions) -> tuple[int, PlannerError | None]:
    """The exit code, and why the service could not be read."""
    work = open_workspace(shell, options.selection, may_be_empty=True)
    no_plans = None if work.loaded.plans else why_no_plans(work)
    known, trouble = _known(work, options)
    if known.note:
        shell.log(known.note)
    with stored_state(work) as state:
        prepared = prepare(work, known.targets, state)
        cases = checked_cases(work, prepared, excuse_known=options.selection.base != NO_BASE)
        own = [case.judged for case in cases if case.judged is not None and not case.is_base_result]
        own, suite = prepared.with_history(own)
        cases = with_results(cases, own)
        again = replace(options.selection, rerun="failed").command("run")
        digest, judged_by = prepared.change_set.digest, Gate(suite, work.loaded.project.policy.gate)
        check = decide_check(cases, digest, judged_by, shell.clock.now(), again)
        check = check if no_plans is None else replace(check, description=no_plans.value)
        names = redactor_of(work.loaded.project).names(case.change.case_id for case in cases)
        render = render_json if options.output_format == "json" else render_text
        shell.print(render(check, names))
        summary = ""
        if options.publication is not None:
            judged = [case.judged for case in cases if case.judged is not None]
            ended = read_ended(shell.cwd / options.results) if options.results is not None else None
            decision = Decision(work, prepared, check, judged, own, ended, no_plans)
            publication = publication_of(decision, state, options.name)
            if trouble is not None and check.state is CheckState.SUCCESS:
                publication = publication.model_copy(
                    update={"state": CheckState.PENDING.value, "description": one_line(str(trouble))}
                )
            _write(shell, options.publication, publication)
            summary = "" if options.results is not None else publication.comment  # else `run` has written one
    if trouble is None and (to_github := publisher_of(shell)):
        to_github.diagnostics(work.loaded.diagnostics)
        to_github.required_check(check, summary)
    return check.exit_code, trouble


def _known(work: Workspace, options: GateOptions) -> tuple[Known, PlannerError | None]:
    """What is known of agents and prices. If the service cannot be read, what was recorded, and the error: the comment
    must still offer the calls, but the check is not green."""
    try:
        return known_service(work), None
    except (IncompleteError, CredentialError) as error:
        if options.publication is None:
            raise
        offline = replace(work, selection=replace(work.selection, offline=True, sandbox=False))
        return known_service(offline), error


def _write(shell: Shell, file: Path, publication: Publication) -> None:
    write_output(shell, file, for_json_text(shell.keys.text(publication.model_dump_json())) + "\n")
