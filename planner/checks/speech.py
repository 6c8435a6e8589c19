"""What `says`, `never_says` and `sequence` share: whose words, which turns, and where in them something is said."""

import re
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Literal, Self, TypeVar, assert_never

from pydantic import BaseModel, ConfigDict, Field, model_validator

from planner.checks.base import Expectation, Lint, Phrases, Positive, one_message
from planner.checks.judgement import Judgement, named, shown, undecided
from planner.checks.patterns import Pattern
from planner.checks.phrases import padded_words
from planner.checks.utterances import Occurrence, Sought, Utterance, utterances_of
from planner.evidence import Evidence, Role
from planner.quantities import count

Speaker = Literal["agent", "caller", "any"]

Said = TypeVar("Said")
_AS_PATTERN = re.compile(
    r"\(\?(?:[a-zA-Z]+\)|[:=!<P])|(?<![\w:])\\[bBdDwWsS]|\.[*+]|[\w)]\|[\w(]|\[\^?\w-\w|^\^\w|^/.+/[a-z]*$"
)


class FirstTurns(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    first: Positive = Field(description="How many utterances of that speaker, from the start.")


class LastTurns(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    last: Positive = Field(description="How many utterances of that speaker, from the end.")


Where = Annotated[
    Literal["any", "first", "last"] | FirstTurns | LastTurns,
    one_message("must be any, first, last, {first: N} or {last: N}, with N of 1 or more"),
]


class Words(BaseModel, frozen=True):
    """What somebody says: the fields of `says`, `never_says` and the steps of `sequence`."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    who: Speaker = Field(default="agent", description="Whose turns to search.")
    any_of: Phrases | None = Field(
        default=None,
        description="Phrases, one of which is enough. Whole words; punctuation and kinds of quotes do not matter.",
        examples=[["30 days", "thirty days"]],
    )
    all_of: Phrases | None = Field(
        default=None,
        description="Phrases that must all be said, each in any turn.",
        examples=[["30 days", "original receipt"]],
    )
    matches: Pattern | None = Field(
        default=None,
        description="A regular expression (RE2 syntax) found anywhere in an utterance.",
        examples=[r"\b(30|thirty) days\b"],
    )
    ignore_case: bool = Field(
        default=True, description="Whether to ignore the difference between upper and lower case."
    )
    spoken: bool = Field(
        default=False,
        description=(
            "Whether to accept all ways to say or write numbers, money, dates, times, units, codes and addresses: "
            "`thirty days` is `30 days`, `AB-73` is `alpha bravo 73`. Number words in English only; docs/speech.md "
            "lists what counts as equal."
        ),
    )

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        written = [name for name in ("any_of", "all_of", "matches") if getattr(self, name) is not None]
        if not written:
            raise ValueError("needs one of `any_of`, `all_of` or `matches`: the words to look for")
        if len(written) > 1:
            raise ValueError(f"takes one of `any_of`, `all_of` and `matches`, not {named(written)}")
        if self.spoken and self.matches is not None:
            raise ValueError("`spoken: true` compares phrases: write `any_of` or `all_of` instead of `matches`")
        return self

    def lints(self) -> Sequence[Lint]:
        found: list[Lint] = []
        if self.matches is not None and re.fullmatch("/.+/[a-z]*", self.matches):
            why = "the slashes are part of the pattern; remove them, and write flags as in (?i)"
            found.append(Lint(("matches",), why, "literal-pattern"))
        for name, phrases in (("any_of", self.any_of or ()), ("all_of", self.all_of or ())):
            first: dict[str, str] = {}
            for index, phrase in enumerate(phrases):
                if _AS_PATTERN.search(phrase):
                    why = (
                        f"phrases are compared word by word; if {shown(phrase)} is a regular expression, use `matches`"
                    )
                    found.append(Lint((name, index), why, "literal-pattern"))
                words = self._words_of(phrase) if len(phrases) > 1 else ""
                if words in first:
                    found.append(Lint((name, index), f"{shown(phrase)} says the same words as {shown(first[words])}"))
                first.setdefault(words, phrase)
        return found

    def _words_of(self, phrase: str) -> str:
        if self.spoken:
            from planner.checks.spoken.forms import spoken_forms  # its patterns take 90 ms, and few plans need it

            return spoken_forms(phrase, fold=self.ignore_case).amounts.padded
        return padded_words(phrase, fold=self.ignore_case)

    @cached_property
    def sought(self) -> tuple[Sought, ...]:
        """What has to be said: one thing, or every phrase of `all_of`."""
        alternatives = [(phrase,) for phrase in self.all_of] if self.all_of is not None else [self.any_of or ()]
        return tuple(Sought(phrases, self.matches, self.ignore_case, self.spoken) for phrases in alternatives)

    @property
    def speakers(self) -> frozenset[str]:
        """Who may say it."""
        return frozenset({"agent", "caller"} if self.who == "any" else {self.who})

    @property
    def subject(self) -> str:
        """Before "said": nothing for the agent, which every report is about."""
        return "the caller " if self.who == "caller" else ""

    def found(self, occurrence: Occurrence) -> str:
        """`said "refunded" at turn 6`, and the regular expression that it matches, if any."""
        found = f"{self.subject}said {shown(occurrence.words)} {occurrence.place}"
        return found if self.matches is None else f"{found}, which matches {shown(self.matches)}"


class SpeechCheck(Words, Expectation, frozen=True):
    """The fields of `says` and `never_says`."""

    looks_at = frozenset({"turns"})

    in_: Where = Field(
        default="any",
        alias="in",
        description=(
            "Which utterances of that speaker: any, first, last, {first: N} or {last: N}. Consecutive turns of one "
            "speaker are one utterance, also with tool calls in between."
        ),
        examples=["first", {"first": 2}, {"last": 1}],
    )

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.turns is None:
            return undecided("the service gave no transcript")
        spoken = [turn for turn in evidence.turns if turn.role is not Role.TOOL]
        if not spoken:
            return undecided("the transcript is empty")
        said = [each for each in utterances_of(spoken) if self.who in ("any", each.role.value)]
        if not said:
            return self.judge_silence(f"the {self.who} has no turn in a transcript of {len(spoken)}")
        return self.judge_utterances(selected(said, self.in_))

    @abstractmethod
    def judge_utterances(self, said: Sequence[Utterance]) -> Judgement:
        """Judge the selected utterances; there is at least one."""

    @abstractmethod
    def judge_silence(self, message: str) -> Judgement:
        """Judge a call on which this speaker said nothing and the other one spoke."""

    def place(self, said: Sequence[Utterance]) -> str:
        """`in 5 agent turns`, `in the last agent utterance`."""
        noun = "turn" if all(len(each.turns) == 1 for each in said) else "utterance"
        return place_of(len(said), self.who, self.in_, noun)


def place_of(number: int, who: Speaker, where: Where, noun: str = "turn") -> str:
    """`in 5 agent turns`, `in the last agent turn`: where something was looked for."""
    noun = noun if who == "any" else f"{who} {noun}"
    which, _ = _part(where)
    if not which:
        return f"in {count(number, noun)}"
    return f"in the {which} {noun}" if number == 1 else f"in the {which} {count(number, noun)}"


def selected(said: Sequence[Said], where: Where) -> Sequence[Said]:
    """The first or last ones, as many as `where` selects."""
    which, count = _part(where)
    return said if not which else said[:count] if which == "first" else said[-count:]


def _part(where: Where) -> tuple[Literal["", "first", "last"], int]:
    match where:
        case "any":
            return "", 0
        case "first" | "last":
            return where, 1
        case FirstTurns(first=count):
            return "first", count
        case LastTurns(last=count):
            return "last", count
        case _:
            assert_never(where)
