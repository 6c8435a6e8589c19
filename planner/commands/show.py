"""`planner show`: a case as it would be called and judged, what happens to it and why; or a target and its cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from planner.agents.deployments import Deployment, deployments
from planner.agents.known_service import known_service
from planner.changes.configuration import EffectiveTarget
from planner.changes.model import Change, ChangeSet
from planner.ci.policy import policy_source
from planner.diagnostics import Diagnostics
from planner.errors import PlanInvalidError, UsageError
from planner.planfile.model import Case
from planner.planfile.text import nearest
from planner.quantities import count, moment, some
from planner.reports.agents import agent_documents, agent_notes, note_lines
from planner.reports.case_page import explanation_document, explanation_lines, page_document, render_page
from planner.reports.diagnostics import as_documents
from planner.reports.neutral import for_terminal, json_document
from planner.reports.redaction import FIELDS, how_to_redact, redact_fields
from planner.reports.terminal import Colour, painter
from planner.session.preparing import Preparation, prepare, stored_state
from planner.shell import Shell, print_diagnostics, redactor_of
from planner.values import frozen
from planner.workspace.selection import Files, Selection, chosen_ids, read_files
from planner.workspace.stores import Workspace, case_of_run, open_workspace

_MAX_CALLS = 10


@frozen
class ShowOptions:
    """`wanted` is a case id, a pattern of case ids, a target's alias, or the id of a stored run or call."""

    selection: Selection
    wanted: str
    output_format: Literal["text", "json"] = "text"


def show(shell: Shell, options: ShowOptions) -> int:
    """Print the target, or the cases; return 0. If some plans are invalid, the cases of the others are shown, without
    what happens to them."""
    selection = options.selection
    files = read_files(shell, selection.paths, selection.environment, policy_source(shell, selection.base))
    every = [case for plan in files.plans for case in plan.cases]
    of_target = [case for case in every if case.target.alias == options.wanted]
    wanted = case_of_run(shell, selection, options.wanted) or options.wanted
    cases = of_target or _chosen(wanted, every, files)
    if files.diagnostics.has_errors:
        print_diagnostics(shell, files.diagnostics)
        _show_cases(shell, options, cases, None, None, files.diagnostics)
        return 0
    work = open_workspace(shell, selection)
    with stored_state(work) as state:
        prepared = prepare(work, known_service(work).targets, state)
    if of_target:
        _show_target(work, options, of_target, prepared)
    else:
        _show_cases(shell, options, cases, prepared.change_set, work)
    return 0


def _chosen(wanted: str, every: Sequence[Case], files: Files) -> list[Case]:
    try:
        ids = chosen_ids(wanted, [case.case_id for case in every], f"there is no case or target {wanted}")
    except UsageError as error:
        if files.diagnostics.has_errors:
            raise PlanInvalidError(f"no valid plan has a case {wanted}", files.diagnostics) from error
        target = nearest(wanted, {case.target.alias for case in every})
        if target is not None:
            raise UsageError(str(error), f"Did you mean the target {target}?") from error
        raise
    return [case for case in every if case.case_id in ids]


def _show_cases(
    shell: Shell,
    options: ShowOptions,
    cases: Sequence[Case],
    change_set: ChangeSet | None,
    work: Workspace | None,
    diagnostics: Diagnostics | None = None,
) -> None:
    redactor = redactor_of(work.loaded.project) if work is not None else None
    pages: list[str] = []
    documents: list[dict[str, object]] = []
    for case in cases:
        page, document = render_page(case, width=shell.width, color=shell.color), page_document(case)
        if change_set is not None and redactor is not None:
            change = next(each for each in change_set.changes if each.case_id == case.case_id)
            price = change_set.prices.get(case.case_id)
            lines = explanation_lines(
                change, price, redactor, now=shell.clock.now(), width=shell.width, color=shell.color
            )
            page = "\n".join([page, "Now", *lines]) + "\n"
            document |= {"now": explanation_document(change, price, redactor)}
        pages.append(page)
        documents.append(document)
    if options.output_format == "json":
        found = as_documents(diagnostics) if diagnostics is not None else ()
        shell.print(json_document({"cases": documents}, diagnostics=found))
    else:
        shell.print("\n\n".join(pages))


