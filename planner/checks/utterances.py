"""Utterances: what one speaker says until another one speaks, and what is found in them.

A transcript may split one sentence over several turns. Consecutive turns of one speaker are therefore searched as one text. Tool calls
and turns without a word do not end an utterance: nobody else spoke.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from planner.checks.base import Quote
from planner.checks.patterns import Found, RegularExpression, compile_pattern
from planner.checks.phrases import PlacedPhrase, padded_words, phrase_finder, readings, straight
from planner.checks.spoken import SpokenFinder, spoken_finder
from planner.checks.wording import shown
from planner.evidence import Role, Turn

Place = tuple[int, int]
"""A turn's number, and how many of its words come before."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One match. `words` is the plan's phrase, or what the regular expression matched; `turns` are those it is in."""

    words: str
    turns: tuple[Turn, ...]
    start: Place
    end: Place

    @property
    def quote(self) -> Quote:
        return quote_of(self.turns)

    @property
    def place(self) -> str:
        """`at turn 3`, `at turns 3 and 4`, `at turns 3 to 6`."""
        numbers = [turn.number for turn in self.turns]
        if len(numbers) == 1:
            return f"at turn {numbers[0]}"
        return f"at turns {numbers[0]} {'and' if len(numbers) == 2 else 'to'} {numbers[-1]}"


def quote_of(turns: Sequence[Turn]) -> Quote:
    """The words of these turns, at the place of the first."""
    first = Quote.of(turns[0])
    return Quote(first.turn, first.role, first.start_ms, " ".join(turn.text for turn in turns))


@dataclass(frozen=True, slots=True)
class Utterance:
    """Consecutive turns of one speaker."""

    turns: tuple[Turn, ...]

    @property
    def role(self) -> Role:
        return self.turns[0].role

    def find(self, sought: Sought) -> list[Occurrence]:
        """Matches in the whole text; or those in each turn, where these are more: an anchor may rely on a turn's end."""
        each = [
            Occurrence(found.phrase, (turn,), (turn.number, found.start), (turn.number, found.end))
            for turn in self.turns
            for found in sought.find(turn.text)
        ]
        if len(self.turns) == 1:
            return each
        placed = sought.find(" ".join(turn.text for turn in self.turns))
        return [*map(self._occurrence, placed)] if len(placed) >= len(each) else each

    def _occurrence(self, found: PlacedPhrase) -> Occurrence:
        begins = [0]
        for turn in self.turns:
            begins.append(begins[-1] + words_in(turn.text))
        begins[-1] = max(begins[-1], found.end)
        inside = [
            (turn, begin)
            for turn, (begin, end) in zip(self.turns, pairwise(begins), strict=True)
            if begin < max(found.end, found.start + 1) and end > found.start
        ]
        (first, before), (last, before_last) = inside[0], inside[-1]
        turns = tuple(turn for turn, _ in inside)
        return Occurrence(
            found.phrase, turns, (first.number, found.start - before), (last.number, found.end - before_last)
        )


@dataclass(frozen=True, slots=True)
class Sought:
    """One thing to look for: phrases that are as good as each other, or a regular expression."""

    phrases: tuple[str, ...]
    pattern: str | None
    ignore_case: bool
    spoken: bool = False

    def find(self, text: str) -> list[PlacedPhrase]:
        """Matches in one text, with their places among its words."""
        if self.pattern is None:
            finder = spoken_finder if self.spoken else phrase_finder
            placed = finder(self.phrases, fold=self.ignore_case)
            return placed.find(text) if isinstance(placed, SpokenFinder) else placed.find_placed(text)
        expression = compile_pattern(straight(self.pattern), ignore_case=self.ignore_case)
        return [
            PlacedPhrase(found.group(), words_in(searched[: found.start()]), words_in(searched[: found.end()]))
            for searched, found in _matches(expression, text)
        ]

    def told(self) -> str:
        """`"30 days"`, `any of "30 days", "thirty days"` or `anything that matches "thirty|30"`."""
        if self.pattern is not None:
            return f"anything that matches {shown(self.pattern)}"
        phrases = ", ".join(map(shown, self.phrases))
        return phrases if len(self.phrases) == 1 else f"any of {phrases}"


def utterances_of(turns: Sequence[Turn]) -> list[Utterance]:
    """The utterances of a transcript, of all speakers."""
    spoken = [turn for turn in turns if turn.role is not Role.TOOL and turn.text.strip()]
    return [Utterance(tuple(group)) for _, group in groupby(spoken, lambda turn: turn.role)]


def words_in(text: str) -> int:
    """How many words a text has, as places count them."""
    return padded_words(text, fold=True).count("  ") + 1 if text.strip() else 0


def _matches(expression: RegularExpression, text: str) -> list[tuple[str, Found]]:
    """With the text they are found in: of its readings the one in which there are most."""
    return max(([(read, found) for found in expression.finditer(read)] for read in readings(text)), key=len)
