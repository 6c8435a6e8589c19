"""What the Test Calls API says, read tolerantly: both dialects, unknown fields ignored, and no field needed that only one has.

Source: the vendor's reference page and the wire models of its official Python client 0.2.0.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class WireRun(Wire):
    """A test-call run. `status`: queued, in_progress, completed or failed; anything else counts as not ended."""

    id: int
    status: str
    target_type: str | None = None
    target_id: int | None = None
    direction: str | None = None
    mode: str | None = None
    target_number: str | None = None
    scenario_prompt: str | None = None
    charge_multiplier: float | None = None
    estimated_cost_cents: int | None = None
    call_id: int | None = None
    error_message: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    created_at: datetime | None = None
    batch_id: int | None = None
    requested_by_id: int | None = None

    @property
    def ended(self) -> bool:
        return self.status in ("completed", "failed")


class WireBatch(Wire):
    id: int
    status: str | None = None
    name: str | None = None
    target_type: str | None = None
    target_id: int | None = None
    direction: str | None = None
    scenario_prompts: list[str] = []
    run_count: int | None = None
    total_runs: int | None = None
    requested_by_id: int | None = None
    created_at: datetime | None = None
    run_ids: list[int] = []


class WireCall(Wire):
    """A call log. `document` in `Evidence` keeps the whole object; here is only what is read by name."""

    call_id: int | None = None
    id: int | None = None
    status: str | None = None
    end_reason: str | None = None
    duration_seconds: float | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    product: str | None = None
    billing_total_cents: int | None = None
    billed_at: datetime | None = None
    grade_status: str | None = None
    grade_score: int | float | None = None
    issue_count: int | None = None
    critical_issue_count: int | None = None
    call_outcome: str | None = None
    goal_achievement: str | None = None
    transfer_destination: str | None = None


class WireTurn(Wire):
    role: str | None = None
    content: Any = None
    start_ms: float | None = None
    end_ms: float | None = None
    ttfa_ms: float | None = None


class WireTranscript(Wire):
    """`transcripts` is None where the service has none."""

    transcripts: list[WireTurn] | None = None


class WireGrade(Wire):
    status: str | None = None
    score: int | float | None = None
    call_outcome: str | None = None
    goal_achievement: str | None = None
    detected_issues: Any = None
    summary: str | None = None


class WireBilling(Wire):
    balance_cents: int | None = None
    spending_limit_reached: bool | None = None
    test_call_budget_cents: int | None = None
    test_call_budget_remaining_cents: int | None = None


class WirePhoneNumber(Wire):
    id: int
    number: str | None = None
    status: str | None = None
    inbound_agent_id: int | None = None
    outbound_agent_id: int | None = None
