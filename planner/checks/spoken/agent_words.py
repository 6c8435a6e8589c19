"""The words of one speaker over several turns, as what they spell, and the rows of digits among them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from planner.checks.spoken.numbers import names
from planner.checks.spoken.rules import MONTHS
from planner.checks.spoken.stream import SIGN_WORDS, Unit, spelled_text
from planner.checks.spoken.tokens import SENTENCE
from planner.values import frozen

INNER_SIGNS: Final = frozenset("-._/")
_HOMOPHONES: Final = {"for": "4", "to": "2", "too": "2", "ate": "8", "won": "1"}
"""Between two digits."""
_LEADS: Final = frozenset(names("and then followed by next okay ok so the last four are ending in yes right"))
"""What may be said at the start of a turn before a number goes on."""
_DIGITS: Final = re.compile(r"(?<=[a-z])[0-9]{7,}\Z|(?<!\w)[0-9]+(?=x[0-9]+\Z)|\A[0-9]{3,4}(?:\.[0-9]{2,7}){2,4}\Z")
"""In `visa4111111111111111`, `5550142x7` and `4111.1111.1111.1111`."""
DATE: Final = re.compile(rf"(?:{'|'.join(dict.fromkeys(MONTHS.values()))})\d{{1,2}}(?:\d{{4}}|\d{{2}})?")
_SENTENCE_END: Final = re.compile(r"[.?!…]\W*$")
_LONGEST_END: Final = 20
"""Characters at the end of a turn in which its sentence may end."""


@frozen
class Word:
    """One or more words that belong together, in the turn `piece`."""

    unit: Unit
    piece: int
    digits: str
    """Those that may be part of a number."""
    ends_turn: bool
    ends_sentence: bool

    @property
    def text(self) -> str:
        """What it spells, most likely."""
        return self.unit.options[0]

    @property
    def said(self) -> str:
        """The word itself."""
        return self.unit.options[-1] if self.unit.is_sign else self.unit.options[0]

    @property
    def is_short(self) -> bool:
        """A letter or a number: several of them are one word."""
        return self.unit.is_letter or bool(self.digits)

    @property
    def squeezed(self) -> str:
        """What it spells, without signs."""
        if self.unit.is_sign and self.said in SIGN_WORDS:
            return ""
        return re.sub(r"[\W_]", "", self.spelled)

    @property
    def spelled(self) -> str:
        """Its letters or digits."""
        return self.text if self.unit.is_letter else self.digits or self.text


def words_of(text: str, piece: int = 0) -> list[Word]:
    units = spelled_text(_ascii_digits(text), fold=True).units
    ends_sentence = _SENTENCE_END.search(text[-_LONGEST_END:]) is not None
    inner = [Word(unit, piece, _digits(unit), False, unit.gap == SENTENCE) for unit in units[:-1]]
    return [*inner, *(Word(unit, piece, _digits(unit), True, ends_sentence) for unit in units[-1:])]


def _ascii_digits(text: str) -> str:
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in text)


def _digits(unit: Unit) -> str:
    if unit.is_number:
        return unit.options[0]
    first, *others = unit.options
    if others and others[-1].isdigit():  # a time of day, or `oh`
        return others[-1]
    found = _DIGITS.search(first)
    return re.sub("[^0-9]", "", found[0]) if found else ""


def runs(words: Sequence[Word], without: AbstractSet[int] = frozenset()) -> Iterator[list[int]]:
    """Places of numbers that follow each other, with only signs between them, or the end of a turn."""
    run: list[int] = []
    is_split = False
    for place, word in enumerate(words):
        if (word.digits and place not in without) or (run and not is_split and _is_homophone(words, place)):
            run.append(place)
            is_split = False
        elif run and (word.text in INNER_SIGNS or (word.said in _LEADS and word.piece > words[run[-1]].piece)):
            is_split = True
        elif run:
            yield run
            run = []
    if run:
        yield run


def _is_homophone(words: Sequence[Word], place: int) -> bool:
    around = (*words[place - 1 : place], *words[place + 1 : place + 2])
    return words[place].said in _HOMOPHONES and len(around) == 2 and all(len(word.digits) == 1 for word in around)


def spelled_digits(words: Sequence[Word], places: Sequence[int]) -> str:
    return "".join(words[place].digits or _HOMOPHONES[words[place].said] for place in places)


def digit_rows(text: str) -> list[str]:
    """The numbers of a string, as rows of digits."""
    words = words_of(text)
    return [spelled_digits(words, run) for run in runs(words)]


def dates_in(text: str) -> set[str]:
    """All dates that a string may mention."""
    return {option for word in words_of(text) for option in word.unit.options if DATE.fullmatch(option)}


def squeezed(text: str) -> str:
    """What a string spells, without spaces and signs."""
    return "".join(word.squeezed for word in words_of(text))
