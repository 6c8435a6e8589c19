"""A string as what its words mean: words, numbers, money, dates, times and percentages."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from itertools import accumulate

from planner.checks.spoken.rules import (
    DATES,
    DECADE_NAMES,
    DECADES,
    FRACTIONS,
    MONEY,
    MONTHS,
    PERCENTAGES,
    REPEATED,
    TIMES,
    Context,
    Meaning,
    Rule,
)
from planner.checks.spoken.tokens import SENTENCE, Token, read_tokens
from planner.values import frozen

_OH = ("oh", "o")
_MINUS = ("minus", "negative")
_ALL_RULES: tuple[Rule, ...] = (*DATES, *DECADES, *MONEY, *TIMES, *PERCENTAGES, *REPEATED, *FRACTIONS)
_IN_RANGES: tuple[Rule, ...] = (*DECADES, *MONEY, *TIMES, *PERCENTAGES)
_STARTS = re.compile(
    r"[^a-z]|(?:a|an|the|half|quarter|point|noon|midnight|double|triple|oh|o|us|usd|eur|gbp|jpy|inr|won|krw)\Z|"
    rf"(?:[qh][1-4]|{'|'.join((*MONTHS, *DECADE_NAMES))})\Z"
)
"""How a token begins that may be more than a word."""


@frozen
class Item:
    """The meaning of the words of the text from `start` to before `end`."""

    start: int
    end: int
    amount: str
    digits: str | None = None
    """Where it can be part of a row of digits."""
    row: str | None = None
    """Its reading in rows of digits, where that is another one."""
    said_as_one: bool = False
    """A single digit, or one that is repeated."""
    sentence: int = 0
    tokens: tuple[Token, ...] = ()


@lru_cache(maxsize=2)  # for the forms, then for the stream
def read_items(text: str, *, fold: bool, as_said: bool) -> list[Item]:
    """Without words like `um`, unless everything is wanted `as_said`."""
    return _Reader(read_tokens(text, fold=fold, as_said=as_said)).read()


class _Reader:
    """Reads tokens from left to right: at each, the first rule that matches decides."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._row = "".join(token.mark + token.text + token.gap for token in tokens)
        self._starts = [0, *accumulate(len(token.mark + token.text + token.gap) for token in tokens)]
        self._sentences = [0, *accumulate(token.gap == SENTENCE for token in tokens)]

    def read(self) -> list[Item]:
        items: list[Item] = []
        place = 0
        while place < len(self._tokens):
            item, place = self._item(place)
            items.append(item)
        return items

    def _item(self, place: int) -> tuple[Item, int]:
        """What begins there, and the place after it."""
        token = self._tokens[place]
        if token.mark == "~":
            last = self._meaning(place, _IN_RANGES) or self._number(place)
            last = last or Meaning(self._starts[place] + 1, token.written)
            return self._placed(place, replace(last, amount=f"to {last.amount}", digits=None))
        is_minus = (
            token.text in _MINUS and place + 1 < len(self._tokens) and not (place and self._tokens[place - 1].number)
        )
        if is_minus or token.mark == "-":
            first = place + is_minus
            if found := self._meaning(first, (*MONEY, *PERCENTAGES)) or self._number(first):
                return self._placed(place, Meaning(found.end, f"-{found.amount}"))
        if _STARTS.match(token.text) and (found := self._meaning(place, _ALL_RULES) or self._number(place)):
            return self._placed(place, found)
        return self._placed(place, Meaning(self._starts[place] + 1, token.written))

    def _placed(self, place: int, found: Meaning) -> tuple[Item, int]:
        """By the words of the text."""
        after = bisect_left(self._starts, found.end)
        start, end = self._tokens[place].start, self._tokens[after - 1].end
        as_one = found.digits is not None and (len(found.digits) == 1 or self._tokens[place].number is None)
        said = tuple(self._tokens[place:after])
        return Item(start, end, found.amount, found.digits, found.row, as_one, self._sentences[place], said), after

    def _meaning(self, place: int, rules: Iterable[Rule]) -> Meaning | None:
        start = self._starts[place] + len(self._tokens[place].mark)
        begins = not place or self._tokens[place - 1].gap == SENTENCE
        context = Context(
            "" if begins else self._tokens[place - 1].said, [token.said for token in self._tokens[place : place + 3]]
        )
        for pattern, read in rules:
            if (match := pattern.match(self._row, start)) is not None:
                if isinstance(read, str):
                    return Meaning(match.end(), read.format(**match.groupdict()))
                if (found := read(match, context)) is not None:
                    return found
        return None

    def _number(self, place: int) -> Meaning | None:
        token = self._tokens[place]
        if token.number is None or (token.said in _OH and not self._beside_digits(place)):
            return None
        amount = token.number.digits or token.text
        return Meaning(self._starts[place] + 1, amount, digits=token.number.digits)

    def _beside_digits(self, place: int) -> bool:
        beside = [*self._tokens[max(0, place - 1) : place], *self._tokens[place + 1 : place + 2]]
        return any(token.number and token.number.digits is not None and token.said not in _OH for token in beside)
