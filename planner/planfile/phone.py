"""Phone numbers as E.164 writes them: plus, country code, subscriber number (https://www.itu.int/rec/T-REC-E.164)."""

from __future__ import annotations

import re
from functools import lru_cache

from planner.planfile.text import describe

_NUMBERED = re.compile(r"^\(\d+\) ")
"""How phonenumbers begins its messages."""


@lru_cache(maxsize=1_000)
def phone_number_fault(number: object) -> str:
    """Why this is not a phone number in E.164 and how to write it, or nothing."""
    if isinstance(number, int) and not isinstance(number, bool):
        return f'YAML reads this as the number {number}, without a plus; put it in quotes: "+{number}"'
    if not isinstance(number, str):
        return f'this must be a text such as "+14155550199", but it is {describe(number)}'
    digits = number.removeprefix("+")
    if not number.startswith("+") or not (digits.isascii() and digits.isdigit()):
        plain = "".join(character for character in number if character.isascii() and character.isdigit())
        if number.lstrip(" (").startswith("+") and plain and len(plain) <= 15:
            hint = f'; write "+{plain}"'
        else:
            hint = '; begin with + and the country code, such as "+14155550199"'
        return f"{describe(number)} is not E.164: a plus and digits, nothing else{hint}"
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException as error:
        return f"{describe(number)} is not a phone number: {_NUMBERED.sub('', str(error)).lower().removesuffix('.')}"
    if not phonenumbers.is_possible_number(parsed):
        return f"{describe(number)} cannot be a phone number: too few or too many digits for country code {parsed.country_code}"
    return ""
