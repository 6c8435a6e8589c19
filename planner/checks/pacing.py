"""`pacing`: silences, interruptions, and who speaks how much."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from planner.checks.base import Count, Expectation, Milliseconds, NotBool, check_given, check_order, examples, within
from planner.checks.judgement import Judgement, Quote, all_hold, failed, passed, undecided
from planner.evidence import Evidence, Role, Turn
from planner.quantities import count
from planner.values import frozen

LEAST_OVERLAP_MS = 200
"""Shorter overlaps are normal turn-taking, and below the accuracy of transcripts."""

Share = Annotated[float, Field(ge=0, le=1), NotBool]


@frozen
class TimedTurn:
    """A turn of agent or caller with known times."""

    turn: Turn
    start_ms: int
    end_ms: int


class ShareRange(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    min: Share | None = Field(default=None, description="Minimum, from 0 to 1.")
    max: Share | None = Field(default=None, description="Maximum, from 0 to 1.")

    @model_validator(mode="after")
    def _limits_agree(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("needs `min`, `max` or both")
        check_order(self, "min", "max")
        return self


class Pacing(Expectation, frozen=True):
    """Silences, overlaps and the agent's share of the conversation. All given fields must hold.

    Silence is the time between the end of all speech so far and the start of the next turn. A turn that starts while
    the other side speaks is an overlap by the one who starts, if both speak for 200 ms or more. Undecided if a turn
    without times could change the result.
    """

    model_config = examples(
        {"check": "pacing", "max_silence_ms": 4000, "max_agent_overlaps": 1},
        {"check": "pacing", "talk_ratio": {"min": 0.3, "max": 0.6}},
    )
    version: ClassVar[int] = 2  # undecided if the side whose overlaps count never spoke
    looks_at = frozenset({"turns"})
    caller_can_cause_failure = False

    check: Literal["pacing"] = Field(description="The kind of check.")
    max_silence_ms: Milliseconds | None = Field(
        default=None, description="Maximum silence between two turns, in milliseconds.", examples=[4000]
    )
    max_agent_overlaps: Count | None = Field(
        default=None, description="Maximum number of times the agent starts to speak while the caller is speaking."
    )
    talk_ratio: ShareRange | None = Field(
        default=None,
        description="The agent's share of the time in which anyone speaks: {min: …, max: …}, from 0 to 1.",
        examples=[{"min": 0.3, "max": 0.6}],
    )

    @model_validator(mode="after")
    def _something_to_check(self) -> Self:
        check_given(self, "max_silence_ms", "max_agent_overlaps", "talk_ratio")
        share = self.talk_ratio
        is_open = share is not None and share.min in (None, 0) and share.max in (None, 1)
        if is_open and self.max_silence_ms is None and self.max_agent_overlaps is None:
            raise ValueError("`talk_ratio` from 0 to 1 alone always holds, so it checks nothing")
        return self

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.turns is None:
            return undecided("the service gave no transcript to time turns in")
        turns = [turn for turn in evidence.turns if turn.role is not Role.TOOL]
        if not turns:
            return undecided("the transcript is empty, so there is no talk to time")
        timed = _timed_turns(turns)
        if not timed:
            return undecided("the service timed none of the turns")
        untimed = len(turns) - len(timed)
        conditions: list[Judgement] = []
        if self.max_silence_ms is not None:
            conditions.append(_judge_silence(timed, untimed, self.max_silence_ms))
        if self.max_agent_overlaps is not None:
            if any(turn.role is Role.AGENT and turn.text.strip() for turn in turns):
                conditions.append(_judge_overlaps(timed, untimed, self.max_agent_overlaps))
            else:
                conditions.append(undecided("the agent has no turn in the transcript"))
        if self.talk_ratio is not None:
            conditions.append(_judge_share(timed, untimed, self.talk_ratio))
        return all_hold(conditions)


def _timed_turns(turns: Sequence[Turn]) -> list[TimedTurn]:
    """Those with times, in the order of their start."""
    timed = [
        TimedTurn(turn, turn.start_ms, turn.end_ms)
        for turn in turns
        if turn.start_ms is not None and turn.end_ms is not None and turn.end_ms >= turn.start_ms
    ]
    return sorted(timed, key=lambda each: (each.start_ms, each.turn.number))


def _unknown(what: str, untimed: int, otherwise: str = "") -> Judgement:
    why = f"{count(untimed, 'turn')} without timing" if untimed else otherwise
    return undecided(f"{what} unknown: {why}")


def _judge_silence(timed: Sequence[TimedTurn], untimed: int, limit_ms: float) -> Judgement:
    """Undecided with untimed turns: they may fill the silence."""
    if untimed:
        return _unknown("silences are", untimed)
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


def _judge_overlaps(timed: Sequence[TimedTurn], untimed: int, limit: int) -> Judgement:
    """Untimed turns can only add overlaps."""
    found: list[TimedTurn] = []
    caller_until = 0
    for spoken in timed:
        if spoken.turn.role is not Role.AGENT:
            caller_until = max(caller_until, spoken.end_ms)
        elif min(caller_until, spoken.end_ms) - spoken.start_ms >= LEAST_OVERLAP_MS:
            found.append(spoken)
    message = f"the agent spoke over the other side {count(len(found), 'time')}"
    if len(found) > limit:
        return failed(f"{message}, expected at most {limit}", Quote.of(found[limit].turn))
    if untimed:
        return _unknown("overlaps of the agent are", untimed)
    return passed(message)


def _judge_share(timed: Sequence[TimedTurn], untimed: int, limits: ShareRange) -> Judgement:
    total = _milliseconds(timed)
    if untimed or not total:
        return _unknown("the agent's share of speech is", untimed, "every turn took 0 ms")
    share = _milliseconds([each for each in timed if each.turn.role is Role.AGENT]) / total
    found = f"the agent spoke {100 * share:.0f} % of the time"
    return within(found, share, (limits.min, limits.max), lambda limit: f"{100 * limit:g} %")


def _milliseconds(spoken: Sequence[TimedTurn]) -> int:
    return sum(each.end_ms - each.start_ms for each in spoken)
