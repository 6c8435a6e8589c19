"""The outline of a stored session: who was called, the outcome and the cost, without prompts and findings.

Skipping findings and quotes makes reading six times faster, which matters for a history of a thousand sessions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from pydantic import TypeAdapter

from planner.bounds import Amount, Cents, Count, ListOf, ServiceId, Share, StoredTime
from planner.results.costs import CostDocument
from planner.results.model import COUNTABLE, CaseOutcomeName, PlanOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutline:
    """The fields of `RunDocument`."""

    run_id: ServiceId
    fault: str | None = None
    cost_cents: Cents | None = None
    cost_basis: str | None = None
    call_id: int | None = None
    evidence: str | None = None
    duration_seconds: Amount | None = None
    latency_ms: Amount | None = None
    grade_score: Share | None = None
    service_estimate_cents: Cents | None = None
    invocation_id: str = ""
    completed_at: StoredTime | None = None

    @property
    def countable(self) -> bool:
        return self.fault in COUNTABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class InputsOutline:
    target_kind: str
    target_id: ServiceId
    agent_revision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOutline:
    """The fields of `CaseDocument`."""

    case_id: str
    plan: str
    scenario: str
    target: str
    action: str
    outcome: CaseOutcomeName
    inputs: InputsOutline
    call_fingerprint: str
    runs_not_needed: Count = 0
    runs_countable: Count | None = None
    runs: ListOf[RunOutline] = field(default_factory=list[RunOutline])

    def counts(self, run: RunOutline) -> bool:
        """Whether the run counts in the case's pass rate; platform failures do if the plan says so."""
        if run.countable or run.fault != "platform" or self.runs_countable is None:
            return run.countable
        return self.runs_countable > sum(each.countable for each in self.runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationOutline:
    """The fields of `RunResult`."""

    schema_version: str
    invocation_id: str
    outcome: PlanOutcome
    environment: str = ""
    sandbox: bool = False
    partial: bool = False
    finished: bool = True
    started_at: StoredTime
    ended_at: StoredTime
    plans: ListOf[str] = field(default_factory=list[str])
    cases: ListOf[CaseOutline]
    cost: CostDocument


@cache
def _reader() -> TypeAdapter[InvocationOutline]:
    return TypeAdapter(InvocationOutline)


def read_outline(data: bytes) -> InvocationOutline:
    """Parse a stored document. Raises `pydantic.ValidationError`."""
    return _reader().validate_json(data)
