"""Personal data in speech: numbers of cards, accounts and telephones, e-mail addresses, dates of birth.

A number counts by what it is called (`your account number is`, or the caller's question before), and by its check
digits or form. Its digits may be said in groups, and over several turns.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import Final

from planner.checks.no_pii import Kind
from planner.checks.spoken.agent_words import DATE, Word, runs, spelled_digits, words_of
from planner.checks.spoken.contexts import is_address, is_of_business, kind_called
from planner.checks.spoken.numbers import names
from planner.checks.spoken.stream import LETTER_WORDS
from planner.checks.spoken.tokens import PAUSE, SENTENCE
from planner.checks.spoken.validity import iban_length, is_card, is_iban, is_identity, is_telephone
from planner.values import frozen

_CARD_GROUPS: Final = ((4, 4, 4, 4), (4, 4, 4, 4, 3), (4, 4, 4, 1), (4, 6, 5), (4, 6, 4))
_IDENTITY_GROUPS: Final = (3, 2, 4)
_LEAST_APART: Final = 7
"""Digits of a number that a pause separates from others."""
_LEAST_CARD, _LONGEST = 13, 19
_BEFORE, _AFTER = 12, 6
"""Words around a number or an address that may say what it is."""
_SENTENCE: Final = 24
"""Words of a sentence before a telephone number."""
_MOST_INTERJECTED: Final = 3
"""Words of the caller through which an address may go on."""
_JOINTS: Final = frozenset("@._-+")
_ADDRESS: Final = re.compile(
    r"([\w.+-]{1,64})@((?:[\w-]{1,30} ){0,3}[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.([^\W\d_]{2,12}))(?![\w@])"
)
_TOP_DOMAINS: Final = frozenset(names("com org net edu gov co io"))
"""After `at` and a dot that is not said: that may be the end of a sentence."""


@frozen
class Piece:
    """One turn of the agent. `question` is what the caller said before it, in `interjected` words."""

    text: str
    question: str = ""
    interjected: int = 0


@frozen
class PersonalDatum:
    """`value` has one form however it was said. It is for comparison and must not be shown. `first` and `last` are the
    pieces in which it begins and ends."""

    kind: Kind
    value: str
    first: int
    last: int


def personal_data(pieces: Sequence[Piece]) -> list[PersonalDatum]:
    """The personal data that the agent speaks, in no particular order."""
    words = [word for place, piece in enumerate(pieces) for word in words_of(piece.text, place)]
    return _Finder(words, pieces).find()


class _Finder:
    def __init__(self, words: Sequence[Word], pieces: Sequence[Piece]) -> None:
        self._words = words
        self._pieces = pieces

    def find(self) -> list[PersonalDatum]:
        ibans = list(self._ibans())
        taken = {place for start, end, _ in ibans for place in range(start, end)}
        found = [self._datum("iban", iban, start, end - 1) for start, end, iban in ibans]
        return [*found, *self._numbers(taken), *self._addresses(), *self._birth_dates()]

    def _datum(self, kind: Kind, value: str, first: int, last: int) -> PersonalDatum:
        return PersonalDatum(kind, value, self._words[first].piece, self._words[last].piece)

    def _question(self, place: int) -> str:
        return self._pieces[self._words[place].piece].question

    def _numbers(self, taken: AbstractSet[int]) -> Iterator[PersonalDatum]:
        """Of the words that are not part of something else."""
        for run in runs(self._words, taken):
            for part in self._parts(run):
                kind = self._kind(part)
                if kind is not None:
                    yield self._datum(kind, spelled_digits(self._words, part), part[0], part[-1])

    def _parts(self, run: list[int]) -> list[list[int]]:
        """The numbers that a run may be: it as a whole, or what pauses or the groups of cards set apart."""
        cards = list(self._cards(run))
        if cards:
            return cards
        parts = [run]
        for gaps in ({SENTENCE}, {SENTENCE, PAUSE}):
            split = self._split(run, gaps)
            if len(split) > 1 and any(len(spelled_digits(self._words, part)) >= _LEAST_APART for part in split):
                parts += split
        return parts

    def _split(self, run: list[int], gaps: AbstractSet[str]) -> list[list[int]]:
        parts = [[run[0]]]
        for before, place in pairwise(run):
            between = self._words[before:place]
            if any(word.unit.gap in gaps and not word.ends_turn for word in between):
                parts.append([])
            parts[-1].append(place)
        return parts

    def _cards(self, run: list[int]) -> Iterator[list[int]]:
        """Where a run is grouped as card numbers are printed, or has one in one word."""
        lengths = [len(self._words[place].digits) for place in run]
        for start, length in enumerate(lengths):
            for groups in _CARD_GROUPS if length == _CARD_GROUPS[0][0] else ():
                part = run[start : start + len(groups)]
                if tuple(lengths[start : start + len(groups)]) == groups and is_card(spelled_digits(self._words, part)):
                    yield part
            if _LEAST_CARD <= length <= _LONGEST and is_card(self._words[run[start]].digits):
                yield run[start : start + 1]

    def _kind(self, part: list[int]) -> Kind | None:
        digits = spelled_digits(self._words, part)
        if not 3 <= len(digits) <= _LONGEST:
            return None
        before, after = self._words_around(part[0], part[-1])
        is_called, called = kind_called(before, after, self._question(part[0]))
        if is_called:
            return called if self._may_be(called, digits, part[0]) else None
        groups = tuple(len(self._words[place].digits) for place in part)
        if groups == _IDENTITY_GROUPS and is_identity(digits):
            return "ssn"
        if is_card(digits):
            return "card"
        said = before.split()
        is_phone = is_telephone(digits, is_called_number="number" in said, has_plus=said[-1:] == ["plus"])
        return "phone" if is_phone and not self._is_of_business(part[0]) else None

    def _may_be(self, kind: Kind | None, digits: str, place: int) -> bool:
        """Whether digits that are called something may be that."""
        match kind:
            case "cvv":
                return len(digits) <= 4
            case "ssn":
                return is_identity(digits)
            case "account":
                return 6 <= len(digits) <= 17
            case "card":
                return len(digits) >= _LEAST_CARD - 1
            case "phone":
                return 7 <= len(digits) <= 15 and not self._is_of_business(place)
            case _:
                return False

    def _words_around(self, first: int, last: int) -> tuple[str, str]:
        """The agent's words before and behind a number, up to the next number or the caller's words."""
        before: list[str] = []
        for place in range(first - 1, max(-1, first - 1 - _BEFORE), -1):
            word = self._words[place]
            is_interrupted = word.ends_turn and self._pieces[self._words[place + 1].piece].interjected
            if len(word.digits) > 1 or is_interrupted:
                break
            if word.said.isalnum():
                before.append(word.said)
        after: list[str] = []
        for place in range(last + 1, min(len(self._words), last + 1 + _AFTER)):
            if self._words[place - 1].ends_sentence or len(self._words[place].digits) > 1:
                break
            after.append(self._words[place].said)
        return " ".join(reversed(before)), " ".join(after)

    def _is_of_business(self, place: int) -> bool:
        sentence: list[str] = []
        for before in range(place - 1, max(-1, place - 1 - _SENTENCE), -1):
            if self._words[before].ends_sentence:
                break
            sentence.append(self._words[before].said)
        return is_of_business(" ".join(reversed(sentence)), self._question(place))

    def _ibans(self) -> Iterator[tuple[int, int, str]]:
        """Where one begins, the place after it, and it; in letters of either case, in groups or spelled."""
        texts = [_account_letters(word) for word in self._words]
        for start, text in enumerate(texts):
            country = "".join(texts[start : start + 2])[:2] if text else ""
            length = iban_length(country)
            spelled, end = "", start
            while end < len(texts) and len(spelled) < length:
                spelled += texts[end]
                end += 1
            if length and len(spelled) == length and is_iban(spelled):
                yield start, end, spelled

    def _addresses(self) -> Iterator[PersonalDatum]:
        """E-mail addresses, written with an @ or spoken."""
        starts, pieces = [0], list[str]()
        for place, word in enumerate(self._words):
            pieces.append(_address_part(word) + self._joint(place))
            starts.append(starts[-1] + len(pieces[-1]))
        for found in _ADDRESS.finditer("".join(pieces)):
            first, last = (bisect_right(starts, offset) - 1 for offset in (found.start(), found.end() - 1))
            local, domain = found[1].strip("._-"), found[2].replace(" ", "")
            if local and self._is_address(first, last, local, domain):
                yield self._datum("email", f"{local}@{domain}", first, last)

    def _is_address(self, first: int, last: int, local: str, domain: str) -> bool:
        signs = [word for word in self._words[first : last + 1] if word.text in "@."]
        is_at_said = any(word.text == "@" and word.said != "@" for word in signs)
        is_dot_said = any(word.text == "." and word.said != "." for word in signs)
        if not is_at_said:
            return True
        if not is_dot_said and domain.rpartition(".")[2] not in _TOP_DOMAINS:
            return False
        before, after = self._words_around(first, last)
        return is_address(local, domain, f"{before}; {after}; {self._question(first)}")

    def _joint(self, place: int) -> str:
        """What is between a word and the next one in an address: nothing, a space, or a line end where it ends."""
        if place + 1 == len(self._words):
            return ""
        word, following = self._words[place], self._words[place + 1]
        interjected = self._pieces[following.piece].interjected if word.ends_turn else 0
        if word.ends_sentence or interjected > _MOST_INTERJECTED:
            return "\n"
        is_joined = _address_part(word) in _JOINTS or _address_part(following) in _JOINTS
        return "" if is_joined or (word.is_short and following.is_short) else " "

    def _birth_dates(self) -> Iterator[PersonalDatum]:
        for place, word in enumerate(self._words):
            if DATE.fullmatch(word.text) is None:
                continue
            before, after = self._words_around(place, place)
            if kind_called(before, after, self._question(place))[1] == "birth_date":
                yield self._datum("birth_date", word.text, place, place)


def _account_letters(word: Word) -> str:
    """What a word may be in an account number."""
    if word.said in LETTER_WORDS:
        return LETTER_WORDS[word.said].upper()
    return re.sub("[^0-9A-Z]", "", (word.digits if word.unit.is_number else word.text).upper())


def _address_part(word: Word) -> str:
    """What a word may be in an e-mail address."""
    if word.said == "plus":
        return "+"
    if word.unit.is_sign and (word.text not in _JOINTS or word.said in ("point", "period", "minus")):
        return word.said
    return word.spelled
