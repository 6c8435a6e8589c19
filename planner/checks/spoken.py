"""Numbers, money, percentages, dates and times, alike however they are said or written.

`spoken_forms` puts each into one form, in the words that `planner.checks.phrases` compares: `thirty days` and `30 days`
become `30 days`; `$12.50` and `twelve dollars and fifty cents` become `12.5 dollar`; `the third of May` and `May 3rd`
become `may 3`; `half past nine in the morning` and `9:30 AM` become `9:30 am`; `four one five, five five five…` becomes one
row of digits. What is ambiguous is read in two ways, and two texts are alike when either reading is: as amounts (`nine
thirty` is 9 and 30), or as one row of digits (`930`, which `9:30` is too; `twenty twenty-six` is 2026). Of prices there is a third: `it costs twelve fifty` is $12.50, too, where the text speaks of prices.
Durations are a fourth (`planner.checks.spoken_durations`).
A bare `hundred fifty` is 150, `a dollar fifty` $1.50, `a dollar five` $1.05, `$5k` and `five grand` $5000, `2½` 2.5 and `half a percent`
0.5 percent; `a few hundred` is no number. `5-7 days` are `5 to 7 days`.
`ten to five` is a time only where something says so (`at`, `it is`, `minutes`): it may be a span. `08:30` is `8:30`, and in its other
reading `8:30 am`. English; of other
languages only what is written in digits and symbols.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import groupby

from planner.checks.number_words import ORDINALS
from planner.checks.phrases import PlacedPhrase, padded_words
from planner.checks.spoken_durations import NAMES_TIME, in_seconds
from planner.checks.spoken_items import all_plain, read_items
from planner.checks.spoken_words import Item, Marks, trimmed

_SENTENCE_END = re.compile(r"(?<=[.?!;…])\s+|\n+|(?<=\bmay),\s+", re.IGNORECASE)
"""Of commas only one after `may`, which is no month then."""
_SIGNED = re.compile(r"(?:^|(?<=[\s(\"']))[-\N{MINUS SIGN}](?=[$€£]?\d)")
_RANGE = re.compile(
    r"(?i)(?<![\w.,:/$€£-])(\d{1,3}) ?[-\N{EN DASH}\N{EM DASH}] ?(\d{1,3})(?:(?= ?%)"
    r"|(?=[ -](?:business|working|calendar|seconds?|minutes?|hours?|days?|weeks?|months?|years?|percent|per cent|people|guests|items|miles)\b))"
)
"""`5-7` of `5-7 business days`: elsewhere digits with a dash between them may be anything."""
_BARE_POINT = re.compile(r"(?<![\w.,])\.(?=\d)")
"""Of `.5`, which is five tenths."""
_OTHER_DOLLAR = re.compile(r"(?<![A-Za-z])(?!US)([A-Z]{1,3})\$(?= ?\d)")
"""Of Canada, Australia, Hong Kong …: what is said in it is no amount of ours."""
_SHORT_MONTH = re.compile(
    r"(?i)\b(jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\."
    r"(?=\s+(?:the\s+)?(?:\d{1,2}(?:st|nd|rd|th)\b|(?:19|20)\d\d\b|(?:[012]?\d|3[01])(?![\w:%])(?!,\d)(?!\s+(?:(?:second|minute|hour|day|week|month|year|time|dollar|cent|call|item)s|people|percent)\b)"
    rf"|(?:twenty|thirty|{'|'.join(ORDINALS)})\b))"
)
"""Before a day or a year: elsewhere the full stop ends a sentence, as in `in Dec. 3 days later`."""
_FILLERS = frozenset({"uh", "uhh", "um", "umm", "uhm", "erm", "hmm"})
"""What a speaker says while he looks for a word, in the middle of numbers, too."""
_PAUSE = re.compile(r"[,;:)]\s+")
_FRACTION = re.compile(r"(?<=\d)\s*([¼½¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])")
_AFTER_NUMBER = re.compile(r"\d\s*$")
_DOLLARS = " dollar "
_LONGEST_ALONE = 4
"""Words of a price that a text says nothing besides: `twenty-five oh five`."""
_PRICE = re.compile(
    r"(?i)[$]|\b(?:cost|price|paid|pay|total|charge|fee|dollar|buck|refund|owe|balance|amount|bill|comes? to|worth|only|just|tax|that(?:['\N{RIGHT SINGLE QUOTATION MARK}]ll| will| would) be\b)"
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


@lru_cache(maxsize=1_024)
def spoken_forms(text: str, *, fold: bool, as_said: bool = False) -> tuple[Form, Form]:
    """Both readings of a text: amounts, and rows of digits. Without `uh` and `um`, unless all is wanted `as_said`."""
    words, _, items = _read(text, fold=fold, as_said=as_said)
    if items is None:
        places = [place for place, word in enumerate(words) if word]
        form = Form(
            "".join(f" {words[place]} " for place in places), tuple(places), tuple(place + 1 for place in places)
        )
        return form, form
    return _form(_in_rows(items, whatever=False)), _form(_in_rows(items, whatever=True))


@lru_cache(maxsize=1_024)
def duration_form(text: str, *, fold: bool, as_said: bool = False) -> Form | None:
    """A fourth reading, in which `an hour` is `60 minutes`: where the text tells how long something takes, and case does not matter."""
    if not fold or not NAMES_TIME.search(text):
        return None
    words, breaks, items = _read(text, fold=fold, as_said=as_said)
    told = in_seconds(items or [Item(place, place + 1, word) for place, word in enumerate(words) if word], breaks)
    return None if told is None else _form(told)


@lru_cache(maxsize=64)
def _read(text: str, *, fold: bool, as_said: bool) -> tuple[list[str], list[int], list[Item] | None]:
    """(words, those that sentences begin at, what they come to); None where every word stands for itself. What is passed over is an
    empty word: places are told by the words there were."""
    text = _plainer(text)
    words: list[str] = []
    breaks: list[int] = []
    marks = Marks(set(), set(), set(), set())
    sentences = _SENTENCE_END.split(text)
    may_have_dash = "-" in text or not text.isascii()
    for sentence in sentences:
        breaks.append(len(words))
        if may_have_dash:
            _mark_dashes(sentence, len(words), marks, fold=fold)
        words += padded_words(sentence, fold=fold).split()
    if "+" in text:
        words = ["plus" if word == "+" else word for word in words]
    if not as_said and not _FILLERS.isdisjoint(map(str.lower, words)):
        heard = [*map(_heard, words)]
        words = heard if any(heard) else words
    if all_plain(words):
        return words, breaks, None
    marks.breaks.update(breaks)
    if _PAUSE.search(text):
        for first, sentence in zip(breaks, sentences, strict=True):
            place = first
            for part in _PAUSE.split(sentence):
                place += len(padded_words(part, fold=fold).split())
                marks.pauses.add(place)
    return words, breaks, read_items(words, marks)


def _heard(word: str) -> str:
    return "" if word.lower() in _FILLERS else word


def _mark_dashes(sentence: str, first: int, marks: Marks, *, fold: bool) -> None:
    """What a dash says of the numbers in a sentence whose words begin at `first`."""
    for sign in _SIGNED.finditer(sentence):
        before = sentence[: sign.start()]
        if not _AFTER_NUMBER.search(before):  # else it stands between two
            marks.signed.add(first + len(padded_words(before, fold=fold).split()))
    for found in _RANGE.finditer(sentence):
        if int(found[1]) < int(found[2]):
            marks.ranged.add(first + len(padded_words(sentence[: found.start(2)], fold=fold).split()))


@lru_cache(maxsize=1_024)
def price_form(text: str, *, fold: bool, as_said: bool = False) -> Form | None:
    """A third reading, in which `twelve fifty` is dollars and cents: where the text speaks of prices, or says nothing else."""
    words, breaks, items = _read(text, fold=fold, as_said=as_said)
    names_price = _PRICE.search(text) is not None
    if items is None or not (names_price or len(words) <= _LONGEST_ALONE):
        return None
    if not (names_price or all(item.digits is not None for item in items)):
        return None
    sentences = groupby(items, lambda item: bisect_right(breaks, item.start))
    priced = [item for _, sentence in sentences for item in _priced(sentence)]
    return None if len(priced) == len(items) else _form(priced)


def _plainer(text: str) -> str:
    """Other dollars as a currency that is none of those known (of as many words), the sign of an amount before it, months that
    end no sentence, and `2½` as `2 1/2`, which is of as many words."""
    if "." in text:
        text = _BARE_POINT.sub("0.", _SHORT_MONTH.sub(r"\1", text))
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

    __slots__ = ("_amounts", "_durations", "_how", "_prices", "_rows")

    def __init__(self, phrases: Sequence[str], *, fold: bool) -> None:
        # Who looks for an `um` finds it.
        as_said = any(not any(map(_heard, padded_words(phrase, fold=True).split())) for phrase in phrases)
        self._how = {"fold": fold, "as_said": as_said}
        # Who looks for `08:30` looks for `eight thirty`, too, though not everybody who says that means the morning.
        written = [
            (other, phrase) for phrase in phrases for other in dict.fromkeys((_ZERO_HOUR.sub("", phrase), phrase))
        ]
        forms = [(spoken_forms(other, **self._how), phrase) for other, phrase in written]
        amounts, rows = ({both[which].padded: phrase for both, phrase in forms} for which in (0, 1))
        self._amounts, self._rows = _Sought.of(amounts), _Sought.of(rows)
        prices = amounts | self._forms(price_form, phrases)
        self._prices = _Sought.of(prices) if any(_DOLLARS in padded for padded in prices) else None
        durations = self._forms(duration_form, phrases)
        self._durations = _Sought.of(amounts | durations) if durations else None

    def _forms(self, form_of: Callable[..., Form | None], phrases: Sequence[str]) -> dict[str, str]:
        forms = [(form_of(phrase, **self._how), phrase) for phrase in phrases]
        return {form.padded: phrase for form, phrase in forms if form is not None}

    def find(self, text: str) -> list[PlacedPhrase]:
        amounts, rows = spoken_forms(text, **self._how)
        found = self._amounts.find(amounts)
        if rows is not amounts:  # else it has no number, as what is sought in the other readings has
            found = _more(found, self._rows.find(rows))
            if self._prices is not None:
                # `twelve fifty` is found where the price is written, too.
                found = _more(found, self._prices.find(price_form(text, **self._how) or amounts))
        if self._durations is not None and (told := duration_form(text, **self._how)) is not None:
            found = _more(found, self._durations.find(told))
        return found


@dataclass(frozen=True, slots=True)
class _Sought:
    """Phrases in one reading."""

    known: dict[str, str]
    search: re.Pattern[str]

    @classmethod
    def of(cls, known: dict[str, str]) -> _Sought:
        return cls(known, re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True)))))

    def find(self, form: Form) -> list[PlacedPhrase]:
        found: list[PlacedPhrase] = []
        first = before = 0
        for match in self.search.finditer(form.padded):
            first += form.padded.count("  ", before, match.start() + 1)
            before = match.start()
            last = first + len(match[0].split()) - 1
            found.append(PlacedPhrase(self.known[match[0]], form.starts[first], form.ends[last]))
        return found


def _more(one: list[PlacedPhrase], other: list[PlacedPhrase]) -> list[PlacedPhrase]:
    return other if len(other) > len(one) else one


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
