"""Fetching the evidence of one run: late parts are awaited up to a limit, and nothing is read that is not needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import anyio
import pydantic_core
import pytest

from planner.calls.model import WaitPolicy
from planner.calls.reading import Transactions, collect
from planner.clock import Clock
from planner.errors import ServiceError
from planner.evidence import Evidence, missing_parts
from planner.network.transport import Answer
from planner.providers.thunderphone.client import ApiClient
from planner.providers.thunderphone.wire import WireRun

CALL = {"call_id": 987, "status": "completed", "duration_seconds": 54, "billing_total_cents": 16}
TURNS = [{"role": "agent", "content": "Hi"}, {"role": "tool_call", "content": {"name": "look"}}]
SPEECH = TURNS[:1]
NOT_FOUND = (404, {"detail": "Not found."})


def _is_timed(said: Any) -> bool:
    return isinstance(said, dict) and all(isinstance(key, int) for key in said)


class Scripted:
    """A service with one call. Each part answers with the latest entry that is due: {seconds: answer}."""

    def __init__(self, script: Mapping[str, Mapping[float, Any]]) -> None:
        self.script = script
        self.asked: list[tuple[str, float]] = []
        self.started = anyio.current_time()

    async def send(self, method: str, path: str, **_: Any) -> Answer:
        assert method == "GET"
        what = path.removeprefix("/v1/calls/987").strip("/") or "call"
        now = anyio.current_time() - self.started
        self.asked.append((what, round(now, 2)))
        due = [answer for seconds, answer in self.script.get(what, {0: NOT_FOUND}).items() if seconds <= now]
        status, body = due[-1] if isinstance(due[-1], tuple) else (200, due[-1])
        return Answer(status, {}, pydantic_core.to_json(body))

    async def close(self) -> None:
        return

    def times(self, what: str) -> int:
        return sum(asked == what for asked, _ in self.asked)


Collected = tuple[Evidence, Scripted, float]


@pytest.fixture
def fetch() -> Callable[..., Any]:
    async def run(
        *,
        wait_seconds: float = 60.0,
        await_grade: bool = False,
        ended_seconds_ago: float = 0.0,
        on_late: Callable[[], None] | None = None,
        run: Mapping[str, Any] | None = None,
        **script: Any,
    ) -> Collected:
        service = Scripted({what: said if _is_timed(said) else {0: said} for what, said in script.items()})
        now = datetime(2026, 11, 24, tzinfo=UTC)
        clock = Clock(lambda: now, anyio.current_time, anyio.sleep)
        client = ApiClient(service, clock=clock)
        ended = WireRun.model_validate({"id": 7110, "status": "completed", "call_id": 987, **(run or {})}).plain()
        wait = WaitPolicy(wait_seconds, await_grade, ended_seconds_ago)
        transactions = Transactions(client, lambda _: None)
        evidence = await collect(client, ended, wait, clock=clock, transactions=transactions, on_late=on_late)
        return evidence, service, anyio.current_time() - service.started

    return run


async def test_a_finished_call_takes_three_or_four_reads(fetch: Callable[..., Any]) -> None:
    """The history is read only if the transcript shows no tool call, the grade only if it is finished or wanted."""
    evidence, service, seconds = await fetch(call=CALL, transcript={"transcripts": TURNS})
    assert [what for what, _ in service.asked] == ["call", "transcript"]
    assert [tool.name for tool in evidence.tools] == ["look"]
    evidence, service, _ = await fetch(
        call={**CALL, "grade_status": "completed"},
        transcript={"transcripts": SPEECH},
        history=[],
        grade={"status": "completed", "score": 0.5},
    )
    assert [what for what, _ in service.asked] == ["call", "transcript", "history", "grade"]
    assert (evidence.tools, evidence.grade.score) == ((), 0.5)
    assert seconds == pytest.approx(0, abs=0.01)


async def test_a_run_without_a_call_makes_no_request(fetch: Callable[..., Any]) -> None:
    evidence, service, _ = await fetch(run={"call_id": None, "status": "failed", "error_message": "No carrier."})
    assert service.asked == []
    assert (evidence.call, evidence.turns, evidence.cost_cents, evidence.error_message) == (
        None,
        None,
        0,
        "No carrier.",
    )


@pytest.mark.parametrize(
    ("early", "late"),
    [(NOT_FOUND, CALL), ({**CALL, "status": "in_progress"}, CALL), ({**CALL, "billing_total_cents": None}, CALL)],
    ids=["unknown", "running", "unbilled"],
)
async def test_a_late_call_is_awaited(fetch: Callable[..., Any], early: Any, late: Any) -> None:
    """Polling slows down until the call can be read, has ended and is billed."""
    evidence, service, seconds = await fetch(call={0: early, 20: late}, transcript={"transcripts": TURNS})
    assert evidence.cost_cents == 16
    assert 20 <= seconds < 26
    assert service.times("call") <= 9


@pytest.mark.parametrize(
    ("never", "call_status", "cost"),
    [
        (NOT_FOUND, None, None),
        ({**CALL, "status": "in_progress"}, "in_progress", 16),
        ({**CALL, "billing_total_cents": None}, "completed", None),
    ],
    ids=["unknown", "running", "unbilled"],
)
async def test_a_missing_call_is_awaited_up_to_the_limit(
    fetch: Callable[..., Any], never: Any, call_status: str | None, cost: int | None
) -> None:
    """After the limit, the evidence has the parts that are known."""
    evidence, _, seconds = await fetch(wait_seconds=30.0, call=never)
    assert (evidence.call.status if evidence.call else None) == call_status
    assert evidence.cost_cents == cost
    assert 30 <= seconds < 62


async def test_missing_bills_are_not_awaited(fetch: Callable[..., Any]) -> None:
    """A service that shows no bills, and a failed call without one."""
    unbilled = {key: value for key, value in CALL.items() if key != "billing_total_cents"}
    for call in (unbilled, {**CALL, "status": "failed", "billing_total_cents": None}):
        evidence, _, seconds = await fetch(call=call, transcript={"transcripts": TURNS})
        assert (evidence.cost_cents, seconds) == (None, pytest.approx(0, abs=0.01))


async def test_a_late_transcript_is_awaited(fetch: Callable[..., Any]) -> None:
    """Up to the limit; an empty transcript of a short call not as long, because nobody may have spoken."""
    whole = {"transcripts": TURNS}
    evidence, _, seconds = await fetch(call=CALL, transcript={0: NOT_FOUND, 40: whole})
    assert len(evidence.turns) == 2
    assert 40 <= seconds < 46
    short = {**CALL, "duration_seconds": 4}
    evidence, _, seconds = await fetch(call=short, transcript={0: {"transcripts": []}, 7: whole})
    assert len(evidence.turns) == 2
    assert 7 <= seconds < 11
    evidence, _, seconds = await fetch(call=short, transcript={"transcripts": []}, history=[])
    assert (evidence.turns, evidence.tools) == ((), ())
    assert 10 <= seconds < 15
    evidence, _, seconds = await fetch(wait_seconds=20.0, call=CALL)
    assert evidence.turns is None
    assert seconds == pytest.approx(20, abs=0.01)


@pytest.mark.parametrize(
    "call", [{**CALL, "duration_seconds": 0}, {**CALL, "status": "failed"}, {**CALL, "duration_seconds": None}]
)
async def test_an_unconnected_call_has_no_transcript_to_wait_for(fetch: Callable[..., Any], call: Any) -> None:
    """Nobody spoke, so the empty transcript is final."""
    evidence, service, seconds = await fetch(call=call)
    assert evidence.turns is None
    assert service.times("transcript") == 1
    assert seconds == pytest.approx(0, abs=0.01)


async def test_a_grade_that_a_check_needs_is_awaited(fetch: Callable[..., Any]) -> None:
    """From missing over pending to finished, up to the same limit as the other parts."""
    grades = {0: NOT_FOUND, 5: {"status": "pending"}, 25: {"status": "completed", "score": 90}}
    evidence, _, seconds = await fetch(call=CALL, transcript={"transcripts": TURNS}, await_grade=True, grade=grades)
    assert (evidence.grade.status, evidence.grade.score) == ("completed", 0.9)
    assert 25 <= seconds < 31
    evidence, _, seconds = await fetch(
        wait_seconds=15.0, call=CALL, transcript={"transcripts": TURNS}, await_grade=True, grade={"status": "pending"}
    )
    assert evidence.grade.status == "pending"
    assert seconds == pytest.approx(15, abs=0.01)


@pytest.mark.parametrize(
    ("grade_status", "asked"),
    [(None, 0), ("pending", 0), ("skipped_recording_disabled", 0), ("completed", 1), ("failed", 1)],
)
async def test_an_unneeded_grade_is_read_once_if_it_exists(
    fetch: Callable[..., Any], grade_status: str | None, asked: int
) -> None:
    """The call object says whether there is one."""
    _, service, _ = await fetch(
        call={**CALL, "grade_status": grade_status}, transcript={"transcripts": TURNS}, grade={"status": "completed"}
    )
    assert service.times("grade") == asked


async def test_an_empty_transcript_of_a_long_call_is_late(fetch: Callable[..., Any]) -> None:
    """It is awaited like other late parts, and is then missing, like the empty history beside it. After an hour it
    counts as silence."""
    silent = {"call": CALL, "transcript": {"transcripts": []}, "history": []}
    evidence, _, seconds = await fetch(**silent)
    assert (evidence.turns, evidence.tools) == (None, None)
    assert seconds == pytest.approx(60, abs=0.01)
    assert missing_parts(evidence, grade_wanted=False) == ("transcript",)
    evidence, _, seconds = await fetch(**silent, wait_seconds=0.0, ended_seconds_ago=3600.0)
    assert (evidence.turns, evidence.tools) == ((), ())
    assert missing_parts(evidence, grade_wanted=False) == ()


async def test_late_parts_share_one_wait(fetch: Callable[..., Any]) -> None:
    """Bill, transcript and grade share one limit of a minute, and `on_late` is called at once."""
    late: list[float] = []
    evidence, _, seconds = await fetch(
        call={**CALL, "billing_total_cents": None}, await_grade=True, on_late=lambda: late.append(anyio.current_time())
    )
    assert seconds == pytest.approx(60, abs=0.01)
    assert len(late) == 1
    assert missing_parts(evidence, grade_wanted=True) == ("transcript", "grade", "bill")


async def test_an_unreadable_service_is_an_error(fetch: Callable[..., Any]) -> None:
    """No partial evidence is returned."""
    with pytest.raises(ServiceError):
        await fetch(call=CALL, transcript=(500, {}))
