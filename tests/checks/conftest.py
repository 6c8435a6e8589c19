"""Short notation for calls, and expectations read as in a plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from planner.checks import CHECKS
from planner.checks.base import Expectation
from planner.evidence import Call, Evidence, Role, RunStatus, ToolCall, Turn

Talk = Callable[..., Evidence]
Judge = Callable[..., tuple[str, str, int | None]]
Refusal = Callable[..., list[tuple[tuple[int | str, ...], str]]]


def _talk(*lines: str, tools: tuple[ToolCall, ...] | None = (), **fields: Any) -> Evidence:
    turns = tuple(
        Turn(number=number, role=Role(line.partition(":")[0]), text=line.partition(":")[2].strip())
        for number, line in enumerate(lines, start=1)
    )
    call = Call(call_id=9, status="completed", end_reason="agent_end", duration_seconds=54)
    parts: dict[str, Any] = {"call": call, "turns": turns, "tools": tools, **fields}
    return Evidence(run_id=1, run_status=RunStatus.COMPLETED, **parts)


@pytest.fixture
def talk() -> Talk:
    """`talk("agent: Hello.", "caller: Hi.")`: a completed call with these turns and no tool call."""
    return _talk


@pytest.fixture
def read() -> Callable[..., Expectation]:
    """An expectation from the fields a plan writes, by way of JSON and strictly, as plans are read."""

    def read(**fields: Any) -> Expectation:
        written = {key.rstrip("_"): value for key, value in fields.items()}
        content = TypeAdapter(dict[str, Any]).dump_json(written)
        return CHECKS[written["check"]].model_validate_json(content, strict=True)

    return read


@pytest.fixture
def judge(read: Callable[..., Expectation]) -> Judge:
    """`judge(evidence, check="says", …)` → (outcome, message, quoted turn)."""

    def judge(evidence: Evidence, **fields: Any) -> tuple[str, str, int | None]:
        judgement = read(**fields).judge(evidence)
        return judgement.outcome.value, judgement.message, judgement.quote.turn if judgement.quote else None

    return judge


@pytest.fixture
def assert_judged(judge: Judge) -> Callable[..., None]:
    """Asserts the outcome, the quoted turn, and a fact that the message has."""

    def assert_judged(evidence: Evidence, outcome: str, turn: int | None, fact: str, /, **fields: Any) -> None:
        found, message, quoted = judge(evidence, **fields)
        assert (found, quoted) == (outcome, turn)
        assert fact in message

    return assert_judged


@pytest.fixture
def refusal(read: Callable[..., Expectation]) -> Refusal:
    """(place, message) of each error in an invalid expectation."""

    def refusal(**fields: Any) -> list[tuple[tuple[int | str, ...], str]]:
        with pytest.raises(ValidationError) as caught:
            read(**fields)
        return [(error["loc"], error["msg"].removeprefix("Value error, ")) for error in caught.value.errors()]

    return refusal


@pytest.fixture
def rejected_at(refusal: Refusal) -> Callable[..., list[tuple[int | str, ...]]]:
    """The places at which an invalid expectation is rejected."""
    return lambda **fields: [place for place, _ in refusal(**fields)]
