"""What `says`, `never_says` and `sequence` share: whose words, which turns, and where in them something is said."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, Self, assert_never

from pydantic import BaseModel, ConfigDict, Field, model_validator

from planner.checks.base import Doubt, Expectation, Judgement, Quote, errored
from planner.checks.fields import Phrases, Positive, one_message
from planner.checks.pattern_doubts import doubtful_patterns
from planner.checks.patterns import Found, Pattern, RegularExpression, compile_pattern
from planner.checks.phrases import PlacedPhrase, padded_words, phrase_finder, readings, straight
from planner.checks.spoken import SpokenFinder, spoken_finder, spoken_forms
from planner.checks.wording import counted, listed, shown
from planner.evidence import Evidence, Role, Turn

Speaker = Literal["agent", "caller", "any"]

_SPEAKERS = frozenset({Role.AGENT, Role.CALLER})


class FirstTurns(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    first: Positive = Field(description="How many turns of that speaker, from the start.")


class LastTurns(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    last: Positive = Field(description="How many turns of that speaker, from the end.")


Where = Annotated[
    Literal["any", "first", "last"] | FirstTurns | LastTurns,
    one_message("must be any, first, last, {first: N} or {last: N}, with N of 1 or more"),
]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Once that something was said. `words` is the plan's phrase, or what the regular expression matched."""

    turn: Turn
    words: str

    @property
    def quote(self) -> Quote:
        return Quote.of(self.turn)


@dataclass(frozen=True, slots=True)
class Sought:
    """One thing to look for: phrases that are as good as each other, or a regular expression."""

    phrases: tuple[str, ...]
    pattern: str | None
    ignore_case: bool
    spoken: bool = False

    def find(self, turns: Sequence[Turn]) -> list[Occurrence]:
        if self.pattern is not None:
            expression = compile_pattern(straight(self.pattern), ignore_case=self.ignore_case)
            return [Occurrence(turn, found.group()) for turn in turns for _, found in _matches(expression, turn.text)]
        if self.spoken:
            return [
                Occurrence(turn, found.phrase)
                for turn in turns
                for found in spoken_finder(self.phrases, fold=self.ignore_case).find(turn.text)
            ]
        finder = phrase_finder(self.phrases, fold=self.ignore_case)
        return [Occurrence(turn, phrase) for turn in turns for phrase in finder.find(turn.text)]

    def find_placed(self, text: str) -> list[PlacedPhrase]:
        """What is found in one text, with its place among the words."""
        if self.pattern is None:
            finder = spoken_finder if self.spoken else phrase_finder
            placed = finder(self.phrases, fold=self.ignore_case)
            return placed.find(text) if isinstance(placed, SpokenFinder) else placed.find_placed(text)
        expression = compile_pattern(straight(self.pattern), ignore_case=self.ignore_case)
        return [
            PlacedPhrase(found.group(), _words_in(searched[: found.start()]), _words_in(searched[: found.end()]))
            for searched, found in _matches(expression, text)
        ]

    def told(self) -> str:
        """`"30 days"`, `any of "30 days", "thirty days"` or `anything that matches "thirty|30"`."""
        if self.pattern is not None:
            return f"anything that matches {shown(self.pattern)}"
        phrases = ", ".join(map(shown, self.phrases))
        return phrases if len(self.phrases) == 1 else f"any of {phrases}"


def _matches(expression: RegularExpression, text: str) -> list[tuple[str, Found]]:
    """With the text they are found in: of its readings the one in which there are most."""
    return max(([(read, found) for found in expression.finditer(read)] for read in readings(text)), key=len)


def _words_in(text: str) -> int:
    return padded_words(text, fold=True).count("  ") + 1 if text.strip() else 0


