"""Phrases are compared word by word, not character by character.

Two texts are alike when their words are: whatever the white space, the punctuation between words, the kind of quotes,
apostrophes and dashes, the width and composition of characters (Unicode NFKC) and, unless asked otherwise, case. So
"30 days" is found in "Within 30-days." and not in "130 days". Kept as they are: apostrophes inside words, what joins
digits (`9:30`, `3.5`, `12/24`; a thousands comma is dropped) and the symbols that are read aloud (`$ % & @ # + =`).
Scripts that write no spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) are compared character by character.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from planner.checks.patterns import compile_pattern

_STRAIGHT_QUOTES = {
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{SINGLE HIGH-REVERSED-9 QUOTATION MARK}": "'",
    "\N{MODIFIER LETTER APOSTROPHE}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{DOUBLE LOW-9 QUOTATION MARK}": '"',
}
_QUOTES = str.maketrans(_STRAIGHT_QUOTES)
_BEFORE_NFKC = str.maketrans(
    # NFKC would take an accent used as an apostrophe apart, and glue "TM" to the word before it.
    {**_STRAIGHT_QUOTES, "\N{ACUTE ACCENT}": "'", "\N{TRADE MARK SIGN}": " "}
)
_INVISIBLE = compile_pattern(r"\p{Cf}")
_UNSPACED = compile_pattern(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\x{30FC}\x{3005}]",
)
_WORD = compile_pattern(
    r"\p{N}+(?:[.,:/]\p{N}+)+"  # 9:30
    r"|[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}\p{N}]+)*"  # don't
    r"|\p{Sc}|[%&@#+=]",
)
# The same for Latin letters alone, which Python's own engine does twenty times as fast.
_LATIN_WORD = re.compile(r"\d+(?:[.,:/]\d+)+|[^\W_]+(?:'[^\W_]+)*|[$¢£¤¥%&@#+=]")
_BEYOND_LATIN = "\N{COMBINING GRAVE ACCENT}"
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")


@lru_cache(maxsize=1_024)
def padded_words(text: str, *, fold: bool) -> str:
    """The words of a text, each between two spaces of its own (`" thirty  days "`); empty when it has none.

    The padding makes "is this phrase in that text, at word boundaries" a plain substring question. `fold` ignores case.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_BEFORE_NFKC))
    if fold:
        text = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text.casefold())
    words = latin_words(text) if max(text, default="") < _BEYOND_LATIN else words_of_any_script(text)
    return "".join(f" {_plain_number(word)} " for word in words)


def latin_words(text: str) -> list[str]:
    """What `words_of_any_script` gives of a text whose characters all come before U+0300."""
    return _LATIN_WORD.findall(text.replace("`", "'").replace("\N{SOFT HYPHEN}", ""))


def words_of_any_script(text: str) -> list[str]:
    """The words of a text in NFKC."""
    return _WORD.findall(_UNSPACED.sub(r" \g<0> ", _INVISIBLE.sub("", text.replace("`", "'"))))


def _plain_number(word: str) -> str:
    return word.replace(",", "") if "," in word and _THOUSANDS.fullmatch(word) else word


@dataclass(frozen=True, slots=True)
class PlacedPhrase:
    """A phrase, as the plan writes it, said in the words of a text from `start` to before `end`."""

    phrase: str
    start: int
    end: int


class PhraseFinder:
    """Finds any of some phrases; where two overlap, the one that begins first, then the longer, is the one said."""

    __slots__ = ("_fold", "_phrases", "_search")

    def __init__(self, phrases: Sequence[str], *, fold: bool) -> None:
        self._fold = fold
        self._phrases = {padded_words(phrase, fold=fold): phrase for phrase in phrases}
        alternatives = sorted(self._phrases, key=len, reverse=True)
        self._search = re.compile("|".join(map(re.escape, alternatives)))

    def find(self, text: str) -> list[str]:
        """The phrases said in `text`, as the plan writes them, one item for each time."""
        words = padded_words(text, fold=self._fold)
        return [self._phrases[found] for found in self._search.findall(words)]

    def find_placed(self, text: str) -> list[PlacedPhrase]:
        """The same, with where in the text."""
        found: list[PlacedPhrase] = []
        padded = padded_words(text, fold=self._fold)
        words = before = 0
        for match in self._search.finditer(padded):
            words += padded.count("  ", before, match.start() + 1)
            before = match.start()
            found.append(PlacedPhrase(self._phrases[match[0]], words, words + len(match[0].split())))
        return found


@lru_cache(maxsize=4096)
def phrase_finder(phrases: tuple[str, ...], *, fold: bool) -> PhraseFinder:
    return PhraseFinder(phrases, fold=fold)


def overlap(phrase: str, text: str) -> float:
    """Share of the phrase's words that the text has too, in whatever order and case: how close it comes."""
    wanted = set(padded_words(phrase, fold=True).split())
    return len(wanted & set(padded_words(text, fold=True).split())) / len(wanted)


@lru_cache(maxsize=1_024)
def searchable(text: str) -> str:
    """What a regular expression is tried on: composed characters, straight quotes, single spaces; else as transcribed."""
    return " ".join(straight(text).split())


@lru_cache(maxsize=1_024)
def readings(text: str) -> tuple[str, ...]:
    """The texts that a regular expression is tried on: as transcribed, without what nobody sees (a soft hyphen), and with
    characters of the usual width. So that a pattern may be about any of these, and none of them hides a word."""
    as_told = searchable(text)
    if as_told.isascii():
        return (as_told,)
    seen = _INVISIBLE.sub("", as_told)
    usual = " ".join(unicodedata.normalize("NFKC", seen.translate(_BEFORE_NFKC)).split())
    return tuple(dict.fromkeys((as_told, seen, usual)))


def straight(text: str) -> str:
    """Composed characters and straight quotes, for the pattern as for the text, so that both spell `don't` alike."""
    return unicodedata.normalize("NFC", text).translate(_QUOTES)
