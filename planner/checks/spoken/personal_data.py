"""Personal data in a text: card, bank and identity numbers by their check digits and forms, e-mail addresses.

Numbers are found however they are said: in digits, in groups, or word by word in English.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

from planner.checks.no_pii import Kind, plain_address
from planner.checks.spoken.forms import spoken_forms
from planner.checks.spoken.numbers import SCALES, TEENS, TENS, UNITS, ZEROS
from planner.values import frozen

_CARD = re.compile(r"(?:[3-6]\d|2[2-7])\d{11,17}")
_DOTTED = re.compile(r"(?<![\d.])\d{3,4}(?:\.\d{2,7}){2,4}(?![\d.]\d)", re.ASCII)
_IDENTITY = re.compile(r"(?<![\w-])(\d{3})[ -](\d{2})[ -](\d{4})(?![\w-])", re.ASCII)
_IDENTITY_NAMED = re.compile(
    r"\bsocial security\b|\bssn\b|\bsocial (?:is|was|number)\b|\b(?:your|my|his|her|their|the|full) social\b(?! [a-z])",
    re.IGNORECASE,
)
_IBAN_START = re.compile(r"(?<![A-Za-z0-9])([A-Za-z])[ -]?([A-Za-z])[ -]?\d[ -]?\d", re.ASCII)
_LONGEST_IBAN = 80
"""Characters of one that is spelled."""
_IBAN_DIGITS = 0.6
"""Share of one, at least, that is digits: words in small letters are none."""
_PRINTED = tuple(
    re.compile(rf"(?<!\d)(?=({form.replace('d', '[0-9]').replace(' ', '[ ,-]{1,2}')})(?!\d))")
    for form in ("d{4} d{4} d{4} d{4}", "d{4} d{4} d{4} d{4} d{3}", "d{4} d{4} d{4} d", "d{4} d{6} d{4,5}", "d{13,19}")
)
"""Card numbers as they are printed, or in one group, also beside other numbers."""
_LEAST_CARD = 13
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
"""Every repetition here is bounded, so that a search takes time in proportion to the text."""
_EMAIL_SPOKEN = re.compile(
    r"((?:[\w+-]{1,64} dot ){0,8}[\w.+-]{1,64}) at ([\w-]{1,63}(?:(?: dot |\.)[\w-]{1,63}){1,8})", re.IGNORECASE
)
_EMAIL_NAMED = re.compile(r"\be-?mail|\bmail\b", re.IGNORECASE)

_DIGIT = re.compile(r"[0-9]")
_NUMBER_WORDS = frozenset((*UNITS, *TEENS, *TENS, *ZEROS, *SCALES, "hundred", "double", "triple"))
_DASH = re.compile(r",? (?:dash|hyphen)\b,?(?= )", re.IGNORECASE)

_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20,
    "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GI": 23, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IS": 26,
    "IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25,
    "RO": 24, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TR": 26,
}  # fmt: skip


_LEAD = re.compile(
    r"^(?:\W*\b(?:and|then|followed by|next|okay|ok|uh|um|so|the last four are|ending in)\b)*\W*", re.IGNORECASE
)
"""What may be said before a number goes on."""
_FIRST_WORD = re.compile(r"[^\W_]+")
_LAST_WORD = re.compile(r"([^\W_]+)\W*$")
_LONGEST_NUMBER = 300
"""Characters of a number or an address that is said over several turns."""
_LONGEST_WORD = 100
"""Characters at the end of a text in which its last word is looked for."""


@frozen
class PersonalDatum:
    """`value` has one form however it was said. It is for comparison and must not be shown."""

    kind: Kind
    value: str


@lru_cache(maxsize=1_024)
def personal_data(text: str) -> tuple[PersonalDatum, ...]:
    """The personal data in a text, in no particular order."""
    text = plain_digits(text)
    rows = digit_rows(text)
    cards = [row for row in (*rows, *_printed_rows(text)) if _CARD.fullmatch(row) and _luhn_holds(row)]
    found = [PersonalDatum("card", row) for row in cards]
    found += [PersonalDatum("bank", number) for number in _bank_numbers(text)]
    found += [PersonalDatum("identity", number) for number in _identity_numbers(text, rows)]
    found += [PersonalDatum("email", address) for address in _addresses(text)]
    return tuple(dict.fromkeys(found))


def goes_on(text: str, following: str) -> bool:
    """Whether a number at the end of the first text may continue at the start of the second."""
    last, first = _LAST_WORD.search(text[-_LONGEST_WORD:]), _FIRST_WORD.match(_LEAD.sub("", following))
    return last is not None and first is not None and _is_number(last[1]) and _is_number(first[0])


def joined_number(texts: Sequence[str]) -> str:
    """Texts each of which continues the number that the one before ends with."""
    first, *rest = texts
    return joined_ends([first, *(_LEAD.sub("", text) for text in rest)])


def joined_ends(texts: Sequence[str]) -> str:
    """The texts around the places where they meet: the end of the first, the start of the last."""
    first, *between, last = texts
    return " ".join([_end(first), *map(_end, between), _end(last[::-1])[::-1]])


def _end(text: str) -> str:
    return text if len(text) <= _LONGEST_NUMBER else text[-_LONGEST_NUMBER:].partition(" ")[2]


def _is_number(word: str) -> bool:
    return word.lower() in _NUMBER_WORDS or any(character.isdecimal() for character in word)


def plain_digits(text: str) -> str:
    """The text with ASCII digits, and with spaces in place of dots and spoken dashes within long numbers."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in text)
    text = _DASH.sub("", text)
    return _DOTTED.sub(lambda found: found[0].replace(".", " "), text) if "." in text else text


