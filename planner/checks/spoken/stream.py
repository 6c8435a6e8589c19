"""Speech as the characters that it spells: `A B one two`, `alpha bravo twelve` and `AB-12` are all `ab12`.

Each word spells something: digits, a letter, a sign (`dot`, `at`, `dash`) or itself, and some words may spell one or
the other (`mike` is a name or the letter m). So a code, a number, an e-mail or a street address is found however a
string divides it into words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import islice, product
from typing import Final

from planner.checks.spoken.items import Item, read_items
from planner.checks.spoken.numbers import names
from planner.checks.spoken.tokens import PAUSE, SENTENCE
from planner.values import frozen

_NATO: Final = names(
    "alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa quebec romeo "
    "sierra tango uniform victor whiskey xray yankee zulu alfa juliet whisky"
)
LETTER_WORDS: Final = {word: word[0] for word in _NATO}
SIGN_WORDS: Final = {
    word: sign
    for sign, row in {
        "@": "at", ".": "dot point period", "-": "dash hyphen minus", "_": "underscore", "/": "slash", ":": "colon",
        "&": "ampersand and", "*": "asterisk star", "#": "hash", "x": "by",
    }.items()
    for word in names(row)
}  # fmt: skip
_SIGNS: Final = frozenset("@._-/:&*#'\\~=")
_ADDRESS_WORDS: Final = frozenset(names("dot slash underscore"))
_INNER_SIGN: Final = re.compile(r"(?<=\w)[@._/:*&]|[@._/:*](?=\w)")
"""A sign that is part of a phrase, not its punctuation."""
_DOTTED: Final = re.compile(r"\d+(?:\.\d+){2,}|[a-z](?:\.[a-z])+\.?", re.IGNORECASE)
"""Whose dots need not be said."""
_ABBREVIATIONS: Final = dict(
    pair.split("=")
    for pair in names(
        "ave=avenue blvd=boulevard ct=court dr=drive expy=expressway fwy=freeway hwy=highway ln=lane pkwy=parkway "
        "pl=place rd=road sq=square st=street apt=apartment ste=suite"
    )
)
_DIRECTIONS: Final = {name[0]: name for name in names("north east south west")}
_STATES: Final = dict(
    pair.split("=")
    for pair in names(
        "al=alabama ak=alaska az=arizona ar=arkansas ca=california co=colorado ct=connecticut de=delaware fl=florida "
        "ga=georgia hi=hawaii id=idaho il=illinois in=indiana ia=iowa ks=kansas ky=kentucky la=louisiana me=maine "
        "md=maryland ma=massachusetts mi=michigan mn=minnesota ms=mississippi mo=missouri mt=montana ne=nebraska "
        "nv=nevada nh=newhampshire nj=newjersey nm=newmexico ny=newyork nc=northcarolina nd=northdakota oh=ohio "
        "ok=oklahoma or=oregon pa=pennsylvania ri=rhodeisland sc=southcarolina sd=southdakota tn=tennessee tx=texas "
        "ut=utah vt=vermont va=virginia wa=washington wv=westvirginia wi=wisconsin wy=wyoming"
    )
)
_TIMES: Final = {"double": 2, "triple": 3}
_AS_IN: Final = (("as", "in"), ("for",), ("like",))
"""Between a letter and a word that begins with it: `B as in Bravo`."""
_BEFORE_LETTER: Final = frozenset(names("capital uppercase lowercase letter"))
_LETTERS: Final = frozenset(LETTER_WORDS.values())
_ARTICLES: Final = frozenset(names("a i"))
_LEAST_OVER_SENTENCES: Final = 6
_MOST_READINGS: Final = 64
"""Of one phrase, whose words may spell several things."""


@frozen
class Unit:
    """What the words of a string from `start` to before `end` may spell, the likeliest first."""

    options: tuple[str, ...]
    start: int
    end: int
    is_number: bool = False
    is_letter: bool = False
    is_sign: bool = False
    gap: str = " "
    """As of the token; empty between two tokens of one word, as in `5k`."""

    @property
    def bare(self) -> tuple[str, ...]:
        """Without signs, and times as digits."""
        return tuple({"" if one in _SIGNS else one.replace(":", "").replace("/", ""): None for one in self.options})


@frozen
class Spelling:
    """One reading of a phrase. `is_bare` if signs do not matter in it."""

    text: str
    is_bare: bool
    is_over_sentences: bool = False


class SpelledText:
    """A string as units."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self.units = units
        self._exact = [unit.options for unit in units]

    @cached_property
    def _bare(self) -> list[tuple[str, ...]]:
        return [unit.bare for unit in self.units]

    def find(self, wanted: Spelling) -> Iterator[tuple[int, int]]:
        """Where it is spelled, by the words of the text; of two places that overlap, the first."""
        free = 0
        first = wanted.text[0]
        options = self._bare if wanted.is_bare else self._exact
        for place, spelled in enumerate(options):
            if place < free or not any(one and one[0] == first for one in spelled):
                continue
            after = self._after(place, wanted, options)
            if after is not None:
                free = after
                yield self.units[place].start, self.units[after - 1].end

    def _after(self, place: int, wanted: Spelling, options: Sequence[tuple[str, ...]]) -> int | None:
        """The place after the unit that ends what begins at `place`."""
        if not self._may_begin(place, wanted.text):
            return None
        reached = {0}
        for index in range(place, len(self.units)):
            reached = {at + len(one) for at in reached for one in options[index] if wanted.text.startswith(one, at)}
            if len(wanted.text) in reached and self._may_end(index, wanted.text):
                return index + 1
            if not reached or not (wanted.is_over_sentences or self._goes_over(place, index, wanted.text)):
                return None
        return None

    def _goes_over(self, place: int, index: int, wanted: str) -> bool:
        """Whether what began at `place` may go on after that unit: in the next sentence only if it is a long row of
        digits and letters."""
        if self.units[index].gap != SENTENCE:
            return True
        spelled = all(unit.is_number or unit.is_letter or unit.is_sign for unit in self.units[place : index + 1])
        return spelled and len(wanted) >= _LEAST_OVER_SENTENCES

    def _may_begin(self, place: int, wanted: str) -> bool:
        unit = self.units[place]
        letters = sum(character.isalpha() for character in wanted)
        if unit.options[0] in _ARTICLES and letters == 1:  # `a seven day trial` is not about A7
            return False
        return not place or not _goes_on(self.units[place - 1], unit, wanted[0], self.units[place - 1])

    def _may_end(self, place: int, wanted: str) -> bool:
        if place + 1 == len(self.units):
            return True
        following = self.units[place + 1]
        return not _goes_on(self.units[place], following, wanted[-1], following)


