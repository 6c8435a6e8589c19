"""`planner.yaml` as pydantic models: keys, types and bounds."""

from typing import Annotated, Any, Literal

from pydantic import Field, SkipValidation, StringConstraints

from planner.planfile.grammar.models import (
    FORMAT_VERSION,
    TIME_OF_DAY,
    AllowedTargetFields,
    Authored,
    Slug,
    TargetFields,
    Text,
)

Cents = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class ExecutionFields(Authored):
    settle_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=600, description="How long to look for an unconfirmed launch before it may be sent again."
    )
    linger_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=60, description="How long a run waits at its end for unconfirmed launches."
    )
    mark_prompts: bool = Field(
        default=False,
        description="End each prompt with a short reference that makes the search for a lost launch exact.",
    )


class QuietHoursFields(Authored):
    """Hours of the day in which nobody is called."""

    required = ("start", "end", "time_zone")
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
    allowed_targets: SkipValidation[list[AllowedTargetFields] | None] = Field(
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
    previews: Literal["allow", "deny"] = Field(
        default="allow",
        description=(
            "allow: where the file of an agent (`config`) differs from the deployed agent, a copy with the file's fields is made,"
            " called and deleted. deny: such calls are refused."
        ),
    )


class TokenPriceFields(Authored):
    """What the endpoint charges by length, in US cents per million tokens."""

    required = ("input", "output")
    input: Cents | None = Field(default=None, description="For what the model reads.", examples=[15])
    output: Cents | None = Field(default=None, description="For what the model writes.", examples=[60])


class JudgeFields(Authored):
    """The language model that `check: judge` asks. Its key comes from the environment only: PLANNER_JUDGE_API_KEY."""

    required = ("base_url", "model")
    base_url: Text | None = Field(
        default=None,
        description="Where the OpenAI-compatible API begins; `/chat/completions` is added. https, or this machine.",
        examples=["https://api.openai.com/v1", "http://127.0.0.1:11434/v1"],
    )
    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None, description="The model's name, as the endpoint knows it.", examples=["gpt-4o-mini"]
    )
    answers_as: list[Annotated[str, StringConstraints(min_length=1, max_length=200)]] = Field(
        default=[],
        description=(
            "Other names under which the same model answers, such as that behind a deployment or an alias; an edition "
            "(`gpt-4o-2024-08-06` of `gpt-4o`) needs none. The answer of any other model is no vote then; where none is listed, the first answer's name holds."
        ),
        examples=[["gpt-4o"]],
    )
    cents_per_vote: Cents | None = Field(
        default=None,
        description="What one vote costs, in US cents; 0 for a model of your own, which then needs no consent to charge.",
        examples=[0.2],
    )
    cents_per_million_tokens: SkipValidation[TokenPriceFields | None] = Field(
        default=None,
        description="What the endpoint charges by length, in US cents; instead of `cents_per_vote`.",
        examples=[{"input": 15, "output": 60}],
    )
    max_concurrent: Annotated[int, Field(ge=1, le=100)] = Field(default=4, description="Votes asked for at one time.")
    timeout_seconds: Annotated[float, Field(gt=0, le=3_600)] = Field(
        default=60, description="How long to wait for one answer, in seconds."
    )
    max_output_tokens: Annotated[int, Field(ge=200, le=100_000)] = Field(
        default=1_000, description="Tokens that the model may write for one vote; a model that thinks first needs more."
    )


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
    store_public: bool = Field(
        default=False,
        description="Whether a git ref of a public repository may hold results: everyone can read transcripts there.",
    )
    redact: SkipValidation[list[Text]] = Field(
        default_factory=list[Any],
        description="Regular expressions (RE2); what they find is left out wherever people or other machines see it.",
        examples=[["(?i)member number \\d+"]],
    )
