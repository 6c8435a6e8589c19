"""Numbers, money, percentages, dates and times, alike however they are said or written.

`spoken_forms` puts each into one form, in the words that `planner.checks.phrases` compares: `thirty days` and `30 days`
become `30 days`; `$12.50` and `twelve dollars and fifty cents` become `12.5 dollar`; `the third of May` and `May 3rd`
become `may 3`; `half past nine in the morning` and `9:30 AM` become `9:30 am`; `four one five, five five five…` becomes one
row of digits. What is ambiguous is read in two ways, and two texts are alike when either reading is: as amounts (`nine
thirty` is 9 and 30), or as one row of digits (`930`, which `9:30` is too; `twenty twenty-six` is 2026). Of prices there is a third: `it costs twelve fifty` is $12.50, too, where the text speaks of prices.
A bare `hundred fifty` is 150, `a dollar fifty` $1.50, `$5k` $5000 and `2½` 2.5; `a few hundred` is no number.
`ten to five` is a time only where something says so (`at`, `it is`, `minutes`): it may be a span. `08:30` is `8:30`, and in its other
reading `8:30 am`. English; of other
languages only what is written in digits and symbols.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import groupby

from planner.checks.number_words import ORDINALS
from planner.checks.phrases import PlacedPhrase, padded_words
from planner.checks.spoken_items import all_plain, read_items
from planner.checks.spoken_words import Item, trimmed

_SENTENCE_END = re.compile(r"(?<=[.?!;…])\s+|\n+|(?<=\bmay),\s+", re.IGNORECASE)
"""Of commas only one after `may`, which is no month then."""
_SIGNED = re.compile(r"(?:^|(?<=[\s(\"']))[-\N{MINUS SIGN}](?=[$€£]?\d)")
_OTHER_DOLLAR = re.compile(r"(?<![A-Za-z])(?!US)([A-Z]{1,3})\$(?= ?\d)")
"""Of Canada, Australia, Hong Kong …: what is said in it is no amount of ours."""
_SHORT_MONTH = re.compile(
    r"(?i)\b(jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\."
    r"(?=\s+(?:the\s+)?(?:\d{1,2}(?:st|nd|rd|th)\b|(?:19|20)\d\d\b|(?:[012]?\d|3[01])(?![\w:%])(?!,\d)(?!\s+(?:(?:second|minute|hour|day|week|month|year|time|dollar|cent|call|item)s|people|percent)\b)"
    rf"|(?:twenty|thirty|{'|'.join(ORDINALS)})\b))"
)
"""Before a day or a year: elsewhere the full stop ends a sentence, as in `in Dec. 3 days later`."""
_FRACTION = re.compile(r"(?<=\d)\s*([¼½¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])")
_AFTER_NUMBER = re.compile(r"\d\s*$")
_DOLLARS = " dollar "
_LONGEST_ALONE = 4
"""Words of a price that a text says nothing besides: `twenty-five oh five`."""
_PRICE = re.compile(
    r"(?i)[$]|\b(?:cost|price|paid|pay|total|charge|fee|dollar|buck|refund|owe|balance|amount|bill|comes? to|worth|only|just)"
)
_DOLLARS_AND_CENTS = re.compile(r"([1-9][0-9]{0,2}) (?:([0-9]{2})|(0 [0-9]))")
"""In digits: `12 50`, `12 0 5`."""
_ZERO_HOUR = re.compile(r"(?<![\w.,:/])0(?=[1-9]:[0-5]\d(?![\w:/]))")
_LEAST_ROW = 3
"""Single digits one after another that are one row."""
_LEAST_GROUPED_ROW = 7
"""Digits of several groups that are one row, as in a phone number."""


@dataclass(frozen=True, slots=True)
class Form:
    """A text in one of its readings. `starts` has, for each word, the index of the plain word it began as."""

    padded: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]


@lru_cache(maxsize=16_384)
def spoken_forms(text: str, *, fold: bool) -> tuple[Form, Form]:
    """Both readings of a text: amounts, and rows of digits."""
    text = _plainer(text)
    words: list[str] = []
    breaks: set[int] = set()
    signed: set[int] = set()
    for sentence in _SENTENCE_END.split(text):
        breaks.add(len(words))
        for sign in _SIGNED.finditer(sentence):
            before = sentence[: sign.start()]
            if not _AFTER_NUMBER.search(before):  # else it stands between two
                signed.add(len(words) + len(padded_words(before, fold=fold).split()))
        words += padded_words(sentence, fold=fold).split()
    if all_plain(words):
        form = Form("".join(f" {word} " for word in words), tuple(range(len(words))), tuple(range(1, len(words) + 1)))
        return form, form
    items = read_items(words, breaks, frozenset(signed))
    return _form(_in_rows(items, whatever=False)), _form(_in_rows(items, whatever=True))


@lru_cache(maxsize=16_384)
def price_form(text: str, *, fold: bool) -> Form | None:
    """A third reading, in which `twelve fifty` is dollars and cents: where the text speaks of prices, or says nothing else."""
    text = _plainer(text)
    words = padded_words(text, fold=True).split()
    if all_plain(words) or not (len(words) <= _LONGEST_ALONE or _PRICE.search(text)):
        return None
    said: list[str] = []
    breaks: list[int] = []
    for sentence in _SENTENCE_END.split(text):
        breaks.append(len(said))
        said += padded_words(sentence, fold=fold).split()
    items = read_items(said, set(breaks))
    is_all = all(item.digits is not None for item in items)
    if not (is_all or _PRICE.search(text)):
        return None
    sentences = groupby(items, lambda item: bisect_right(breaks, item.start))
    priced = [item for _, sentence in sentences for item in _priced(sentence)]
    return None if len(priced) == len(items) else _form(priced)


def _plainer(text: str) -> str:
    """Other dollars as a currency that is none of those known (of as many words), the sign of an amount before it, months that
    end no sentence, and `2½` as `2 1/2`, which is of as many words."""
    if "." in text:
        text = _SHORT_MONTH.sub(r"\1", text)
    if not text.isascii() and _FRACTION.search(text):
        text = _with_plain_fractions(text)
    if "$" not in text:
        return text
    return _OTHER_DOLLAR.sub("\\1\N{CURRENCY SIGN}", text.replace("$-", "-$"))


def _with_plain_fractions(text: str) -> str:
    """Unless that took a word apart, as in `2½'s`: places are told by the words there were."""
    plain = _FRACTION.sub(
        lambda part: " " + unicodedata.normalize("NFKC", part[1]).replace("\N{FRACTION SLASH}", "/"), text
    )
    words = [len(padded_words(each, fold=True).split()) for each in (plain, text)]
    return plain if words[0] <= words[1] else text


def _priced(sentence: Iterable[Item]) -> Iterator[Item]:
    for _, group in groupby(sentence, lambda item: bool(item.digits)):
        run = [*group]
        price = _DOLLARS_AND_CENTS.fullmatch(" ".join(item.digits or "" for item in run))
        if price is None:
            yield from run
        else:
            amount = Decimal(f"{price[1]}.{price[2] or price[3].replace(' ', '')}")
            yield Item(run[0].start, run[-1].end, f"{trimmed(amount)} dollar")


class SpokenFinder:
    """Finds any of some phrases, as `PhraseFinder` does, in whichever reading of a text more of them are said."""

    __slots__ = ("_fold", "_prices", "_readings")

    def __init__(self, phrases: Sequence[str], *, fold: bool) -> None:
        self._fold = fold
        self._readings: list[tuple[dict[str, str], re.Pattern[str]]] = []
        # Who looks for `08:30` looks for `eight thirty`, too, though not everybody who says that means the morning.
        written = [
            (other, phrase) for phrase in phrases for other in dict.fromkeys((_ZERO_HOUR.sub("", phrase), phrase))
        ]
        for forms in zip(*(spoken_forms(other, fold=fold) for other, _ in written), strict=True):
            known = {form.padded: phrase for form, (_, phrase) in zip(forms, written, strict=True)}
            search = re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True))))
            self._readings.append((known, search))
        amounts = self._readings[0][0]
        alone = [(price_form(phrase, fold=fold), phrase) for phrase in phrases]
        self._prices = amounts | {form.padded: phrase for form, phrase in alone if form is not None}
        if any(_DOLLARS in padded for padded in self._prices):
            search = re.compile("|".join(map(re.escape, sorted(self._prices, key=len, reverse=True))))
            self._readings.append((self._prices, search))

    def find(self, text: str) -> list[PlacedPhrase]:
        found: list[PlacedPhrase] = []
        forms: tuple[Form, ...] = spoken_forms(text, fold=self._fold)
        if len(self._readings) > len(forms):
            # `twelve fifty` is found where the price is written, too.
            forms = (*forms, price_form(text, fold=self._fold) or forms[0])
        for (known, search), form in zip(self._readings, forms, strict=True):
            here = [_placed(known[match[0]], form, match) for match in search.finditer(form.padded)]
            found = max(found, here, key=len)
        return found


def _placed(phrase: str, form: Form, match: re.Match[str]) -> PlacedPhrase:
    first = len(form.padded[: match.start()].split())
    last = first + len(match[0].split()) - 1
    return PlacedPhrase(phrase, form.starts[first], form.ends[last])


@lru_cache(maxsize=4096)
def spoken_finder(phrases: tuple[str, ...], *, fold: bool) -> SpokenFinder:
    return SpokenFinder(phrases, fold=fold)


def _form(items: Iterable[Item]) -> Form:
    pieces = [(piece, item) for item in items for piece in item.amount.split()]
    return Form(
        "".join(f" {piece} " for piece, _ in pieces),
        tuple(item.start for _, item in pieces),
        tuple(item.end for _, item in pieces),
    )


def _is_row(run: Sequence[Item]) -> bool:
    return (len(run) >= _LEAST_ROW and all(item.said_as_one for item in run)) or (
        sum(len(item.digits or "") for item in run) >= _LEAST_GROUPED_ROW
    )


def _in_rows(items: Iterable[Item], *, whatever: bool) -> Iterator[Item]:
    """Neighbours that are digits become one item where they are a row; or wherever they stand, and clocks are digits, too."""
    for are_digits, group in groupby(items, lambda item: item.digits is not None):
        run = [*group]
        if are_digits and (whatever or _is_row(run)):
            yield Item(run[0].start, run[-1].end, "".join(item.digits or "" for item in run))
        elif whatever:
            yield from (Item(item.start, item.end, item.row or item.amount) for item in run)
        else:
            yield from run
