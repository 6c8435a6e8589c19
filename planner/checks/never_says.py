"""`never_says`: somebody does not say these words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import ConfigDict, Field

from planner.checks.base import Judgement, errored, failed, passed
from planner.checks.speech import SpeechCheck
from planner.checks.wording import listed, shown
from planner.evidence import Turn


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

    check: Literal["never_says"] = Field(description="The kind of check.")

    def judge_turns(self, turns: Sequence[Turn]) -> Judgement:
        firsts = [found[0] if (found := sought.find(turns)) else None for sought in self.sought]
        said = [occurrence for occurrence in firsts if occurrence is not None]
        if len(said) == len(firsts):
            if len(said) == 1:
                return failed(self.told(said[0]), said[0].quote)
            places = [f"{shown(occurrence.words)} at turn {occurrence.turn.number}" for occurrence in said]
            return failed(
                f"{self.subject}said all of {listed(places)}", max(said, key=lambda item: item.turn.number).quote
            )
        missing = next(sought for sought, first in zip(self.sought, firsts, strict=True) if first is None)
        return passed(f"{self.subject}never said {missing.told()} {self.place(turns)}")

    def judge_silence(self, message: str) -> Judgement:
        return errored(f"{message}: nothing can be told from what was not said")
