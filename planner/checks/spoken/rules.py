"""Rules for numbers as people say them: dates, money, times of day, percentages and repeated digits.

A rule is a pattern over a row of tokens (`planner.checks.spoken.tokens`) and its meaning. In these patterns a space
matches the gap between two words, with or without a pause. No pattern matches across the end of a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from planner.checks.spoken.numbers import END, ORDINALS, TEENS, TENS, any_of, is_vague, names, trimmed
from planner.checks.spoken.tokens import BEFORE_AMOUNT
from planner.checks.spoken.units import MEASURES
from planner.values import frozen


@frozen
class Meaning:
    """The meaning of the words up to `end`. `row` is the reading with clock times as digits, where it differs."""

    end: int
    amount: str
    row: str | None = None
    digits: str | None = None
    """Where it can be part of a row of digits."""


@frozen
class Context:
    before: str
    """The word before, empty at the start of a sentence."""
    words: Sequence[str]
    """The first tokens of the match as they were said."""


Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str], Context], Meaning | None]]
"""A pattern and its meaning: a string with groups of the pattern in braces, or a function, which returns None if the
rule does not apply."""


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace(" ", r",?\x20") + END)


MONTHS: Final = {
    name: full
    for full in names("january february march april may june july august september october november december")
    for name in (full, full[:3], *(["sept"] if full == "september" else []))
}
_MONTH = rf"(?P<month>{'|'.join(sorted(MONTHS, key=len, reverse=True))})"
_DAY = r"(?P<day>0?[1-9]|[12][0-9]|3[01])(?P<th>th)?"
_YEAR = r"(?: (?P<year>[12][0-9]{3})| (?P<century>19|20) (?P<rest>[1-9][0-9]))?"
_HALVES = "am|pm|a m|p m|in the morning|in the afternoon|in the evening|at night"
_HALF = rf"(?: (?P<half>{_HALVES}))"
_HOUR = r"(?P<hour>0?[1-9]|1[0-2])"
_ON_THE_HOUR = "o'clock"
_OCLOCK = r" (?:o'clock|oclock|o clock)"
_MINUTE = r" (?P<minute>[1-5][0-9]|(?:oh|o|0) [0-9])"
_PERCENT = r"(?:%|percent|per cent)"
_NUMBER = r"(?P<number>[0-9]+(?:\.[0-9]+)?)"
_MAGNITUDE = r"(?: (?P<magnitude>k|m|bn?))?"

_BEFORE_MODAL = frozenset(names("you i we they he she it who that which this one"))
"""Before `may` where it is no month."""
_BEFORE_TIME = frozenset(names("at by until till before after around"))
_BEFORE_MINUTES = _BEFORE_TIME | {"from"}
_BEFORE_CLEAR_TIME = _BEFORE_TIME.union(names("is it's was about nearly almost exactly"))
_COUNTED = any_of(
    "2th second seconds minute minutes hour hours day days business working calendar week weeks month months year "
    "years",
    "percent % per dollar dollars bucks people guests items times miles",
    *MEASURES,
)
"""After the hour of `ten to five`: it is a range then."""

_CURRENCIES: Final = {
    **dict.fromkeys(names("$ usd dollar dollars bucks buck"), "dollar"),
    **dict.fromkeys(names("€ eur euro euros"), "euro"),
    **dict.fromkeys(names("£ gbp pound pounds quid"), "pound"),
    **dict.fromkeys(names("¥ jpy yen"), "yen"),
    **dict.fromkeys(names("₹ inr rupee rupees"), "rupee"),
    **dict.fromkeys(names("₩ krw won"), "won"),
}
_HUNDREDTHS: Final = {"dollar": "cent", "euro": "cent", "pound": "penny"}
_MAGNITUDES: Final = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "bn": 10**9}
_PARTS: Final = {"half": "0.5", "quarter": "0.25", "10th": "0.1"}
_SYMBOL = rf"(?P<symbol>{'|'.join(map(re.escape, sorted(BEFORE_AMOUNT)))})"
_CURRENCY = rf"(?:(?:us|u s|united states) )?(?P<currency>{any_of(*_CURRENCIES)})"
_AFTER_AMOUNT = any_of("for and please per each in to today now with plus is")
_AFTER_FEW_CENTS = any_of("please each plus total today now")
_AND_CURRENCY = _compiled(rf" {_CURRENCY}")
_STOP = r"[,.]\x20"
_CENTS = _compiled(r" (?:and )?(?P<cents>[0-9]{1,2}(?:\.[0-9]+)?) (?:cents?|¢|penny|pence|p)")
_TWO_DIGITS = _compiled(rf" (?P<cents>[0-9]{{2}})(?={_STOP}| {_AFTER_AMOUNT})")
_NO_CENTS = any_of("people percent % am pm o'clock per")
_TWO_DIGITS_OF_ONE = _compiled(rf" (?P<cents>[0-9]{{2}})(?={_STOP}| (?!{_NO_CENTS}|[^ ]*s{END}))")
_OH_DIGIT = _compiled(rf"\x20(?:oh|o|0)\x20(?P<cents>[1-9])(?={_STOP}| {_AFTER_AMOUNT})")
_DIGIT = _compiled(rf"\x20(?P<cents>[1-9])(?={_STOP}| {_AFTER_FEW_CENTS})")
_AND_A_HALF = _compiled(rf" and a half(?! {any_of('2th minute hour day week month year mile dozen million thousand')})")
_TAILS = {
    "symbol": (_CENTS, _AND_A_HALF),
    "number": (_CENTS, _TWO_DIGITS, _OH_DIGIT, _DIGIT, _AND_A_HALF),
    "article": (_CENTS, _TWO_DIGITS_OF_ONE, _OH_DIGIT, _DIGIT, _AND_A_HALF),
}
"""What may follow `$12`, `12 dollars` and `a dollar`."""


_MONTH_NAMES: Final = list(dict.fromkeys(MONTHS.values()))
DECADE_NAMES: Final = {f"{ten[:-1]}ies": f"{value}" for ten, value in TENS.items()}
_DENOMINATORS: Final = {
    "half": 2,
    "halves": 2,
    "quarter": 4,
    "quarters": 4,
    **{f"{ordinal}s": value for ordinal, value in ORDINALS.items()},
}


def _decade(found: re.Match[str], _: Context) -> Meaning:
    ten = DECADE_NAMES.get(found["ten"], found["ten"] or "00")
    return Meaning(found.end(), f"{found['century'] or ''}{ten}s")


def _fraction(found: re.Match[str], context: Context) -> Meaning | None:
    """`two thirds`, `three and two quarters`, `thirty-one thirty-seconds`, `five quarters`, and `one third` if it is in
    words."""
    share, tens = int(found["share"]), int(found["tens"] or 0)
    of = tens + int(found["th"] or _DENOMINATORS.get(found["of"], 0))
    is_second = found["of"] == "seconds" and not tens
    is_ordinal = found["th"] and (of < 3 or share > 1 or (not found["whole"] and context.words[0] != "one"))
    is_improper = share > of and found["of"] is not None and found["of"].endswith("s") and not found["whole"]
    if is_second or is_ordinal or not (share < of or is_improper):
        return None
    if found["whole"]:
        return Meaning(found.end(), trimmed(int(found["whole"]) + Decimal(share) / of))
    return Meaning(found.end(), f"{share}/{of}")


def _numeric_date(found: re.Match[str], context: Context) -> Meaning | None:
    """`5/3/2026`: the third of May, or the fifth of March."""
    if not all(any(character.isdigit() for character in word) for word in context.words[: found[0].count(" ") + 1]):
        return None
    first, second = int(found["first"]), int(found["second"])
    readings = [
        f"{_MONTH_NAMES[month - 1]} {day} {found['year']}"
        for month, day in ((first, second), (second, first))
        if 1 <= month <= 12 and 1 <= day <= 31
    ]
    return Meaning(found.end(), readings[0], readings[-1]) if readings else None


def _iso_date(found: re.Match[str], _: Context) -> Meaning:
    name = list(dict.fromkeys(MONTHS.values()))[int(found["number"]) - 1]
    return Meaning(found.end(), f"{name} {int(found['day'])} {found['year']}")


def _date(found: re.Match[str], context: Context) -> Meaning | None:
    month = MONTHS[found["month"]]
    modal = context.before in _BEFORE_MODAL if found.start("month") == found.start() else context.words[0] == "one"
    if month == "may" and modal:
        return None
    year = found["year"] or (found["rest"] and found["century"] + found["rest"]) or ""
    row = None if year or not found["th"] else re.sub("[,.] ", " ", found[0])
    return Meaning(found.end(), f"{month} {int(found['day'])} {year}", row)


def _month_of_year(found: re.Match[str], context: Context) -> Meaning | None:
    """`March twenty twenty-seven`, in words: in digits it may be the 20th, and 27 of something."""
    century, rest = context.words[1:3]
    said = (century in TEENS or century == "twenty") and (rest in TEENS or rest in TENS)
    modal = found["month"] == "may" and context.before in _BEFORE_MODAL
    if modal or not said:
        return None
    return Meaning(found.end(), f"{MONTHS[found['month']]} {found['century']}{found['rest']}")


def _money(found: re.Match[str], _: Context) -> Meaning | None:
    groups = found.groupdict()
    symbol, article = groups.get("symbol"), groups.get("article")
    if article and is_vague(found.string, found.start()):
        return None
    currency = _CURRENCIES[symbol or groups["currency"]]
    value = Decimal("0.5") if groups.get("half") else Decimal(1) if article else Decimal(found["number"])
    value *= _MAGNITUDES[groups.get("magnitude") or ""]
    end = found.end()
    if symbol and (name := _AND_CURRENCY.match(found.string, end)) and _CURRENCIES[name["currency"]] == currency:
        end = name.end()
    tails = _TAILS["symbol" if symbol else "article" if article else "number"]
    tail = next((tail for each in tails if (tail := each.match(found.string, end))), None)
    if tail is not None:
        value, end = value + (Decimal(tail["cents"]) / 100 if tail.re.groups else Decimal("0.5")), tail.end()
    if 0 < value < 1 and currency in _HUNDREDTHS:
        return Meaning(end, f"{trimmed(value * 100)} {_HUNDREDTHS[currency]}")
    return Meaning(end, f"{trimmed(value)} {currency}")


def _grand(found: re.Match[str], _: Context) -> Meaning | None:
    groups = found.groupdict()
    if "article" in groups and is_vague(found.string, found.start()):
        return None
    value = Decimal(groups.get("number", 1)) * _MAGNITUDES[groups.get("magnitude") or ""]
    return Meaning(found.end(), f"{trimmed(value * 1000)} dollar")


def _hour(found: re.Match[str], context: Context) -> Meaning | None:
    minute = found["minute"]
    if found["half"] is None and found["oclock"] is None and (minute is None or context.before not in _BEFORE_MINUTES):
        return None
    return _time(found, int(found["hour"]), int(minute.split()[-1]) if minute else 0)


def _clock(found: re.Match[str], _: Context) -> Meaning:
    return _time(found, int(found["hour"]), int(found["minute"]))


def _past_or_to(found: re.Match[str], context: Context) -> Meaning | None:
    """`half past nine`, `ten to five`. The latter may be a span unless something says that it is a time."""
    minutes = int(found["minutes"] or {"half": 30, "quarter": 15}[found["share"]])
    hour, relation = int(found["hour"]), found["relation"]
    alone = found.start() == 0 and found.end() + len(". ") == len(found.string)
    clear = alone or context.before in _BEFORE_CLEAR_TIME
    if not 1 <= minutes < 60 or not (
        found["share"] or found["unit"] or relation == "past" or (clear and minutes % 5 == 0)
    ):
        return None
    if relation in ("past", "after"):
        return _time(found, hour, minutes)
    if (relation == "of" and (minutes != 15 or context.before not in _BEFORE_TIME)) or minutes == 30:
        return None
    return _time(found, (hour - 2) % 12 + 1, 60 - minutes)


def _time(found: re.Match[str], hour: int, minute: int) -> Meaning:
    half = found["half"] or ""
    said = "am" if half in ("am", "a m") or "morning" in half else "pm" if half or hour > 12 else "" if hour else "am"
    if half == "at night" and (hour == 12 or hour < 5):
        said = "am"
    hour = (hour - 1) % 12 + 1
    in_row = said or ("am" if found[0].startswith("0") else "")  # `08:30` may be that of a clock of 24 hours
    if minute:
        return Meaning(found.end(), f"{hour}:{minute:02} {said}", f"{hour}{minute:02} {in_row}")
    return Meaning(found.end(), f"{hour} {said or _ON_THE_HOUR}", f"{hour} {in_row}" if in_row != said else None)


def _share_of_percent(found: re.Match[str], _: Context) -> Meaning:
    value = Decimal(_PARTS[found["part"]]) if found["part"] else Decimal(found["number"]) / 4
    return Meaning(found.end(), f"{trimmed(value)} percent")


def _repeated(found: re.Match[str], _: Context) -> Meaning:
    digits = found["digit"].replace("oh", "0").replace("o", "0") * (2 if found["times"] == "double" else 3)
    return Meaning(found.end(), digits, digits=digits)


_GRAND_NEXT = rf"(?={_STOP}| (?:{any_of('is was plus as this has')}|(?![^ ]*s{END})))"
_A_GRAND_NEXT = rf"(?={_STOP}| {any_of('for or per each please today now plus')})"
_NO_AMOUNT = any_of("amount amounts store stores sign signs value figure menu limit cap")
_ONE_OF = rf"(?P<currency>pound{END}(?! of{END})|{any_of('dollar buck euro quid yen rupee')})"

DECADES: Final[list[Rule]] = [
    (_compiled(r"(?P<century>1[0-9]|20|)(?P<ten>[0-9]0) s"), _decade),
    (_compiled(rf"(?:(?P<century>1[0-9]|20) )?(?P<ten>{'|'.join(DECADE_NAMES)})"), _decade),
    (_compiled(r"(?P<century>1[0-9])(?P<ten>) hundreds"), _decade),
    (_compiled(r"(?P<century>1[0-9]) tens"), "{century}10s"),
    (_compiled("2 thousands"), "2000s"),
]
DATES: Final[list[Rule]] = [
    (_compiled(r"(?P<number>[1-4])(?P<part>[qh])(?:20)?(?P<year>[0-9]{2})"), "{number}{part}{year}"),
    (_compiled(r"(?P<part>[qh])(?P<number>[1-4]) (?:20)?(?P<year>[0-9]{2})"), "{number}{part}{year}"),
    (_compiled(r"(?:the )?(?P<number>[1-4])th quarter of (?:20 ?)?(?P<year>[0-9]{2})"), "{number}q{year}"),
    (_compiled(r"(?:the )?(?P<number>[12])th half of (?:20 ?)?(?P<year>[0-9]{2})"), "{number}h{year}"),
    (_compiled(r"(?P<year>(?:19|20)[0-9]{2})[/.](?P<first>[01]?[0-9])[/.](?P<second>[0-3]?[0-9])"), _numeric_date),
    (
        _compiled(r"(?P<first>[0-3]?[0-9])(?P<sign>[/.])(?P<second>[0-3]?[0-9])(?P=sign)(?P<year>(?:19|20)?[0-9]{2})"),
        _numeric_date,
    ),
    (
        _compiled(r"(?P<first>[0-3]?[0-9])\x20(?P<second>[0-3]?[0-9])\x20(?P<year>(?:19|20)[0-9]{2})"),
        _numeric_date,
    ),
    (_compiled(r"(?P<year>(?:19|20)[0-9]{2}) (?P<number>0[1-9]|1[0-2]) (?P<day>0[1-9]|[12][0-9]|3[01])"), _iso_date),
    (
        _compiled(rf"{_MONTH} (?P<century>1[1-9]|20)\x20(?P<rest>[1-9][0-9])(?! (?:{_HALVES}|o'?clock){END})"),
        _month_of_year,
    ),
    (_compiled(rf"{_MONTH} (?:the )?{_DAY}{_YEAR}"), _date),
    (_compiled(rf"(?:the (?=[0-9]+th))?{_DAY} (?:of )?{_MONTH}{_YEAR}"), _date),
]
MONEY: Final[list[Rule]] = [
    (_compiled(rf"(?:{_SYMBOL} )?{_NUMBER}{_MAGNITUDE} grand{_GRAND_NEXT}"), _grand),
    (_compiled(rf"(?P<article>an?) grand{_A_GRAND_NEXT}"), _grand),
    (_compiled(rf"(?:us )?{_SYMBOL} {_NUMBER}{_MAGNITUDE}"), _money),
    (_compiled(rf"{_NUMBER}{_MAGNITUDE} {_CURRENCY}(?:(?<![$€£¥₹])|(?! [0-9]))"), _money),
    (_compiled(rf"(?P<half>half )?(?P<article>an?) {_ONE_OF}(?! {_NO_AMOUNT})"), _money),
    (_compiled(rf"{_NUMBER} (?:cents?|¢)"), "{number} cent"),
    (_compiled(rf"{_NUMBER} (?:penny|pence)"), "{number} penny"),
]
TIMES: Final[list[Rule]] = [
    (_compiled("24/7"), lambda found, _: Meaning(found.end(), "24 7", "247")),
    (_compiled("(?:12 )?noon"), "12 pm"),
    (_compiled("(?:12 )?midnight"), "12 am"),
    (_compiled(rf"(?P<hour>[01]?[0-9]|2[0-3]):(?P<minute>[0-5][0-9]){_HALF}?"), _clock),
    (
        _compiled(
            r"(?:(?:a )?(?P<share>half|quarter)|(?P<minutes>[0-9]{1,2})(?P<unit> min(?:ute)?s?)?)"
            r" (?P<relation>past|after|to|till?|before|of)"
            rf" {_HOUR}(?! {_COUNTED})(?:{_OCLOCK})?{_HALF}?"
        ),
        _past_or_to,
    ),
    (_compiled(rf"(?P<hour>1[3-9]|2[0-3]){_OCLOCK}(?P<half>)"), lambda found, _: _time(found, int(found["hour"]), 0)),
    (_compiled(rf"{_HOUR}(?:(?P<oclock>{_OCLOCK})|{_MINUTE})?{_HALF}?"), _hour),
]
PERCENTAGES: Final[list[Rule]] = [
    (_compiled(rf"(?:(?:a|1) )?(?P<part>half|quarter|10th)(?: of)?(?: (?:a|1))? {_PERCENT}"), _share_of_percent),
    (_compiled(rf"(?P<part>)(?P<number>[0-9]+) quarters(?: of)?(?: (?:a|1))? {_PERCENT}"), _share_of_percent),
    (_compiled(rf"{_NUMBER} {_PERCENT}"), "{number} percent"),
]
REPEATED: Final[list[Rule]] = [(_compiled("(?P<times>double|triple) (?P<digit>[0-9]|oh|o)"), _repeated)]
_NO_SHARE = rf"(?! (?:of an?|past|to|till?|before|after|hours?|{_PERCENT}){END})"
FRACTIONS: Final[list[Rule]] = [
    (
        _compiled(
            r"(?:(?P<whole>[0-9]{1,15}) and )?(?P<share>[0-9]{1,15}) (?:(?P<tens>[2-9]0|[0-9]{1,13}00) )?"
            rf"(?:(?P<th>[0-9]{{1,15}})th|(?P<of>{any_of(*_DENOMINATORS)})){_NO_SHARE}"
        ),
        _fraction,
    ),
    (_compiled(r"(?P<share>[0-9]{1,15}/[0-9]{1,15})(?:st|nd|rd|th)?"), "{share}"),
    (_compiled(r"(?P<share>[0-9]{1,15}) over (?P<of>[0-9]{1,15})"), "{share}/{of}"),
    (_compiled(rf"{_NUMBER} by (?P<other>[0-9]+(?:\.[0-9]+)?)"), "{number} x {other}"),
]
