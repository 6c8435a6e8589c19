"""`planner agent pull`: write an agent's file from the deployed agent. `planner agent previews`: list the copies of
agents that planner made, or delete leftovers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

import anyio
from ruamel.yaml.error import YAMLError

from planner.agents.recorded import record_agents, stored_versions
from planner.calls.model import now_of
from planner.calls.previews import Previews
from planner.changes.configuration import Configurations, agree, configuration_digest, differences, effective_target
from planner.ci.git import Git
from planner.ci.policy import policy_source
from planner.clock import age_of, aware
from planner.diagnostics import Diagnostics, Span
from planner.errors import NotFoundError, PlanInvalidError, PlannerError, UsageError
from planner.interruption import interruptible
from planner.log.facts import PREVIEW_PREFIX, Preview
from planner.planfile.agent_files import PROMPT_FILE, AgentFileReader, with_fields
from planner.planfile.files import Neighbours, display_name
from planner.planfile.model import AgentFile, Target
from planner.planfile.reporter import Reporter
from planner.providers.base import VARIANTS, AgentState, ListedAgent
from planner.quantities import count, duration
from planner.reports.neutral import for_terminal, json_document
from planner.secret_values import find_secrets
from planner.session.run_session import terms_of, tools_of
from planner.shell import Shell
from planner.values import frozen
from planner.workspace.selection import Selection, did_you_mean, load_current_project, read_files
from planner.workspace.service import open_client, unknown_target
from planner.workspace.stores import OpenedStore, locked, opened_log, place_of

FOLDER: Final = "agents"
_COMPUTED: Final = ("_digest", "_warnings", "_reason")
"""Ends of the names of fields that services compute."""


def pull(shell: Shell, selection: Selection, *, alias: str, overwrite: bool) -> int:
    """Write the agent's file from the deployed agent; return 0. Raises `UsageError` if there is no such target, or,
    without `overwrite`, if the file has changes that were never recorded."""
    source = policy_source(shell, selection.base, selection.paths)
    files = read_files(shell, selection.paths, selection.environment, source, read_agents=False)
    if files.diagnostics.has_errors:
        raise PlanInvalidError("the plans are not valid", files.diagnostics)
    targets = {case.target: None for plan in files.plans for case in plan.cases}
    target = _named(alias, list(targets))
    path = target.config.path if target.config is not None else source.root / FOLDER / f"{target.alias}.yaml"
    place = place_of(shell, source.root, selection, files.project)
    deployed = anyio.run(_read, shell, place, selection, target)
    own = _own_file(shell, path)
    if own is not None and not overwrite:
        _check_overwritable(shell, place, target, own, deployed)
    fields, left_out = _fields(deployed, own)
    changed = _write(path, own, fields)
    written = _own_file(shell, path)
    if written is not None:
        agent = effective_target(target.alias, target.id, written, deployed)
        record_agents(place, files.project, [agent], Configurations())
    name = display_name(path, shell.cwd)
    shell.print(for_terminal(f"{name}: {', '.join(changed)} written" if changed else f"{name}: nothing changed"))
    for field in left_out:
        shell.log(f"`{field}` is omitted: it looks like a secret. The service keeps its value.")
    if target.config is None:
        shell.log(f"To use the file, set `config` of the target `{target.alias}` to its path, relative to the plan.")
    return 0


def _named(alias: str, targets: list[Target]) -> Target:
    found = [target for target in targets if target.alias == alias]
    if not found:
        hint = did_you_mean(alias, [target.alias for target in targets])
        raise UsageError(f"no plan calls a target {alias!r}", hint or "Name an alias of the plans' targets.")
    if len({(target.kind, target.id, target.config) for target in found}) > 1:
        raise UsageError(f"plans define {alias!r} differently", "Add the path of one plan after the target.")
    if found[0].kind != "agent":
        raise UsageError(
            f"{alias!r} is a phone number, which has no file", "Name a target with the `agent` that the number reaches."
        )
    return found[0]


async def _read(shell: Shell, place: OpenedStore, selection: Selection, target: Target) -> AgentState:
    if selection.sandbox:
        place.make()
    async with interruptible(), open_client(shell, place, selection) as client:
        try:
            return await client.agent(target.id)
        except NotFoundError as error:
            what = f"agent {target.id} (target {target.alias!r})"
            raise unknown_target(what, error, place) from error


def _own_file(shell: Shell, path: Path) -> AgentFile | None:
    """The file as it is; None if there is none. Raises `PlanInvalidError`."""
    if not path.exists():
        return None
    diagnostics = Diagnostics()
    reader = AgentFileReader(Reporter(diagnostics), Neighbours(shell.cwd))
    file = reader.read(path, path.name, Span(display_name(path, shell.cwd), 1, 1, 1, 1))
    if file is None:
        raise PlanInvalidError("the agent's file is not valid: correct or remove it first", diagnostics)
    return file


def _check_overwritable(
    shell: Shell, place: OpenedStore, target: Target, file: AgentFile, deployed: AgentState
) -> None:
    """Raises `UsageError` if the file differs from what is deployed, and is not committed or recorded."""
    shown = {name: value for name, value in deployed.configuration.items() if name in file.fields}
    changes = differences(shown, file.fields)
    recorded = {configuration_digest(each.fields) for each in stored_versions(place, [target.id]).get(target.id, ())}
    if not changes:
        return
    uncommitted = any(_is_uncommitted(shell, path) for path in (file.path, file.prompt_path) if path is not None)
    if uncommitted or configuration_digest(file.fields) not in recorded:
        names = ", ".join(change.name for change in changes)
        raise UsageError(
            f"{file.file} has changes that are not deployed, and not {'committed' if uncommitted else 'recorded'}: "
            f"{names}",
            "Commit them, then overwrite the file with --overwrite. Or keep them, and test them with `planner run`.",
        )


def _is_uncommitted(shell: Shell, path: Path) -> bool:
    """Whether git says so; False outside of a repository."""
    try:
        answer = Git(path.parent, shell.environ)("status", "--porcelain", "--untracked-files=all", "--", path.name)
    except UsageError:  # without git
        return False
    return answer.code == 0 and bool(answer.out.strip())


def _fields(deployed: AgentState, own: AgentFile | None) -> tuple[dict[str, Any], list[str]]:
    """The fields to write: those of the file that differ, or of a new file all; and those that look like secrets."""
    shown = deployed.configuration
    if own is not None:
        found = {
            name: shown[name] for name, value in own.fields.items() if name in shown and not agree(shown[name], value)
        }
    else:
        empty: tuple[Any, ...] = (None, "", [], {})
        found = {
            name: shown[name]
            for name in shown
            if shown[name] not in empty and name != VARIANTS and not name.endswith(_COMPUTED)
        }
    secrets = [name for name, value in found.items() if any(find_secrets({name: value}))]
    return {name: value for name, value in found.items() if name not in secrets}, secrets


def _write(path: Path, own: AgentFile | None, fields: Mapping[str, Any]) -> list[str]:
    written = dict(fields)
    if own is not None and own.prompt_path is not None and "prompt" in written:
        _replace(own.prompt_path, f"{str(written.pop('prompt')).rstrip()}\n")
    if written or own is None:
        text = path.read_text("utf-8-sig") if own is not None else ""
        try:
            _replace(path, with_fields(text, written))
        except YAMLError as error:
            raise UsageError(f"{path.name} cannot be edited: it is not valid YAML", "Correct or remove it.") from error
    return [f"{name} ({PROMPT_FILE})" if name not in written else name for name in fields]


def _replace(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8", newline="\n")
        os.replace(new, path)  # noqa: PTH105 - also on Windows
    except OSError as error:
        raise UsageError(
            f"{path.name} cannot be written: {error.strerror}", "Fix the permissions of its folder."
        ) from error


# Previews


@frozen
class _Listed:
    agent: ListedAgent
    age_seconds: float | None
    """None where the service does not say."""
    known: Preview | None
    """What this store records of it."""
    in_use: bool


def previews(
    shell: Shell, selection: Selection, *, delete: bool, older_than: str | None, output_format: Literal["text", "json"]
) -> int:
    """List or delete previews; return 4 if one could not be deleted, otherwise 0. With `older_than`, an age as typed,
    also copies that this store does not record are deleted. Raises
    `UsageError`, and the errors of the stores and the service."""
    oldest = None
    if older_than is not None and (oldest := age_of(older_than)) is None:
        raise UsageError(f"--older-than {older_than} is not an age", "Write it as 24h, 14d or 6w.")
    root, project = load_current_project(shell, selection.base)
    place = place_of(shell, root, selection, project)
    with (
        locked(shell, place, "planner agent previews"),
        opened_log(shell, place) as log,
    ):

        async def work() -> int:
            async with open_client(shell, place, selection) as client:
                terms = terms_of("none", log.account, project)
                own = Previews(client, log, tools_of(shell, place), terms)
                return await _previews(shell, own, oldest, delete=delete, as_text=output_format == "text")

        return anyio.run(work)


async def _previews(shell: Shell, own: Previews, oldest: timedelta | None, *, delete: bool, as_text: bool) -> int:
    await own.find_lost()
    shown = await _listed(own)
    if oldest is not None:
        shown = [each for each in shown if each.age_seconds is not None and each.age_seconds >= oldest.total_seconds()]
    left, documents = 0, list[dict[str, Any]]()
    for each in shown:
        deleted = delete and not each.in_use and (each.known is not None or oldest is not None)
        if deleted:
            deleted = await _delete_preview(own, each)
            left += not deleted
        if as_text:
            shell.print(_line(each, deleted=deleted))
        else:
            documents.append(_document(each, deleted=deleted))
    if not as_text:
        shell.print(json_document({"previews": documents}, exit_code=4 if left else 0))
    if as_text and not shown:
        shell.print("There are no previews." if oldest is None else "There are no previews that old.")
    others = sum(each.known is None for each in shown)
    if delete and oldest is None and others:
        shell.log(
            f"{count(others, 'preview')} not recorded by this store: another store's session may use them. To delete "
            "old ones anyway: planner agent previews --delete --older-than 24h"
        )
    return 4 if left else 0


async def _listed(own: Previews) -> list[_Listed]:
    """The service's agents with a preview's name, by id."""
    agents: Sequence[ListedAgent] = await own.provider.agents()
    now = now_of(own.provider, own.tools.clock).server
    known = {preview.copy_id: preview for preview in own.open()}
    found: list[_Listed] = []
    for agent in sorted(agents, key=lambda each: each.id):
        if agent.name.startswith(PREVIEW_PREFIX):
            age_seconds = None if agent.created_at is None else (now - aware(agent.created_at)).total_seconds()
            preview = known.get(agent.id)
            in_use = preview is not None and own.is_in_use(preview)
            found.append(_Listed(agent, age_seconds, preview, in_use))
    return found


async def _delete_preview(own: Previews, each: _Listed) -> bool:
    if each.known is not None:
        return await own.try_delete(each.known)
    try:
        await own.provider.delete_agent(each.agent.id)
    except PlannerError as error:
        own.tools.log(f"warning: agent {each.agent.id} could not be deleted: {error}")
        return False
    return True


def _owner(each: _Listed) -> str:
    if each.known is None:
        return "not recorded by this store"
    use = "in use" if each.in_use else "not in use"
    return f"copy of agent {each.known.agent_id}, {use}, made by session {each.known.session_id}"


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
        "session_id": known.session_id if known else None,
        "in_use": each.in_use,
        "deleted": deleted,
    }
