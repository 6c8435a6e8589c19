"""`planner ci record`: store what the service says about agents and balance, and report calls that the default branch
needs in one issue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from planner.agents.known_service import ask_service
from planner.agents.recorded import (
    record_agents,
    recorded_world,
    world_key,
    world_store,
)
from planner.changes.consent import ceiling_of
from planner.ci.client import github_of
from planner.ci.comment import upsert_issue
from planner.ci.pull_request import pull_request_of
from planner.commands.pruning import prune
from planner.errors import NotFoundError, UsageError
from planner.planfile.files import PROJECT_FILE
from planner.quantities import count
from planner.reports.agents import AgentNote, edited_agents
from planner.reports.default_branch import ISSUE_TITLE, render_issue
from planner.reports.neutral import for_terminal
from planner.results.documents import document_bytes
from planner.session.preparing import Preparation, prepare, stored_state
from planner.shell import Shell, redactor_of
from planner.verdicts.gate import must_call
from planner.workspace.selection import Selection, require_default_branch
from planner.workspace.service import service_of
from planner.workspace.stores import Workspace, open_workspace


def record(shell: Shell, selection: Selection, *, issue: bool, name: str) -> int:
    """Read the service and store what it says, and drop what is older than `keep`; return 0. `issue`: also write the
    drift to an issue of the repository. Raises `UsageError` in a job of a pull request or branch."""
    require_default_branch(shell, selection, "records agents")
    work = open_workspace(shell, selection, may_be_empty=True)
    loaded, place = work.loaded, work.place
    if not loaded.plans:
        if not (loaded.root / PROJECT_FILE).exists():
            raise UsageError(
                f"there are neither plans nor a {PROJECT_FILE}", "Without phone tests, delete the workflows."
            )
        shell.print("there are no plans, so there is nothing to call")
    known = ask_service(work)
    place.make()
    shown_for = loaded.project if place.shared is not None else None
    world = recorded_world(known.targets, known.balance, service_of(shell.environ), shell.clock.now(), shown_for)
    document = document_bytes(world)
    worlds, key = world_store(place), world_key(work)
    worlds.update(lambda _: {key: document})
    with stored_state(work) as state:
        prepared = prepare(work, known.targets, state)
    record_agents(place, loaded.project, prepared.agents, prepared.configurations)
    needed = [change for change in prepared.change_set.changes if must_call(change)]
    shown = f"{count(len(needed), 'case')} to call on this branch"
    shell.print(f"{count(len(known.targets), 'target')} recorded · {shown}")
    edited = edited_agents(prepared.agents, redactor_of(loaded.project))
    for note in edited:
        shell.print(for_terminal(note.sentence))
    if issue:
        _report(work, prepared, edited, name)
    prune(work, known.targets)
    return 0


def _report(work: Workspace, prepared: Preparation, edited: Sequence[AgentNote], name: str) -> None:
    shell, change_set = work.shell, prepared.change_set
    if not any(map(must_call, change_set.changes)):  # what only failed may be called again, but need not be
        change_set = replace(change_set, changes=())
    pull = pull_request_of(shell.environ, "", name)
    ceiling = ceiling_of(change_set, prepared.progress)
    body = render_issue(change_set, ceiling, edited, pull, redactor_of(work.loaded.project))
    try:
        with github_of(shell.environ, shell.pause) as github:
            upsert_issue(github, ISSUE_TITLE, body, name=name)
    except NotFoundError as error:  # a repository may have turned its issues off
        shell.log(f"the calls of this branch could not be listed in an issue: {error}. {error.hint}")
