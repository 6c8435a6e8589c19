"""Agents: the ones behind targets with a revision over every field that can affect a call, and writes to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final, cast

import pydantic_core
from pydantic import TypeAdapter

from planner.canonical import canonical_json
from planner.errors import ConflictError, CredentialError, NotFoundError, RefusedError, UsageError
from planner.providers.base import MAX_PAGES, VARIANTS, AgentState, ListedAgent, Target, TargetState, UnknownTargetError
from planner.providers.thunderphone.answers import Decoder, decoder, rows_of
from planner.providers.thunderphone.connection import DEFERRED, OBJECT, UNLIMITED, ApiRequest, Connection
from planner.providers.thunderphone.wire import WireListedAgent, WirePhoneNumber
from planner.secret_values import hide_secrets, reveal_secrets

_VOLATILE = ("_at", "_count")
"""Suffixes of fields that change without an edit."""
_SIGNED = re.compile(r"[a-z]+://[^\s?]*\?(?:\S*&)?(?:[\w-]*(?:signature|expires)|sig|se)=", re.IGNORECASE)
"""An address whose signature is new in each answer."""
_DRAFT = "draft_"
_IDENTITY = ("id", "name", "label", "has_draft")
"""Fields of an agent that do not affect a call."""


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
        draft=differing if has_draft else {},
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
    own = sorted((_configuration(variant) for variant in variants), key=canonical_json)
    return {VARIANTS: own} if own else {}


def _lasting(value: Any) -> Any:
    """The value without times, counters and signed addresses at any depth."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: _lasting(item) for name, item in fields.items() if _is_lasting(name, item)}
    return [_lasting(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def _is_lasting(name: str, value: Any) -> bool:
    return not name.endswith(_VOLATILE) and not (isinstance(value, str) and _SIGNED.match(value))


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
    deciding.append([sorted(canonical_json(_deciding(each)).decode() for each in own) for _, own in behind])
    digest = sha256(canonical_json(deciding)).hexdigest()[:12]
    edited = max(str(agent.get("updated_at") or "unknown") for agent in agents)
    products = [agent.get("product") for agent in agents]
    product = products[0] if all(each == products[0] for each in products) else None
    drafts = [agent["id"] for agent in agents if agent.get("has_draft") is True and isinstance(agent.get("id"), int)]
    return TargetState(f"{edited} {digest}", product if isinstance(product, str) else None, tuple(drafts))


_AGENTS: Final = "/v1/agents"
_FULL: Final = ("limit", "maximum", "too many", "quota")
"""Words of a refusal because the organization may have no more agents."""


class AgentClient(Connection):
    """Each write is sent exactly once; the caller decides whether to repeat it."""

    async def target_states(self, wanted: Mapping[Target, AbstractSet[str]]) -> dict[Target, TargetState]:
        """One read per phone number, and for each agent one of the agent and one of its variants."""
        agents: dict[int, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
        """By id: the agent and its variants."""
        states: dict[Target, TargetState] = {}
        for target, directions in wanted.items():
            kind, target_id = target
            try:
                ids = [target_id]
                if kind != "agent":
                    number = await self._read(f"/v1/phone-numbers/{target_id}", _PHONE_NUMBER)
                    ids = _agents_behind(number, directions)
                for agent_id in ids:
                    if agent_id not in agents:
                        agents[agent_id] = await self._agent_and_variants(agent_id)
            except NotFoundError as error:
                raise UnknownTargetError(target, str(error), error.hint) from error
            behind = tuple(agent_state(agent_id, *agents[agent_id]) for agent_id in ids)
            agent = behind[0] if kind == "agent" else None
            states[target] = replace(_state([agents[agent_id] for agent_id in ids]), agent=agent, behind=behind)
        return states

    async def agent(self, agent_id: int) -> AgentState:
        return agent_state(agent_id, *await self._agent_and_variants(agent_id))

    async def _agent_and_variants(self, agent_id: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Without secrets. The variants are empty if the service has none or this key may not see them."""
        agent = hide_secrets(await self._read(f"{_AGENTS}/{agent_id}", OBJECT))
        try:
            document = await self._read(f"{_AGENTS}/{agent_id}/variants", _ANYTHING)
        except (NotFoundError, CredentialError):
            return agent, []
        listed: Any = document.get("results") if isinstance(document, dict) else document
        items = cast("list[object]", listed) if isinstance(listed, list) else []
        return agent, [hide_secrets(cast("dict[str, Any]", item)) for item in items if isinstance(item, dict)]

    async def agents(self) -> Sequence[ListedAgent]:
        found: dict[int, ListedAgent] = {}
        for _ in range(MAX_PAGES):
            query = {"offset": len(found)} if found else {}
            page = await self._read(_AGENTS, _ANYTHING, UNLIMITED, **query)
            document = page.get("results") if isinstance(page, dict) else page
            agents = rows_of(_ROW, document, f"GET {_AGENTS}", _listed_agent).rows
            new = {agent.id: agent for agent in agents if agent.id not in found}
            found |= new
            if isinstance(page, list) or not new or not _has_more(page, len(found)):
                break
        return list(found.values())

    async def duplicate_agent(self, agent_id: int, name: str, *, on_sending: Callable[[], None]) -> int:
        body = pydantic_core.to_json({"name": name})
        request = ApiRequest("POST", f"{_AGENTS}/{agent_id}/duplicate", body=body, on_sending=on_sending)
        try:
            with _conflicts():
                return (await self._exchange(request, _AGENT)).id
        except (ConflictError, NotFoundError):
            raise
        except (UsageError, RefusedError) as error:
            if any(word in str(error).lower() for word in _FULL):
                raise ConflictError(str(error)) from error
            raise

    async def draft_agent(self, agent_id: int, fields: Mapping[str, Any]) -> None:
        await self._change("PATCH", agent_id, "", fields)

    async def deploy_agent(self, agent_id: int, if_updated_at: str | None = None) -> None:
        await self._change(
            "POST", agent_id, "/deploy", {} if if_updated_at is None else {"if_updated_at": if_updated_at}
        )

    async def discard_draft(self, agent_id: int) -> None:
        await self._change("POST", agent_id, "/discard-draft", {})

    async def delete_agent(self, agent_id: int) -> None:
        await self._change("DELETE", agent_id, "", None)

    async def _change(self, method: str, agent_id: int, path: str, body: Mapping[str, Any] | None) -> None:
        content = None if body is None else pydantic_core.to_json(reveal_secrets(body))
        # Sent on a new connection, so that it is sent once.
        request = ApiRequest(method, f"{_AGENTS}/{agent_id}{path}", body=content, on_sending=lambda: None)
        with _conflicts():
            await self._exchange(request, None)


@contextmanager
def _conflicts() -> Generator[None]:
    try:
        yield
    except UsageError as error:
        if error.status != 409:
            raise
        raise ConflictError(str(error)) from error


def _has_more(page: Mapping[str, Any], seen: int) -> bool:
    total = page.get("total", page.get("count"))
    return bool(page.get("next")) or (isinstance(total, int) and total > seen)


def _listed_agent(agent: WireListedAgent, problem: str) -> ListedAgent | None:
    return None if problem else agent.plain()


_ANYTHING: Decoder[dict[str, Any] | list[Any]] = decoder(TypeAdapter(dict[str, Any] | list[Any], config=DEFERRED))
_ROW = TypeAdapter(WireListedAgent)
_AGENT = decoder(_ROW)
_PHONE_NUMBER = decoder(TypeAdapter(WirePhoneNumber))
