"""Records of deployments: who put which configuration of an agent into production, when, and on what grounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from planner import __version__
from planner.agents.recorded import record_deployment, world_store
from planner.changes.configuration import EffectiveTarget
from planner.planfile.model import Project
from planner.results.documents import document_bytes
from planner.results.outcomes import CheckState
from planner.stores.store import segment_for
from planner.workspace.stores import OpenedStore


class DeployedCase(BaseModel):
    """What was known of a case when its agent was deployed."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    case_id: str
    runs_passed: int
    runs_counted: int
    call_ids: tuple[int, ...] = ()


class Deployment(BaseModel):
    """`deployments/<environment>/<agent>/<time>.json`. It is written before the agent, and again with the result."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    schema_version: str = "1.0"
    tool_version: str = __version__
    target: str
    agent_id: int
    file: str
    configuration: str
    """The digest of what is deployed now."""
    fields: tuple[str, ...]
    """The fields that were changed."""
    by: str
    at: AwareDatetime
    check: CheckState
    """Whether the configuration was proven."""
    cases: tuple[DeployedCase, ...] = ()
    """Those that call the agent."""
    forced: str | None = None
    """Why it was deployed although it was not proven."""
    lost: tuple[str, ...] = ()
    """The fields that somebody had edited at the service."""
    state: Literal["intended", "deployed", "failed"] = "intended"
    detail: str = ""
    """Why it failed."""


def save_deployment(place: OpenedStore, deployment: Deployment) -> None:
    """Raises `StoreError`."""
    key = f"{_folder(place, deployment.agent_id)}{deployment.at:%Y%m%dT%H%M%S%fZ}.json"
    world_store(place).update(lambda _: {key: document_bytes(deployment)})


def deployments(place: OpenedStore, agent_id: int) -> list[Deployment]:
    """Those of an agent, newest first. Raises `StoreError`."""
    return sorted(_stored(place, agent_id), key=lambda each: each.at, reverse=True)


def settle_deployments(place: OpenedStore, project: Project, target: EffectiveTarget) -> None:
    """The agent matches its file: write the result of the newest deployment if it was killed and is of this
    configuration. Raises `StoreError`."""
    newest = next(iter(deployments(place, target.agent_id)), None)
    if newest is not None and newest.state == "intended" and newest.configuration == target.digest:
        save_deployment(place, newest.model_copy(update={"state": "deployed"}))
        record_deployment(place, project, target, is_done=True)


def _stored(place: OpenedStore, agent_id: int) -> Iterator[Deployment]:
    store = world_store(place)
    for key in list(store.keys(_folder(place, agent_id))):
        try:
            yield Deployment.model_validate_json(store.get(key) or b"")
        except ValidationError:  # damaged: it decides nothing
            continue


def _folder(place: OpenedStore, agent_id: int) -> str:
    return f"deployments/{segment_for(place.environment)}/{agent_id}/"