class Words(BaseModel, frozen=True):
    """What somebody says: the fields of `says`, `never_says` and the steps of `sequence`."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    who: Speaker = Field(default="agent", description="Whose turns to look in.")
    any_of: Phrases | None = Field(
        default=None,
        description="Phrases, one of which is enough. Whole words; punctuation and kinds of quotes do not matter.",
        examples=[["30 days", "thirty days"]],
    )
    all_of: Phrases | None = Field(
        default=None,
        description="Phrases that belong together, each in whatever turn.",
        examples=[["30 days", "original receipt"]],
    )
    matches: Pattern | None = Field(
        default=None,
        description="A regular expression (RE2 syntax) found anywhere in a turn.",
        examples=[r"\b(30|thirty) days\b"],
    )
    ignore_case: bool = Field(default=True, description="Whether upper and lower case are alike.")
    spoken: bool = Field(
        default=False,
        description=(
            "Whether numbers, money, percentages, dates, times and durations are alike however they are said or written: `thirty "
            "days` is `30 days`, `$12.50` is `twelve dollars and fifty cents`, `60 minutes` is `an hour` (but `7 days` no week), "
            "`5-7 days` is `five to seven days`; `AB73` is `A B seven three`; `uh` and `um` are passed over. What is ambiguous is found as each thing it may be: `it "
            "costs twelve fifty` as 1250, 12 and 50, and $12.50 where a price is spoken of; `ten to five` as 4:50 only after `at`, "
            "`by`, `it is` or the like, or with `minutes`; `08:00` as eight o'clock and 8 AM, `08:30` as 8:30 and 8:30 AM. Reads "
            "English words; of other languages, digits."
        ),
    )

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        written = [name for name in ("any_of", "all_of", "matches") if getattr(self, name) is not None]
        if not written:
            raise ValueError("needs one of `any_of`, `all_of` or `matches`: the words to look for")
        if len(written) > 1:
            raise ValueError(
                f"takes one of `any_of`, `all_of` and `matches`, not {listed([f'`{name}`' for name in written])}"
            )
        if self.spoken and self.matches is not None:
            raise ValueError("`spoken: true` compares phrases: write `any_of` or `all_of` in place of `matches`")
        return self

    def doubts(self) -> Sequence[Doubt]:
        found = doubtful_patterns(self.any_of, self.all_of, self.matches)
        for name, phrases in (("any_of", self.any_of or ()), ("all_of", self.all_of or ())):
            first: dict[str, str] = {}
            for index, phrase in enumerate(phrases):
                words = self._words_of(phrase)
                if words in first:
                    found.append(Doubt((name, index), f"{shown(phrase)} says the same words as {shown(first[words])}"))
                first.setdefault(words, phrase)
        return found

    def _words_of(self, phrase: str) -> str:
        if self.spoken:
            return spoken_forms(phrase, fold=self.ignore_case)[0].padded
        return padded_words(phrase, fold=self.ignore_case)

    @cached_property
    def sought(self) -> tuple[Sought, ...]:
        """What has to be said: one thing, or every phrase of `all_of`."""
        if self.all_of is not None:
            return tuple(Sought((phrase,), None, self.ignore_case, self.spoken) for phrase in self.all_of)
        return (Sought(self.any_of or (), self.matches, self.ignore_case, self.spoken),)

    @property
    def subject(self) -> str:
        """Before "said": nothing for the agent, which every report is about."""
        return "the caller " if self.who == "caller" else ""

    def told(self, occurrence: Occurrence) -> str:
        """`said "refunded" at turn 6`, and for a regular expression which one that matches."""
        told = f"{self.subject}said {shown(occurrence.words)} at turn {occurrence.turn.number}"
        return told if self.matches is None else f"{told}, which matches {shown(self.matches)}"


class SpeechCheck(Words, Expectation, frozen=True):
    """The fields of `says` and `never_says`."""

    looks_at = frozenset({"turns"})

    in_: Where = Field(
        default="any",
        alias="in",
        description="Which turns of that speaker: any, first, last, {first: N} or {last: N}.",
        examples=["first", {"first": 2}, {"last": 1}],
    )

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.turns is None:
            return errored("the service gave no transcript")
        spoken = [turn for turn in evidence.turns if turn.role in _SPEAKERS]
        if not spoken:
            return errored("the transcript is empty: whether anybody spoke cannot be told")
        turns = self._asked(spoken)
        return (
            self.judge_turns(turns)
            if turns
            else self.judge_silence(f"the {self.who} has no turn in a transcript of {len(spoken)}")
        )

    @abstractmethod
    def judge_turns(self, turns: Sequence[Turn]) -> Judgement:
        """Judge what was said in the turns that were asked about; at least one."""

    @abstractmethod
    def judge_silence(self, message: str) -> Judgement:
        """Judge a call on which the other side spoke and this one did not."""

    def place(self, turns: Sequence[Turn]) -> str:
        """`in 5 agent turns`, `in the last agent turn`."""
        return place_of(turns, self.who, self.in_)

    def _asked(self, spoken: Sequence[Turn]) -> Sequence[Turn]:
        return turns_asked(spoken, self.who, self.in_)


def place_of(turns: Sequence[Turn], who: Speaker, where: Where) -> str:
    """`in 5 agent turns`, `in the last agent turn`: the turns that were looked in."""
    noun = "turn" if who == "any" else f"{who} turn"
    match where:
        case "any":
            return f"in {counted(len(turns), noun)}"
        case "first" | FirstTurns():
            which = "first"
        case "last" | LastTurns():
            which = "last"
        case _:
            assert_never(where)
    return f"in the {which} {noun}" if len(turns) == 1 else f"in the {which} {len(turns)} {noun}s"


def turns_asked(turns: Sequence[Turn], who: Speaker, where: Where) -> Sequence[Turn]:
    """Those of this speaker, as many of the first or last as are asked about; tools do not speak, and a turn without a word
    is none."""
    turns = [turn for turn in turns if turn.role in _SPEAKERS and who in ("any", turn.role.value) and turn.text.strip()]
    match where:
        case "any":
            return turns
        case "first":
            return turns[:1]
        case "last":
            return turns[-1:]
        case FirstTurns(first=count):
            return turns[:count]
        case LastTurns(last=count):
            return turns[-count:]
        case _:
            assert_never(where)
