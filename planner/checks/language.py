"""`language`: a speaker speaks this language."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from planner.checks.base import Expectation
from planner.checks.fields import NotBool
from planner.checks.judgement import Judgement, Quote, errored, failed, passed
from planner.checks.speech import Speaker
from planner.checks.wording import counted
from planner.evidence import Evidence, Role, Turn

SURE_OF_RIGHT = 0.6
"""Probability at which a turn counts as spoken in the expected language."""
SURE_OF_WRONG = 0.9
"""Probability at which a turn counts as spoken in another one: a false alarm costs more than a turn left out."""


class Language(Expectation, frozen=True):
    """A speaker, by default the agent, speaks this language.

    Each turn is told apart by a model that runs on this machine (py3langid). A turn counts when the model is sure: short ones
    ("OK", names, numbers) are left out, and a call in which no turn can be told decides nothing. Needs the extra
    `language`: in planner's clone, `uv tool install '.[language]'`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"check": "language", "is": "es"}, {"check": "language", "is": "en", "min_share": 1.0}]
        }
    )

    looks_at = frozenset({"turns"})

    check: Literal["language"] = Field(description="The kind of check.")
    is_: Annotated[str, Field(pattern="^[a-z]{2}$")] = Field(
        alias="is", description="The language, as a code of two letters (ISO 639-1).", examples=["en", "es"]
    )
    who: Speaker = Field(default="agent", description="Whose turns to look at.")
    min_share: Annotated[float, Field(gt=0, le=1), NotBool] = Field(
        default=0.9, description="Share of the turns that can be told which must be in this language, from 0 to 1."
    )

    @model_validator(mode="after")
    def _can_be_told(self) -> Self:
        if find_spec("py3langid") is None:
            raise ValueError(
                "`language` needs the extra of that name; in planner's clone: uv tool install '.[language]'"
            )
        if self.is_ not in _identifier().labels:
            raise ValueError(
                f"`is: {self.is_}` is no language that can be told apart: write a code of two letters such as en"
            )
        return self

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.turns is None:
            return errored("the service gave no transcript")
        turns = [turn for turn in evidence.turns if turn.role is not Role.TOOL and self.who in ("any", turn.role.value)]
        noun = "turn" if self.who == "any" else f"{self.who} turn"
        right, wrong = self._sort(turns)
        told = len(right) + len(wrong)
        if not told:
            return errored(f"the language of none of {counted(len(turns), noun)} can be told")
        left_out = f", {len(turns) - told} too short to tell" if len(turns) > told else ""
        found = f"{len(right)} of {counted(told, noun)} in {self.is_}{left_out}"
        if len(right) >= self.min_share * told:
            return passed(found)
        turn, language = wrong[0]
        return failed(
            f"{found}, expected at least {100 * self.min_share:g} %: turn {turn.number} is in {language}",
            Quote.of(turn),
        )

    def _sort(self, turns: Sequence[Turn]) -> tuple[list[Turn], list[tuple[Turn, str]]]:
        """Turns in the language, and turns in another with which; those that cannot be told are in neither."""
        right: list[Turn] = []
        wrong: list[tuple[Turn, str]] = []
        for turn in turns:
            language, probability = identify(turn.text)
            if language == self.is_ and probability >= SURE_OF_RIGHT:
                right.append(turn)
            elif language != self.is_ and probability >= SURE_OF_WRONG:
                wrong.append((turn, language))
        return right, wrong


@lru_cache(maxsize=16_384)
def identify(text: str) -> tuple[str, float]:
    """The likeliest language of a text, and its probability."""
    language, probability = _identifier().classify(text)
    return language, probability


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """Imported and loaded late, once: it takes half a second. It ships no types."""
    from py3langid import langid  # pyright: ignore[reportMissingTypeStubs]

    library: Any = langid
    return library.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
