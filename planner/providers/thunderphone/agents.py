"""The agents behind targets, and a revision over every field that can affect a call."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pydantic_core
import rfc8785

from planner.errors import NotFoundError
from planner.providers.base import Target, TargetState, UnknownTargetError
from planner.providers.thunderphone.wire import WirePhoneNumber

if TYPE_CHECKING:
    from planner.providers.thunderphone.client import ApiClient

_VOLATILE = ("_at", "_count")
"""Suffixes of fields that change without an edit."""


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
                    agents[agent_id] = await client.agent(agent_id), await client.agent_variants(agent_id)
        except NotFoundError as error:
            raise UnknownTargetError(target, str(error), error.hint) from error
        states[target] = _state([agents[agent_id] for agent_id in ids])
    return states


def _agents_behind(number: WirePhoneNumber, directions: AbstractSet[str]) -> list[int]:
    """Outbound calls of the bot reach the number's inbound agent; inbound calls come from its outbound agent."""
    behind = {"outbound": number.inbound_agent_id, "inbound": number.outbound_agent_id}
    return [agent_id for direction in sorted(directions) if (agent_id := behind.get(direction)) is not None]


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
