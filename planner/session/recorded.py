"""What `planner record` stores about agents and balance, so that plans without a key know it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from planner.changes.detail import revision_digest
from planner.providers.base import AgentState, Balance, Target, TargetState
from planner.results.directory import DirectoryStore
from planner.results.documents import called_at
from planner.results.model import CaseResult
from planner.results.store import Store, segment_for
from planner.session.shell import Shell
from planner.session.stores import Place

_MAJOR: Final = "1."


class RecordedTarget(BaseModel):
    """`revision` and `drafts` are as in `TargetState`."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    kind: Literal["agent", "phone_number"]
    id: int
    revision: str | None
    product: str | None
    drafts: tuple[int, ...] = ()
    agent: AgentState | None = None
    """Its texts are redacted in a shared store."""


class RecordedWorld(BaseModel):
    """`world/<environment>.json` of a store."""

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


def world_key(environment: str) -> str:
    return f"world/{segment_for(environment)}.json"


def world_store(place: Place) -> Store:
    return place.shared.store if place.shared is not None else DirectoryStore(place.directory)


def load_world(shell: Shell, place: Place, service: str) -> RecordedWorld | None:
    """The record of this service; None if there is none. A damaged one, or one of a newer version, is named and ignored."""
    data = world_store(place).get(world_key(place.environment))
    if data is None:
        return None
    try:
        found = RecordedWorld.model_validate_json(data)
    except ValidationError:
        found = None
    if found is None or not found.schema_version.startswith(_MAJOR):
        shell.log("the stored record of agents and balance cannot be read and is ignored: run planner record again")
        return None
    return found if found.service == service else None


def current_revisions(targets: Mapping[Target, TargetState], stored: Iterable[CaseResult]) -> dict[Target, str | None]:
    """The revisions of the agents. A recorded one is unknown if a later call saw another."""
    outdated = set(_outdated(targets, stored))
    return {key: None if key in outdated else state.revision for key, state in targets.items()}


def without_outdated(
    targets: Mapping[Target, TargetState], revisions: Mapping[Target, str | None]
) -> dict[Target, TargetState]:
    """Without the configuration of agents whose recorded revision is outdated."""
    return {
        key: replace(state, agent=None) if state.revision is not None and revisions.get(key) is None else state
        for key, state in targets.items()
    }


def _outdated(targets: Mapping[Target, TargetState], stored: Iterable[CaseResult]) -> Iterator[Target]:
    for case in stored:
        key = case.inputs.target_kind, case.inputs.target_id
        state, seen = targets.get(key), case.inputs.agent_revision
        recorded_at: datetime | None = state.recorded_at if state is not None else None
        if state is None or recorded_at is None or seen is None or called_at(case) <= recorded_at:
            continue
        if state.revision is None or revision_digest(state.revision) != revision_digest(seen):
            yield key
