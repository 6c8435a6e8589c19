"""Evidence of scripted calls, without any service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from planner.evidence import Evidence, RunStatus
from planner.providers.base import CallId, Run, RunId
from planner.providers.thunderphone.evidence import evidence_from_wire
from planner.providers.thunderphone.wire import WireCall, WireGrade, WireTurn
from planner.sandbox import load_world
from planner.sandbox.conversation import Conversation, converse

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


def transcripts(count: int) -> Iterator[tuple[str, Evidence]]:
    """(prompt, evidence) of so many calls: the prompts in turn, each with another seed every time."""
    for number in range(count):
        agent_id, prompt = PROMPTS[number % len(PROMPTS)]
        conversation = converse(load_world("demo").snapshot(agent_id), prompt, number)
        yield prompt, evidence_of(conversation, run_id=number + 1)


def evidence_of(conversation: Conversation, *, run_id: int = 1) -> Evidence:
    """A conversation as a completed run's evidence."""
    document: dict[str, Any] = {
        "call_id": run_id,
        "status": "completed",
        "end_reason": conversation.end_reason,
        "duration_seconds": max(1, round(conversation.duration_ms / 1000)),
        "product": "spark",
        "billing_total_cents": 16,
        "transfer_destination": conversation.transferred_to or None,
        "grade_status": "completed",
        "grade_score": None,
        "call_outcome": "success",
    }
    turns = [
        WireTurn(
            role=turn.role,
            content=cast("Any", turn.content),
            start_ms=turn.start_ms,
            end_ms=turn.end_ms,
            ttfa_ms=turn.ttfa_ms,
        )
        for turn in conversation.turns
    ]
    grade = WireGrade(status="completed", score=0.9, call_outcome="success", detected_issues=[])
    run = Run(id=RunId(run_id), status=RunStatus.COMPLETED, call_id=CallId(run_id))
    return evidence_from_wire(run, (WireCall.model_validate(document), document), turns, None, grade)
