"""Tolerant models of the Test Calls API: both dialects, unknown fields ignored, no field required that only one dialect
has.

Source: the vendor's reference page and the wire models of its official Python client 0.2.0.
"""

from datetime import datetime
from typing import Annotated, Any, Final, cast

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
)

from planner.clock import aware
from planner.evidence import RunStatus
from planner.providers.base import Batch, BatchId, CallId, ListedAgent, Run, RunId


def _listed(value: object) -> object:
    """A missing list is empty; objects with an id become their ids."""
    if not isinstance(value, list):
        return []
    items = (
        cast("dict[str, Any]", item).get("id") if isinstance(item, dict) else item for item in cast("list[Any]", value)
    )
    return [item for item in items if item is not None]


_FITTING = Field(ge=-(2**63), lt=2**63)
_FIRST = Field(union_mode="left_to_right")
"""The most common form is tried first: each of our validator functions costs as much as the rest of a field, and a page
of runs has two thousand fields."""


def _refuse_flag(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("true and false are not numbers")  # noqa: TRY004 - pydantic expects it
    return value


_NO_FLAG = BeforeValidator(_refuse_flag)
"""Otherwise pydantic reads true as 1, which may be the id of something else."""
Int64 = Annotated[int, _NO_FLAG, _FITTING]
"""Ids and cents; larger values are invalid, and no journal could hold them."""
Moment = Annotated[AwareDatetime | Annotated[datetime, AfterValidator(aware)], _FIRST]
"""Aware; times without a zone are UTC."""


HIGHEST_CENTS: Final = 1_000_000
"""Above $10,000, an amount is not the charge for one call."""


def _fitting_number(value: object) -> object:
    """None instead of a flag, which is no number, and of a number that nothing can be computed with."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float) and 2**63 <= abs(value) < float("inf"):
        return None
    return value


def _plausible(value: object) -> object:
    value = _fitting_number(value)
    if isinstance(value, int | float) and abs(value) < float("inf") and not 0 <= value <= HIGHEST_CENTS:
        return None
    return value


Cents = Annotated[
    Annotated[StrictInt, Field(ge=0, le=HIGHEST_CENTS)] | Annotated[Int64 | None, BeforeValidator(_plausible)], _FIRST
]
"""An impossible amount is missing: it is an estimate, and must not cost its whole row."""
Bill = Annotated[Annotated[int | float, _FITTING] | None, BeforeValidator(_fitting_number)]
"""In cents, possibly fractional; only the final cost is an integer."""
Number = (
    Annotated[
        Annotated[StrictInt, _FITTING]
        | Annotated[StrictFloat, _FITTING]
        | Annotated[int | float | None, BeforeValidator(_fitting_number)],
        _FIRST,
    ]
    | None
)
Whole = (
    Annotated[Annotated[StrictInt, _FITTING] | Annotated[int | None, BeforeValidator(_fitting_number)], _FIRST] | None
)
"""Booleans and numbers over 64 bits count as missing."""


class Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, defer_build=True, frozen=True)


class WireRun(Wire):
    """A test-call run. Its fields are those of `Run`, and in one dialect what its call said, which is validated where
    it is used."""

    id: Annotated[RunId, _NO_FLAG, _FITTING]
    status: RunStatus
    target_type: str | None = None
    target_id: Int64 | None = None
    direction: str | None = None
    mode: str | None = None
    target_number: str | None = None
    prompt: str | None = Field(default=None, validation_alias="scenario_prompt")
    estimated_cents: Cents | None = Field(default=None, validation_alias="estimated_cost_cents")
    call_id: Annotated[CallId, _NO_FLAG, _FITTING] | None = None
    error_message: str | None = None
    started_at: Moment | None = None
    completed_at: Moment | None = None
    created_at: Moment | None = None
    batch_id: Annotated[BatchId, _NO_FLAG, _FITTING] | None = None
    requester_id: Int64 | None = Field(default=None, validation_alias="requested_by_id")
    transcript: Any = None
    grade: Any = None

    def plain(self, problem: str = "") -> Run:
        fields = dict(vars(self))
        listed = {name: fields.pop(name) for name in ("transcript", "grade")}
        return Run(**fields, listed=listed if self.status.has_ended else {}, problem=problem)


class WireBatch(Wire):
    """Its fields are those of `Batch`. In one dialect `run_ids` may be anything or missing."""

    id: Annotated[BatchId, _NO_FLAG, _FITTING]
    name: str | None = None
    target_type: str | None = None
    target_id: Int64 | None = None
    direction: str | None = None
    target_number: str | None = None
    prompts: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        default=(), validation_alias="scenario_prompts"
    )
    size: Int64 | None = Field(default=None, validation_alias=AliasChoices("run_count", "total_runs"))
    requester_id: Int64 | None = Field(default=None, validation_alias="requested_by_id")
    created_at: Moment | None = None
    run_ids: Annotated[tuple[Annotated[RunId, _NO_FLAG, _FITTING], ...], BeforeValidator(_listed)] = ()

    def plain(self) -> Batch:
        return Batch(**vars(self))


class WireListedAgent(Wire):
    id: Int64
    name: str = ""
    created_at: Moment | None = None

    def plain(self) -> ListedAgent:
        return ListedAgent(**vars(self))


class WireCall(Wire):
    """A call. `Evidence` keeps the whole object; these fields are read by name. The ids are only validated: an answer
    without sense is asked for again."""

    call_id: Int64 | None = None
    id: Int64 | None = None
    status: str | None = None
    end_reason: str | None = None
    duration_seconds: Number = None
    product: str | None = None
    billing_total_cents: Bill = None
    grade_status: str | None = None
    grade_score: Number = None
    issue_count: Whole = None
    critical_issue_count: Whole = None
    call_outcome: str | None = None
    goal_achievement: str | None = None
    transfer_destination: str | None = None
    agent_variant_id: Any = None
    agent_variant_label: Any = None


class WireTurn(Wire):
    """Times are not validated: an invalid one must not cost the whole transcript."""

    role: str | None = None
    content: Any = None
    start_ms: Any = None
    end_ms: Any = None
    ttfa_ms: Any = None
    name: Any = None
    tool_calls: Any = None
    tool_call_id: Any = None
    call_id: Any = None
    id: Any = None

    @property
    def ids(self) -> tuple[object, object, object]:
        """Ids that may link a result to its tool call, the most reliable first; the last may be the turn's own."""
        return self.tool_call_id, self.call_id, self.id


class WireTranscript(Wire):
    """`transcripts` is None if the service has none."""

    transcripts: list[WireTurn] | None = None


class WireGrade(Wire):
    status: str | None = None
    score: Number = None
    call_outcome: str | None = None
    goal_achievement: str | None = None
    detected_issues: Any = None
    rubric_breakdown: Any = None
    outcome_reasoning: Any = None
    goal_reasoning: Any = None
    summary: str | None = None
    grader_model: Any = None
    grader_version: Any = None


class WireBilling(Wire):
    balance_cents: Int64 | None = None
    monthly_spending_limit_cents: Int64 | None = None
    spending_limit_reached: bool | None = None
    test_call_budget_cents: Int64 | None = None
    test_call_budget_remaining_cents: Int64 | None = None


class WireTransaction(Wire):
    """`amount_cents` may have either sign; `kind` is an open set."""

    id: Int64 | str
    kind: str | None = None
    amount_cents: Annotated[Annotated[int | float, _FITTING], BeforeValidator(_fitting_number)]


class WireTransactions(Wire):
    """A page, newest first. Rows are validated one by one, so that an invalid one does not cost the others."""

    results: list[Any]
    total: Int64 | None = None


class WirePhoneNumber(Wire):
    id: Int64
    inbound_agent_id: Int64 | None = None
    outbound_agent_id: Int64 | None = None
