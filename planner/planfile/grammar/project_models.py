"""`planner.yaml` as a pydantic model, as `keys` has plans."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, SkipValidation, StringConstraints

from planner.planfile.grammar.judge_models import JudgeFields
from planner.planfile.grammar.model_terms import Authored, Text
from planner.planfile.grammar.models import FORMAT_VERSION, TIME_OF_DAY, Slug, TargetFields


class ExecutionFields(Authored):
    settle_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=600, description="How long a launch of unknown fate is looked for before it may be sent again."
    )
    linger_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=60, description="How long a run waits at its end for launches of unknown fate."
    )
    mark_prompts: bool = Field(
        default=False,
        description="End each prompt with a short reference that makes the search for a lost launch exact.",
    )


class QuietHoursFields(Authored):
    """Hours of the day in which nobody is called."""

    start: Annotated[str, StringConstraints(pattern=TIME_OF_DAY)] | None = Field(
        default=None, description="When they begin, on a 24-hour clock.", examples=["20:00"]
    )
    end: Annotated[str, StringConstraints(pattern=TIME_OF_DAY)] | None = Field(
        default=None,
        description="When they end; earlier than the start means the next morning.",
        examples=["08:00"],
    )
    time_zone: Text | None = Field(
        default=None, description="Whose clock: a name of the IANA time zone database.", examples=["Europe/Berlin"]
    )


class PolicyFields(Authored):
    max_cost_cents: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="No invocation may cost more, in US cents.", examples=[2000]
    )
    allowed_targets: SkipValidation[list[TargetFields] | None] = Field(
        default=None,
        description="What may be called; by default everything.",
        examples=[[{"agent": 12}, {"phone_number": 77}]],
    )
    max_concurrent_runs: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Calls in flight at one time, at most."
    )
    quiet_hours: SkipValidation[QuietHoursFields | None] = Field(
        default=None,
        description="Hours of the day in which no call is launched.",
        examples=[{"start": "20:00", "end": "08:00", "time_zone": "Europe/Berlin"}],
    )
    max_calls: Annotated[int, Field(ge=1)] = Field(default=10_000, description="Calls in one invocation, at most.")


class ProjectFields(Authored):
    """`planner.yaml`: what holds for all plans of a repository."""

    version: int | None = Field(
        default=None, description="Version of the format; may be left out.", examples=[FORMAT_VERSION]
    )
    environments: SkipValidation[dict[str, dict[str, TargetFields]]] = Field(
        default_factory=dict,
        description="Environment to aliases to what they call, chosen with --environment.",
        examples=[{"staging": {"support": {"agent": 12}}, "production": {"support": {"agent": 40}}}],
    )
    execution: SkipValidation[ExecutionFields | None] = Field(default=None, description="How calls are made.")
    policy: SkipValidation[PolicyFields | None] = Field(default=None, description="Limits on every invocation.")
    rates: dict[Slug, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="Cents per minute, by product.", examples=[{"spark": 8}]
    )
    judge: SkipValidation[JudgeFields | None] = Field(
        default=None,
        description="The language model that `check: judge` asks.",
        examples=[{"base_url": "https://api.openai.com/v1", "model": "gpt-4o-mini", "cents_per_vote": 0.2}],
    )
    store: Text | None = Field(
        default=None,
        description="Where results live; by default the folder .planner/. A folder, a git ref, or an object store's address.",
        examples=["git:refs/planner/results"],
    )
    redact: SkipValidation[list[Text]] = Field(
        default_factory=list[Any],
        description="Regular expressions (RE2); what they find is left out wherever people or other machines see it.",
        examples=[["(?i)member number \\d+"]],
    )
