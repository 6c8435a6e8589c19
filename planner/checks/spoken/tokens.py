"""The words of a string with what punctuation says between them, and the numbers among them."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Final

from planner.checks.phrases import normalized, words_with_places
from planner.checks.spoken.numbers import (
    ORDINALS,
    SCALES,
    TEENS,
    TENS,
    UNITS,
    ZEROS,
    Number,
    names,
    read_number,
    trimmed,
)
from planner.checks.spoken.units import GLUED_UNIT, UNIT_NAMES
from planner.values import frozen

_GAPS: Final = (PLAIN := " ", PAUSE := ", ", SENTENCE := ". ")
"""What follows a word: nothing, a comma or the like, the end of its sentence."""

BEFORE_AMOUNT: Final = frozenset({"$", "usd", "€", "eur", "£", "gbp", "¥", "jpy", "₹", "inr", "₩", "krw"})
AMOUNT_WORDS: Final = BEFORE_AMOUNT.union(
    names("dollar dollars buck bucks euro euros pound pounds quid yen rupee rupees won")
)
FILLERS: Final = frozenset({"uh", "uhh", "um", "umm", "uhm", "erm", "hmm"})
"""What a speaker says while looking for a word, also in the middle of a number."""
_SENTENCE_END = re.compile(r"[.?!;]\s|\n")
_PAUSE = re.compile(r"[,:)]\s")
_SIGN = re.compile(r"(?<!\d)(?<!\d )(?:(?<=[\s(\"'])|^)[-\N{MINUS SIGN}](?=[$€£]?\d)")
_RANGE = re.compile(
    r"(?i)(?<![\w.,:/$€£-])(\d{1,3}) ?[-\N{EN DASH}\N{EM DASH}] ?(\d{1,3})(?= ?%|[ -](?:business|working|calendar"
    r"|second|"
    rf"percent|per cent|people|guests|items|miles)\b|[ -]?(?:{UNIT_NAMES})\b)"
)
"""`5-7` of `5-7 business days`; elsewhere a dash between digits may mean anything."""
_DOTTED_TIME = re.compile(r"(?i)\b(\d{1,2})\.([0-5]\d)(?=\s?[ap]\.?m\b)")
_OTHER_RANGE = re.compile(
    r"(?i)(?:[$€£][\d.,]+|\d ?[ap]\.?m\.?|\d0s|\d:\d\d|\b(?:19|20)\d\d) ?[-\N{EN DASH}\N{EM DASH}] ?"
    r"(?=[$€£]\d|\d[\d:]{0,4} ?[ap]\.?m|\d+s\b|\d{1,2}:\d\d|(?:19|20)\d\d\b(?!-))"
)
"""`$5-$7`, `2pm-5pm`, `9:00-17:30`, `1960s-80s`, `1990-1995`, up to the end of the range."""
_PER: Final = {
    name: unit
    for unit, row in {
        "month": "mo", "day": "d", "year": "yr", "week": "wk", "hour": "hr h", "minute": "min", "second": "s sec",
        "kilogram": "kg", "person": "", "night": "",
    }.items()
    for name in (unit, *names(row))
}  # fmt: skip
"""After a slash: `$20/mo` is 20 dollars per month."""
_BARE_POINT = re.compile(r"(?<![\w.,])\.(?=\d)")
_OTHER_DOLLAR = re.compile(r"(?<![A-Za-z])(?!US)([A-Z]{1,3})\$(?= ?\d)")
_SHORT_MONTH = re.compile(
    r"(?i)\b(jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.(?=\s+(?:the\s+)?(?:\d{1,2}(?:st|nd|rd|th)\b"
    r"|(?:19|20)\d\d\b"
    r"|(?:[012]?\d|3[01])(?![\w:%])(?!,\d)(?!\s+(?:(?:second|minute|hour|day|week|month"
    r"|year|time|dollar|cent|call|item)s"
    rf"|people|percent)\b)|(?:twenty|thirty|{'|'.join(ORDINALS)})\b))"
)
"""Before a day or a year; elsewhere the full stop ends a sentence: `in Dec. 3 days later`."""
_GLUED_HALF = re.compile(r"(\d{1,2}(?::\d\d)?)(am|pm)")
_GLUED_TIMES = re.compile(r"(\d{1,4})(x)(\d{1,4})")
_GLUED_MAGNITUDE = re.compile(r"(\d{1,15})(k|m|bn?)")
NUMBER_STARTS = frozenset((*UNITS, *TEENS, *TENS, *ORDINALS, *SCALES, *ZEROS, "hundred", "half", "a", "an", "point"))
_FRACTION = re.compile(r"(?<=\d)\s*([¼½¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])(?=[\s.,;:!?)-]|$)")


@frozen
class Token:
    """A word or a number. `start` and `end` count the words of the text."""

    text: str
    """In lower case, a number in digits: `40`, `2.5`, an ordinal as `3th`."""
    written: str
    start: int
    end: int
    gap: str
    mark: str = ""
    """`-` before what has a minus sign, `~` before the end of a range: `7` of `5-7 days`."""
    number: Number | None = None
    joint: str = " "
    """The text between the word and the next one."""

    @property
    def said(self) -> str:
        """The word in lower case, of a number the first one."""
        return self.text if self.number is None else self.written.lower()


def read_tokens(text: str, *, fold: bool, as_said: bool) -> list[Token]:
    """The words of a string, its numbers as one token each. Words like `um` are left out unless asked for `as_said`."""
    words = _words(text, fold=fold, as_said=as_said)
    starts = [0, *accumulate(len(word.text) + len(word.gap) for word in words)]
    row = "".join(word.text + word.gap for word in words)
    tokens: list[Token] = []
    place = 0
    while place < len(words):
        token, place = words[place], place + 1
        may_be_number = token.text[0].isdecimal() or token.text in NUMBER_STARTS
        if may_be_number and (number := read_number(row, starts[place - 1])) is not None:
            place = bisect_left(starts, number.end)
            last = words[place - 1]
            shown = number.digits or trimmed(number.value) + ("th" if number.ordinal else "")
            shown = token.text if token.text in ("oh", "o") else shown
            token = replace(token, text=shown, end=last.end, gap=last.gap, number=number, joint=last.joint)
        tokens.append(token)
    return tokens


def is_filler(phrase: str) -> bool:
    """Whether a phrase is nothing but words like `um`."""
    return FILLERS.issuperset(word for word, _, _ in words_with_places(normalized(phrase, fold=True)))


def _words(text: str, *, fold: bool, as_said: bool) -> list[Token]:
    """One token a word, or two where a transcript joins them, as in `9am`, `5mg` and `$5k`."""
    text = normalized(_plainer(text), fold=fold)
    found = list(words_with_places(text))
    lower = ["plus" if word == "+" else word.lower() for word, _, _ in found]
    ends = [*(after for _, after, _ in found[1:]), len(text)]
    as_said = as_said or FILLERS.issuperset(lower)
    marks = _marks(text)
    tokens: list[Token] = []
    for place, (word, start, end) in enumerate(found):
        joint = text[end : ends[place]]
        gap = _gap(lower[place], joint)
        if lower[place] in FILLERS and not as_said:
            if tokens:
                tokens[-1] = replace(tokens[-1], gap=max(tokens[-1].gap, gap, key=_GAPS.index))
            continue
        pieces = _pieces(lower, place, text[max(0, start - 1) : start])
        first = word if pieces[0] == word.lower() else pieces[0]
        whole = Token(pieces[0], first, place, place + 1, gap, marks.get(start, ""), joint=joint)
        if len(pieces) > 1:
            tokens.append(replace(whole, gap=PLAIN, joint=""))
        tokens += [replace(whole, text=each, written=each, mark="") for each in pieces[1:]] or [whole]
    if tokens:
        tokens[-1] = replace(tokens[-1], gap=SENTENCE)
    return tokens


def _pieces(lower: Sequence[str], place: int, before: str) -> Sequence[str]:
    """One word, or the words that it joins: `9am`, `5mg`, `$5k`, the `/mo` of `$20/mo`. `before` is the sign before
    it."""
    word = lower[place]
    if before == "/" and word in _PER and place:
        return ("per", _PER[word])
    if before == "\N{DEGREE SIGN}" and word in ("c", "f"):
        return (f"{before}{word}",)
    glued = _GLUED_HALF.fullmatch(word) or GLUED_UNIT.fullmatch(word) or _GLUED_TIMES.fullmatch(word)
    if BEFORE_AMOUNT.intersection(lower[place - 1 : place]) or AMOUNT_WORDS.intersection(lower[place + 1 : place + 2]):
        glued = glued or _GLUED_MAGNITUDE.fullmatch(word)
    return glued.groups() if glued else (word,)


def _marks(text: str) -> dict[int, str]:
    """Minus signs and the ends of ranges, by the place of the word behind them."""
    if "-" not in text and text.isascii():
        return {}
    ranged = {span.start(2): "~" for span in _RANGE.finditer(text) if int(span[1]) < int(span[2])}
    ranged |= {span.end(): "~" for span in _OTHER_RANGE.finditer(text)}
    return ranged | {sign.end(): "-" for sign in _SIGN.finditer(text)}


def _gap(word: str, between: str) -> str:
    if _SENTENCE_END.search(between) or (word == "may" and "," in between):  # no month, then
        return SENTENCE
    return PAUSE if _PAUSE.search(between) else PLAIN


def _plainer(text: str) -> str:
    """Spell what punctuation would hide: `.5` as 0.5, `2½` as 2 1/2, `Sept. 3` without its dot. Other dollars than
    those of the United States become an unknown currency."""
    if "." in text:
        text = _BARE_POINT.sub("0.", _DOTTED_TIME.sub(r"\1:\2", _SHORT_MONTH.sub(r"\1", text)))
    if not text.isascii():
        text = _FRACTION.sub(
            lambda part: " " + unicodedata.normalize("NFKC", part[1]).replace("\N{FRACTION SLASH}", "/"), text
        )
    if "$" in text:
        text = _OTHER_DOLLAR.sub("\\1\N{CURRENCY SIGN}", text.replace("$-", "-$"))
    return text