def _show_target(work: Workspace, options: ShowOptions, cases: Sequence[Case], prepared: Preparation) -> None:
    """The agent, what its file changes, and what happens to each of its cases."""
    shell, redactor = work.shell, redactor_of(work.loaded.project)
    ids = {case.case_id for case in cases}
    changes = [change for change in prepared.change_set.changes if change.case_id in ids]
    names = redactor.names(ids)
    targets = {(case.target.kind, case.target.id) for case in cases}
    agents = [each for each in prepared.agents if ("agent", each.agent_id) in targets]
    known = [each for kind, number in sorted(targets) if kind == "agent" for each in deployments(work.place, number)]
    if options.output_format == "json":
        documents = [
            {
                "case_id": names[change.case_id],
                "action": change.action,
                "reason": change.reason,
                "outcome": change.prior.outcome if change.prior else None,
                "runs_passed": change.prior.counts[0] if change.prior else 0,
                "runs_countable": change.prior.counts[1] if change.prior else 0,
                "run_ids": [run.run_id for run in change.prior.runs] if change.prior else [],
                "call_ids": _call_ids(change),
            }
            for change in changes
        ]
        target: dict[str, object] = {
            "alias": options.wanted,
            "agents": [_agent_document(kind, number, prepared) for kind, number in sorted(targets)],
            "files": [
                redact_fields(each, FIELDS, how_to_redact(redactor)).model_dump(mode="json")
                for each in agent_documents(agents)
            ],
            "deployments": [each.model_dump(mode="json") for each in known],
            "cases": documents,
        }
        shell.print(json_document({"target": target}))
        return
    paint = painter(color=shell.color)
    lines = [paint(for_terminal(options.wanted), Colour.BOLD)]
    lines += [_described(kind, number, prepared) for kind, number in sorted(targets)]
    lines += list(_file_lines(agents, prepared, work))
    lines += [line for each in known for line in _deployment_lines(each)]
    lines.append(count(len(changes), "case"))
    for change in changes:
        stored = "never called" if change.prior is None else f"{change.prior.outcome}, {_runs(change.prior.counts)}"
        why = f"{change.action.done}: {change.reason.label}{_calls(_call_ids(change))}"
        lines.append(f"  {for_terminal(names[change.case_id])}   {stored} · {why}")
    shell.print("\n".join(lines))


def _call_ids(change: Change) -> list[int]:
    runs = change.prior.runs if change.prior is not None else ()
    return [run.call_id for run in runs if run.call_id is not None]


def _deployment_lines(deployment: Deployment) -> list[str]:
    """Who deployed what, when, and on which results it is based."""
    fields = ", ".join(deployment.fields)
    grounds = f"forced: {deployment.forced}" if deployment.forced is not None else f"check: {deployment.check.value}"
    lost = f" · over edits of {', '.join(deployment.lost)}" if deployment.lost else ""
    done = {"deployed": "deployed", "intended": "deployment interrupted", "failed": "deployment failed"}
    who = f"{done[deployment.state]} {moment(deployment.at)} by {deployment.by}"
    what = f"{who} · {deployment.file}: {fields} · {grounds}{lost}"
    proofs = [
        f"{case.case_id}   {_runs((case.runs_passed, case.runs_counted))}{_calls(case.call_ids)}"
        for case in deployment.cases
    ]
    return [f"  {for_terminal(what)}", *(f"    {for_terminal(proof)}" for proof in proofs)]


def _calls(call_ids: Sequence[int]) -> str:
    return f" · calls {some([str(number) for number in call_ids], _MAX_CALLS)}" if call_ids else ""


def _agent_document(kind: str, number: int, prepared: Preparation) -> dict[str, object]:
    """What is deployed, and since when."""
    state = prepared.targets.get((kind, number))
    revision = None if state is None else state.revision
    since = None if revision is None else revision.partition(" ")[0]
    return {
        "kind": kind,
        "id": number,
        "product": None if state is None else state.product,
        "revision": revision,
        "edited_at": since,
    }


def _described(kind: str, number: int, prepared: Preparation) -> str:
    state = prepared.targets.get((kind, number))
    edited = "" if state is None or state.revision is None else f" · edited {state.revision.partition(' ')[0]}"
    product = "" if state is None or state.product is None else f" · {state.product}"
    return f"  {kind.replace('_', ' ')} {number}{product}{edited}"


def _file_lines(agents: Sequence[EffectiveTarget], prepared: Preparation, work: Workspace) -> Sequence[str]:
    notes = agent_notes(agents, prepared.change_set, redactor_of(work.loaded.project))
    return list(note_lines(notes, work.shell.width, painter(color=work.shell.color)))


def _runs(counts: tuple[int, int]) -> str:
    passed, countable = counts
    return f"{passed} of {count(countable, 'run')} passed"
