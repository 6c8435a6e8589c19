"""Evidence of scripted calls in either of the service's dialects, without any service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, cast

from planner.evidence import Evidence, RunStatus
from planner.providers.base import CallId, Run, RunId
from planner.providers.thunderphone.evidence import evidence_from_wire
from planner.providers.thunderphone.wire import WireCall, WireGrade, WireTurn
from planner.sandbox import load_world
from planner.sandbox.conversation import Conversation, converse

Dialect = Literal["page", "client"]

PROMPTS: Sequence[tuple[int, str]] = (
    (12, "You are Mei Chen, furious, born 2 March 1985. Book an appointment for a sore throat on Thursday."),
    (12, "You are chatty. Ask how much ibuprofen you can take."),
    (14, "You are Mei Chen. You want to return order 20417 because it is too big."),
    (14, "You are Tom Berg, furious. Ask them to guarantee that you get your money back."),
    (14, "You are confused. Ask how many days you have to return order 12345."),
    (14, "You are angry. Ask for a discount on your next order. Insist on it."),
    (17, "You are Omar Haddad, anxious. Your phone number is +14155550111. Say that your son has a high fever."),
)
"""Agents of the demo world, and prompts that their dialogues match."""


def transcripts(count: int, dialects: Sequence[Dialect] = ("page", "client")) -> Iterator[tuple[str, Evidence]]:
    """(prompt, evidence) of so many calls: the prompts in turn, each with another seed every time, the dialects in turn."""
    for number in range(count):
        agent_id, prompt = PROMPTS[number % len(PROMPTS)]
        dialect = dialects[number // len(PROMPTS) % len(dialects)]
        conversation = converse(load_world("demo").snapshot(agent_id), prompt, number)
        yield prompt, evidence_of(conversation, dialect, run_id=number + 1)


def evidence_of(conversation: Conversation, dialect: Dialect, *, run_id: int = 1) -> Evidence:
    """A conversation as a completed run's evidence."""
    page = dialect == "page"
    document: dict[str, Any] = {
        "call_id" if page else "id": run_id,
        "status": "completed",
        "end_reason": _older(conversation.end_reason) if dialect == "client" else conversation.end_reason,
        "duration_seconds": max(1, round(conversation.duration_ms / 1000)),
        "product": "spark",
        "billing_total_cents": 16,
        "transfer_destination": conversation.transferred_to or None,
        "grade_status": "completed",
        "grade_score": None if page else 90,
        "call_outcome": "success",
    }
    turns = [
        WireTurn(
            role="assistant" if turn.role == "agent" and not page else turn.role,
            content=cast("Any", turn.content),
            start_ms=turn.start_ms,
            end_ms=turn.end_ms,
            ttfa_ms=turn.ttfa_ms,
        )
        for turn in conversation.turns
    ]
    grade = WireGrade(status="completed", score=0.9, call_outcome="success", detected_issues=[]) if page else None
    run = Run(id=RunId(run_id), status=RunStatus.COMPLETED, call_id=CallId(run_id))
    return evidence_from_wire(run, (WireCall.model_validate(document), document), turns, None, grade)


def _older(end_reason: str) -> str:
    return {"agent_end": "ai_hangup", "caller_hangup": "user_hangup"}.get(end_reason, end_reason)
