"""Writes to agents: each is sent once, and its answer may look like anything that means success."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from planner.errors import (
    ConflictError,
    CredentialError,
    LostAnswerError,
    NotFoundError,
    PlannerError,
    ServiceError,
    ThrottledError,
    UsageError,
)

WRITES: dict[str, Callable[[Any], Any]] = {
    "duplicate": lambda client: client.duplicate_agent(12, "copy", on_sending=lambda: None),
    "draft": lambda client: client.draft_agent(12, {"prompt": "Be brief."}),
    "deploy": lambda client: client.deploy_agent(12, "2026-11-24T12:00:00Z"),
    "discard": lambda client: client.discard_draft(12),
    "delete": lambda client: client.delete_agent(12),
}


@pytest.mark.parametrize("status", [200, 201])
async def test_a_copy_is_named_by_its_id(talk: Callable[..., Any], status: int) -> None:
    made = await talk((status, {"id": 18, "name": "copy"}))
    sending: list[str] = []
    assert await made.client.duplicate_agent(12, "copy", on_sending=lambda: sending.append("sending")) == 18
    (asked,) = made.server.asked
    assert (asked.method, asked.target, json.loads(asked.body)) == (
        "POST",
        "/v1/agents/12/duplicate",
        {"name": "copy"},
    )
    assert sending == ["sending"]


@pytest.mark.parametrize("answer", [(200, {"id": 12}), (201, {}), (204, b""), (200, b""), (202, b"accepted")])
async def test_any_success_is_one(talk: Callable[..., Any], answer: Any) -> None:
    made = await talk(answer)
    for name in ("draft", "deploy", "discard", "delete"):
        await WRITES[name](made.client)
    asked = [(each.method, each.target, each.body) for each in made.server.asked]
    assert asked == [
        ("PATCH", "/v1/agents/12", b'{"prompt":"Be brief."}'),
        ("POST", "/v1/agents/12/deploy", b'{"if_updated_at":"2026-11-24T12:00:00Z"}'),
        ("POST", "/v1/agents/12/discard-draft", b"{}"),
        ("DELETE", "/v1/agents/12", b""),
    ]


async def test_only_the_service_gets_a_secret(talk: Callable[..., Any]) -> None:
    """What was read is written as it was; a digest in a file is a string like any other."""
    tools = [{"name": "lookup", "headers": {"Authorization": "Bearer hunter2"}, "url": "https://me:hunter3@x.example"}]
    agent = {"id": 12, "tools": tools, "has_draft": True, "draft_tools": [*tools, *tools]}
    made = await talk((200, agent), (404, {}), (200, {}))
    read = await made.client.agent(12)
    assert "hunter" not in repr(read)
    await made.client.draft_agent(13, {"tools": read.configuration["tools"]})
    assert json.loads(made.server.asked[-1].body) == {"tools": tools}
    shown = str(read.configuration["tools"][0]["headers"]["Authorization"])
    await made.client.draft_agent(13, {"prompt": json.loads(json.dumps(shown))})
    assert json.loads(made.server.asked[-1].body) == {"prompt": shown}


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ((401, {"detail": "No."}), CredentialError, 2),
        ((403, {"detail": "This key may not write agents."}), CredentialError, 2),
        ((404, {"detail": "Agent not found."}), NotFoundError, 2),
        ((409, {"detail": "The agent was changed meanwhile."}), ConflictError, 4),
        ((422, {"prompt": ["Too long."]}), UsageError, 2),
        ((429, {"detail": "Slow down."}), ThrottledError, 4),
        ((503, {"detail": "Down."}), ServiceError, 4),
        ("reset", LostAnswerError, 4),
        ("close", LostAnswerError, 4),
    ],
    ids=str,
)
async def test_a_write_is_sent_once(
    talk: Callable[..., Any], write: Callable[[Any], Any], answer: Any, kind: type[PlannerError], code: int
) -> None:
    made = await talk(answer)
    with pytest.raises(kind) as caught:
        await write(made.client)
    assert caught.value.exit_code == code
    assert (len(made.server.asked), made.slept) == (1, [])
    if isinstance(answer, tuple) and answer[0] == 422:
        assert "Too long." in str(caught.value)
    if isinstance(answer, tuple) and answer[0] == 403:
        assert "read and write agents" in caught.value.hint


@pytest.mark.parametrize("status", [400, 402, 403, 409, 422])
async def test_a_limit_of_agents_is_a_conflict(talk: Callable[..., Any], status: int) -> None:
    """The same command may work later, whichever status the service has for it."""
    made = await talk((status, {"detail": "You have reached the maximum number of agents."}))
    with pytest.raises(ConflictError):
        await WRITES["duplicate"](made.client)


async def test_agents_are_listed_in_any_shape(talk: Callable[..., Any]) -> None:
    one, two = {"id": 1, "name": "a", "created_at": "2026-11-24T12:00:00Z"}, {"id": 2, "name": "b", "prompt": "x"}
    for answers in (
        [(200, [one, two])],
        [(200, {"results": [one, two]})],
        [(200, {"count": 2, "next": "/2", "results": [one]}), (200, {"count": 2, "next": None, "results": [two]})],
    ):
        made = await talk(*answers)
        assert [(agent.id, agent.name) for agent in await made.client.agents()] == [(1, "a"), (2, "b")]
        assert len(made.server.asked) == len(answers)
