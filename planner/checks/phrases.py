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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from planner.checks.patterns import RegularExpression, compile_pattern

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


@cache
def _invisible() -> RegularExpression:
    return compile_pattern(r"\p{Cf}")


@cache
def _unspaced() -> RegularExpression:
    return compile_pattern(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\x{30FC}\x{3005}]")


@cache
def _any_word() -> RegularExpression:
    return compile_pattern(
        r"\p{N}+(?:[.,:/]\p{N}+)+"  # 9:30
        r"|[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}\p{N}]+)*"  # don't
        r"|\p{Sc}|[%&@#+=]"
    )


_LATIN_WORD = re.compile(r"\d+(?:[.,:/]\d+)+|[^\W_]+(?:'[^\W_]+)*|[$¢£¤¥%&@#+=]")
_BEYOND_LATIN = "\N{COMBINING GRAVE ACCENT}"
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")


@lru_cache(maxsize=1_024)
def padded_words(text: str, *, fold: bool) -> str:
    """The words of a text, each between two spaces of its own (`" thirty  days "`); empty when it has none.

    The padding turns "is this phrase in that text, at word boundaries" into a search for a substring. `fold` ignores case.
    """
    return "".join(f" {word} " for word, _, _ in words_with_places(normalized(text, fold=fold)))


def normalized(text: str, *, fold: bool) -> str:
    """The text in the form in which words are compared: NFKC, straight quotes, no invisible characters."""
    if text.isascii():
        return (text.lower() if fold else text).replace("`", "'")
    text = unicodedata.normalize("NFKC", text.translate(_BEFORE_NFKC))
    if fold:
        text = unicodedata.normalize("NFKC", text.casefold())
    text = _invisible().sub("", text.replace("`", "'"))
    return text if max(text, default="") < _BEYOND_LATIN else _unspaced().sub(r" \g<0> ", text)


def words_with_places(text: str) -> Iterator[tuple[str, int, int]]:
    """The words of a normalized text, with where they start and end in it."""
    # Python's own engine is twenty times as fast, but does not know combining marks.
    pattern = _LATIN_WORD if max(text, default="") < _BEYOND_LATIN else _any_word()
    for found in pattern.finditer(text):
        yield _plain_number(found.group()), found.start(), found.end()


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
    seen = _invisible().sub("", as_told)
    usual = " ".join(unicodedata.normalize("NFKC", seen.translate(_BEFORE_NFKC)).split())
    return tuple(dict.fromkeys((as_told, seen, usual)))


def straight(text: str) -> str:
    """Composed characters and straight quotes, for the pattern as for the text, so that both spell `don't` alike."""
    return unicodedata.normalize("NFC", text).translate(_QUOTES)
