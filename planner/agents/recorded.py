"""Stored data about agents: configurations that were called, versions of their files, and the record of 'planner
record'."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import cache, partial
from itertools import islice
from typing import Any, Final, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from planner.agents.tool_addresses import check_test_tools
from planner.changes.configuration import (
    Configuration,
    Configurations,
    EffectiveTarget,
    Version,
    configuration_digest,
    effective_target,
    has_fields,
    redacted,
    with_versions,
)
from planner.changes.detail import revision_digest
from planner.changes.fingerprint import call_fingerprint, case_inputs
from planner.clock import aware
from planner.errors import StoreError
from planner.evidence import Evidence
from planner.planfile.model import AgentFile, Case, Project
from planner.planfile.model import Target as PlanTarget
from planner.providers.base import AgentState, Balance, Target, TargetState
from planner.records.log import Records
from planner.reports.redaction import redact_value
from planner.results.model import CaseResult
from planner.results.repository import ResultsRepository, configuration_key, versions_key
from planner.shell import Shell, redactor_of
from planner.stores.directory import DirectoryStore
from planner.stores.store import Change, Reader, Store, segment_for
from planner.workspace.earlier_results import project_name
from planner.workspace.stores import OpenedStore, Workspace

_KEPT_VERSIONS: Final = 50
_SESSIONS_WITH_OTHER_CASES: Final = 20
Versions = Mapping[int, Sequence[Version]]
"""The recorded versions of each agent's file, oldest first, by agent."""


class _Versions(BaseModel):
    """`versions/<environment>/<agent>.json`: what was recorded of the agent's file, oldest version first."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    schema_version: str = "1.0"
    versions: list[Version] = []


def effective_targets(
    cases: Iterable[Case], targets: Mapping[Target, TargetState], versions: Versions | None = None
) -> tuple[EffectiveTarget, ...]:
    """One per agent and file, in the order of the cases. `targets` has only the agents that were read."""
    found: dict[tuple[int, AgentFile], EffectiveTarget] = {}
    for case in cases:
        target = case.target
        if target.config is None or (target.id, target.config) in found:
            continue
        state = targets.get((target.kind, target.id))
        deployed = state.agent if state is not None else None
        effective = effective_target(target.alias, target.id, target.config, deployed)
        found[target.id, target.config] = with_versions(effective, (versions or {}).get(target.id, ()))
    return tuple(found.values())


def agents_of(
    place: OpenedStore, cases: Sequence[Case], targets: Mapping[Target, TargetState]
) -> tuple[tuple[EffectiveTarget, ...], Configurations]:
    """The agents with a file, and the configurations of all that are called. Raises `UsageError`: an agent lacks a test
    tool."""
    with_file = {case.target.id: None for case in cases if case.target.config is not None}
    agents = effective_targets(cases, targets, stored_versions(place, with_file))
    check_test_tools(agents)
    effective_of = {(each.agent_id, each.file): each for each in agents}
    called: dict[PlanTarget, Configuration] = {}
    previews: set[PlanTarget] = set()
    for target in {case.target: None for case in cases}:
        state = targets.get((target.kind, target.id))
        effective = effective_of.get((target.id, target.config)) if target.config is not None else None
        if effective is not None and effective.configuration is not None:
            called[target] = effective.configuration
            if effective.needs_preview:
                previews.add(target)
        elif state is not None and state.agent is not None:
            called[target] = state.agent.configuration
    stored = cache(partial(stored_configuration, place.repository))
    return agents, Configurations(called, frozenset(previews), stored)


def stored_versions(place: OpenedStore, agent_ids: Iterable[int]) -> Versions:
    """The recorded versions of the files of these agents."""
    stores: list[Reader] = [DirectoryStore(place.directory)]
    if place.shared is not None:
        stores.insert(0, place.shared.store)
    found: dict[int, Sequence[Version]] = {}
    for agent_id in agent_ids:
        key = versions_key(place.environment, agent_id)
        found[agent_id] = next((versions for store in stores if (versions := _versions(store.get(key)))), ())
    return found


def record_agents(
    place: OpenedStore,
    project: Project,
    agents: Sequence[EffectiveTarget],
    called: Configurations,
    *,
    at_once: bool = True,
) -> None:
    """Store the configurations that are called and, outside of pull requests, the versions of the files. If not
    `at_once`, a shared store gets them with the results. Raises `StoreError`."""
    configurations = {configuration_digest(each): each for each in called.called.values()}
    if not configurations and not agents:
        return
    place.make()
    place.repository.save_configurations({digest: configuration_bytes(each) for digest, each in configurations.items()})
    own = () if place.namespace else agents
    recording = _recording(place.environment, {}, [(each, each.file.fields) for each in own])
    DirectoryStore(place.directory).update(recording)
    if place.shared is not None:
        shown = {
            configuration_key(digest): configuration_bytes(shown_configuration(each, project))
            for digest, each in configurations.items()
        }
        versions = [(each, shown_configuration(each.file.fields, project)) for each in own]
        share = place.shared.store.update if at_once else place.shared.repository.share_later
        share(_recording(place.environment, shown, versions))


def record_deployment(place: OpenedStore, project: Project, target: EffectiveTarget, *, is_done: bool) -> None:
    """Store that the target's file is about to be deployed, or (`is_done`) that it was. Raises `StoreError`."""
    key = versions_key(place.environment, target.agent_id)

    def marked(fields: Configuration) -> Change:
        def change(now: Reader) -> dict[str, bytes]:
            versions = [*_versions(now.get(key))]
            if not versions or configuration_digest(versions[-1].fields) != configuration_digest(fields):
                versions.append(Version(fields))
            versions[-1] = replace(
                versions[-1], was_deployed=is_done or versions[-1].was_deployed, is_intended=not is_done
            )
            return {key: _Versions(versions=versions[-_KEPT_VERSIONS:]).model_dump_json().encode()}

        return change

    place.make()
    DirectoryStore(place.directory).update(marked(target.file.fields))
    if place.shared is not None:
        place.shared.store.update(marked(shown_configuration(target.file.fields, project)))


