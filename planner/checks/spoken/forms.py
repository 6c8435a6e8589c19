"""The readings of a text: its words, with everything that people say in several ways brought into one form.

`thirty days` and `30 days` become `30 days`; `$12.50` and `twelve dollars and fifty cents` become `12.5 dollar`; `the
third of May` and `May 3rd` become `may 3`; `half past nine in the morning` and `9:30 AM` become `9:30 am`; `5mg` and
`five milligrams` become `5 milligram`. What is ambiguous has several readings, and two texts are alike when they are in
any of them. English; of other languages only digits and symbols are read.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate, groupby, pairwise

from planner.checks.phrases import PhraseFinder, PlacedPhrase, padded_words
from planner.checks.spoken.numbers import names, trimmed
from planner.checks.spoken.rules import DATES, MONEY, MONTHS, PERCENTAGES, REPEATED, TIMES, Context, Meaning, Rule
from planner.checks.spoken.tokens import (
    AMOUNT_WORDS,
    FILLERS,
    NUMBER_STARTS,
    SENTENCE,
    Token,
    is_filler,
    read_tokens,
)
from planner.checks.spoken.units import NAMES_UNIT, read_quantity
from planner.values import frozen

_CODE = re.compile(r"([A-Za-z]{1,3})([0-9]{1,12})")
_NO_CODES = ("a", "i")
"""Before digits: `A7` may be a seven of something."""
_OH = ("oh", "o")
_MINUS = ("minus", "negative")
_ALL_RULES: tuple[Rule, ...] = (*DATES, *MONEY, *TIMES, *PERCENTAGES, *REPEATED)
_STARTS = re.compile(
    r"[^a-z]|(?:a|an|the|half|quarter|point|noon|midnight|double|triple|oh|o|usd|eur|gbp|jpy|inr)\Z|"
    rf"(?:{'|'.join(MONTHS)})\Z"
)
"""How a token begins that may be more than a word."""
_DIGIT = re.compile(r"\d")
_TELLING = (NUMBER_STARTS | AMOUNT_WORDS | FILLERS | MONTHS.keys()).union(
    names("quarter noon midnight double triple grand +")
) - {"a", "an"}
"""Without any of these, and without digits, the words of a text stand for themselves, as in most sentences."""
_PRICE = re.compile(
    r"(?i)[$]|\b(?:cost|price|paid|pay|total|charge|fee|dollar|buck|refund|owe|balance|amount|bill|comes? to|worth"
    r"|only|just|tax"
    r"|that(?:['\N{RIGHT SINGLE QUOTATION MARK}]ll| will| would) be\b)"
)
_DOLLARS_AND_CENTS = re.compile(r"([1-9][0-9]{0,2}) (?:([0-9]{2})|(0 [0-9]))")
_LONGEST_PRICE = 4
"""Words of a text that may be a price although nothing says so: `twenty-five oh five`."""
_LEAST_ROW = 3
"""Single digits one after another that are one row."""
_LEAST_GROUPED_ROW = 7
"""Digits in groups that are one row, as in a telephone number."""


@frozen
class Form:
    """A text in one of its readings. For each word, `starts` and `ends` are the words of the text that it
    represents."""

    padded: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]


@frozen
class Forms:
    """All readings of a text; None where one does not differ from `amounts`."""

    amounts: Form
    """`nine thirty` is 9 and 30."""
    rows: Form | None
    """`nine thirty` is 930."""
    prices: Form | None
    """`nine thirty` is $9.30, where the text speaks of prices or says nothing else."""
    durations: Form | None
    """`an hour` is 3600 seconds, `5 mg` is 5 milligrams."""


@frozen
class _Item:
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


@lru_cache(maxsize=1_024)
def spoken_forms(text: str, *, fold: bool, as_said: bool = False) -> Forms:
    """The readings of a text, without words like `um` unless everything is wanted `as_said`."""
    words = padded_words(text, fold=fold)
    if _TELLING.isdisjoint(words.lower().split()) and not _DIGIT.search(words) and not NAMES_UNIT.search(words):
        places = range(words.count("  ") + bool(words))
        return Forms(Form(words, tuple(places), tuple(place + 1 for place in places)), None, None, None)
    items = _Reader(read_tokens(text, fold=fold, as_said=as_said)).read()
    return Forms(
        amounts=_form(_in_rows(items, always=False)),
        rows=_form(_in_rows(items, always=True)) if any(item.digits or item.row for item in items) else None,
        prices=_price_form(text, items),
        durations=_duration_form(items) if fold and NAMES_UNIT.search(words) else None,
    )


class _Reader:
    """Reads tokens from left to right: at each, the first rule that matches decides."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._row = "".join(token.mark + token.text + token.gap for token in tokens)
        self._starts = [0, *accumulate(len(token.mark + token.text + token.gap) for token in tokens)]
        self._sentences = [0, *accumulate(token.gap == SENTENCE for token in tokens)]

    def read(self) -> list[_Item]:
        items: list[_Item] = []
        place = 0
        while place < len(self._tokens):
            item, place = self._item(place)
            items.append(item)
        return items

    def _item(self, place: int) -> tuple[_Item, int]:
        """What begins there, and the place after it."""
        token = self._tokens[place]
        if token.mark == "~" and (found := self._meaning(place, PERCENTAGES) or self._number(place)):
            return self._placed(place, replace(found, amount=f"to {found.amount}", digits=None))
        is_minus = (
            token.text in _MINUS and place + 1 < len(self._tokens) and not (place and self._tokens[place - 1].number)
        )
        if is_minus or token.mark == "-":
            first = place + is_minus
            if found := self._meaning(first, (*MONEY, *PERCENTAGES)) or self._number(first):
                return self._placed(place, Meaning(found.end, f"-{found.amount}"))
        if _STARTS.match(token.text) and (found := self._meaning(place, _ALL_RULES) or self._number(place)):
            return self._placed(place, found)
        code = _CODE.fullmatch(token.written)
        spelled = f"{' '.join(code[1])} {code[2]}" if code and code[1].lower() not in _NO_CODES else None
        return self._placed(place, Meaning(self._starts[place] + 1, token.written, spelled))

    def _placed(self, place: int, found: Meaning) -> tuple[_Item, int]:
        """By the words of the text."""
        after = bisect_left(self._starts, found.end)
        start, end = self._tokens[place].start, self._tokens[after - 1].end
        as_one = found.digits is not None and (len(found.digits) == 1 or self._tokens[place].number is None)
        return _Item(start, end, found.amount, found.digits, found.row, as_one, self._sentences[place]), after

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