def _goes_on(unit: Unit, following: Unit, edge: str, other: Unit) -> bool:
    """Whether a number, a row of letters or an address continues from one unit to the next. `edge` is the last
    character on one side, `other` the unit on the other side."""
    if not unit.gap and not unit.is_sign:
        return True
    if unit.gap == SENTENCE:
        return False
    if unit.is_number and following.is_number:
        return edge.isdigit()
    if other.is_sign:
        return other.options[0] in "._-/"
    return unit.is_letter and following.is_letter and not _ARTICLES.intersection(other.options)


@lru_cache(maxsize=256)
def spelled_text(text: str, *, fold: bool) -> SpelledText:
    return SpelledText(list(_units(read_items(text, fold=fold, as_said=False))))


def spellings(phrase: str, *, fold: bool) -> list[Spelling]:
    """What a phrase spells; nothing if it is made of words only."""
    units = spelled_text(phrase, fold=fold).units
    signs = _INNER_SIGN.search(phrase)
    letters = sum(unit.is_letter or unit.options[-1] in _LETTERS for unit in units)
    is_number = any(unit.is_number and "oh" not in unit.options and "o" not in unit.options for unit in units)
    has_digit = any(character.isdigit() for character in phrase)
    is_address = signs or any(unit.options[-1] in _ADDRESS_WORDS for unit in units)
    if not (is_address or is_number or has_digit or letters > 1 or (phrase.isupper() and len(units) == 1)):
        return []
    over = any(unit.gap == SENTENCE for unit in units[:-1])
    if is_address:
        exact = _readings(units, lambda unit: unit.options)
        dotted = [one.replace(".", "") for one in exact if _DOTTED.fullmatch(one)]
        return [Spelling(one, False, over) for one in exact] + [Spelling(one, True, over) for one in dotted]
    return [Spelling(one, True, over) for one in _readings(units, lambda unit: unit.bare) if one]


