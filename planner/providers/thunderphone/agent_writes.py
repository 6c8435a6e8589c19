"""Writes to agents, and the list of agents. Each write is sent exactly once; the caller decides whether to repeat it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

import pydantic_core
from pydantic import ConfigDict, TypeAdapter

from planner.errors import ConflictError, NotFoundError, RefusedError, UsageError
from planner.providers.base import ListedAgent
from planner.providers.thunderphone.connection import UNLIMITED, ApiRequest, Connection
from planner.providers.thunderphone.parsing import validated
from planner.providers.thunderphone.wire import WireListedAgent

_AGENTS: Final = "/v1/agents"
_MOST_PAGES: Final = 100
_FULL: Final = ("limit", "maximum", "too many", "quota")
"""Words of a refusal because the organisation may have no more agents."""


class AgentWrites(Connection):
    """`on_sending` is called right before the first byte is sent, and may abort the write by raising. Errors are those of
    `Provider.launch`."""

    async def agents(self) -> Sequence[ListedAgent]:
        """All agents of the organisation."""
        found: dict[int, ListedAgent] = {}
        for _ in range(_MOST_PAGES):
            query = {"offset": len(found)} if found else {}
            page = await self._read(_AGENTS, _ANYTHING, UNLIMITED, **query)
            listed = cast("list[Any]", page.get("results") or []) if isinstance(page, dict) else page
            agents = validated(_LISTED, listed, f"GET {_AGENTS}")
            new = {agent.id: agent for agent in agents if agent.id not in found}
            found |= new
            if isinstance(page, list) or not new or not _has_more(page, len(found)):
                break
        return list(found.values())

    async def duplicate_agent(self, agent_id: int, name: str, *, on_sending: Callable[[], None]) -> int:
        """Make a copy; return its id. Raises `ConflictError` if the organisation may have no more agents."""
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
        """Change the draft of an agent, which no call reaches."""
        await self._change("PATCH", agent_id, "", fields)

    async def deploy_agent(self, agent_id: int, if_updated_at: str | None = None) -> None:
        """Deploy the draft. With `if_updated_at`, raises `ConflictError` if the agent was changed since."""
        await self._change(
            "POST", agent_id, "/deploy", {} if if_updated_at is None else {"if_updated_at": if_updated_at}
        )

    async def discard_draft(self, agent_id: int) -> None:
        await self._change("POST", agent_id, "/discard-draft", {})

    async def delete_agent(self, agent_id: int) -> None:
        """Raises `NotFoundError` if it does not exist any more."""
        await self._change("DELETE", agent_id, "", None)

    async def _change(self, method: str, agent_id: int, path: str, body: Mapping[str, Any] | None) -> None:
        content = None if body is None else pydantic_core.to_json(body)
        # Sent on a new connection, so that it is sent once.
        request = ApiRequest(method, f"{_AGENTS}/{agent_id}{path}", body=content, on_sending=lambda: None)
        with _conflicts():
            await self._write(request)


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


_DEFERRED: Final = ConfigDict(defer_build=True)
_ANYTHING: TypeAdapter[dict[str, Any] | list[Any]] = TypeAdapter(dict[str, Any] | list[Any], config=_DEFERRED)
_LISTED = TypeAdapter(list[WireListedAgent], config=_DEFERRED)
_AGENT = TypeAdapter(WireListedAgent)
