"""`never_says`: somebody does not say these words."""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, Literal

from pydantic import Field

from planner.checks.base import Expectation, Missed, examples
from planner.checks.judgement import FindingOutcome, Judgement, errored, failed, listed, passed, shown
from planner.checks.patterns import compile_pattern
from planner.checks.phrases import padded_words, readings, straight
from planner.checks.says import Says
from planner.checks.speech import SpeechCheck
from planner.checks.utterances import Utterance

_AMID = ("x {} x", "q {} q", "{}")
"""A pattern that matches in all of these matches the phrase itself, not the words around it."""


class NeverSays(SpeechCheck, frozen=True):
    """Somebody, by default the agent, does not say something.

    It fails where `says` with the same words would pass: `any_of` fails on any one of its phrases, `all_of` only if all of them are
    said. Undecided if the speaker never spoke.
    """

    model_config = examples(
        {"check": "never_says", "any_of": ["guarantee", "promise"]},
        {"check": "never_says", "matches": r"\bas an AI\b"},
    )

    version: ClassVar[int] = 8  # as `says`
    opposes = ("says",)
    caller_can_cause_failure = False

    check: Literal["never_says"] = Field(description="The kind of check.")

    def contradicts(self, other: Expectation) -> str:
        if not isinstance(other, Says) or not other.demands_words or not self._hears(other):
            return ""
        if other.spoken and not self.spoken:  # what is wanted may be said in other words
            return ""
        if self.matches is not None and other.matches is not None:
            same = straight(self.matches) == straight(other.matches)
            return f"both are about what matches {shown(self.matches)}" if same else ""
        ways = [other.all_of] if other.all_of else [(phrase,) for phrase in other.any_of or ()]
        clashes = [self._clash(phrases) for phrases in ways]
        return clashes[0] if clashes and all(clashes) else ""

    def _hears(self, other: Says) -> bool:
        """Whether everything that satisfies `other` is said where this expectation listens, and in the case it listens for."""
        same_turns = self.in_ == "any" or (self.in_ == other.in_ and self.who == other.who)
        return self.who in ("any", other.who) and same_turns and (self.ignore_case or not other.ignore_case)

    def _clash(self, phrases: Sequence[str]) -> str:
        """Why saying all these phrases breaks this expectation, or nothing."""
        if self.matches is not None:
            search = compile_pattern(straight(self.matches), ignore_case=self.ignore_case).search
            for phrase in phrases:
                plain = re.fullmatch(r"[^\W_]+(?:[ '’][^\W_]+)*", phrase)  # others may be said with other punctuation
                if plain and any(all(search(amid.format(read)) for amid in _AMID) for read in readings(phrase)):
                    return f"{shown(phrase)} matches {shown(self.matches)}"
            return ""
        said = [padded_words(phrase, fold=self.ignore_case) for phrase in phrases]
        found = [phrase for padded, phrase in self._padded_phrases if any(padded in one for one in said)]
        if not found or (self.all_of is not None and len(found) < len(self.all_of)):
            return ""
        wanted, unwanted = listed(list(map(shown, phrases))), listed(list(map(shown, found)))
        return f"{wanted} is wanted and unwanted" if wanted == unwanted else f"who says {wanted} says {unwanted}"

    @cached_property
    def _padded_phrases(self) -> list[tuple[str, str]]:
        return [(padded_words(phrase, fold=self.ignore_case), phrase) for phrase in self.all_of or self.any_of or ()]

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
        return errored(message)
