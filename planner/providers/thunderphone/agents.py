"""The agents behind targets, and a revision over every field that can affect a call."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

import pydantic_core
import rfc8785

from planner.errors import NotFoundError
from planner.providers.base import VARIANTS, AgentState, Target, TargetState, UnknownTargetError
from planner.providers.thunderphone.wire import WirePhoneNumber

if TYPE_CHECKING:
    from planner.providers.thunderphone.client import ApiClient

_VOLATILE = ("_at", "_count")
"""Suffixes of fields that change without an edit."""
_DRAFT = "draft_"
_IDENTITY = ("id", "name", "label", "has_draft")
"""Fields of an agent that do not affect a call."""


async def target_states(client: ApiClient, wanted: Mapping[Target, AbstractSet[str]]) -> dict[Target, TargetState]:
    """One read per phone number, and for each agent one of the agent and one of its variants."""
    agents: dict[int, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    """By id: the agent and its variants."""
    states: dict[Target, TargetState] = {}
    for target, directions in wanted.items():
        kind, target_id = target
        try:
            ids = [target_id]
            if kind != "agent":
                ids = _agents_behind(await client.phone_number(target_id), directions)
            for agent_id in ids:
                if agent_id not in agents:
                    agents[agent_id] = await client.agent_document(agent_id), await client.agent_variants(agent_id)
        except NotFoundError as error:
            raise UnknownTargetError(target, str(error), error.hint) from error
        agent = agent_state(target_id, *agents[target_id]) if kind == "agent" else None
        states[target] = replace(_state([agents[agent_id] for agent_id in ids]), agent=agent)
    return states


def _agents_behind(number: WirePhoneNumber, directions: AbstractSet[str]) -> list[int]:
    """Outbound calls of the bot reach the number's inbound agent; inbound calls come from its outbound agent."""
    behind = {"outbound": number.inbound_agent_id, "inbound": number.outbound_agent_id}
    return [agent_id for direction in sorted(directions) if (agent_id := behind.get(direction)) is not None]


def agent_state(agent_id: int, document: dict[str, Any], variants: list[dict[str, Any]]) -> AgentState:
    """The agent in the service's answers."""
    drafted = {
        name.removeprefix(_DRAFT): value
        for name, value in document.items()
        if name.startswith(_DRAFT) and not name.endswith(_VOLATILE) and value is not None
    }
    has_draft = document.get("has_draft") is True
    differing = {name: value for name, value in drafted.items() if value != document.get(name)}
    updated_at = document.get("updated_at")
    return AgentState(
        id=agent_id,
        name=str(document.get("name") or ""),
        edited_at=str(updated_at) if updated_at is not None else None,
        configuration=_configuration(document) | _split(variants),
        draft=pydantic_core.to_jsonable_python(differing) if has_draft else {},
        variants=sum(variant.get("weight") != 0 for variant in variants),
        is_drafted=has_draft,
    )


def _configuration(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _lasting(value)
        for name, value in document.items()
        if name not in _IDENTITY and not name.startswith(_DRAFT) and _is_lasting(name, value)
    }


def _split(variants: list[dict[str, Any]]) -> dict[str, Any]:
    """The variants as a field of the configuration; no file sets it."""
    own = sorted((_configuration(variant) for variant in variants), key=rfc8785.dumps)
    return {VARIANTS: own} if own else {}


def _lasting(value: Any) -> Any:
    """The value without times, counters and signed addresses at any depth."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: _lasting(item) for name, item in fields.items() if _is_lasting(name, item)}
    return [_lasting(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def _is_lasting(name: str, value: Any) -> bool:
    return not name.endswith(_VOLATILE) and not ("url" in name and isinstance(value, str) and "?" in value)


def _deciding(document: dict[str, Any]) -> Any:
    """The fields that can affect a call: not drafts, labels, counters, times or signed addresses."""
    return pydantic_core.to_jsonable_python(
        {
            name: value
            for name, value in document.items()
            if not name.startswith("draft_")
            and name not in ("has_draft", "name", "label")
            and "url" not in name
            and not name.endswith(_VOLATILE)
        }
    )


def _state(behind: list[tuple[dict[str, Any], list[dict[str, Any]]]]) -> TargetState:
    """A revision over every field of the agents and their variants that can affect a call."""
    if not behind:
        return TargetState(None, None)
    agents = [agent for agent, _ in behind]
    deciding: list[Any] = [_deciding(agent) for agent in agents]
    if any(variants for _, variants in behind):  # without variants, revisions stay as in older versions
        deciding.append([sorted(rfc8785.dumps(_deciding(each)).decode() for each in own) for _, own in behind])
    digest = sha256(rfc8785.dumps(deciding)).hexdigest()[:12]
    edited = max(str(agent.get("updated_at") or "unknown") for agent in agents)
    products = {agent.get("product") for agent in agents}
    product = products.pop() if len(products) == 1 else None
    drafts = [agent["id"] for agent in agents if agent.get("has_draft") is True and isinstance(agent.get("id"), int)]
    return TargetState(f"{edited} {digest}", product if isinstance(product, str) else None, tuple(drafts))
