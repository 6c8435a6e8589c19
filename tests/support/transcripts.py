"""Evidence of calls as the sandbox's two talk them, told in either of the service's dialects, without any service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Literal, cast

from planner.api.wire import WireCall, WireGrade, WireRun, WireTurn
from planner.evidence import Evidence
from planner.evidence.reading import evidence_from_wire
from planner.sandbox import load_world
from planner.sandbox.agents.agent import Agent
from planner.sandbox.conversation import Conversation
from planner.sandbox.conversations.dialogue import converse

Dialect = Literal["page", "client"]

PROMPTS: Sequence[tuple[str, int, str]] = (
    ("demo", 12, "You are Mei Chen, born 2 March 1985. Book an appointment for a sore throat, best on Thursday afternoon."),
    ("demo", 14, "You are Bob Lee. Your order number is 20417, but misremember it at first. Ask to return the shower chair."),
    ("demo", 14, "You are Mei Chen, hard of hearing. Ask when order 30988 arrives. Ask the agent to repeat the answer."),
    ("demo", 14, "You are Tom Berg, furious. Ask whether you can return order 41556. Keep arguing for an exception."),
    ("demo", 12, "You are chatty. Ask an unrelated trivia question, then ask where you can park."),
    ("demo", 14, "You are impatient. Ask how many days you have to return order 12345. Interrupt the agent."),
    ("demo", 14, "You are Ana Ruiz. Give your order number as 20471 first, then correct yourself. Ask where your order 20417 is."),
    ("demo", 17, "You are Omar Haddad, worried. Your phone number is 415 555 0111. Say that your son has a fever of 40 degrees."),
    ("flaky", 14, "You are Ana Ruiz. Your order number is 12345. Ask where your order is and how long refunds take."),
    ("demo", 12, "You called by mistake: you have the wrong number."),
)  # fmt: skip
"""World, agent and prompt; with slips of the tongue, an agent that slips, and a caller with the wrong number."""


def transcripts(count: int, dialects: Sequence[Dialect] = ("page", "client")) -> Iterator[tuple[str, Evidence]]:
    """(prompt, evidence) of so many calls: the prompts in turn, each with another seed every time, the dialects in turn."""
    for number in range(count):
        world, agent_id, prompt = PROMPTS[number % len(PROMPTS)]
        dialect = dialects[number // len(PROMPTS) % len(dialects)]
        conversation = converse(_agent(world, agent_id), prompt, number, "outbound", "+14155550199")
        yield prompt, told(conversation, dialect, run_id=number + 1)


@cache
def _agent(world: str, agent_id: int) -> Agent:
    return Agent(load_world(world).snapshot(agent_id))


def told(conversation: Conversation, dialect: Dialect, *, run_id: int = 1) -> Evidence:
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
    run = WireRun(id=run_id, status="completed", call_id=run_id)
    return evidence_from_wire(run, (WireCall.model_validate(document), document), turns, None, grade)


def _older(end_reason: str) -> str:
    return {"agent_end": "ai_hangup", "caller_hangup": "user_hangup"}.get(end_reason, end_reason)
