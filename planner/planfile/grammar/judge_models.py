"""The keys under `judge` of `planner.yaml`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SkipValidation, StringConstraints

from planner.planfile.grammar.model_terms import Authored, Cents, Text


class TokenPriceFields(Authored):
    """What the endpoint charges by length, in US cents per million tokens."""

    input: Cents | None = Field(default=None, description="For what the model reads.", examples=[15])
    output: Cents | None = Field(default=None, description="For what the model writes.", examples=[60])


class JudgeFields(Authored):
    """The language model that `check: judge` asks. Its key comes from the environment only: PLANNER_JUDGE_API_KEY."""

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