def shown_configuration(configuration: Configuration, project: Project) -> dict[str, Any]:
    """The configuration as a shared store holds it: redacted."""
    redactor = redactor_of(project)
    return {name: redacted(value, redact_value(value, redactor)) for name, value in configuration.items()}


def shown_agent(agent: AgentState, project: Project) -> AgentState:
    """The agent as a shared store holds it: redacted."""
    configuration, draft = (shown_configuration(each, project) for each in (agent.configuration, agent.draft))
    return replace(agent, configuration=configuration, draft=draft)


def agent_warnings(agents: Iterable[EffectiveTarget]) -> Iterator[str]:
    """Warnings about agents whose calls prove less than they seem to."""
    files: dict[int, list[str]] = {}
    for agent in agents:
        files.setdefault(agent.agent_id, []).append(agent.file.file)
        if agent.deployed is not None and agent.deployed.variants > 1:
            number = agent.deployed.variants
            yield (
                f"target `{agent.alias}`: {number} variants answer calls to agent {agent.agent_id} (split testing);"
                f" {agent.file.file} describes none of them"
            )
        for name in agent.unshown:
            yield (
                f"target `{agent.alias}`: the service does not show `{name}` of agent {agent.agent_id}, so planner "
                f"cannot see whether it is deployed; check its name in {agent.file.file}"
            )
    for agent_id, names in files.items():
        if len(names) > 1:
            yield f"agent {agent_id} has {len(names)} files, and only one can be deployed: {', '.join(names)}"


def _recording(
    environment: str, new: Mapping[str, bytes], files: Sequence[tuple[EffectiveTarget, Configuration]]
) -> Change:
    """Writes what the store does not have. `files` are agents and the fields to store."""

    def change(now: Reader) -> dict[str, bytes]:
        writes = {key: data for key, data in new.items() if not now.has(key)}
        for agent, fields in files:
            key = versions_key(environment, agent.agent_id)
            before = _versions(now.get(key))
            versions = [*before]
            if not versions or configuration_digest(versions[-1].fields) != configuration_digest(fields):
                versions.append(Version(fields))
            if (deployed := agent.deployed) is not None:
                versions = [
                    replace(each, was_deployed=True) if has_fields(deployed.configuration, each.fields) else each
                    for each in versions
                ]
            if versions != [*before]:
                writes[key] = _Versions(versions=versions[-_KEPT_VERSIONS:]).model_dump_json().encode()
        return writes

    return change


def configuration_bytes(configuration: Configuration) -> bytes:
    """The configuration as it is stored."""
    return json.dumps(dict(configuration), ensure_ascii=False, separators=(",", ":")).encode()


def _versions(data: bytes | None) -> Sequence[Version]:
    """Damaged records are ignored: they decide nothing that costs money."""
    try:
        return _Versions.model_validate_json(data).versions if data is not None else ()
    except ValidationError:
        return ()


def stored_configuration(repository: ResultsRepository, digest: str) -> Configuration | None:
    """The stored configuration with this digest; None if there is none, or it is damaged."""
    data = repository.load_configuration(digest)
    try:
        found: Any = json.loads(data) if data is not None else None
    except ValueError:
        return None
    return found if isinstance(found, dict) and configuration_digest(found) == digest else None  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


_MAJOR: Final = "1."


# The record of `planner ci record`


class RecordedTarget(BaseModel):
    """`revision` and `drafts` are as in `TargetState`."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    kind: Literal["agent", "phone_number"]
    id: int
    revision: str | None
    product: str | None
    drafts: tuple[int, ...] = ()
    agent: AgentState | None = None
    """Its strings are redacted in a shared store."""


class RecordedWorld(BaseModel):
    """`world/<environment>.json` of a store; of a project below the top, or with a name, in a folder of its own."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    schema_version: str = "1.0"
    recorded_at: AwareDatetime
    service: str
    """Its address: another service may use the same ids."""
    targets: tuple[RecordedTarget, ...]
    balance: Balance | None = None

    @property
    def states(self) -> dict[Target, TargetState]:
        return {
            (each.kind, each.id): TargetState(each.revision, each.product, each.drafts, self.recorded_at, each.agent)
            for each in self.targets
        }


