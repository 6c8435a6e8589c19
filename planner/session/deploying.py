"""Applies an agent's file to the deployed agent: exactly the changes that were shown, and only if nobody changed the agent
since.

The fields are first written as a draft, which no call reaches. The draft is deployed only if it holds exactly the
changes that were shown. Both writes can be repeated, so a lost answer is settled by reading the agent again.
"""

from collections.abc import Awaitable, Mapping
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict

from planner.changes.configuration import FieldChange, agree, differences
from planner.changes.effective import EffectiveTarget
from planner.errors import CredentialError, IncompleteError, NotFoundError, PlannerError, RefusedError, UsageError
from planner.providers.base import AgentProvider, AgentState
from planner.quantities import some
from planner.results.outcomes import State
from planner.results.repository import document_bytes
from planner.results.store import segment_for
from planner.session.recorded import world_store
from planner.session.stores import Place

_AGAIN: Final = "Run the same command again: it shows the agent as it is now."


class Deployment(BaseModel):
    """`deployments/<environment>/<agent>/<time>.json`: who put which configuration into production, and on what grounds."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    schema_version: str = "1.0"
    target: str
    agent_id: int
    file: str
    configuration: str
    """The digest of what is deployed now."""
    fields: tuple[str, ...]
    """The fields that were changed."""
    by: str
    at: AwareDatetime
    check: State
    """Whether the configuration was proven."""
    forced: str | None = None
    """Why it was deployed although it was not proven."""


def save_deployment(place: Place, deployment: Deployment) -> None:
    """Raises `StoreError`."""
    folder = f"deployments/{segment_for(place.environment)}/{deployment.agent_id}/"
    key = f"{folder}{deployment.at:%Y%m%dT%H%M%S%fZ}.json"
    world_store(place).update(lambda _: {key: document_bytes(deployment)})


def check_draft(target: EffectiveTarget, agent: AgentState) -> None:
    """Raises `RefusedError` if deploying would also deploy what somebody else left in the draft."""
    foreign = _unlike(agent.draft, target.preview_fields)
    if not foreign and agent.is_drafted and not agent.draft:
        foreign = ["fields that the service does not show"]
    if foreign:
        raise RefusedError(
            f"agent {agent.id} has an undeployed draft with {some(foreign, 5)}, and deploying would put it into production",
            f"Deploy or discard that draft at the service, or write it into {target.file.file}; then run this again.",
        )


def check_shown(target: EffectiveTarget, agent: AgentState) -> None:
    """Raises `UsageError` if the service does not show a field: it would stay unclear whether it is deployed."""
    known = agent.configuration.keys() | agent.draft.keys()
    if unshown := [f"`{name}`" for name in target.preview_fields if name not in known]:
        raise UsageError(
            f"the service does not show {some(unshown, 5)} of agent {agent.id}, so nobody can check whether it is deployed",
            f"Check the name, or remove the field from {target.file.file}.",
        )


def _unlike(fields: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    """The fields that are missing or different in `others`."""
    return [f"`{name}`" for name, value in fields.items() if name not in others or not agree(value, others[name])]


async def deploy_file(provider: AgentProvider, target: EffectiveTarget) -> AgentState:
    """Deploy the changes of `target`, as they were shown; return the agent as it is then.

    Raises:
        UsageError: the service does not show a field.
        RefusedError: the draft holds more than the shown changes.
        IncompleteError: the agent was changed since, or the service did not do it; the message says what is in the draft.
    """
    fields = target.preview_fields
    before = await provider.agent(target.agent_id)
    _require_unchanged(target, before)
    check_shown(target, before)
    check_draft(target, before)
    lost: PlannerError | None = None
    if _unlike(fields, before.draft):  # a draft of ours may be left from an attempt that was interrupted
        lost = await _sent(provider.draft_agent(target.agent_id, fields))
    drafted = await provider.agent(target.agent_id)
    _require_unchanged(target, drafted, is_drafted=True)
    check_draft(target, drafted)
    if missing := _unlike(fields, drafted.draft):
        why = f": {lost}" if lost else ""
        raise IncompleteError(f"the service did not keep {some(missing, 5)} in the draft{why}", _AGAIN)
    try:
        lost = await _sent(provider.deploy_agent(target.agent_id, drafted.edited_at))
    except (CredentialError, NotFoundError):
        raise
    except (UsageError, RefusedError) as error:
        raise await _conflict(provider, target, error) from error
    after = await provider.agent(target.agent_id)
    if remaining := _unlike(fields, after.configuration):
        if lost is None:
            names = some(remaining, 5)
            raise IncompleteError(
                f"agent {after.id} was deployed, but the service shows other values of {names}", _AGAIN
            )
        raise IncompleteError(
            f"the answer was lost, and agent {after.id} is not deployed: {lost}", f"{_left(after)} {_AGAIN}"
        ) from lost
    return after


async def _sent(write: Awaitable[None]) -> PlannerError | None:
    """The error of a write whose answer was lost; reading the agent again shows whether it was carried out."""
    try:
        await write
    except IncompleteError as error:
        return error
    return None


def _require_unchanged(target: EffectiveTarget, now: AgentState, *, is_drafted: bool = False) -> None:
    """Raises `IncompleteError` if somebody changed what is deployed since it was shown. Our own draft may change
    the time of the last edit."""
    shown = target.deployed
    assert shown is not None, "deployed is known, as its changes were shown"
    changes = differences(shown.configuration, now.configuration)
    if changes or (not is_drafted and now.edited_at != shown.edited_at):
        raise IncompleteError(
            f"agent {now.id} was changed since it was read{_named(changes)}", f"{_left(now)} {_AGAIN}"
        )


async def _conflict(provider: AgentProvider, target: EffectiveTarget, error: PlannerError) -> IncompleteError:
    """The error for a refused deployment. It names what changed meanwhile and what the draft holds."""
    now = await provider.agent(target.agent_id)
    shown = target.deployed
    changes = differences(shown.configuration, now.configuration) if shown is not None else ()
    return IncompleteError(f"agent {now.id} was not deployed: {error}{_named(changes)}", f"{_left(now)} {_AGAIN}")


def _named(changes: tuple[FieldChange, ...]) -> str:
    return f": {some([f'`{change.name}`' for change in changes], 5)}" if changes else ""


def _left(agent: AgentState) -> str:
    if not agent.draft:
        return "There is no draft."
    return f"Its draft holds {some([f'`{name}`' for name in agent.draft], 8)}; calls do not use it."
