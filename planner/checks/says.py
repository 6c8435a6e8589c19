"""`says` and `never_says`: somebody says these words, or does not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from planner.checks.base import Count, Missed, Positive, examples
from planner.checks.judgement import (
    FindingOutcome,
    Judgement,
    Quote,
    all_hold,
    failed,
    listed,
    passed,
    shown,
    undecided,
)
from planner.checks.phrases import overlap
from planner.checks.speech import SpeechCheck
from planner.checks.utterances import Sought, Utterance
from planner.quantities import count

_CLOSE = 0.5
"""Share of a missing phrase's words that a turn must have to be quoted as the closest."""


class Says(SpeechCheck, frozen=True):
    """Somebody, by default the agent, says something."""

    model_config = examples(
        {"check": "says", "any_of": ["30 days", "thirty days"]},
        {"check": "says", "matches": r"\bthank(s| you)\b", "in": "last"},
    )

    version: ClassVar[int] = 11  # `spoken` reads decades and quarters of years
    caller_can_cause_failure = True

    check: Literal["says"] = Field(description="The kind of check.")
    min_count: Count | None = Field(
        default=None,
        description=(
            "Minimum number of times (default: 1); with `all_of`, for each phrase. With 0, only `max_count` must hold."
        ),
    )
    max_count: Positive | None = Field(
        default=None, description="Maximum number of times; with `all_of`, for each phrase."
    )

    @model_validator(mode="after")
    def _counts_agree(self) -> Self:
        if self.max_count is None and self._least == 0:
            raise ValueError("`min_count: 0` without `max_count` always holds, so it checks nothing")
        if self.max_count is not None and self.max_count < self._least:
            raise ValueError(f"`max_count` ({self.max_count}) is less than `min_count` ({self._least})")
        return self

    @property
    def _least(self) -> int:
        return 1 if self.min_count is None else self.min_count

    def is_certain(self, outcome: FindingOutcome, missed: Missed) -> bool:
        """More words may be too many, and turns that were not read may be the first or the last."""
        in_place = missed is Missed.MASKED or self.in_ == "any"
        return outcome is FindingOutcome.PASSED and in_place and self.max_count is None

    def judge_utterances(self, said: Sequence[Utterance]) -> Judgement:
        return all_hold([self._judge_one(sought, said) for sought in self.sought])

    def judge_silence(self, message: str) -> Judgement:
        return replace(failed(message), is_silence=True) if self._least else undecided(message)

    def _judge_one(self, sought: Sought, said: Sequence[Utterance]) -> Judgement:
        found = [occurrence for each in said for occurrence in each.find(sought)]
        times = f"{self.subject}said {sought} {count(len(found), 'time')}"
        if not found and self._least:
            expected = "" if self._least == 1 else f", expected at least {self._least} times"
            return failed(f"{self.subject}never said {sought} {self.place(said)}{expected}", _closest(sought, said))
        if len(found) < self._least:
            return failed(f"{times} {self.place(said)}, expected at least {self._least}", found[-1].quote)
        if self.max_count is not None and len(found) > self.max_count:
            return failed(f"{times} {self.place(said)}, expected at most {self.max_count}", found[self.max_count].quote)
        if not found or self.min_count is not None or self.max_count is not None:
            return passed(f"{times} {self.place(said)}", found[0].quote if found else None)
        return passed(self.found(found[0]), found[0].quote)


def _closest(sought: Sought, said: Sequence[Utterance]) -> Quote | None:
    """The only turn, or the one that has most of a phrase's words, if it has enough of them; the latest of several."""
    turns = [turn for each in said for turn in each.turns]
    if len(turns) == 1:
        return Quote.of(turns[0])
    shares = [max((overlap(phrase, turn.text) for phrase in sought.phrases), default=0.0) for turn in turns]
    share, place = max((share, place) for place, share in enumerate(shares))
    return Quote.of(turns[place]) if share >= _CLOSE else None


class NeverSays(SpeechCheck, frozen=True):
    """Somebody, by default the agent, does not say something.

    It fails where `says` with the same words would pass: `any_of` fails if one of its phrases is said, `all_of` only if
    all of them are. Undecided if the speaker never spoke.
    """

    model_config = examples(
        {"check": "never_says", "any_of": ["guarantee", "promise"]},
        {"check": "never_says", "matches": r"\bas an AI\b"},
    )

    version: ClassVar[int] = 11  # as `says`
    caller_can_cause_failure = False

    check: Literal["never_says"] = Field(description="The kind of check.")

    def is_certain(self, outcome: FindingOutcome, missed: Missed) -> bool:
        return outcome is FindingOutcome.FAILED and (missed is Missed.MASKED or self.in_ == "any")

    def judge_utterances(self, said: Sequence[Utterance]) -> Judgement:
        found = [next((each for one in said for each in one.find(sought)), None) for sought in self.sought]
        if missing := [sought for sought, first in zip(self.sought, found, strict=True) if first is None]:
            return passed(f"{self.subject}never said {missing[0]} {self.place(said)}")
        firsts = [each for each in found if each is not None]
        if len(firsts) == 1:
            return failed(self.found(firsts[0]), firsts[0].quote)
        places = [f"{shown(each.words)} {each.place}" for each in firsts]
        last = max(firsts, key=lambda each: each.start)
        return failed(f"{self.subject}said all of {listed(places)}", last.quote)

    def judge_silence(self, message: str) -> Judgement:
        return undecided(message)
