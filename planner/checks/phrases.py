"""Phrases are compared word by word, not character by character.

Punctuation between words, white space, kinds of quotes and dashes, width and composition of characters (Unicode NFKC)
and, unless asked otherwise, case do not matter: "30 days" is found in "Within 30-days." and not in "130 days". Kept are
apostrophes inside words, what joins digits (`9:30`, `3.5`, `12/24`; a thousands comma is dropped) and the symbols that
are read aloud (`$ % & @ # + =`). Scripts without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) are compared
character by character.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache

from planner.checks.patterns import RegularExpression, compile_pattern
from planner.values import frozen

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
# NFKC would decompose an accent used as an apostrophe, and join "TM" to the word before it.
_BEFORE_NFKC = str.maketrans({**_STRAIGHT_QUOTES, "\N{ACUTE ACCENT}": "'", "\N{TRADE MARK SIGN}": " "})
_LATIN_WORD = re.compile(r"\d+(?:[.,:/]\d+)+|[^\W_]+(?:'[^\W_]+)*|[$¢£¤¥%&@#+=]")
_BEYOND_LATIN = "\N{COMBINING GRAVE ACCENT}"
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")


@cache
def _invisible() -> RegularExpression:
    return compile_pattern(r"\p{Cf}")


@cache
def _unspaced() -> RegularExpression:
    return compile_pattern(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\x{30FC}\x{3005}]")


@cache
def _beyond_punctuation() -> re.Pattern[str]:
    """Beyond Latin and general punctuation, such as the slash in a fraction; neither has combining marks."""
    return re.compile(r"[^\x00-\u02ff\u2010-\u205e]")


@cache
def _any_word() -> RegularExpression:
    return compile_pattern(
        r"\p{N}+(?:[.,:/]\p{N}+)+|[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}\p{N}]+)*|\p{Sc}|[%&@#+=]",
    )


@lru_cache(maxsize=1_024)
def padded_words(text: str, *, fold: bool) -> str:
    """The words of a string, each between two spaces of its own (`" thirty  days "`). `fold` ignores case.

    The padding turns "is this phrase in that text, at word boundaries" into a search for a substring.
    """
    return "".join(f" {word} " for word, _, _ in words_with_places(normalized(text, fold=fold)))


def words_in(text: str) -> int:
    return len(padded_words(text, fold=True).split())


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
    is_latin = max(text, default="") < _BEYOND_LATIN or not _beyond_punctuation().search(text)
    pattern = _LATIN_WORD if is_latin else _any_word()
    for found in pattern.finditer(text):
        word = found.group()
        if "," in word and _THOUSANDS.fullmatch(word):
            word = word.replace(",", "")
        yield word, found.start(), found.end()


@frozen
class PlacedPhrase:
    """A phrase as the plan writes it, found in the words of a string from `start` to before `end`."""

    phrase: str
    start: int
    end: int


class PhraseFinder:
    """Finds phrases; of two that overlap, the one that starts first, then the longer one."""

    __slots__ = ("_phrases", "_search")

    def __init__(self, phrases: Mapping[str, str]) -> None:
        """`phrases` has them as the plan writes them, by their padded words."""
        self._phrases = phrases
        self._search = re.compile("|".join(map(re.escape, sorted(phrases, key=len, reverse=True))))

    def find(self, padded: str) -> list[PlacedPhrase]:
        """The phrases in the padded words of a string, one item for each time."""
        found: list[PlacedPhrase] = []
        words = before = 0
        for match in self._search.finditer(padded):
            words += padded.count("  ", before, match.start() + 1)
            before = match.start()
            found.append(PlacedPhrase(self._phrases[match[0]], words, words + len(match[0].split())))
        return found


@lru_cache(maxsize=4096)
def phrase_finder(phrases: tuple[str, ...], *, fold: bool) -> PhraseFinder:
    return PhraseFinder({padded_words(phrase, fold=fold): phrase for phrase in phrases})


def overlap(phrase: str, text: str) -> float:
    """Share of the phrase's words that the text has too, in any order and case."""
    wanted = set(padded_words(phrase, fold=True).split())
    return len(wanted & set(padded_words(text, fold=True).split())) / len(wanted)


@lru_cache(maxsize=1_024)
def searchable(text: str) -> str:
    """The text with composed characters, straight quotes and single spaces, as regular expressions see it."""
    return " ".join(straight(text).split())


@lru_cache(maxsize=1_024)
def readings(text: str) -> tuple[str, ...]:
    """The strings that a regular expression is tried on: as transcribed, without invisible characters, and in NFKC.

    So a pattern may be about any of these, and a soft hyphen or a wide letter hides no word.
    """
    written = searchable(text)
    if written.isascii():
        return (written,)
    visible = _invisible().sub("", written)
    usual = " ".join(unicodedata.normalize("NFKC", visible.translate(_BEFORE_NFKC)).split())
    return tuple(dict.fromkeys((written, visible, usual)))


def straight(text: str) -> str:
    """Composed characters and straight quotes, for patterns and strings, so that both spell `don't` alike."""
    return unicodedata.normalize("NFC", text).translate(_QUOTES)
