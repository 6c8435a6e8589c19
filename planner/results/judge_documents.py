"""The judge's cost and how far it can be relied on, as the results document has them."""

from pydantic import BaseModel, ConfigDict, Field

from planner.bounds import Count, ListOf, Share, Total

_CONFIG = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class JudgeCost(BaseModel):
    """Cost of judge calls (check: judge), rounded up to whole cents. Not part of the other amounts."""

    model_config = _CONFIG

    model: str
    votes: Count = Field(description="Given in this session.")
    calls: Count = Field(default=0, description="Answered in this session; a judge call asks several rubrics at once.")
    stored_votes: Count = Field(default=0, description="Reused from earlier sessions, free.")
    estimated_cents: Total | None = Field(default=None, description="Expected before the first request.")
    actual_cents: Total = Field(description="Of all sessions of this consent.")
    this_session_cents: Total
    unconfirmed_cents: Total = Field(default=0, description="Reserved for requests of this consent without an answer.")


class CanaryDocument(BaseModel):
    """Fixed transcripts that the judge was asked about again."""

    model_config = _CONFIG

    asked: Count
    compared: Count = Field(description="With answers of earlier sessions by the same model.")
    different: Count = Field(description="Answered differently than before.")
    p_value: Share = Field(description="Probability of so many different answers by the same model.")
    has_drifted: bool = Field(description="Another model answers under the same name.")


class CalibrationDocument(BaseModel):
    """The judge compared with people who labelled transcripts. A `does_not_hold` of theirs is a failure to find."""

    model_config = _CONFIG

    rubric: str = Field(description="Empty: all rubrics together.")
    compared: Count = Field(description="Labels that people and the judge decided.")
    right: Count
    found: Count = Field(description="Both say that the rubric does not hold.")
    missed: Count = Field(description="Only people say so.")
    false_alarms: Count = Field(description="Only the judge says so.")
    undecided: Count = Field(description="The judge could not decide.")
    missing: Count = Field(description="The model that answers now was not asked yet.")
    contradictory: Count = Field(description="People contradict each other; not compared.")
    unclear: Count = Field(description="People could not tell; not compared.")
    kappa: float | None = Field(description="Cohen's kappa; null without labels of both kinds.", ge=-1, le=1)
    kappa_interval: tuple[float, float] | None = Field(description="95 %.")
    only_warns: bool = Field(description="It agrees less than `min_kappa`.")


class JudgeDocument(BaseModel):
    """How far the judge can be relied on."""

    model_config = _CONFIG

    model: str = Field(description="The one that answers now.")
    canaries: CanaryDocument | None = Field(default=None, description="Null if none were asked in this session.")
    only_warns: bool = Field(
        default=False,
        description="Canaries showed another model, and labels do not show yet that it agrees with people.",
    )
    calibration: CalibrationDocument | None = Field(default=None, description="All rubrics together.")
    rubrics: ListOf[CalibrationDocument] = Field(default=[])
