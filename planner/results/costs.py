"""Cost fields of the results document. A contract, as `model`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from planner.bounds import Amount, Count, Total


class Document(BaseModel):
    """A part of the results document. Unknown fields are ignored, since a newer minor version may add some."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class EstimateAccuracy(Document):
    """Accuracy of the estimates of earlier sessions."""

    estimates: Count
    mean_error: Amount | None = Field(default=None, description="Mean absolute error, as a share of the bill.")
    within: Count = Field(default=0, description="Bills within the estimated range.")
    ranged: Count = Field(default=0, description="Number of estimates with a range.")


class JudgeCost(Document):
    """Cost of judge calls (check: judge), rounded up to whole cents. Not part of the other amounts."""

    model: str
    votes: Count = Field(description="Requested in this session.")
    stored_votes: Count = Field(default=0, description="Reused from earlier sessions, free.")
    estimated_cents: Total | None = Field(default=None, description="Expected before the first request.")
    actual_cents: Total = Field(description="Of this session.")
    this_invocation_cents: Total
    ambiguous_cents: Total = Field(default=0, description="Reserved for requests without an answer.")


class CostDocument(Document):
    estimated_cents: Total | None = Field(description="Expected before the first call, including earlier payments.")
    estimated_low_cents: Total | None = Field(default=None, description="80 % range of the bill.")
    estimated_high_cents: Total | None = None
    estimate_basis: str = Field(default="", description="Basis of the estimate.")
    paid_before_cents: Total = Field(default=0, description="Billed to earlier sessions of the change set.")
    service_estimate_cents: Total | None = Field(
        default=None, description="The service's own estimate, if known for each call."
    )
    earlier_estimates: EstimateAccuracy | None = None
    actual_cents: Total = Field(description="Bills of all runs that this change set launched, in any session.")
    this_invocation_cents: Total
    ambiguous_cents: Total = Field(description="Reserved for unconfirmed launches and for runs without a bill.")
    calls_under_way: Count = Field(default=0, description="Launched and not known to have ended.")
    unbilled_calls: Count = Field(default=0, description="Ended without a bill.")
    unread_calls: Count = Field(default=0, description="Ended, but their data cannot be read.")
    ceiling_cents: Total | None = None
    carried_cents: Total = Field(default=0, description="Cost of earlier runs that count; not part of this bill.")
    carried_ambiguous_cents: Total = Field(default=0, description="Reserved for those of them without a bill.")
    judge: JudgeCost | None = Field(default=None, description="Cost of judge calls, in addition.")
