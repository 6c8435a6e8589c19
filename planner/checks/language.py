"""`language`: a speaker speaks this language."""

from functools import lru_cache
from importlib.util import find_spec
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from planner.checks.base import Expectation, NotBool, examples
from planner.checks.judgement import Judgement, Quote, failed, passed, undecided
from planner.checks.speech import Speaker
from planner.evidence import Evidence, Role
from planner.quantities import count

SURE_OF_RIGHT = 0.6
"""Probability at which a turn counts as spoken in the expected language."""
SURE_OF_WRONG = 0.9
"""Probability at which a turn counts as spoken in another one: a false alarm is worse than a turn left out."""


class Language(Expectation, frozen=True):
    """A speaker, by default the agent, speaks this language.

    A model on this machine (py3langid) detects the language of each turn; short turns ("OK", names, numbers) do not
    count. Undecided if no turn counts. Needs the extra `language`.
    """

    model_config = examples({"check": "language", "is": "es"}, {"check": "language", "is": "en", "min_share": 1.0})

    looks_at = frozenset({"turns"})
    caller_can_cause_failure = False

    check: Literal["language"] = Field(description="The kind of check.")
    is_: Annotated[str, Field(pattern="^[a-z]{2}$")] = Field(
        alias="is", description="The language, as a code of two letters (ISO 639-1).", examples=["en", "es"]
    )
    who: Speaker = Field(default="agent", description="Whose turns to look at.")
    min_share: Annotated[float, Field(gt=0, le=1), NotBool] = Field(
        default=0.9, description="Minimum share of the counted turns that are in this language, from 0 to 1."
    )

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        if find_spec("py3langid") is None:
            raise ValueError(
                "`language` needs the extra of that name; in planner's clone: uv tool install '.[language]'"
            )
        if self.is_ not in _identifier().labels:
            raise ValueError(
                f"`is: {self.is_}` is not a language that can be detected: write a code of two letters such as en"
            )
        return self

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.turns is None:
            return undecided("the service gave no transcript")
        turns = [turn for turn in evidence.turns if turn.role is not Role.TOOL and self.who in ("any", turn.role.value)]
        noun = "turn" if self.who == "any" else f"{self.who} turn"
        detected = [(turn, *identify(turn.text)) for turn in turns]
        right = sum(language == self.is_ and sure >= SURE_OF_RIGHT for _, language, sure in detected)
        wrong = [
            (turn, language) for turn, language, sure in detected if language != self.is_ and sure >= SURE_OF_WRONG
        ]
        counting = right + len(wrong)
        if not counting:
            return undecided(f"no language could be detected in {count(len(turns), noun)}")
        left_out = f", {len(turns) - counting} too short" if len(turns) > counting else ""
        found = f"{right} of {count(counting, noun)} in {self.is_}{left_out}"
        if right >= self.min_share * counting:
            return passed(found)
        turn, language = wrong[0]
        return failed(
            f"{found}, expected at least {100 * self.min_share:g} %: turn {turn.number} is in {language}",
            Quote.of(turn),
        )


@lru_cache(maxsize=16_384)
def identify(text: str) -> tuple[str, float]:
    """The most likely language of a string, and its probability."""
    language, probability = _identifier().classify(text)
    return language, probability


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """Loading takes half a second. The library ships no types."""
    from py3langid import langid  # an optional dependency # pyright: ignore[reportMissingTypeStubs]

    library: Any = langid
    return library.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
