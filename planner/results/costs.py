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
    actual_cents: Total = Field(description="Of this session. An interrupted session's spending is in its own results.")
    this_invocation_cents: Total
    ambiguous_cents: Total = Field(
        default=0, description="Reserved for requests without an answer, which may have been charged."
    )


class CostDocument(Document):
    estimated_cents: Total | None = Field(
        description="Expected before the first call of this session, including earlier payments; null if unknown."
    )
    estimated_low_cents: Total | None = Field(
        default=None, description="The expected 80 % range of the bill; null if unknown."
    )
    estimated_high_cents: Total | None = None
    estimate_basis: str = Field(default="", description="Basis of the estimate.")
    paid_before_cents: Total = Field(
        default=0,
        description="Billed to earlier sessions of the same change set; part of the estimate.",
    )
    service_estimate_cents: Total | None = Field(
        default=None, description="The service's own estimate of the calls; null unless known for each."
    )
    earlier_estimates: EstimateAccuracy | None = None
    actual_cents: Total = Field(
        description="Bills of all runs that this change set launched, including earlier interrupted sessions."
    )
    this_invocation_cents: Total
    ambiguous_cents: Total = Field(
        description="Reserved for unconfirmed launches, calls under way, and ended runs that have no bill or cannot be read."
    )
    calls_under_way: Count = Field(
        default=0, description="Launched and not known to have ended; their reservations are in `ambiguous_cents`."
    )
    unbilled_calls: Count = Field(
        default=0, description="Ended without a bill; their reservations are in `ambiguous_cents`."
    )
    unread_calls: Count = Field(
        default=0,
        description="Ended, but their data cannot be read; their reservations are in `ambiguous_cents`.",
    )
    ceiling_cents: Total | None = None
    carried_cents: Total = Field(
        default=0, description="Cost of reused, rechecked and pooled runs; not part of this bill."
    )
    carried_ambiguous_cents: Total = Field(
        default=0, description="Reserved for those of them without a bill; not part of this bill."
    )
    judge: JudgeCost | None = Field(
        default=None, description="Cost of judge calls, in addition; null if none were needed."
    )
