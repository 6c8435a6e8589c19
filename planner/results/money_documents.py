"""What calls cost and who agreed to them, as the results document has them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from planner.bounds import Count, StoredTime, Total
from planner.results.judge_documents import JudgeCost

_CONFIG = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class CostDocument(BaseModel):
    model_config = _CONFIG

    estimated_cents: Total | None = Field(description="Expected before the first call, including earlier payments.")
    estimated_low_cents: Total | None = Field(default=None, description="80 % range of the bill.")
    estimated_high_cents: Total | None = None
    estimate_basis: str = Field(default="", description="Basis of the estimate.")
    paid_before_cents: Total = Field(default=0, description="Billed to earlier sessions of the consent.")
    actual_cents: Total = Field(description="Bills of all runs of this consent, in any session.")
    this_session_cents: Total
    unconfirmed_cents: Total = Field(description="Reserved for unconfirmed launches and for runs without a bill.")
    calls_under_way: Count = Field(default=0, description="Launched and not known to have ended.")
    unbilled_calls: Count = Field(default=0, description="Ended without a bill.")
    unread_calls: Count = Field(default=0, description="Ended, but their data cannot be read.")
    ceiling_cents: Total | None = None
    carried_cents: Total = Field(default=0, description="Cost of earlier runs that count; not part of this bill.")
    carried_unconfirmed_cents: Total = Field(default=0, description="Reserved for those of them without a bill.")
    judge: JudgeCost | None = Field(default=None, description="Cost of judge calls, in addition.")

    @computed_field
    @property
    def judge_cents(self) -> Total:
        """Cost of judge calls of this consent, in addition to the other amounts."""
        return 0 if self.judge is None else self.judge.actual_cents


class ConsentDocument(BaseModel):
    model_config = _CONFIG

    given: bool
    id: str = Field(default="", description="Costs and ceilings are of this consent; empty if there is none.")
    by: str = Field(default="", description="User or CI actor.")
    at: StoredTime | None = None
    digest: str = ""
    max_cost_cents: Total | None = None
    how: Literal["terminal", "dispatch", "comment", "flag"] | None = Field(
        default=None, description="How the person agreed; null if none was given or needed."
    )
    spent_cents: Total = Field(
        default=0, description="What calls and judge calls of this consent cost, or may still cost, on all machines."
    )
