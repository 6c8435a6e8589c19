"""The readings of a string: its words, with everything that people say in several ways brought into one form.

`thirty days` and `30 days` become `30 days`; `$12.50` and `twelve dollars and fifty cents` become `12.5 dollar`; `the
third of May` and `May 3rd` become `may 3`; `half past nine in the morning` and `9:30 AM` become `9:30 am`; `5mg` and
`five milligrams` become `5 milligram`. What is ambiguous has several readings, and two strings are alike when they are
in any of them. English; of other languages only digits and symbols are read.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from itertools import groupby, pairwise

from planner.checks.phrases import padded_words
from planner.checks.spoken.items import Item, read_items
from planner.checks.spoken.numbers import names, trimmed
from planner.checks.spoken.rules import DECADE_NAMES, MONTHS
from planner.checks.spoken.tokens import AMOUNT_WORDS, FILLERS, NUMBER_STARTS
from planner.checks.spoken.units import NAMES_UNIT, read_quantity
from planner.values import frozen

_DIGIT = re.compile(r"\d")
_TELLING = (NUMBER_STARTS | AMOUNT_WORDS | FILLERS | MONTHS.keys() | DECADE_NAMES.keys()).union(
    names("quarter noon midnight double triple grand +")
) - {"a", "an"}
"""Without any of these, and without digits, the words of a string stand for themselves, as in most sentences."""
_PRICE = re.compile(
    r"(?i)[$]|\b(?:cost|price|paid|pay|total|charge|fee|dollar|buck|refund|owe|balance|amount|bill|comes? to|worth"
    r"|only|just|tax"
    r"|that(?:['\N{RIGHT SINGLE QUOTATION MARK}]ll| will| would) be\b)"
)
_DOLLARS_AND_CENTS = re.compile(r"([1-9][0-9]{0,2}) (?:([0-9]{2})|(0 [0-9]))")
_LONGEST_PRICE = 4
"""Words of a string that may be a price although nothing says so: `twenty-five oh five`."""
_LEAST_ROW = 3
"""Single digits one after another that are one row."""
_LEAST_GROUPED_ROW = 7
"""Digits in groups that are one row, as in a telephone number."""


@frozen
class Form:
    """A string in one of its readings. For each word, `starts` and `ends` are the words of the text that it
    represents."""

    padded: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]


@frozen
class Forms:
    """All readings of a string; None where one does not differ from `amounts`."""

    amounts: Form
    """`nine thirty` is 9 and 30."""
    rows: Form | None
    """`nine thirty` is 930."""
    prices: Form | None
    """`nine thirty` is $9.30, where the text speaks of prices or says nothing else."""
    durations: Form | None
    """`an hour` is 3600 seconds, `5 mg` is 5 milligrams."""


def has_numbers(text: str) -> bool:
    words = padded_words(text, fold=True)
    return not _TELLING.isdisjoint(words.split()) or _DIGIT.search(words) is not None


@lru_cache(maxsize=1_024)
def spoken_forms(text: str, *, fold: bool, as_said: bool = False) -> Forms:
    """The readings of a string, without words like `um` unless everything is wanted `as_said`."""
    words = padded_words(text, fold=fold)
    if not has_numbers(text) and not NAMES_UNIT.search(words):
        places = range(words.count("  ") + bool(words))
        return Forms(Form(words, tuple(places), tuple(place + 1 for place in places)), None, None, None)
    items = _joined_letters(read_items(text, fold=fold, as_said=as_said))
    return Forms(
        amounts=_form(_in_rows(items, always=False)),
        rows=_form(_in_rows(items, always=True)) if any(item.digits or item.row for item in items) else None,
        prices=_price_form(text, items),
        durations=_duration_form(items) if fold and NAMES_UNIT.search(f"{words} {text}") else None,
    )


def _is_letter(item: Item) -> bool:
    return len(item.amount) == 1 and item.amount.isascii() and item.amount.isalpha()


def _joined_letters(items: Sequence[Item]) -> list[Item]:
    """With `g m t` as `gmt`. `a` and `I` are words where nothing follows them, or nothing comes before."""
    found: list[Item] = []
    for (_, are_letters), group in groupby(items, lambda item: (item.sentence, _is_letter(item))):
        run = [*group]
        if are_letters and len(run) > 1 and (len(run) > 2 or not {"a", "i"} & {one.amount for one in run}):
            run = [Item(run[0].start, run[-1].end, "".join(one.amount for one in run), sentence=run[0].sentence)]
        found += run
    return found


def _price_form(text: str, items: Sequence[Item]) -> Form | None:
    """With `twelve fifty` as dollars and cents, where a string speaks of prices or consists of little else."""
    is_short = sum(item.end - item.start for item in items) <= _LONGEST_PRICE
    if not _PRICE.search(text) and not (is_short and all(item.digits is not None for item in items)):
        return None
    priced: list[Item] = []
    for _, group in groupby(items, lambda item: (item.sentence, bool(item.digits))):
        run = [*group]
        price = _DOLLARS_AND_CENTS.fullmatch(" ".join(item.digits or "" for item in run))
        if price is not None:
            amount = Decimal(f"{price[1]}.{price[2] or price[3].replace(' ', '')}")
            run = [Item(run[0].start, run[-1].end, f"{trimmed(amount)} dollar")]
        priced += run
    return _form(priced) if len(priced) < len(items) else None


def _duration_form(items: Sequence[Item]) -> Form | None:
    """With times that belong together as one number of seconds, and one name for each unit."""
    row, starts = "", [0]
    for item, after in pairwise([*items, None]):
        assert item is not None
        row += item.amount.lower().replace(" ", "_") + (" " if after and after.sentence == item.sentence else ". ")
        starts.append(len(row))
    found: list[Item] = []
    place = 0
    while place < len(items):
        begins = not place or items[place - 1].sentence < items[place].sentence
        time = read_quantity(row, starts[place], "" if begins else items[place - 1].amount.lower())
        if time is None:
            found.append(items[place])
            place += 1
            continue
        after = bisect_left(starts, time[0])
        found.append(Item(items[place].start, items[after - 1].end, time[1]))
        place = after
    return _form(found) if found != [*items] else None


def _in_rows(items: Iterable[Item], *, always: bool) -> Iterator[Item]:
    """Neighbouring digits become one item: always, or only where they clearly are a row."""
    for are_digits, group in groupby(items, lambda item: item.digits is not None):
        run = [*group]
        digits = "".join(item.digits or "" for item in run)
        is_row = (len(run) >= _LEAST_ROW and all(item.said_as_one for item in run)) or len(digits) >= _LEAST_GROUPED_ROW
        if are_digits and (always or is_row):
            yield Item(run[0].start, run[-1].end, digits)
        elif always:
            yield from (replace(item, amount=item.row or item.amount) for item in run)
        else:
            yield from run


def _form(items: Iterable[Item]) -> Form:
    pieces = [(piece, item) for item in items for piece in item.amount.split()]
    padded = "".join(f" {piece} " for piece, _ in pieces)
    return Form(padded, tuple(item.start for _, item in pieces), tuple(item.end for _, item in pieces))