def _readings(units: Sequence[Unit], options: Callable[[Unit], tuple[str, ...]]) -> list[str]:
    """What they may spell, first the letters of words for letters."""
    letters = [next((one for one in options(unit) if one in _LETTERS), options(unit)[0]) for unit in units]
    each = islice(product(*map(options, units)), _MOST_READINGS)
    return list(dict.fromkeys("".join(reading) for reading in (letters, *each)))


def _units(items: Sequence[Item]) -> Iterator[Unit]:
    place = 0
    while place < len(items):
        unit, after = _unit(items, place)
        yield unit
        joint = items[after - 1].tokens[-1].joint
        for sign in joint.strip() if after < len(items) and " " not in joint else "":
            if sign in _SIGNS:
                yield Unit((sign,), unit.end - 1, unit.end, is_sign=True)
        place = after


def _unit(items: Sequence[Item], place: int) -> tuple[Unit, int]:
    """What begins there, and the place after it."""
    item = items[place]
    options = _options(items, place)
    word = item.amount.lower()
    following = _options(items, place + 1)[0] if place + 1 < len(items) else ""
    if word in _TIMES and len(following) == 1:
        return _made(items, place, place + 2, (following * _TIMES[word], *options)), place + 2
    is_letter = len(word) == 1 and word.isascii() and word.isalpha() and item.digits is None
    if is_letter or word in LETTER_WORDS:
        for words in _AS_IN:
            last = place + len(words) + 1
            said = tuple(each.amount.lower() for each in items[place + 1 : last])
            if said == words and last < len(items) and items[last].amount.lower().startswith(word[0]):
                return _made(items, place, last + 1, options, is_letter=True), last + 1
    if word == "x" and place + 1 < len(items) and items[place + 1].amount.lower() == "ray":
        return _made(items, place, place + 2, options, is_letter=True), place + 2
    is_number = item.digits is not None
    return _made(items, place, place + 1, options, is_letter=is_letter, is_number=is_number), place + 1


def _made(items: Sequence[Item], place: int, after: int, options: tuple[str, ...], **what: bool) -> Unit:
    last = items[after - 1].tokens[-1]
    is_sign = options[0] in _SIGNS
    gap = last.gap if last.joint else ""
    return Unit(options, items[place].start, items[after - 1].end, is_sign=is_sign, gap=gap, **what)


def _options(items: Sequence[Item], place: int) -> tuple[str, ...]:
    """What an item may spell, the likeliest first."""
    item = items[place]
    amount = item.amount.replace(" ", "")
    if item.digits is not None:
        return (item.digits, "o", "oh") if item.tokens[0].text in ("oh", "o") else (item.digits,)
    if amount in ("oh", "o"):
        return amount, "0"
    first, *others = item.tokens
    word = first.text
    if others or first.number is not None or item.row:
        return tuple(dict.fromkeys((amount, (item.row or amount).replace(" ", ""))))
    if amount.lower() not in (word, first.written.lower()):  # `midnight` is a time, and part of names
        return first.written, amount
    if word in SIGN_WORDS:
        return SIGN_WORDS[word], amount
    if word == "space" or (word in _BEFORE_LETTER and place + 1 < len(items)):
        return amount, ""
    other = LETTER_WORDS.get(word) or _ABBREVIATIONS.get(word)
    if word in _DIRECTIONS and place and items[place - 1].tokens[-1].number is not None:
        other = _DIRECTIONS[word]
    if word in _STATES and place and items[place - 1].tokens[-1].gap == PAUSE:
        other = _STATES[word]
    return (amount, other) if other else (amount,)
