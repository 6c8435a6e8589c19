"""`latency`: how fast the agent answers."""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from planner.checks.base import Expectation, Milliseconds, Missed, PartsRead, check_given, check_order, examples
from planner.checks.judgement import Judgement, Quote, all_hold, failed, passed, undecided
from planner.checks.response_times import response_times
from planner.evidence import Evidence, Role, Turn
from planner.quantities import count


class Latency(Expectation, frozen=True):
    """The agent's response time over its turns.

    The response time of a turn is its time to first audio if the service provides it, else the gap from the caller's
    end to the agent's start. If the caller had to ask again after 3 seconds of silence, it is the time since it first
    asked. Hums ("mm-hmm") and interruptions are not answers, and what the caller says while the agent keeps talking
    does not need one. Undecided if an answer is timed before its question.
    """

    model_config = examples({"check": "latency", "p50_ms": 1200, "p95_ms": 2500})
    version: ClassVar[int] = 4  # no answer is due to what the caller says over the agent's speech
    caller_can_cause_failure = False

    check: Literal["latency"] = Field(description="The kind of check.")
    p50_ms: Milliseconds | None = Field(
        default=None, description="Half of the turns are at least this fast, in milliseconds."
    )
    p95_ms: Milliseconds | None = Field(
        default=None, description="95 % of the turns are at least this fast, in milliseconds."
    )
    max_ms: Milliseconds | None = Field(default=None, description="No turn is slower, in milliseconds.")

    @model_validator(mode="after")
    def _limits_agree(self) -> Self:
        check_given(self, "p50_ms", "p95_ms", "max_ms")
        for low, high in (("p50_ms", "p95_ms"), ("p95_ms", "max_ms"), ("p50_ms", "max_ms")):
            check_order(self, low, high)
        return self

    def reads(self, evidence: Evidence, missed: Missed) -> PartsRead:
        del evidence
        # Redaction does not change who spoke when.
        return frozenset({"turns"} if missed is Missed.UNREAD else ())

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.turns is None:
            return undecided("the service gave no transcript to time turns in")
        if (early := _early_answer(evidence.turns)) is not None:
            return undecided(
                f"the times contradict the order of the turns: turn {early.number} ends before its question"
            )
        timed, untimed = response_times(evidence.turns)
        if not timed:
            return undecided(
                "the service timed none of the agent's turns" if untimed else "no agent turn answers the caller"
            )
        measured = f"over {count(len(timed), 'agent turn')}{f', {untimed} without timing' if untimed else ''}"
        limits = (("p50", 50, self.p50_ms), ("p95", 95, self.p95_ms), ("max", 100, self.max_ms))
        judgement = all_hold(
            [_judge_limit(name, percentile(timed, share), limit) for name, share, limit in limits if limit is not None]
        )
        return Judgement(judgement.outcome, f"{judgement.message} ({measured})", judgement.quote)


def _early_answer(turns: Sequence[Turn]) -> Turn | None:
    """The first answer whose times are before its question, where these times would be used."""
    spoken = [turn for turn in turns if turn.role is not Role.TOOL]
    for question, turn in pairwise(spoken):
        if turn.role is not Role.AGENT or question.role is not Role.CALLER or turn.ttfa_ms is not None:
            continue
        if turn.start_ms is None or question.start_ms is None or question.end_ms is None:
            continue
        end = turn.start_ms if turn.end_ms is None else turn.end_ms
        if turn.start_ms < question.start_ms and end <= question.start_ms:
            return turn
    return None


def percentile(ordered: Sequence[tuple[float, Turn]], share: int) -> tuple[float, Turn]:
    """By nearest rank: the smallest value that `share` percent of all values do not exceed."""
    return ordered[-(-share * len(ordered) // 100) - 1]


def _judge_limit(name: str, found: tuple[float, Turn], limit_ms: float) -> Judgement:
    milliseconds, turn = found
    if milliseconds > limit_ms:
        message = f"{name} {milliseconds:g} ms at turn {turn.number}, expected at most {limit_ms:g} ms"
        return failed(message, Quote.of(turn))
    return passed(f"{name} {milliseconds:g} ms")
