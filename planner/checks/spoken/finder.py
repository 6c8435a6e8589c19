"""Finds phrases in what people say, in whichever reading of a text more of them are found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache

from planner.checks.phrases import PlacedPhrase
from planner.checks.spoken.forms import Form, Forms, spoken_forms
from planner.checks.spoken.tokens import is_filler

_READINGS = tuple(field.name for field in fields(Forms))
_ZERO_HOUR = re.compile(r"(?<![\w.,:/])0(?=[1-9]:[0-5]\d(?![\w:/]))")


class SpokenFinder:
    """Finds any of some phrases, as `PhraseFinder` does."""

    __slots__ = ("_how", "_sought")

    def __init__(self, phrases: Sequence[str], *, fold: bool) -> None:
        self._how = {"fold": fold, "as_said": any(map(is_filler, phrases))}
        # Whoever looks for `08:30` also looks for `eight thirty`, though not everybody who says that means the morning.
        written = [(other, phrase) for phrase in phrases for other in (_ZERO_HOUR.sub("", phrase), phrase)]
        forms = [(spoken_forms(other, **self._how), phrase) for other, phrase in written]
        amounts = {each.amounts.padded: phrase for each, phrase in forms}
        self._sought: dict[str, _Sought] = {}
        for name in _READINGS:
            own = {form.padded: phrase for each, phrase in forms if (form := getattr(each, name)) is not None}
            is_price = name == "prices" and any(" dollar " in padded for padded in amounts)
            if own or is_price or name == "rows":
                self._sought[name] = _Sought(amounts | own)

    def find(self, text: str) -> list[PlacedPhrase]:
        forms = spoken_forms(text, **self._how)
        found: list[PlacedPhrase] = []
        for name, sought in self._sought.items():
            more = sought.find(getattr(forms, name) or forms.amounts)
            found = more if len(more) > len(found) else found
        return found


class _Sought:
    """Phrases by how they read."""

    __slots__ = ("_known", "_search")

    def __init__(self, known: dict[str, str]) -> None:
        self._known = known
        self._search = re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True))))

    def find(self, form: Form) -> list[PlacedPhrase]:
        found: list[PlacedPhrase] = []
        first = before = 0
        for match in self._search.finditer(form.padded):
            first += form.padded.count("  ", before, match.start() + 1)
            before = match.start()
            last = first + len(match[0].split()) - 1
            found.append(PlacedPhrase(self._known[match[0]], form.starts[first], form.ends[last]))
        return found


@lru_cache(maxsize=4096)
def spoken_finder(phrases: tuple[str, ...], *, fold: bool) -> SpokenFinder:
    return SpokenFinder(phrases, fold=fold)
