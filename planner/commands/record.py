"""`planner ci record`: store what the service says about agents and balance, and report edited agents in one issue."""

from __future__ import annotations

from collections.abc import Sequence

from planner.changes.model import Reason
from planner.planfile.model import Project
from planner.quantities import count
from planner.reports.agents import AgentNote, edited_agents
from planner.reports.neutral import for_terminal, markdown_block, markdown_code, markdown_prose
from planner.results.documents import document_bytes
from planner.session.preparing import prepare, stored_journal
from planner.session.recorded_agents import (
    RecordedTarget,
    RecordedWorld,
    record_agents,
    shown_agent,
    world_key,
    world_store,
)
from planner.session.selection import Selection, require_default_branch
from planner.session.service import Known, ask_service, service_of
from planner.session.shell import Shell, redactor_of
from planner.session.stores import open_workspace

_LISTED = 200


def record(shell: Shell, selection: Selection, *, issue: bool, name: str) -> int:
    """Read the service and store what it says; return 0. `issue`: also write the drift to an issue of the repository.
    Raises `UsageError` in a job of a pull request or branch."""
    require_default_branch(shell, selection, "records agents")
    work = open_workspace(shell, selection)
    loaded, place = work.loaded, work.place
    known = ask_service(work)
    place.make()
    document = document_bytes(_recorded(shell, known, loaded.project if place.shared is not None else None))
    world_store(place).update(lambda _: {world_key(place.environment): document})
    with stored_journal(work) as journal:
        prepared = prepare(work, known.targets, journal)
    record_agents(place, loaded.project, prepared.agents, prepared.configurations)
    drifted = [change for change in prepared.change_set.changes if change.reason is Reason.AGENT_EDITED]
    found = f"{count(len(drifted), 'case')} with an agent edited since its results"
    shell.print(f"{count(len(known.targets), 'target')} recorded · {found}")
    redactor = redactor_of(loaded.project)
    edited = edited_agents(prepared.agents, redactor)
    for note in edited:
        shell.print(for_terminal(note.sentence))
    if issue:
        names = redactor.names(change.case_id for change in drifted)
        lines = [f"- {markdown_code(names[change.case_id])}: {markdown_code(change.detail)}" for change in drifted]
        _report(shell, name, lines, edited)
    return 0


def _recorded(shell: Shell, known: Known, project: Project | None) -> RecordedWorld:
    """`project`: whose strings are redacted; None: nothing is."""
    return RecordedWorld(
        recorded_at=shell.clock.now(),
        service=service_of(shell.environ),
        targets=tuple(
            RecordedTarget(
                kind="agent" if kind == "agent" else "phone_number",
                id=target_id,
                revision=state.revision,
                product=state.product,
                drafts=state.drafts,
                agent=state.agent if state.agent is None or project is None else shown_agent(state.agent, project),
            )
            for (kind, target_id), state in known.targets.items()
        ),
        balance=known.balance,
    )


def _report(shell: Shell, name: str, lines: Sequence[str], edited: Sequence[AgentNote]) -> None:
    """`lines`: one per case that must be called again."""
    from planner.github.client import github_of
    from planner.github.comment import upsert_issue

    shown = "\n".join(lines[:_LISTED])
    more = f"\n\nand {count(len(lines) - _LISTED, 'more case')}" if len(lines) > _LISTED else ""
    parts = [
        f"{count(len(lines), 'case')} must be called again, because their agents were edited:\n\n{shown}{more}"
    ] * bool(lines)
    for note in edited[:_LISTED]:
        parts += [markdown_prose(note.sentence), markdown_block("\n".join(note.lines[:_LISTED]), "diff")]
    body = "\n\n".join(parts)
    with github_of(shell.environ, shell.pause) as github:
        upsert_issue(github, "Phone plans: agents edited since their results", body, name=name)
