"""`planner agents previews`: list the copies of agents that planner made, or delete leftovers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta

import anyio

from planner.clock import age_of, aware
from planner.errors import PlannerError, UsageError
from planner.execution.journal import Journal
from planner.execution.previews import NAME_PREFIX, Preview
from planner.providers.base import AgentProvider, ListedAgent
from planner.quantities import count, duration
from planner.session.previews import Previews
from planner.session.selection import Selection
from planner.session.service import open_client
from planner.session.shell import Shell
from planner.session.stores import locked, open_results, shared_session
from planner.values import frozen


@frozen
class PreviewsOptions:
    """`older_than` is an age as typed. With it, also copies that this store does not record are deleted."""

    selection: Selection
    delete: bool = False
    older_than: str | None = None
    output_format: str = "text"


@frozen
class _Listed:
    agent: ListedAgent
    age_seconds: float | None
    """None where the service does not say."""
    known: Preview | None
    """What this store records of it."""
    in_use: bool


def previews(shell: Shell, options: PreviewsOptions) -> int:
    """List or delete previews; return 4 if one could not be deleted, otherwise 0. Raises `UsageError`, and the errors of
    the store and the service."""
    oldest = _age(options.older_than)
    project, place = open_results(shell, options.selection)
    command = "planner agents previews"
    with (
        locked(shell, place, command),
        closing(Journal(place.journal_path, now=shell.clock.now())) as journal,
        shared_session(shell, place, journal, ()) as intents,
    ):
        journal.mark_interrupted()

        async def work() -> int:
            async with open_client(shell, place, options.selection) as client:
                own = Previews(shell, journal, client, intents, "", project.execution.settle_seconds)
                return await _previews(options, own, oldest)

        return anyio.run(work)


def _age(typed: str | None) -> timedelta | None:
    if typed is None:
        return None
    if (age := age_of(typed)) is None:
        raise UsageError(f"--older-than {typed} is not an age", "Write it as 24h, 14d or 6w.")
    return age


async def _previews(options: PreviewsOptions, own: Previews, oldest: timedelta | None) -> int:
    shell = own.shell
    await own.find_lost()
    shown = await _listed(own)
    if oldest is not None:
        shown = [each for each in shown if each.age_seconds is not None and each.age_seconds >= oldest.total_seconds()]
    left = 0
    for each in shown:
        deleted = options.delete and not each.in_use and (each.known is not None or oldest is not None)
        if deleted:
            deleted = await _delete(own, each)
            left += not deleted
        if options.output_format == "text":
            shell.print(_line(each, deleted=deleted))
        else:
            shell.print(json.dumps(_document(each, deleted=deleted)))
    if options.output_format == "text" and not shown:
        shell.print("There are no previews." if oldest is None else "There are no previews that old.")
    others = sum(each.known is None for each in shown)
    if options.delete and oldest is None and others:
        shell.log(
            f"{count(others, 'preview')} not recorded by this store: another store's session may use them. To delete old ones"
            " anyway: planner agents previews --delete --older-than 24h"
        )
    return 4 if left else 0


async def _listed(own: Previews) -> list[_Listed]:
    """The service's agents with a preview's name, by id."""
    client: AgentProvider = own.client
    agents: Sequence[ListedAgent] = await client.agents()
    now = own.shell.clock.now() + timedelta(seconds=client.clock_offset_seconds)
    known = {preview.copy_id: preview for preview in own.open()}
    found: list[_Listed] = []
    for agent in sorted(agents, key=lambda each: each.id):
        if agent.name.startswith(NAME_PREFIX):
            age_seconds = None if agent.created_at is None else (now - aware(agent.created_at)).total_seconds()
            preview = known.get(agent.id)
            found.append(_Listed(agent, age_seconds, preview, preview is not None and own.is_in_use(preview)))
    return found


async def _delete(own: Previews, each: _Listed) -> bool:
    if each.known is not None:
        return await own.try_delete(each.known)
    try:
        await own.client.delete_agent(each.agent.id)
    except PlannerError as error:
        own.shell.log(f"warning: agent {each.agent.id} could not be deleted: {error}")
        return False
    return True


def _owner(each: _Listed) -> str:
    if each.known is None:
        return "not recorded by this store"
    use = "in use" if each.in_use else "not in use"
    return f"copy of agent {each.known.agent_id}, {use}, made by session {each.known.invocation_id}"


def _line(each: _Listed, *, deleted: bool) -> str:
    age = "unknown age" if each.age_seconds is None else f"{duration(each.age_seconds)} old"
    done = "deleted" if deleted else "kept"
    return f"agent {each.agent.id}  {each.agent.name}  {age}  {done}  ({_owner(each)})"


def _document(each: _Listed, *, deleted: bool) -> dict[str, object]:
    known = each.known
    return {
        "agent_id": each.agent.id,
        "name": each.agent.name,
        "age_seconds": each.age_seconds,
        "source_agent_id": known.agent_id if known else None,
        "invocation_id": known.invocation_id if known else None,
        "in_use": each.in_use,
        "deleted": deleted,
    }
