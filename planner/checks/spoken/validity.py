"""Whether a number can be that of a card, an account, a telephone or a person, by its check digits and form."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

_CARD = re.compile(r"(?:[3-6]\d|2[2-7])\d{11,17}", re.ASCII)
_IBAN_DIGITS = 0.6
"""Share of an IBAN, at least, that is digits: words are none."""
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20,
    "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GI": 23, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IS": 26,
    "IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25,
    "RO": 24, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TR": 26,
}  # fmt: skip
_MOBILE = frozenset((phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE))
_FIXED = frozenset((phonenumbers.PhoneNumberType.FIXED_LINE,))
_REGIONS = {"US": _FIXED | _MOBILE, "GB": _MOBILE, "IN": _MOBILE, "AU": _MOBILE}
"""Where a number that nothing calls a telephone number is taken for one, and of which types."""


def is_card(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    if _CARD.fullmatch(digits) is None:
        return False
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    checked = [int(digit) for digit in digits[::-2]] + [value - 9 if value > 9 else value for value in doubled]
    return sum(checked) % 10 == 0


def is_identity(digits: str) -> bool:
    """A social security number of the United States."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return len(digits) == 9 and area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000"


def iban_length(country: str) -> int:
    """Of a country's IBANs; 0 if it has none."""
    return _IBAN_LENGTHS.get(country.upper(), 0)


def is_iban(number: str) -> bool:
    """ISO 13616-1, in capital letters."""
    if sum(character.isdigit() for character in number) < _IBAN_DIGITS * len(number) or not number[2:4].isdigit():
        return False
    return int("".join(str(int(character, 36)) for character in number[4:] + number[:4])) % 97 == 1


@lru_cache(maxsize=1_024)
def is_telephone(digits: str, *, is_called_number: bool, has_plus: bool) -> bool:
    """Whether it is a telephone number although nothing calls it so: after a plus, ten digits that are called a number,
    or a valid number of a country in which many calls are made."""
    if has_plus:
        return _is_valid(f"+{digits}", None, _FIXED | _MOBILE)
    if not 10 <= len(digits) <= 13:
        return False
    is_plain = is_called_number and len(digits) == 10
    return is_plain or any(_is_valid(digits, region, types) for region, types in _REGIONS.items())


def _is_valid(digits: str, region: str | None, types: frozenset[int]) -> bool:
    try:
        number = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(number) and phonenumbers.number_type(number) in types
