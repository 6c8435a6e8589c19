"""Numbers, money, percentages, dates and times, alike however they are said or written.

`spoken_forms` puts each into one form, in the words that `planner.checks.phrases` compares: `thirty days` and `30 days`
become `30 days`; `$12.50` and `twelve dollars and fifty cents` become `12.5 dollar`; `the third of May` and `May 3rd`
become `may 3`; `half past nine in the morning` and `9:30 AM` become `9:30 am`; `four one five, five five five…` becomes one
row of digits. What is ambiguous is read in two ways, and two texts are alike when either reading is: as amounts (`nine
thirty` is 9 and 30), or as one row of digits (`930`, which `9:30` is too; `twenty twenty-six` is 2026). English; of other
languages only what is written in digits and symbols.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from planner.checks.phrases import PlacedPhrase, padded_words
from planner.checks.spoken_items import Item, all_plain, read_items

_SENTENCE_END = re.compile(r"(?<=[.?!;…])\s+|\n+")
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
    words: list[str] = []
    breaks: set[int] = set()
    for sentence in _SENTENCE_END.split(text):
        breaks.add(len(words))
        words += padded_words(sentence, fold=fold).split()
    if all_plain(words):
        form = Form("".join(f" {word} " for word in words), tuple(range(len(words))), tuple(range(1, len(words) + 1)))
        return form, form
    items = read_items(words, breaks)
    return _form(_merged(items, _is_row)), _form(_merged(items, _is_any_row))


class SpokenFinder:
    """Finds any of some phrases, as `PhraseFinder` does, in whichever reading of a text more of them are said."""

    __slots__ = ("_fold", "_readings")

    def __init__(self, phrases: Sequence[str], *, fold: bool) -> None:
        self._fold = fold
        self._readings: list[tuple[dict[str, str], re.Pattern[str]]] = []
        for forms in zip(*(spoken_forms(phrase, fold=fold) for phrase in phrases), strict=True):
            known = {form.padded: phrase for form, phrase in zip(forms, phrases, strict=True)}
            search = re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True))))
            self._readings.append((known, search))

    def find(self, text: str) -> list[PlacedPhrase]:
        found: list[PlacedPhrase] = []
        for (known, search), form in zip(self._readings, spoken_forms(text, fold=self._fold), strict=True):
            here = [_placed(known[match[0]], form, match) for match in search.finditer(form.padded)]
            found = max(found, here, key=len)
        return found


def _placed(phrase: str, form: Form, match: re.Match[str]) -> PlacedPhrase:
    first = form.padded.count("  ", 0, match.start() + 1)
    last = form.padded.count("  ", 0, match.end())
    return PlacedPhrase(phrase, form.starts[first], form.ends[last])


@lru_cache(maxsize=4096)
def spoken_finder(phrases: tuple[str, ...], *, fold: bool) -> SpokenFinder:
    return SpokenFinder(phrases, fold=fold)


def _form(items: Sequence[Item]) -> Form:
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


def _is_any_row(run: Sequence[Item]) -> bool:
    return len(run) > 1 or run[0].row is not None


def _merged(items: Sequence[Item], is_row: Callable[[Sequence[Item]], bool]) -> list[Item]:
    """Neighbours that are digits become one item where they are a row."""
    merged: list[Item] = []
    run: list[Item] = []

    def close() -> None:
        if run and is_row(run):
            merged.append(Item(run[0].start, run[-1].end, "".join(item.row or item.digits or "" for item in run)))
        else:
            merged.extend(run)
        run.clear()

    for item in items:
        if item.digits is not None:
            run.append(item)
            continue
        close()
        whole = item.row is not None and is_row is _is_any_row
        merged.append(Item(item.start, item.end, item.row or "") if whole else item)
    close()
    return merged
