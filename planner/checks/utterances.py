"""Utterances: what one speaker says until another one speaks, and what is found in them.

A transcript may split one sentence over several turns, so consecutive turns of one speaker are searched as one text.
Tool calls and turns without a word do not end an utterance.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, groupby

from planner.checks.judgement import Quote, shown
from planner.checks.patterns import compile_pattern
from planner.checks.phrases import PlacedPhrase, padded_words, phrase_finder, readings, straight, words_in
from planner.evidence import Role, Turn
from planner.values import frozen

WordPosition = tuple[int, int]
"""A turn's number, and how many of its words come before."""
_LONGEST_WORD = 200
"""Characters between two spaces in which words are counted for a place."""


@frozen
class Occurrence:
    """One match. `words` is the plan's phrase, or what the regular expression matched; `turns` are those it is in."""

    words: str
    turns: tuple[Turn, ...]
    start: WordPosition
    end: WordPosition

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
    return first.model_copy(update={"text": " ".join(turn.text for turn in turns)})


@frozen
class Utterance:
    """Consecutive turns of one speaker."""

    turns: tuple[Turn, ...]

    @property
    def role(self) -> Role:
        return self.turns[0].role

    def find(self, sought: Sought) -> list[Occurrence]:
        """Matches in the whole text, or in the single turns if these are more: an anchor may match the end of a
        turn."""
        each = [
            Occurrence(found.phrase, (turn,), (turn.number, found.start), (turn.number, found.end))
            for turn in self.turns
            for found in sought.find(turn.text)
        ]
        if len(self.turns) == 1:
            return each
        placed = sought.find(" ".join(turn.text for turn in self.turns))
        if len(placed) < len(each):
            return each
        begins = [0, *accumulate(words_in(turn.text) for turn in self.turns[:-1])]
        return [self._occurrence(found, begins) for found in placed]

    def _occurrence(self, found: PlacedPhrase, begins: Sequence[int]) -> Occurrence:
        """`begins` has, for each turn, the number of words before it."""
        first = bisect_right(begins, found.start) - 1
        last = max(first, bisect_right(begins, found.end - 1) - 1)
        start = (self.turns[first].number, found.start - begins[first])
        end = (self.turns[last].number, found.end - begins[last])
        return Occurrence(found.phrase, self.turns[first : last + 1], start, end)


@frozen
class Sought:
    """One thing to look for: phrases of which each is enough, or a regular expression."""

    phrases: tuple[str, ...]
    pattern: str | None
    ignore_case: bool
    spoken: bool = False

    def find(self, text: str) -> list[PlacedPhrase]:
        """Matches in one text, with their places among its words."""
        if self.pattern is not None:
            return _find_pattern(straight(self.pattern), text, ignore_case=self.ignore_case)
        if not self.spoken:
            return phrase_finder(self.phrases, fold=self.ignore_case).find(padded_words(text, fold=self.ignore_case))
        from planner.checks.spoken.finder import spoken_finder  # its patterns take 90 ms, and few plans need it

        return spoken_finder(self.phrases, fold=self.ignore_case).find(text)

    def __str__(self) -> str:
        """`"30 days"`, `any of "30 days", "thirty days"` or `anything that matches "thirty|30"`."""
        if self.pattern is not None:
            return f"anything that matches {shown(self.pattern)}"
        phrases = ", ".join(map(shown, self.phrases))
        return phrases if len(self.phrases) == 1 else f"any of {phrases}"


def utterances_of(turns: Sequence[Turn]) -> list[Utterance]:
    """The utterances of a transcript, of all speakers."""
    spoken = [turn for turn in turns if turn.role is not Role.TOOL and turn.text.strip()]
    return [Utterance(tuple(group)) for _, group in groupby(spoken, lambda turn: turn.role)]


def _find_pattern(pattern: str, text: str, *, ignore_case: bool) -> list[PlacedPhrase]:
    """The matches in the reading of a string that has most of them."""
    expression = compile_pattern(pattern, ignore_case=ignore_case)
    found = [(read, [*expression.finditer(read)]) for read in readings(text)]
    read, matches = max(found, key=lambda each: len(each[1]))
    if not matches:
        return []
    pieces = read.split(" ")
    starts = [0, *accumulate(len(piece) + 1 for piece in pieces)]
    counts = [0, *accumulate(map(words_in, pieces))]

    def words_before(offset: int) -> int:
        place = bisect_right(starts, offset, hi=len(pieces)) - 1
        return counts[place] + words_in(pieces[place][: min(offset - starts[place], _LONGEST_WORD)])

    return [PlacedPhrase(each.group(), words_before(each.start()), words_before(each.end())) for each in matches]
