"""A launch is one POST, sent once. Each answer has its meaning for the money."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from inline_snapshot import snapshot

from planner.clock import Clock
from planner.errors import (
    CredentialError,
    LostAnswerError,
    NotFoundError,
    RefusedError,
    ServiceError,
    StoreError,
    ThrottledError,
    UnreachableError,
    UsageError,
)
from planner.network.transport import InProcessTransport
from planner.providers.thunderphone.client import Account, ApiClient, request_body
from planner.sandbox import Sandbox, load_world

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_the_request_for_one_prompt(launch_request: Callable[..., Any]) -> None:
    """The single endpoint; `mode` and `target_number` only where they are not the default, which one dialect does not know."""
    request = launch_request("Ask.", name="planner x")
    assert request_body(request) == snapshot(
        {
            "target_type": "agent",
            "target_id": 12,
            "direction": "outbound",
            "consent_to_charge": True,
            "scenario_prompt": "Ask.",
        }
    )
    request = launch_request(
        "Ask.", target_type="phone_number", direction="inbound", mode="sip", target_number="+14155550123"
    )
    assert request_body(request) == snapshot(
        {
            "target_type": "phone_number",
            "target_id": 12,
            "direction": "inbound",
            "consent_to_charge": True,
            "mode": "sip",
            "target_number": "+14155550123",
            "scenario_prompt": "Ask.",
        }
    )


def test_the_request_for_several_prompts(launch_request: Callable[..., Any]) -> None:
    """The batch endpoint, one run a prompt, the name always."""
    request = launch_request("Ask.", "Ask again.", "Ask.", name="planner x")
    assert request_body(request) == snapshot(
        {
            "target_type": "agent",
            "target_id": 12,
            "direction": "outbound",
            "consent_to_charge": True,
            "scenario_prompts": ["Ask.", "Ask again.", "Ask."],
            "run_count": 3,
            "stagger_seconds": 0,
            "name": "planner x",
        }
    )


@pytest.mark.parametrize("status", [200, 201])
async def test_a_single_run_is_read_in_either_dialect(
    talk: Callable[..., Any], run_object: dict[str, Any], status: int
) -> None:
    """200 or 201, with fields that nobody knows yet and without those that one dialect lacks."""
    client_run = {key: value for key, value in run_object.items() if key not in ("sip_call_id", "batch_id")}
    client_run |= {"requested_by_id": 5, "transcript": [], "grade": None, "from_the_future": {"x": [1]}}
    for document, who in ((run_object, None), (client_run, 5)):
        asked = await talk((status, document))
        launched = await asked.launch()
        assert (launched.batch_id, launched.run_ids, launched.run.id) == (None, (7110,), 7110)
        assert launched.requester_id == who
        assert asked.sending == ["sending"]


@pytest.mark.parametrize("status", [200, 201])
async def test_a_batch_is_read_in_either_dialect(
    talk: Callable[..., Any], batch_object: dict[str, Any], status: int
) -> None:
    """Its runs are those it lists; a run listed twice is one run, and no list at all is no garbage."""
    for run_ids, expected in (
        ([7110, 7111], (7110, 7111)),
        ([7110, 7110], (7110,)),
        ([{"id": 7110}, {"id": "7111"}], (7110, 7111)),
        (None, ()),
        ("7110,7111", ()),
    ):
        asked = await talk((status, {**batch_object, "run_ids": run_ids, "status": "pending"}))
        launched = await asked.launch("Ask.", "Ask again.")
        assert (launched.batch_id, launched.run_ids, launched.run) == (201, expected, None)
        assert launched.requester_id == 1


async def test_the_sandbox_takes_what_we_send(launch_request: Callable[..., Any]) -> None:
    """A service of its own making accepts singles and batches."""
    sandbox = Sandbox(load_world("demo"))

    async def no_sleep(_: float) -> None:
        return

    transport = InProcessTransport(sandbox.app, {"Authorization": "Bearer sk_test_sandbox"})
    client = ApiClient(transport, clock=Clock(lambda: NOW, lambda: 0.0, no_sleep))
    single = await client.launch(launch_request("Ask."), on_sending=lambda: None)
    batch = await client.launch(launch_request("Ask.", "Ask again.", name="planner x"), on_sending=lambda: None)
    ledger: dict[str, Any] = sandbox.ledger()
    assert [run["run_id"] for run in ledger["runs"]] == [*single.run_ids, *batch.run_ids]
    assert len(batch.run_ids) == 2


CARRIED_OUT_OR_NOT: dict[str, Any] = {
    "500": (500, {"detail": "Oops."}),
    "502 of a proxy": (502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"}),
    "503": (503, {"detail": "Service unavailable."}, {"Retry-After": "1"}),
    "504": (504, b""),
    "408": (408, {"detail": "Slow."}),
    "301": (301, b"", {"Location": "http://127.0.0.1:1/v1/test-calls"}),
    "307": (307, b"", {"Location": "http://127.0.0.1:1/v1/test-calls"}),
    "304": (304, b""),
    "600": (600, b""),
    "HTML": (200, b"<html>Welcome</html>", {"Content-Type": "text/html"}),
    "nothing": (201, b""),
    "no content": (204, b""),
    "cut JSON": (201, b'{"id": 7110, "sta'),
    "a list": (201, []),
    "null": (201, None),
    "no id": (201, {"status": "queued"}),
    "an id over 64 bits": (201, {"id": 2**63, "status": "queued"}),
    "an id that is none": (201, {"id": "seven", "status": "queued"}),
    "NaN": (201, b'{"id": 7110, "status": "queued", "estimated_cost_cents": NaN}'),
    "cut body": b'HTTP/1.1 201 Created\r\nContent-Length: 30\r\n\r\n{"id": 7110, "status"',
    "cut headers": b"HTTP/1.1 201 Cre",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "bad gzip": (201, b"not gzip", {"Content-Encoding": "gzip"}),
    "reset": "reset",
    "reset while reading": "reset while reading",
    "closed without a word": "close",
    "no answer in time": "hang",
    "an answer that never ends": "trickle",
}


@pytest.mark.parametrize("answer", CARRIED_OUT_OR_NOT.values(), ids=CARRIED_OUT_OR_NOT.keys())
@pytest.mark.parametrize("prompts", [("Ask.",), ("Ask.", "Ask again.")], ids=["single", "batch"])
async def test_an_unclear_answer_is_ambiguous(talk: Callable[..., Any], answer: Any, prompts: tuple[str, ...]) -> None:
    """Anything but a clear yes or no: an error that says the request may have arrived; sent once, and never again."""
    asked = await talk(answer)
    with pytest.raises((LostAnswerError, ServiceError)) as caught:
        await asked.launch(*prompts)
    assert asked.server.connections == 1
    assert len(asked.server.asked) == (answer != "reset while reading")
    assert asked.sending == ["sending"]
    assert asked.slept == []
    assert str(caught.value).isprintable()


CLEAR_NO: dict[str, tuple[int, type[Exception]]] = {
    "bad request": (400, UsageError),
    "bad key": (401, CredentialError),
    "no balance": (402, RefusedError),
    "forbidden": (403, CredentialError),
    "no such target": (404, NotFoundError),
    "method": (405, UsageError),
    "conflict": (409, UsageError),
    "invalid": (422, UsageError),
    "too many": (429, ThrottledError),
}


@pytest.mark.parametrize(("status", "kind"), CLEAR_NO.values(), ids=CLEAR_NO.keys())
async def test_a_rejection_has_its_own_error(talk: Callable[..., Any], status: int, kind: type[Exception]) -> None:
    """Nothing was started, and it is not asked again."""
    asked = await talk((status, {"detail": "No."}))
    with pytest.raises(kind) as caught:
        await asked.launch()
    assert type(caught.value) is kind
    assert asked.server.connections == 1
    assert asked.client.stats.refused == (status == 429)


async def test_a_launch_that_must_not_be_sent_is_not(
    talk: Callable[..., Any], launch_request: Callable[..., Any], run_object: dict[str, Any]
) -> None:
    """If the journal cannot record the sending, no byte leaves, even on an open connection."""
    asked = await talk((201, run_object))

    def no_disk() -> None:
        raise StoreError("the disk is full")

    with pytest.raises(StoreError, match="the disk is full"):
        await asked.client.launch(launch_request(), on_sending=no_disk)
    assert asked.server.asked == []


async def test_a_failed_connection_is_not_a_launch(talk: Callable[..., Any]) -> None:
    """A refused port and a name that does not exist: it provably never left, and nothing was said to be sent."""
    asked = await talk((200, {}))
    await asked.server.stop()
    with pytest.raises(UnreachableError, match="cannot be reached"):
        await asked.launch()
    assert asked.sending == []


def test_another_path_is_another_credential() -> None:
    """A launch on one path may not be listed on the other, so it must not be taken for absent there."""
    accounts = [
        Account("https://a", "sk_1"),
        Account("https://a", "sk_1", "/v1/simulations"),
        Account("https://a", "sk_2"),
    ]
    assert len({account.credential for account in accounts}) == 3
