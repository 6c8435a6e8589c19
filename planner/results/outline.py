"""What a stored invocation says of calls over time: who was called, how it went, what it cost; no prompts, no findings.

A document is mostly findings and their quotes. Reading past them, without making objects of them, takes a sixth of the time, which
is what a history of a thousand invocations is made of.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from planner.results.model import CaseOutcomeName, CostDocument, PlanOutcome


class _Outline(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class RunOutline(_Outline):
    """As `RunDocument` has it."""

    run_id: int
    fault: str | None = None
    cost_cents: int | None = None
    duration_seconds: float | None = None
    latency_ms: float | None = None
    grade_score: float | None = None
    service_estimate_cents: int | None = None
    invocation_id: str = ""
    completed_at: datetime | None = None
    """As it was written, with or without a zone: of a thousand documents most are never looked at (`aware`)."""


class InputsOutline(_Outline):
    target_kind: str
    target_id: int
    agent_revision: str | None = None


class CaseOutline(_Outline):
    """As `CaseDocument` has it."""

    case_id: str
    plan: str
    scenario: str
    target: str
    action: str
    outcome: CaseOutcomeName
    inputs: InputsOutline
    call_fingerprint: str
    runs_not_needed: int = 0
    runs: list[RunOutline] = []


class InvocationOutline(_Outline):
    """As `RunResult` has it."""

    schema_version: str
    invocation_id: str
    outcome: PlanOutcome
    environment: str = ""
    sandbox: bool = False
    partial: bool = False
    finished: bool = True
    started_at: datetime
    ended_at: datetime
    plans: list[str] = []
    cases: list[CaseOutline]
    cost: CostDocument