def digit_rows(text: str) -> list[str]:
    """Digits said one after another, as rows."""
    return [word for word in spoken_forms(plain_digits(text), fold=True).amounts.padded.split() if word.isdecimal()]


def _luhn_holds(row: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = [int(digit) * 2 for digit in row[-2::-2]]
    return (
        sum(int(digit) for digit in row[::-2]) + sum(value - 9 if value > 9 else value for value in doubled)
    ) % 10 == 0


def _printed_rows(text: str) -> Iterator[str]:
    """The digits of what is grouped as card numbers are."""
    if len(_DIGIT.findall(text)) < _LEAST_CARD:
        return
    for form in _PRINTED:
        for found in form.finditer(text):
            yield "".join(_DIGIT.findall(found[1]))


def _bank_numbers(text: str) -> Iterator[str]:
    """IBANs by country, length and check digits (ISO 13616-1), in letters of either case, in groups or spelled."""
    for start in _IBAN_START.finditer(text):
        length = _IBAN_LENGTHS.get((start[1] + start[2]).upper())
        spelled = text[start.start() : start.start() + _LONGEST_IBAN]
        plain = spelled.replace(" ", "").replace("-", "")[:length].upper()
        if len(plain) == length and plain.isascii() and plain.isalnum() and _is_numeric(plain) and _mod_97_holds(plain):
            yield plain


def _is_numeric(iban: str) -> bool:
    return sum(character.isdigit() for character in iban) >= _IBAN_DIGITS * len(iban)


def _mod_97_holds(iban: str) -> bool:
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1


def _identity_numbers(text: str, rows: list[str]) -> Iterator[str]:
    """US social security numbers: in their written form, or nine digits where they are spoken of."""
    written = ["".join(found.groups()) for found in _IDENTITY.finditer(text)]
    named = [row for row in rows if len(row) == 9] if _IDENTITY_NAMED.search(text) else []
    for number in dict.fromkeys([*written, *named]):
        if number[:3] not in ("000", "666") and number[0] != "9" and number[3:5] != "00" and number[5:] != "0000":
            yield number


def _addresses(text: str) -> Iterator[str]:
    """Written with an @; or spoken ("ana at example dot com") where mail is spoken of, since shops are at addresses
    too."""
    for found in _EMAIL.finditer(text):
        yield found[0].lower()
    if _EMAIL_NAMED.search(text):
        for found in _EMAIL_SPOKEN.finditer(text):
            yield plain_address(found[0])
