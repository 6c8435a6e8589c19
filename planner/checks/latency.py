"""`latency`: how fast the agent answers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from planner.checks.base import Expectation, Judgement, Missed, PartsRead, Quote, errored, failed, passed
from planner.checks.combining import all_hold
from planner.checks.fields import Milliseconds, given
from planner.checks.wording import counted
from planner.evidence import Evidence, Role, Turn


class Latency(Expectation, frozen=True):
    """The agent's response time over its turns.

    A turn's response time is its time to first audio where the service tells it, else the gap from the caller's end to the
    agent's start (0 where they overlap). Where an answer is timed before what it answers nothing is told. Percentiles are by nearest rank, so that each is the time of a real turn.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"check": "latency", "p50_ms": 1200, "p95_ms": 2500}]})

    version: ClassVar[int] = 2  # times that contradict the order of the turns

    check: Literal["latency"] = Field(description="The kind of check.")
    p50_ms: Milliseconds | None = Field(default=None, description="Half of the turns are this fast, in milliseconds.")
    p95_ms: Milliseconds | None = Field(default=None, description="95 % of the turns are this fast, in milliseconds.")
    max_ms: Milliseconds | None = Field(default=None, description="No turn is slower, in milliseconds.")

    @model_validator(mode="after")
    def _limits_agree(self) -> Self:
        if not given(self.p50_ms, self.p95_ms, self.max_ms):
            raise ValueError("needs at least one of `p50_ms`, `p95_ms`, `max_ms`")
        written = [
            (name, limit) for name in ("p50_ms", "p95_ms", "max_ms") if (limit := getattr(self, name)) is not None
        ]
        for (name, limit), (next_name, next_limit) in pairwise(written):
            if next_limit < limit:
                raise ValueError(
                    f"`{next_name}` ({next_limit:g}) is less than `{name}` ({limit:g}), which can then never decide"
                )
        return self

    def reads(self, evidence: Evidence, missed: Missed) -> PartsRead:
        del evidence
        # Who spoke when is left out nowhere, but may not have been read.
        return frozenset({"turns"} if missed is Missed.UNREAD else ())

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.turns is None:
            return errored("the service gave no transcript to time turns in")
        if (early := _answer_before_question(evidence.turns)) is not None:
            return errored(
                f"the times contradict the order of the turns: turn {early.number} is over before what it answers"
            )
        timed, untimed = response_times(evidence.turns)
        if not timed:
            return errored(
                "the service timed none of the agent's turns" if untimed else "no agent turn answers the caller"
            )
        measured = f"over {counted(len(timed), 'agent turn')}{f', {untimed} without timing' if untimed else ''}"
        limits = (("p50", 50, self.p50_ms), ("p95", 95, self.p95_ms), ("max", 100, self.max_ms))
        judgement = all_hold(
            [_judge_limit(name, percentile(timed, share), limit) for name, share, limit in limits if limit is not None]
        )
        return Judgement(judgement.outcome, f"{judgement.message} ({measured})", judgement.quote)


def response_times(turns: Sequence[Turn]) -> tuple[list[tuple[float, Turn]], int]:
    """(milliseconds, turn) of each agent turn that can be timed, fastest first, and how many answers cannot be."""
    timed: list[tuple[float, Turn]] = []
    untimed = 0
    before: Turn | None = None
    for turn in turns:
        if turn.role is Role.AGENT:
            if turn.ttfa_ms is not None:
                timed.append((turn.ttfa_ms, turn))
            elif before is not None and before.role is Role.CALLER:
                if before.end_ms is None or turn.start_ms is None:
                    untimed += 1
                else:
                    timed.append((max(0, turn.start_ms - before.end_ms), turn))
        if turn.role is not Role.TOOL:
            before = turn
    return sorted(timed, key=lambda item: (item[0], item[1].number)), untimed


def _answer_before_question(turns: Sequence[Turn]) -> Turn | None:
    """The first agent turn that would be timed by the turn before it, and is told to have come before that."""
    spoken = [turn for turn in turns if turn.role is not Role.TOOL]
    for before, turn in pairwise(spoken):
        if turn.role is not Role.AGENT or before.role is not Role.CALLER or turn.ttfa_ms is not None:
            continue
        if turn.start_ms is None or before.start_ms is None or before.end_ms is None:
            continue
        over = turn.start_ms if turn.end_ms is None else turn.end_ms
        if turn.start_ms < before.start_ms and over <= before.start_ms:
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
