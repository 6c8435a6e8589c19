"""Reading: repeated while the service stumbles, tolerant of both dialects, and never guessing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import anyio
import pytest

from planner.clock import Clock
from planner.errors import LostAnswerError, NotFoundError, ServiceError, ThrottledError
from planner.network.transport import Answer, InProcessTransport
from planner.providers.base import Balance, BatchId, LaunchRequest, Line, Page
from planner.providers.thunderphone.client import ApiClient
from planner.providers.thunderphone.connection import MAX_CLOCK_OFFSET_SECONDS
from planner.sandbox import Sandbox, load_world

BILLING = (200, {"balance_cents": 500})


@pytest.mark.parametrize("stumble", [(503, {}), (200, b"<html>"), (200, []), "reset", "close"], ids=str)
async def test_a_read_is_repeated_when_the_service_stumbles(talk: Callable[..., Any], stumble: Any) -> None:
    """Three times, a little later each time; then it is read."""
    asked = await talk(stumble, stumble, stumble, BILLING)
    assert (await asked.client.billing()).balance_cents == 500
    assert asked.slept == [0.5, 1.0, 2.0]
    assert asked.client.stats.requests == 4


@pytest.mark.parametrize(
    ("stumble", "kind"), [((500, {}), ServiceError), ((429, {}), ThrottledError), ("reset", LostAnswerError)], ids=str
)
async def test_a_read_that_never_succeeds_is_given_up(talk: Callable[..., Any], stumble: Any, kind: Any) -> None:
    """The error is raised after four attempts."""
    asked = await talk(stumble)
    with pytest.raises(kind):
        await asked.client.billing()
    assert asked.server.connections == 4


async def test_a_read_waits_as_long_as_the_service_asks(talk: Callable[..., Any]) -> None:
    """`Retry-After` counts where it is longer than our own pause, up to half a minute."""
    asked = await talk(
        (429, {}, {"Retry-After": "9"}), (429, {}, {"Retry-After": "0"}), (429, {}, {"Retry-After": "600"}), BILLING
    )
    await asked.client.billing()
    assert asked.slept == [9.0, 1.0, 30.0]
    assert asked.client.stats.refused == 3


@pytest.mark.parametrize(
    "said",
    [
        {"detail": "cannot deploy a tool with Authorization: Bearer hunter-2-token"},
        {"steps": [{"name": "lookup", "headers": [{"name": "X-Api-Key", "value": "hunter-2-token"}]}]},
        ["tool https://me:hunter-2-token@tools.example/lookup failed"],
    ],
)
async def test_an_error_repeats_no_secret_of_an_agent(talk: Callable[..., Any], said: object) -> None:
    """The answer to a POST repeats a secret header of a tool. Before: it was printed in clear."""
    asked = await talk((500, said))
    with pytest.raises(ServiceError) as caught:
        await asked.client.deploy_agent(12)
    assert "hunter-2-token" not in str(caught.value)
    assert "[secret]" in str(caught.value)


async def test_404_is_not_retried(talk: Callable[..., Any]) -> None:
    """404 is an answer: for what may be missing it is None, for the rest an error."""
    asked = await talk((404, {"detail": "Not found."}))
    assert await asked.client.transcript(5) is None
    assert await asked.client.history(5) is None
    assert await asked.client.grade(5) is None
    for ask in (
        asked.client.call(5),
        asked.client.batch(5),
        asked.client.agent(5),
        asked.client.target_states({("phone_number", 5): {"outbound"}}),
        asked.client.billing(),
    ):
        with pytest.raises(NotFoundError):
            await ask
    assert asked.slept == []


async def test_paths_paging_and_headers_of_reads(talk: Callable[..., Any]) -> None:
    asked = await talk((200, []), (200, []), (200, {"id": 201}), (200, []))
    await asked.client.runs()
    await asked.client.batches(offset=200, limit=50)
    await asked.client.batch(201)
    await asked.client.history(7)
    assert [(request.method, request.target) for request in asked.server.asked] == [
        ("GET", "/v1/test-calls?limit=200&offset=0"),
        ("GET", "/v1/test-call-batches?limit=50&offset=200"),
        ("GET", "/v1/test-call-batches/201"),
        ("GET", "/v1/calls/7/history"),
    ]
    assert {request.headers["authorization"] for request in asked.server.asked} == {"Bearer sk_test_0123456789"}


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"billing_total_cents": "free"}, "billing_total_cents: "),
        ([], "Input "),
        ({"duration_seconds": []}, "duration_seconds: "),
        ({"status": True}, "status: "),
        ({"end_reason": {}}, "end_reason: "),
    ],
)
async def test_an_invalid_call_is_an_error(talk: Callable[..., Any], document: Any, place: str) -> None:
    """The message names the request, the place in the answer and what was expected, without the value."""
    asked = await talk((200, document))
    with pytest.raises(ServiceError) as caught:
        await asked.client.call(7)
    assert str(caught.value).startswith(f"GET /v1/calls/7: the service's answer is invalid: {place}")
    assert not any(shown in str(caught.value) for shown in ("free", "xxx", "Wire"))


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"transcripts": ["Hello"]}, "transcripts[0]: "),
        ({"transcripts": [{}, {"role": 5}]}, "transcripts[1].role: "),
        ([{"role": "agent"}, None], "[1]: "),
        ({"transcripts": "Hello"}, "transcripts: "),
        (None, "Input "),
    ],
)
async def test_an_invalid_transcript_is_an_error(talk: Callable[..., Any], document: Any, place: str) -> None:
    """The message describes the closer of two shapes and names none of our models."""
    asked = await talk((200, document))
    with pytest.raises(ServiceError) as caught:
        await asked.client.transcript(7)
    assert str(caught.value).startswith(f"GET /v1/calls/7/transcript: the service's answer is invalid: {place}")
    assert not any(shown in str(caught.value) for shown in ("Hello", "Wire"))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"call_id": 7, "transcripts": [{"role": "agent", "content": "Hi"}]}, ["agent"]),
        ([{"role": "agent", "content": "Hi"}, {"role": "user"}], ["agent", "user"]),
        ({"call_id": 7, "transcripts": []}, []),
        ({"call_id": 7, "transcripts": None}, None),
        ({"call_id": 7}, None),
        ([], []),
    ],
    ids=str,
)
async def test_a_transcript_may_be_an_object_or_a_list(talk: Callable[..., Any], document: Any, expected: Any) -> None:
    """And where the service has none, it is None: not an empty one."""
    asked = await talk((200, document))
    turns = await asked.client.transcript(7)
    assert (turns if turns is None else [turn.role for turn in turns]) == expected


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb"cut \ud83d", "cut ?"),
        (rb"\uDE00 cut", "? cut"),
        (rb"\ud83d\ude00", "\N{GRINNING FACE}"),
        (rb"\\ud83d", r"\ud83d"),
        (rb"\ud83d \\ud83d", r"? \ud83d"),
    ],
)
async def test_a_text_that_was_cut_within_a_character_is_read(
    talk: Callable[..., Any], written: bytes, read: str
) -> None:
    """JSON can hold half a character, if a service cuts a string: it becomes a question mark, and the rest stays."""
    asked = await talk((200, b'{"transcripts": [{"role": "agent", "content": "%s"}]}' % written))
    (turn,) = await asked.client.transcript(7)
    assert turn.content == read


async def test_every_sandbox_response_can_be_read() -> None:
    """A run from launch to grade, an agent, a number and the balance."""
    clock = [NOW.timestamp()]
    sandbox = Sandbox(load_world("demo"), now=lambda: clock[0])
    transport = InProcessTransport(sandbox.app, {"Authorization": "Bearer sk_test_sandbox"})
    client = ApiClient(transport, clock=Clock(lambda: NOW, lambda: 0.0, anyio.sleep))
    prompts = ("You are Ana. Ask for the opening hours.", "You are Bob. Ask for the opening hours.")
    launched = await client.launch(
        LaunchRequest(Line("agent", 12, "outbound", "bot", None), prompts, "planner x"), on_sending=lambda: None
    )
    clock[0] += 3600
    runs = (await client.runs()).rows
    assert {run.id for run in runs} == set(launched.run_ids)
    assert {run.prompt for run in runs} == set(prompts)
    assert all(run.ended and run.created_at == NOW for run in runs)
    batch = await client.batch(launched.batch_id or BatchId(0))
    assert [found.id for found in (await client.batches()).rows] == [batch.id]
    assert set(batch.run_ids) == set(launched.run_ids)
    call_id = runs[0].call_id
    assert call_id is not None
    call, document = await client.call(call_id)
    assert call.status == "completed"
    assert call.billing_total_cents == document["billing_total_cents"] > 0
    assert await client.transcript(call_id)
    assert await client.history(call_id)
    grade = await client.grade(call_id)
    assert grade is not None
    assert grade.status == "completed"
    number = "phone_number", 77
    states = await client.target_states({("agent", 14): {"outbound"}, number: {"outbound"}})
    assert (await client.agent(12)).id == 12
    assert states[number].revision == states["agent", 14].revision
    ledger: dict[str, Any] = sandbox.ledger()
    assert (await client.billing()).balance_cents == 50_000 - ledger["total_cents"]
    await client.close()


# The server's clock

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def heard(date: str) -> tuple[float, bool]:
    """What a client makes of a `Date` header."""

    class Dated:
        async def send(self, *_: object, **__: object) -> Answer:
            return Answer(200, {"date": date}, b"{}")

        async def close(self) -> None:
            return

    client = ApiClient(Dated(), clock=Clock(lambda: NOW, lambda: 0.0, anyio.sleep))
    anyio.run(client.billing)
    return client.clock_offset_seconds, client.clock_known


@pytest.mark.parametrize("seconds", [-7200, -1, 0, 1, 3600, 86_400 * 30])
def test_the_servers_clock_is_heard(seconds: int) -> None:
    """However far it is from ours."""
    assert heard(format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)) == (float(seconds), True)


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Tue, 24 Nov 99999999999 12:00:00 GMT",
        "Tue, 24 Nov 2026 12:00:00 +9999",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        format_datetime(NOW - timedelta(seconds=MAX_CLOCK_OFFSET_SECONDS), usegmt=True),
    ],
)
def test_a_clock_that_cannot_be_is_not_believed(date: str) -> None:
    """Neither what is no time nor what is a year off."""
    assert heard(date) == (0.0, False)


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"id": 2, "status": "completed", "error_message": {"code": 7}}, (2, "error_message")),
        ({"id": 2, "status": ["completed"]}, (2, "status")),
        ({"id": 2}, (2, "status")),
        ({"id": 2, "status": "completed", "call_id": [7], "created_at": {}}, (2, "call_id")),
        ({"id": 2, "status": "completed", "target_id": True}, (2, "target_id")),
        ({"id": True, "status": "completed"}, None),
        ({"id": {"is": 2}, "status": "completed"}, None),
        ({"id": 10**400, "status": "completed"}, None),
        ({"status": "completed"}, None),
        ("completed", None),
        (None, None),
        ([], None),
    ],
    ids=str,
)
async def test_an_unreadable_row_concerns_itself_only(
    talk: Callable[..., Any], row: object, shown: tuple[int, str] | None
) -> None:
    """The list of runs has a stranger's row that cannot be read. Before: no ended run was read, in any session. Now:
    with an id, it is a run that has not ended as far as anybody knows; without one, it is dropped and counted."""
    asked = await talk((200, [{"id": 1, "status": "queued"}, row, {"id": 3, "status": "completed"}]))
    page = await asked.client.runs()
    assert [(run.id, run.problem) for run in page.rows if run.id != 2] == [(1, ""), (3, "")]
    damaged = [run for run in page.rows if run.id == 2]
    assert [(run.id, run.problem.partition(":")[0].lstrip(".")) for run in damaged] == ([shown] if shown else [])
    assert not any(run.ended for run in damaged)
    assert page.dropped == (0 if shown else 1)


async def test_an_unreadable_batch_is_dropped(talk: Callable[..., Any]) -> None:
    """Its runs name it; a batch whose fields are guessed could be taken for another launch's."""
    asked = await talk((200, [{"id": 1, "run_count": {}}, {"id": 2}]), (200, [{"id": 1, "run_count": {}}]))
    page = await asked.client.batches()
    assert ([batch.id for batch in page.rows], page.dropped) == ([2], 1)
    assert await asked.client.batches() == Page([], dropped=1)


async def test_a_list_without_any_run_is_garbage(talk: Callable[..., Any]) -> None:
    """Nothing can be made of any row: the answer is asked for again, and then is an error."""
    asked = await talk((200, [1, "two", None]))
    with pytest.raises(ServiceError):
        await asked.client.runs()
    assert asked.server.connections == 4


@pytest.mark.parametrize(
    ("billing", "left_cents"),
    [
        ({"test_call_budget_remaining_cents": 0}, None),
        ({"test_call_budget_cents": 0, "test_call_budget_remaining_cents": 0}, None),
        ({"test_call_budget_cents": None, "test_call_budget_remaining_cents": 0}, None),
        ({"test_call_budget_cents": 90, "test_call_budget_remaining_cents": 0}, 0),
        ({"test_call_budget_cents": 90, "test_call_budget_remaining_cents": 70}, 70),
    ],
)
async def test_a_test_call_budget_of_zero_or_null_is_none(
    talk: Callable[..., Any], billing: dict[str, int | None], left_cents: int | None
) -> None:
    asked = await talk((200, {"balance_cents": 500, "monthly_spending_limit_cents": 1_000, **billing}))
    assert await asked.client.balance() == Balance(500, test_budget_left_cents=left_cents, monthly_limit_cents=1_000)