def _price_form(text: str, items: Sequence[_Item]) -> Form | None:
    """With `twelve fifty` as dollars and cents, where a text speaks of prices or consists of little else."""
    is_short = sum(item.end - item.start for item in items) <= _LONGEST_PRICE
    if not _PRICE.search(text) and not (is_short and all(item.digits is not None for item in items)):
        return None
    priced: list[_Item] = []
    for _, group in groupby(items, lambda item: (item.sentence, bool(item.digits))):
        run = [*group]
        price = _DOLLARS_AND_CENTS.fullmatch(" ".join(item.digits or "" for item in run))
        if price is not None:
            amount = Decimal(f"{price[1]}.{price[2] or price[3].replace(' ', '')}")
            run = [_Item(run[0].start, run[-1].end, f"{trimmed(amount)} dollar")]
        priced += run
    return _form(priced) if len(priced) < len(items) else None


def _duration_form(items: Sequence[_Item]) -> Form | None:
    """With times that belong together as one number of seconds, and one name for each unit."""
    row, starts = "", [0]
    for item, after in pairwise([*items, None]):
        assert item is not None
        row += item.amount.lower().replace(" ", "_") + (" " if after and after.sentence == item.sentence else ". ")
        starts.append(len(row))
    found: list[_Item] = []
    place = 0
    while place < len(items):
        begins = not place or items[place - 1].sentence < items[place].sentence
        time = read_quantity(row, starts[place], "" if begins else items[place - 1].amount.lower())
        if time is None:
            found.append(items[place])
            place += 1
            continue
        after = bisect_left(starts, time[0])
        found.append(_Item(items[place].start, items[after - 1].end, time[1]))
        place = after
    return _form(found) if len(found) < len(items) else None


def _in_rows(items: Iterable[_Item], *, always: bool) -> Iterator[_Item]:
    """Neighbouring digits become one item: always, or only where they clearly are a row."""
    for are_digits, group in groupby(items, lambda item: item.digits is not None):
        run = [*group]
        digits = "".join(item.digits or "" for item in run)
        is_row = (len(run) >= _LEAST_ROW and all(item.said_as_one for item in run)) or len(digits) >= _LEAST_GROUPED_ROW
        if are_digits and (always or is_row):
            yield _Item(run[0].start, run[-1].end, digits)
        elif always:
            yield from (replace(item, amount=item.row or item.amount) for item in run)
        else:
            yield from run


def _form(items: Iterable[_Item]) -> Form:
    pieces = [(piece, item) for item in items for piece in item.amount.split()]
    padded = "".join(f" {piece} " for piece, _ in pieces)
    return Form(padded, tuple(item.start for _, item in pieces), tuple(item.end for _, item in pieces))


_READINGS = tuple(field.name for field in fields(Forms))
_ZERO_HOUR = re.compile(r"(?<![\w.,:/])0(?=[1-9]:[0-5]\d(?![\w:/]))")


class SpokenFinder:
    """Finds phrases as `PhraseFinder` does, in any reading."""

    __slots__ = ("_how", "_sought")

    def __init__(self, phrases: Sequence[str], *, fold: bool) -> None:
        self._how = {"fold": fold, "as_said": any(map(is_filler, phrases))}
        # Whoever looks for `08:30` also looks for `eight thirty`, though not everybody who says that means the morning.
        written = [(other, phrase) for phrase in phrases for other in (_ZERO_HOUR.sub("", phrase), phrase)]
        forms = [(spoken_forms(other, **self._how), phrase) for other, phrase in written]
        amounts = {each.amounts.padded: phrase for each, phrase in forms}
        self._sought: dict[str, PhraseFinder] = {}
        for name in _READINGS:
            own = {form.padded: phrase for each, phrase in forms if (form := getattr(each, name)) is not None}
            is_price = name == "prices" and any(" dollar " in padded for padded in amounts)
            if own or is_price or name == "rows":
                self._sought[name] = PhraseFinder(amounts | own)

    def find(self, text: str) -> list[PlacedPhrase]:
        forms = spoken_forms(text, **self._how)
        found: list[PlacedPhrase] = []
        for name, sought in self._sought.items():
            form = getattr(forms, name) or forms.amounts
            more = sought.find(form.padded)
            if len(more) > len(found):
                found = [PlacedPhrase(each.phrase, form.starts[each.start], form.ends[each.end - 1]) for each in more]
        return found


@lru_cache(maxsize=4096)
def spoken_finder(phrases: tuple[str, ...], *, fold: bool) -> SpokenFinder:
    return SpokenFinder(phrases, fold=fold)
