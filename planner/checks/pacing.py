"""`pacing`: how the talk flows: silences, interruptions, who speaks how much and how fast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from planner.checks.base import Expectation, Judgement, Quote, errored, failed, passed
from planner.checks.combining import all_hold
from planner.checks.fields import Count, Milliseconds, NotBool, given
from planner.checks.phrases import padded_words
from planner.checks.wording import counted
from planner.evidence import Evidence, Role, Turn

LEAST_OVERLAP_MS = 200
"""Shorter overlaps are how people take turns, and within what transcripts time exactly."""

Share = Annotated[float, Field(ge=0, le=1), NotBool]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False), NotBool]


class _Range(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @model_validator(mode="after")
    def _limits_agree(self) -> Self:
        low, high = (getattr(self, name, None) for name in ("min", "max"))
        if low is None and high is None:
            raise ValueError("needs `min`, `max` or both")
        if low is not None and high is not None and high < low:
            raise ValueError(f"`max` ({high:g}) is less than `min` ({low:g})")
        return self


def _apart(one: _Range | None, other: _Range | None) -> bool:
    """Whether nothing is within both."""
    low, high = getattr(one, "min", None), getattr(other, "max", None)
    return low is not None and high is not None and low > high


class ShareRange(_Range):
    min: Share | None = Field(default=None, description="At least, from 0 to 1.")
    max: Share | None = Field(default=None, description="At most, from 0 to 1.")


class RateRange(_Range):
    min: Rate | None = Field(default=None, description="At least, in words a minute.")
    max: Rate | None = Field(default=None, description="At most, in words a minute.")


@dataclass(frozen=True, slots=True)
class Spoken:
    """A turn of agent or caller whose times are known."""

    turn: Turn
    start_ms: int
    end_ms: int


class Pacing(Expectation, frozen=True):
    """How the talk flows: all that is written must hold.

    Silence is the time between the end of all speech so far and the start of the next turn; before the first turn and after
    the last there is none. A turn that starts while the other side speaks is an overlap of the one who starts, if both
    speak together for 200 ms or more. Words are counted as `says` compares them: in scripts without spaces, characters.
    A turn the service did not time leaves open what it could have changed.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"check": "pacing", "max_silence_ms": 4000, "max_agent_overlaps": 1},
                {"check": "pacing", "talk_ratio": {"max": 0.6}, "words_per_minute": {"min": 100, "max": 190}},
            ]
        }
    )

    looks_at = frozenset({"turns"})

    opposes = ("pacing",)

    check: Literal["pacing"] = Field(description="The kind of check.")
    max_silence_ms: Milliseconds | None = Field(
        default=None, description="The longest silence between two turns, at most, in milliseconds.", examples=[4000]
    )
    max_agent_overlaps: Count | None = Field(
        default=None, description="How often the agent starts to speak while the caller does, at most."
    )
    max_caller_overlaps: Count | None = Field(
        default=None, description="How often the caller starts to speak while the agent does, at most."
    )
    talk_ratio: ShareRange | None = Field(
        default=None,
        description="The agent's share of all time in which somebody speaks: {min: …, max: …}, from 0 to 1.",
        examples=[{"min": 0.3, "max": 0.6}],
    )
    words_per_minute: RateRange | None = Field(
        default=None,
        description="How fast the agent speaks, over its turns: {min: …, max: …}.",
        examples=[{"min": 100, "max": 190}],
    )

    @model_validator(mode="after")
    def _something_to_check(self) -> Self:
        share = self.talk_ratio
        limits = (self.max_silence_ms, self.max_agent_overlaps, self.max_caller_overlaps)
        is_open = share is not None and share.min in (None, 0) and share.max in (None, 1)
        if is_open and not given(*limits, self.words_per_minute):  # beside others it may be what a template leaves open
            raise ValueError("`talk_ratio` from 0 to 1 alone always holds, so it checks nothing")
        if not given(*limits, self.talk_ratio, self.words_per_minute):
            raise ValueError(
                "needs at least one of `max_silence_ms`, `max_agent_overlaps`, `max_caller_overlaps`, `talk_ratio`, "
                "`words_per_minute`"
            )
        return self

    def contradicts(self, other: Expectation) -> str:
        if not isinstance(other, Pacing):
            return ""
        if _apart(self.talk_ratio, other.talk_ratio):
            return "no share of the time is within both of `talk_ratio`"
        return (
            "no speed is within both of `words_per_minute`"
            if _apart(self.words_per_minute, other.words_per_minute)
            else ""
        )

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.turns is None:
            return errored("the service gave no transcript to time turns in")
        turns = [turn for turn in evidence.turns if turn.role is not Role.TOOL]
        if not turns:
            return errored("the transcript is empty: how the talk flowed cannot be told")
        timed = [
            Spoken(turn, turn.start_ms, turn.end_ms)
            for turn in turns
            if turn.start_ms is not None and turn.end_ms is not None and turn.end_ms >= turn.start_ms
        ]
        untimed = len(turns) - len(timed)
        if not timed:
            return errored("the service timed none of the turns")
        timed.sort(key=lambda spoken: (spoken.start_ms, spoken.turn.number))
        conditions: list[Judgement] = []
        if self.max_silence_ms is not None:
            conditions.append(_judge_silence(timed, untimed, self.max_silence_ms))
        for role, limit in ((Role.AGENT, self.max_agent_overlaps), (Role.CALLER, self.max_caller_overlaps)):
            if limit is not None:
                conditions.append(_judge_overlaps(timed, untimed, role, limit))
        if self.talk_ratio is not None:
            conditions.append(_judge_share(timed, untimed, self.talk_ratio))
        if self.words_per_minute is not None:
            conditions.append(_judge_rate(turns, timed, self.words_per_minute))
        return all_hold(conditions)


