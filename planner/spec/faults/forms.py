"""Numbers where a mapping is wanted, and shares written as fractions: what to write, so that it is what was meant."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_FRACTION = re.compile(r"([0-9]{1,6}) ?(?:/|of|out of) ?([0-9]{1,6})(?: (?:calls|runs|times|turns))?")
_PERCENT = 100
_NUMBER = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?(%|)")
_BETWEEN = re.compile(r" ?(?:-|–|\.\.+|to|,) ?")
_CENTS = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?(?:¢|c|ct|cents?)?(?: ?(?:/|a|per) ?min(?:ute)?)?")
_PRODUCTS = "spark, bolt, storm-base or whichever your agents are"

EXAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "arguments": "{order_id: A-17}",
        "cents_per_million_tokens": "{input: 15, output: 60}",
        "execution": "{settle_seconds: 30}",
        "judge": "{base_url: https://api.openai.com/v1, model: gpt-4o-mini, cents_per_vote: 0.2}",
    }
)
"""Mappings that people take for one value."""


def of_a_fraction(key: str, value: Any, *, whole: bool) -> str:
    """A share of 1, or a number of runs, that was written as a fraction such as 3/5: what to write."""
    found = _FRACTION.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or not 0 < int(found[1]) <= int(found[2]):
        return ""
    share = as_decimal(int(found[1]), int(found[2]))
    if key == "runs":
        return f"; for {found[1]} of {found[2]} calls write runs: {found[2]} and min_pass_rate: {share}"
    return "" if whole else f"; write {share}"


def as_decimal(part: int, whole: int) -> str:
    """A fraction, rounded down: a rate of 0.667 would need three runs of three where two of three are meant."""
    return f"{math.floor(10_000 * part / whole) / 10_000:g}"


def of_a_mapping(key: str, value: Any) -> str:
    """What to write where a mapping is wanted and there is a number, a range or a text."""
    if key in {"talk_ratio", "words_per_minute"}:
        return _range(value, share=key == "talk_ratio")
    if key == "rates":
        one = value[0] if isinstance(value, list) and len(value) == 1 else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        found = _CENTS.fullmatch(str(one).strip())  # pyright: ignore[reportUnknownArgumentType]
        cents = float(found[1]) if found else 8
        return f"; write {{spark: {cents if cents >= 1 else 100 * cents:g}}}, cents a minute by product: {_PRODUCTS}"
    return f", such as {EXAMPLES[key]}" if key in EXAMPLES else ""


def _range(value: Any, *, share: bool) -> str:
    parts: list[Any] = list(value) if isinstance(value, list) else _BETWEEN.split(str(value).strip())  # pyright: ignore[reportUnknownArgumentType]
    numbers = [_number(part, share=share) for part in parts]
    if len(numbers) == 1 and numbers[0]:
        return f"; write {{max: {numbers[0]}}} for at most, {{min: {numbers[0]}}} for at least"
    low_high = 2
    if len(numbers) == low_high and all(numbers) and float(numbers[0]) <= float(numbers[1]):
        return f"; write {{min: {numbers[0]}, max: {numbers[1]}}}"
    return f"; write {'{min: 0.3, max: 0.6}' if share else '{min: 100, max: 190}'}, or one of the two"


def _number(value: Any, *, share: bool) -> str:
    """A number as it is written in a plan; a share may be there in percent. Empty for what is neither."""
    found = _NUMBER.fullmatch(str(value).strip())
    if found is None or (found[2] and not share):
        return ""
    number = float(found[1])
    if share and (found[2] or number > 1):
        number /= _PERCENT
    return f"{number:g}" if not share or number <= 1 else ""
