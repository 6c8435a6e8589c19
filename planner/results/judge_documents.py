"""The judge's cost and how well it agrees with people, as the results document has them."""

from pydantic import BaseModel, ConfigDict, Field

from planner.bounds import Count, ListOf, Total

_CONFIG = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class JudgeCost(BaseModel):
    """Cost of judge calls (check: judge), rounded up to whole cents. Not part of the other amounts."""

    model_config = _CONFIG

    model: str
    votes: Count = Field(description="Given in this session.")
    calls: Count = Field(default=0, description="Answered in this session; an invalid answer is requested again.")
    stored_votes: Count = Field(default=0, description="Reused from earlier sessions, free.")
    estimated_cents: Total | None = Field(default=None, description="Expected before the first request.")
    actual_cents: Total = Field(description="Of all sessions of this consent.")
    this_session_cents: Total
    unconfirmed_cents: Total = Field(default=0, description="Reserved for requests of this consent without an answer.")


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
    missing: Count = Field(description="The model was not asked yet.")
    contradictory: Count = Field(description="People contradict each other; not compared.")
    unclear: Count = Field(description="People could not tell; not compared.")


class JudgeDocument(BaseModel):
    """How well the judge agrees with people."""

    model_config = _CONFIG

    model: str = Field(description="As planner.yaml names it.")
    calibration: CalibrationDocument | None = Field(default=None, description="All rubrics together.")
    rubrics: ListOf[CalibrationDocument] = Field(default=[])
