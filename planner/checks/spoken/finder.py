"""Finds phrases in speech, however they are said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache

from planner.checks.phrases import PhraseFinder, PlacedPhrase
from planner.checks.spoken.forms import Forms, has_numbers, spoken_forms
from planner.checks.spoken.stream import spelled_text, spellings
from planner.checks.spoken.tokens import is_filler

_DIGIT = re.compile(r"\d")
_READINGS = tuple(field.name for field in fields(Forms))
_ZERO_HOUR = re.compile(r"(?<![\w.,:/])0(?=[1-9]:[0-5]\d(?![\w:/]))")


class SpokenFinder:
    """Finds phrases as `PhraseFinder` does, in any reading, and spelled in any way."""

    __slots__ = ("_fold", "_how", "_sought", "_spelled")

    def __init__(self, phrases: Sequence[str], *, fold: bool) -> None:
        self._fold = fold
        self._how = {"fold": fold, "as_said": any(map(is_filler, phrases))}
        # Whoever looks for `08:30` also looks for `eight thirty`, though not everybody who says that means the morning.
        written = [(other, phrase) for phrase in phrases for other in (_ZERO_HOUR.sub("", phrase), phrase)]
        forms = [(spoken_forms(other, **self._how), phrase) for other, phrase in written]
        amounts = {each.amounts.padded: phrase for each, phrase in forms}
        self._spelled = [(each, phrase) for phrase in phrases for each in spellings(phrase, fold=fold)]
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
        spelled = self._find_spelled(text)
        return spelled if len(spelled) > len(found) else found

    def _find_spelled(self, text: str) -> list[PlacedPhrase]:
        """Of two that overlap, the first; of those that begin alike, the longest."""
        may_have_digits = bool(self._spelled) and has_numbers(text)
        may_have_at = "@" in text or "at" in text.lower()
        sought = [
            (spelling, phrase)
            for spelling, phrase in self._spelled
            if (may_have_digits or not _DIGIT.search(spelling.text)) and (may_have_at or "@" not in spelling.text)
        ]
        if not sought:
            return []
        said = spelled_text(text, fold=self._fold)
        found = [PlacedPhrase(phrase, *place) for each, phrase in sought for place in said.find(each)]
        kept: list[PlacedPhrase] = []
        for one in sorted(found, key=lambda one: (one.start, -one.end)):
            if not kept or one.start >= kept[-1].end:
                kept.append(one)
        return kept


@lru_cache(maxsize=4096)
def spoken_finder(phrases: tuple[str, ...], *, fold: bool) -> SpokenFinder:
    return SpokenFinder(phrases, fold=fold)
