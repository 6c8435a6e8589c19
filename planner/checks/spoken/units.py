"""Amounts with a unit: durations in seconds, other measures with one name for each unit."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from planner.checks.spoken.numbers import END, any_of, names, trimmed

_PREFIXES: Final = names("nano micro milli centi deci kilo mega giga tera")
_PREFIXED: Final = {
    "gram": "gram grams gramme grammes",
    "metre": "metre metres meter meters",
    "litre": "litre litres liter liters",
    "watt": "watt watts",
    "watt hour": "watt_hour watt_hours",
    "hertz": "hertz",
    "byte": "byte bytes",
    "bit": "bit bits",
    "bit per second": "bit_per_second bits_per_second",
    "volt": "volt volts",
    "pascal": "pascal pascals",
    "newton": "newton newtons",
    "joule": "joule joules",
    "ampere": "ampere amperes amp amps",
    "ohm": "ohm ohms",
    "calorie": "calorie calories",
    "second": "seconds",
    "mole": "mole moles",
}
_SHORT: Final = {
    "microgram": "mcg \N{GREEK SMALL LETTER MU}g", "milligram": "mg", "gram": "g", "kilogram": "kg kgs kilo kilos",
    "micrometre": "\N{GREEK SMALL LETTER MU}m", "millimetre": "mm", "centimetre": "cm", "metre": "m",
    "kilometre": "km kms", "nanometre": "nm", "millilitre": "ml", "centilitre": "cl", "decilitre": "dl", "litre": "l",
    "watt": "w",
    "kilowatt": "kw", "megawatt": "mw", "gigawatt": "gw", "kilowatt hour": "kwh", "megawatt hour": "mwh",
    "gigawatt hour": "gwh", "hertz": "hz", "kilohertz": "khz", "megahertz": "mhz", "gigahertz": "ghz", "kilobyte": "kb",
    "megabyte": "mb", "gigabyte": "gb", "terabyte": "tb", "kilobit per second": "kbps", "megabit per second": "mbps",
    "gigabit per second": "gbps", "volt": "v", "kilovolt": "kv", "kilopascal": "kpa", "lb": "lb lbs",
    "ounce": "oz ounce ounces", "foot": "ft foot feet", "inch": "inch inches", "yard": "yd yard yards",
    "mile": "mi mile miles", "acre": "acre acres", "hectare": "ha hectare hectares",
    "gallon": "gal gallon gallons", "pint": "pint pints", "quart": "qt quart quarts", "horsepower": "hp horsepower",
    "decibel": "db decibel decibels", "millisecond": "ms millisecond", "microsecond": "microsecond",
    "milliampere": "ma", "milliampere hour": "mah milliamp_hour milliamp_hours", "kilojoule": "kj",
    "kilocalorie": "kcal",
    "millivolt": "mv", "hectopascal": "hpa hectopascal hectopascals", "megapascal": "mpa", "petabyte": "pb",
    "kilolitre": "kl",
    "psi": "psi pounds_per_square_inch", "rpm": "rpm revolutions_per_minute", "dpi": "dpi dots_per_inch",
    "fps": "fps frames_per_second", "ppm": "ppm parts_per_million", "tonne": "tonne tonnes metric_ton metric_tons",
    "ton": "ton tons", "knot": "kn kt knot knots", "radian": "rad radian radians", "lumen": "lm lumen lumens",
    "light year": "ly light_year light_years", "fluid ounce": "fl_oz fluid_ounce fluid_ounces",
    "tablespoon": "tbsp tablespoon tablespoons", "teaspoon": "tsp teaspoon teaspoons", "cup": "cup cups",
    "pixel": "px pixel pixels", "degree": "degree degrees", "nautical mile": "nmi nautical_mile nautical_miles",
    "cc": "cc cubic_centimetre cubic_centimeters cubic_centimetres cm3",
    "mph": "mph mi_per_hour miles_per_hour miles_an_hour",
    "kilometre per hour": "kph km_per_hour kilometers_per_hour kilometres_per_hour",
    "degree celsius": "\N{DEGREE SIGN}c degree_celsius degrees_celsius",
    "degree fahrenheit": "\N{DEGREE SIGN}f degree_fahrenheit degrees_fahrenheit",
}  # fmt: skip
"""`pounds` are money."""


def _measures() -> dict[str, str]:
    """Each unit by each of its names."""
    found = {name: unit for unit, row in _SHORT.items() for name in names(row)}
    for base, row in _PREFIXED.items():
        found |= dict.fromkeys(names(row), base)
        for prefix in _PREFIXES:
            found |= {f"{prefix}{gap}{name}": f"{prefix}{base}" for name in names(row) for gap in ("", " ")}
    squares = {name: unit for name, unit in found.items() if unit.endswith(("metre", "foot", "mile", "inch", "yard"))}
    found |= {f"{sq} {name}": f"square {unit}" for name, unit in squares.items() for sq in ("square", "sq")}
    cubes = [(f"{cubic} {name}", f"cubic {unit}") for name, unit in squares.items() for cubic in ("cubic", "cu")]
    found = dict(cubes) | found
    for power, word in (("2", "square"), ("3", "cubic")):
        short = [name for name in names("m km cm mm dm ft") if f"{name}{power}" not in found]
        found |= {f"{name}{power}": f"{word} {squares.get(name, 'decimetre')}" for name in short}
    found |= {name.replace("second", "2th"): unit for name, unit in found.items()}  # as it is read
    return {name.replace("_", " "): unit.replace(" ", "_") for name, unit in found.items()}


MEASURES: Final = _measures()
"""Read only after a number."""
_SECONDS: Final = {
    **dict.fromkeys(names("hour hours hr hrs h"), 3600),
    **dict.fromkeys(names("minute minutes min mins"), 60),
    **dict.fromkeys(names("seconds sec secs"), 1),  # a single `second` is read as an ordinal
}
_KEPT: Final = MEASURES | {name: unit for unit in ("day", "week", "month", "year") for name in (unit, f"{unit}s")}
"""Units that are not converted: a month may have 30 days, and a week five working days."""
_PARTS: Final = {"half": Decimal("0.5"), "quarter": Decimal("0.25")}
UNIT_NAMES: Final = "|".join(map(re.escape, sorted(_SECONDS | _KEPT, key=len, reverse=True)))
_UNIT = f"(?:{UNIT_NAMES}){END}"
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
GLUED_UNIT: Final = re.compile(rf"([0-9]{{1,15}})({UNIT_NAMES})")
"""`5mg`."""
NAMES_UNIT: Final = re.compile(rf"(?i)(?<![^\W\d_])(?:{UNIT_NAMES})\b|\d:\d\d:\d\d\b")


_AMOUNT = re.compile(
    rf"(?:(?P<quarters>{_NUMBER}) quarters of an? |(?P<to>to_)?(?P<number>-?{_NUMBER}) "
    r"|an? (?P<part>half|quarter) |(?:an? )?(?P<quarter>quarter) of an? |(?P<share>half|quarter) (?:an? )?"
    r"|(?P<one>an?) )"
    rf"(?P<unit>{_UNIT})(?: and an? (?P<more>half|quarter){END}(?! {_UNIT}))?"
)
_HOURS_MINUTES_SECONDS = re.compile(rf"([0-9]{{1,2}}):([0-5][0-9]):([0-5][0-9]){END}")
_ALTERNATIVE = re.compile(rf" (?:or|to) {_NUMBER}{END}")
"""After `an hour`: `an hour or two`."""
_FURTHER = re.compile(rf" (?:and )?(?P<number>{_NUMBER}) (?P<unit>{any_of(*_SECONDS)})")
_BEFORE_ARTICLE: Final = frozenset(
    names(
        "in within for about around approximately roughly nearly almost takes take took than after over under"
        " least most last lasts lasted exactly is be was it's"
    )
)


def read_quantity(row: str, start: int, before: str) -> tuple[int, str] | None:
    """Read an amount with its unit: return where the words end, and the amount, of hours and minutes in seconds.

    `a` counts as one in `within an hour`, not in `twice a day`. `before` is the previous word, empty at the start of a
    sentence.
    """
    if (clock := _HOURS_MINUTES_SECONDS.match(row, start)) is not None:
        hours, minutes, seconds = map(int, clock.groups())
        return clock.end(), f"{3600 * hours + 60 * minutes + seconds} second"
    found = _AMOUNT.match(row, start)
    if found is None:
        return None
    if found["one"] and ((before and before not in _BEFORE_ARTICLE) or _ALTERNATIVE.match(row, found.end())):
        return None
    unit, end = found["unit"], found.end()
    part = _PARTS.get(found["part"] or found["quarter"] or found["share"], Decimal(1))
    value = Decimal(found["quarters"]) / 4 if found["quarters"] else Decimal(found["number"] or 1) * part
    value += _PARTS.get(found["more"], 0)
    to = "to " if found["to"] else ""  # the end of a range
    if unit in _KEPT:
        return end, f"{to}{trimmed(value)} {_KEPT[unit]}"
    seconds = value * _SECONDS[unit]
    while (more := _FURTHER.match(row, end)) is not None and _SECONDS[more["unit"]] < _SECONDS[unit]:
        unit, end = more["unit"], more.end()
        seconds += Decimal(more["number"]) * _SECONDS[unit]
    return end, f"{to}{trimmed(seconds)} second"