def _open(untimed: int) -> str:
    return f"{counted(untimed, 'turn')} without timing"


def _judge_silence(timed: Sequence[Spoken], untimed: int, limit_ms: float) -> Judgement:
    """Speech that was not timed can only fill a silence, so one that is too long between timed turns may be none."""
    if untimed:
        return errored(f"silences cannot be told: {_open(untimed)}")
    longest, after = 0, timed[0]
    ended = timed[0].end_ms
    for spoken in timed[1:]:
        if spoken.start_ms - ended > longest:
            longest, after = spoken.start_ms - ended, spoken
        ended = max(ended, spoken.end_ms)
    if longest > limit_ms:
        message = f"{longest} ms of silence before turn {after.turn.number}, expected at most {limit_ms:g} ms"
        return failed(message, Quote.of(after.turn))
    return passed(f"longest silence {longest} ms")


def _judge_overlaps(timed: Sequence[Spoken], untimed: int, role: Role, limit: int) -> Judgement:
    """A turn that was not timed can only add overlaps."""
    found: list[Spoken] = []
    other_until = 0
    for spoken in timed:
        if spoken.turn.role is not role:
            other_until = max(other_until, spoken.end_ms)
        elif min(other_until, spoken.end_ms) - spoken.start_ms >= LEAST_OVERLAP_MS:
            found.append(spoken)
    told = f"the {role.value} spoke over the other side {counted(len(found), 'time')}"
    if len(found) > limit:
        return failed(f"{told}, expected at most {limit}", Quote.of(found[limit].turn))
    if untimed:
        return errored(f"whether the {role.value} spoke over the other side cannot be told: {_open(untimed)}")
    return passed(told)


def _judge_share(timed: Sequence[Spoken], untimed: int, limits: ShareRange) -> Judgement:
    if untimed:
        return errored(f"the agent's share of speech cannot be told: {_open(untimed)}")
    total = _milliseconds(timed)
    if not total:
        return errored("the agent's share of speech cannot be told: every turn took 0 ms")
    share = _milliseconds([spoken for spoken in timed if spoken.turn.role is Role.AGENT]) / total
    return _within(f"the agent spoke {100 * share:.0f} % of the time", share, limits.min, limits.max, _percent)


def _judge_rate(turns: Sequence[Turn], timed: Sequence[Spoken], limits: RateRange) -> Judgement:
    agent = [spoken for spoken in timed if spoken.turn.role is Role.AGENT]
    untimed = sum(turn.role is Role.AGENT for turn in turns) - len(agent)
    milliseconds = _milliseconds(agent)
    if untimed or not milliseconds:
        return errored(
            f"how fast the agent spoke cannot be told: {_open(untimed) if untimed else 'it has no turn that takes time'}"
        )
    words = sum(len(padded_words(spoken.turn.text, fold=True).split()) for spoken in agent)
    rate = words * 60_000 / milliseconds
    return _within(f"the agent spoke {rate:.0f} words a minute", rate, limits.min, limits.max, "{:g}".format)


def _milliseconds(spoken: Sequence[Spoken]) -> int:
    return sum(each.end_ms - each.start_ms for each in spoken)


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _within(found: str, value: float, low: float | None, high: float | None, form: Callable[[float], str]) -> Judgement:
    if low is not None and value < low:
        return failed(f"{found}, expected at least {form(low)}")
    if high is not None and value > high:
        return failed(f"{found}, expected at most {form(high)}")
    return passed(found)
