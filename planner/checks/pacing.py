"""`pacing`: silences, interruptions, who speaks how much and how fast."""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from planner.checks.base import Count, Expectation, Milliseconds, NotBool, check_given, check_order, examples, within
from planner.checks.judgement import Judgement, Quote, all_hold, failed, passed, undecided
from planner.checks.phrases import words_in
from planner.checks.turn_taking import YIELD_MS, TimedTurn, timed_turns, turn_taking
from planner.evidence import Evidence, Role, Turn
from planner.quantities import count

LEAST_OVERLAP_MS = 200
"""Shorter overlaps are normal turn-taking, and below the accuracy of transcripts."""

_RATES = ("min_response_rate", "min_yield_rate")
_Rate = Annotated[float, Field(gt=0, le=1), NotBool]
Share = Annotated[float, Field(ge=0, le=1), NotBool]


class _Range(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @model_validator(mode="after")
    def _limits_agree(self) -> Self:
        if self.limits == (None, None):
            raise ValueError("needs `min`, `max` or both")
        check_order(self, "min", "max")
        return self

    @property
    def limits(self) -> tuple[float | None, float | None]:
        return getattr(self, "min", None), getattr(self, "max", None)


class ShareRange(_Range):
    min: Share | None = Field(default=None, description="Minimum, from 0 to 1.")
    max: Share | None = Field(default=None, description="Maximum, from 0 to 1.")


class RateRange(_Range):
    min: Milliseconds | None = Field(default=None, description="Minimum, in words per minute.")
    max: Milliseconds | None = Field(default=None, description="Maximum, in words per minute.")


class Pacing(Expectation, frozen=True):
    """Silences, overlaps and speed of the conversation. All given fields must hold.

    Silence is the time between the end of all speech so far and the start of the next turn. A turn that starts while
    the other side speaks is an overlap by the one who starts, if both speak for 200 ms or more. A hum, and an
    acknowledgement while the agent speaks, count neither as a turn to answer nor as an interruption. Undecided if a
    turn without times could change the result.
    """

    model_config = examples(
        {"check": "pacing", "max_silence_ms": 4000, "max_agent_overlaps": 1},
        {"check": "pacing", "talk_ratio": {"max": 0.6}, "words_per_minute": {"min": 100, "max": 190}},
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
    max_caller_overlaps: Count | None = Field(
        default=None, description="Maximum number of times the caller starts to speak while the agent is speaking."
    )
    min_response_rate: _Rate | None = Field(
        default=None,
        description="Minimum share of the caller's turns that the agent answers before the caller must speak again.",
        examples=[0.95],
    )
    min_yield_rate: _Rate | None = Field(
        default=None,
        description=(
            'Minimum share of the caller\'s interruptions at which the agent stops within 2 seconds. A "mm-hmm" does '
            "not count."
        ),
        examples=[0.9],
    )
    talk_ratio: ShareRange | None = Field(
        default=None,
        description="The agent's share of the time in which anyone speaks: {min: …, max: …}, from 0 to 1.",
        examples=[{"min": 0.3, "max": 0.6}],
    )
    words_per_minute: RateRange | None = Field(
        default=None,
        description="How fast the agent speaks, over its turns: {min: …, max: …}.",
        examples=[{"min": 100, "max": 190}],
    )

    @model_validator(mode="after")
    def _something_to_check(self) -> Self:
        others = ("max_silence_ms", "max_agent_overlaps", "max_caller_overlaps", "words_per_minute", *_RATES)
        check_given(self, *others, "talk_ratio")
        share = self.talk_ratio
        is_open = share is not None and share.min in (None, 0) and share.max in (None, 1)
        if is_open and all(getattr(self, name) is None for name in others):
            raise ValueError("`talk_ratio` from 0 to 1 alone always holds, so it checks nothing")
        return self

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.turns is None:
            return undecided("the service gave no transcript to time turns in")
        turns = [turn for turn in evidence.turns if turn.role is not Role.TOOL]
        if not turns:
            return undecided("the transcript is empty, so there is no talk to time")
        timed = timed_turns(turns)
        if not timed:
            return undecided("the service timed none of the turns")
        untimed = len(turns) - len(timed)
        conditions: list[Judgement] = []
        if self.max_silence_ms is not None:
            conditions.append(_judge_silence(timed, untimed, self.max_silence_ms))
        speakers = {turn.role for turn in turns if turn.text.strip()}
        for role, limit in ((Role.AGENT, self.max_agent_overlaps), (Role.CALLER, self.max_caller_overlaps)):
            if limit is not None and role not in speakers:
                conditions.append(undecided(f"the {role.value} has no turn in the transcript"))
            elif limit is not None:
                conditions.append(_judge_overlaps(timed, untimed, role, limit))
        conditions += self._judge_turn_taking(timed, untimed)
        agent = [each for each in timed if each.turn.role is Role.AGENT]
        if self.talk_ratio is not None:
            conditions.append(_judge_share(timed, agent, untimed, self.talk_ratio))
        if self.words_per_minute is not None:
            untimed = sum(turn.role is Role.AGENT for turn in turns) - len(agent)
            conditions.append(_judge_rate(agent, untimed, self.words_per_minute))
        return all_hold(conditions)

    def _judge_turn_taking(self, timed: Sequence[TimedTurn], untimed: int) -> Iterator[Judgement]:
        """Undecided with untimed turns: they may be answers, or what was interrupted."""
        found = turn_taking(timed)
        if self.min_response_rate is not None:
            good, bad = len(found.answered), found.unanswered
            what = "the agent answered {} of {} of the caller before it had to speak again"
            yield _judge_rate_of(what, "turn", (good, bad), self.min_response_rate, untimed)
        if self.min_yield_rate is not None:
            good, bad = len(found.yielded), found.talked_over
            what = f"the agent stopped within {YIELD_MS // 1000} s at {{}} of {{}} of the caller"
            yield _judge_rate_of(what, "interruption", (good, bad), self.min_yield_rate, untimed)


def _judge_rate_of(what: str, event: str, found: tuple[int, Sequence[Turn]], least: float, untimed: int) -> Judgement:
    """`found` are the number of good events, and the bad ones."""
    good, bad = found
    total = good + len(bad)
    if untimed or not total:
        return _unknown(f"the agent's reaction to {event}s is", untimed, f"the caller made no {event} to react to")
    message = what.format(good, count(total, event))
    if good < least * total:
        return failed(f"{message}, expected at least {100 * least:g} %", Quote.of(bad[0]))
    return passed(message)


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


def _judge_overlaps(timed: Sequence[TimedTurn], untimed: int, role: Role, limit: int) -> Judgement:
    """Untimed turns can only add overlaps."""
    found: list[TimedTurn] = []
    other_until = 0
    for spoken in timed:
        if spoken.turn.role is not role:
            other_until = max(other_until, spoken.end_ms)
        elif min(other_until, spoken.end_ms) - spoken.start_ms >= LEAST_OVERLAP_MS:
            found.append(spoken)
    message = f"the {role.value} spoke over the other side {count(len(found), 'time')}"
    if len(found) > limit:
        return failed(f"{message}, expected at most {limit}", Quote.of(found[limit].turn))
    if untimed:
        return _unknown(f"overlaps of the {role.value} are", untimed)
    return passed(message)


def _judge_share(timed: Sequence[TimedTurn], agent: Sequence[TimedTurn], untimed: int, limits: ShareRange) -> Judgement:
    total = _milliseconds(timed)
    if untimed or not total:
        return _unknown("the agent's share of speech is", untimed, "every turn took 0 ms")
    share = _milliseconds(agent) / total
    found = f"the agent spoke {100 * share:.0f} % of the time"
    return within(found, share, limits.limits, lambda limit: f"{100 * limit:g} %")


def _judge_rate(agent: Sequence[TimedTurn], untimed: int, limits: RateRange) -> Judgement:
    milliseconds = _milliseconds(agent)
    if untimed or not milliseconds:
        return _unknown("the agent's speed is", untimed, "none of its turns takes time")
    words = sum(words_in(spoken.turn.text) for spoken in agent)
    rate = words * 60_000 / milliseconds
    return within(f"the agent spoke {rate:.0f} words a minute", rate, limits.limits, "{:g}".format)


def _milliseconds(spoken: Sequence[TimedTurn]) -> int:
    return sum(each.end_ms - each.start_ms for each in spoken)