def world_key(work: Workspace) -> str:
    project = project_name(work)
    folder = f"{segment_for(project)}/" if project else ""
    return f"world/{folder}{segment_for(work.place.environment)}.json"


def world_store(place: OpenedStore) -> Store:
    return place.shared.store if place.shared is not None else DirectoryStore(place.directory)


def recorded_world(
    targets: Mapping[Target, TargetState],
    balance: Balance | None,
    service: str,
    now: datetime,
    project: Project | None,
) -> RecordedWorld:
    """`project`: whose strings are redacted; None: nothing is."""
    return RecordedWorld(
        recorded_at=now,
        service=service,
        targets=tuple(
            RecordedTarget(
                kind="agent" if kind == "agent" else "phone_number",
                id=target_id,
                revision=state.revision,
                product=state.product,
                drafts=state.drafts,
                agent=state.agent if state.agent is None or project is None else shown_agent(state.agent, project),
            )
            for (kind, target_id), state in targets.items()
        ),
        balance=balance,
    )


def load_worlds(work: Workspace, service: str) -> list[RecordedWorld]:
    """What jobs with the key read of this service, newest first: of the default branch, and those that made calls for
    this pull request. A damaged record, or one of a newer version, is named and ignored."""
    place, key = work.place, world_key(work)
    whole: Store = DirectoryStore(place.directory) if place.shared is None else place.shared.whole
    found = [
        world
        for name in dict.fromkeys((place.namespace + key, key))
        if (data := whole.get(name)) is not None and (world := _world(work.shell, data)) is not None
    ]
    of_service = [world for world in found if world.service == service]
    return sorted(of_service, key=lambda world: world.recorded_at, reverse=True)


def _world(shell: Shell, data: bytes) -> RecordedWorld | None:
    try:
        found = RecordedWorld.model_validate_json(data)
    except ValidationError:
        found = None
    if found is None or not found.schema_version.startswith(_MAJOR):
        shell.log("the stored record of agents and balance cannot be read and is ignored: run planner ci record again")
        return None
    return found


Seen: TypeAlias = tuple[Target, str | None, datetime | None]
"""An agent or number as a stored call reached it: its revision, and when the call ended."""


def agents_seen(records: Records, cases: Iterable[Case]) -> Iterator[Seen]:
    """The agents and numbers as stored calls of today's cases reached them."""
    targets = {call_fingerprint(case_inputs(case, None)): case.target for case in cases}
    records.prepare(targets)
    for fingerprint, target in targets.items():
        for call in records.calls(fingerprint):
            yield (target.kind, target.id), call.call.agent_revision, call.data.completed_at


def without_outdated(targets: Mapping[Target, TargetState], seen: Iterable[Seen]) -> dict[Target, TargetState]:
    """The states without revisions and configurations that are out of date: a later call saw another revision."""
    outdated = set(_outdated(targets, seen))
    return {
        key: replace(state, revision=None, agent=None) if key in outdated else state for key, state in targets.items()
    }


def _outdated(targets: Mapping[Target, TargetState], seen: Iterable[Seen]) -> Iterator[Target]:
    for key, revision, ended_at in seen:
        state = targets.get(key)
        recorded_at: datetime | None = state.recorded_at if state is not None else None
        if state is None or recorded_at is None or revision is None or ended_at is None:
            continue
        is_other = state.revision is None or revision_digest(state.revision) != revision_digest(revision)
        if aware(ended_at) > recorded_at and is_other:
            yield key


def calls_of(
    records: Records,
    cases: Iterable[Case],
    repository: ResultsRepository,
    target: Target,
    results: Iterable[CaseResult] = (),
) -> Iterator[Evidence]:
    """The calls of a target: in these results, of today's cases, then of newest sessions; each the newest first."""
    known = (case for case in results if (case.inputs.target_kind, case.inputs.target_id) == target)
    yield from _loaded((run.evidence for case in known for run in case.all_runs), repository)
    inputs = (case_inputs(case, None) for case in cases if (case.target.kind, case.target.id) == target)
    today = {call_fingerprint(each) for each in inputs}
    heads = islice(records.heads(), _SESSIONS_WITH_OTHER_CASES)
    stored = ((case.call_fingerprint, case.inputs) for head in heads for case in head.cases)
    others = (each for each, of in stored if (of.target_kind, of.target_id) == target and each not in today)
    for each in (today, others):
        fingerprints = dict.fromkeys(each)
        records.prepare(fingerprints)
        calls = [call for each in fingerprints for call in records.calls(each)]
        newest_first = sorted(calls, key=lambda call: call.order, reverse=True)
        yield from _loaded((call.data.evidence for call in newest_first), repository)


def _loaded(digests: Iterable[str | None], repository: ResultsRepository) -> Iterator[Evidence]:
    for digest in digests:
        with suppress(StoreError):  # damaged: named where it is judged
            found = repository.load_evidence(digest) if digest is not None else None
            if found is not None:
                yield found
