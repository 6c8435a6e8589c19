"""What an invocation cost, of the results document: of its calls and of a language model's votes. A contract, as `model`."""

from __future__ import annotations

from pydantic import Field

from planner.bounds import Amount, Count, Total
from planner.results.document import Document


class EstimateAccuracy(Document):
    """How well the estimates of the newest invocations before this one foretold their bills."""

    estimates: Count
    mean_error: Amount | None = Field(default=None, description="Mean size of their errors, as a share of the bill.")
    within: Count = Field(default=0, description="Bills that were within the range estimated.")
    ranged: Count = Field(default=0, description="Of so many that had one.")


class JudgeCost(Document):
    """What the language model's votes (check: judge) cost; no part of the other amounts, and rounded up to whole cents."""

    model: str
    votes: Count = Field(description="Given in this invocation.")
    stored_votes: Count = Field(default=0, description="Given before, and used again for nothing.")
    estimated_cents: Total | None = Field(default=None, description="Expected before the first was asked for.")
    actual_cents: Total = Field(
        description="Of the votes of this invocation; what an interrupted one spent is in its own results."
    )
    this_invocation_cents: Total
    ambiguous_cents: Total = Field(
        default=0, description="Reserved for requests without an answer, which may have been charged."
    )


class CostDocument(Document):
    estimated_cents: Total | None = Field(
        description="Expected before the first call of this invocation, what was paid before included; null when unknown."
    )
    estimated_low_cents: Total | None = Field(
        default=None, description="The 80 % range of the bill, as it was expected then; null when unknown."
    )
    estimated_high_cents: Total | None = None
    estimate_basis: str = Field(default="", description="What the estimate was made of.")
    paid_before_cents: Total = Field(
        default=0,
        description="Billed to earlier invocations of the same change set before this one began: part of what was expected.",
    )
    service_estimate_cents: Total | None = Field(
        default=None, description="What the service itself expected of the calls made; null unless it told of each."
    )
    earlier_estimates: EstimateAccuracy | None = None
    actual_cents: Total = Field(
        description="Bill of every run this change set launched, earlier interrupted invocations included."
    )
    this_invocation_cents: Total
    ambiguous_cents: Total = Field(
        description="Reserved for launches of unknown fate, for calls under way, and for runs that ended without a bill, or unread."
    )
    calls_under_way: Count = Field(
        default=0, description="Launched and not seen to end: what is reserved for them is in `ambiguous_cents`."
    )
    unbilled_calls: Count = Field(
        default=0, description="Ended without a bill: what is reserved for them is in `ambiguous_cents`."
    )
    unread_calls: Count = Field(
        default=0,
        description="Ended, and what the service tells of them cannot be read: what is reserved for them is in `ambiguous_cents`.",
    )
    ceiling_cents: Total | None = None
    carried_cents: Total = Field(
        default=0, description="What kept, rechecked and pooled runs once cost; not part of this bill."
    )
    carried_ambiguous_cents: Total = Field(
        default=0, description="Reserved for those of them whose bill is still unknown; not part of this bill either."
    )
    judge: JudgeCost | None = Field(
        default=None, description="What the language model's votes cost, besides; null where none were needed."
    )
