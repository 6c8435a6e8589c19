"""`never_says`: somebody does not say these words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, Literal

from pydantic import ConfigDict, Field

from planner.checks.base import Expectation, Missed
from planner.checks.judgement import FindingOutcome, Judgement, errored, failed, passed
from planner.checks.patterns import compile_pattern
from planner.checks.phrases import padded_words, readings, straight
from planner.checks.says import Says
from planner.checks.speech import SpeechCheck, Where, Words
from planner.checks.utterances import Utterance
from planner.checks.wording import listed, shown

_PLAIN_PHRASE = re.compile(r"[^\W_]+(?:[ '’][^\W_]+)*")
_AMID = ("x {} x", "q {} q", "{}")
"""What is found in all of these is found in the phrase itself: neither in the words around it nor for want of them."""


class NeverSays(SpeechCheck, frozen=True):
    """Somebody, by default the agent, does not say something.

    It fails where `says` with the same words would pass: `any_of` fails on any one of its phrases, `all_of` only when all
    of them are said. Of a speaker who said nothing at all it tells nothing.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"check": "never_says", "any_of": ["guarantee", "promise"]},
                {"check": "never_says", "matches": r"\bas an AI\b"},
            ]
        }
    )

    version: ClassVar[int] = 8  # as `says`
    opposes = ("says",)

    check: Literal["never_says"] = Field(description="The kind of check.")

    def contradicts(self, other: Expectation) -> str:
        return self.forbids(other, other.in_) if isinstance(other, Says) and other.demands_words else ""

    def forbids(self, other: Words, where: Where) -> str:
        """Why whoever says these words, in these turns, breaks this expectation; empty where that cannot be told."""
        if not self._hears(other, where):
            return ""
        if other.spoken and not self.spoken:  # what is wanted may be said in words that are not unwanted
            return ""
        if self.matches is not None and other.matches is not None:
            same = straight(self.matches) == straight(other.matches)
            return f"both are about what matches {shown(self.matches)}" if same else ""
        ways = [other.all_of] if other.all_of else [(phrase,) for phrase in other.any_of or ()]
        clashes = [self._clash(phrases) for phrases in ways]
        return clashes[0] if clashes and all(clashes) else ""

    def _hears(self, other: Words, where: Where) -> bool:
        """Whether all that satisfies `other` is said where this one listens, and in the case it listens for."""
        same_turns = self.in_ == "any" or (self.in_ == where and self.who == other.who)
        return self.who in ("any", other.who) and same_turns and (self.ignore_case or not other.ignore_case)

    def _clash(self, phrases: Sequence[str]) -> str:
        """How saying all these phrases breaks this expectation, or nothing."""
        if self.matches is not None:
            expression = compile_pattern(straight(self.matches), ignore_case=self.ignore_case)
            for phrase in phrases:  # amid other words, where an anchor does not hold
                if not _PLAIN_PHRASE.fullmatch(phrase):  # said with other punctuation, it is the same phrase
                    continue
                if any(all(expression.search(said.format(read)) for said in _AMID) for read in readings(phrase)):
                    return f"{shown(phrase)} matches {shown(self.matches)}"
            return ""
        said = [padded_words(phrase, fold=self.ignore_case) for phrase in phrases]
        if self._first_words.isdisjoint(word for one in said for word in one.split()):
            return ""
        forbidden = self.all_of or self.any_of or ()
        found = [word for word in forbidden if any(padded_words(word, fold=self.ignore_case) in one for one in said)]
        if not found or (self.all_of is not None and len(found) < len(forbidden)):
            return ""
        wanted, unwanted = listed(list(map(shown, phrases))), listed(list(map(shown, found)))
        return f"{wanted} is wanted and unwanted" if wanted == unwanted else f"who says {wanted} says {unwanted}"

    @cached_property
    def _first_words(self) -> frozenset[str]:
        """One word of each phrase, so that most phrases need not be compared with each of them."""
        phrases = self.all_of or self.any_of or ()
        return frozenset([word for one in phrases for word in padded_words(one, fold=self.ignore_case).split()[:1]])

    def is_certain(self, outcome: FindingOutcome, missed: Missed) -> bool:
        return outcome is FindingOutcome.FAILED and (missed is Missed.MASKED or self.in_ == "any")

    def judge_utterances(self, said: Sequence[Utterance]) -> Judgement:
        firsts = [
            next((occurrence for each in said for occurrence in each.find(sought)), None) for sought in self.sought
        ]
        found = [occurrence for occurrence in firsts if occurrence is not None]
        if len(found) == len(firsts):
            if len(found) == 1:
                return failed(self.told(found[0]), found[0].quote)
            places = [f"{shown(occurrence.words)} {occurrence.place}" for occurrence in found]
            last = max(found, key=lambda occurrence: occurrence.start)
            return failed(f"{self.subject}said all of {listed(places)}", last.quote)
        missing = next(sought for sought, first in zip(self.sought, firsts, strict=True) if first is None)
        return passed(f"{self.subject}never said {missing.told()} {self.place(said)}")

    def judge_silence(self, message: str) -> Judgement:
        return errored(f"{message}: nothing can be told from what was not said")
