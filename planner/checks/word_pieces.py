"""Text as token ids of BERT's uncased vocabulary, which all-MiniLM-L6-v2 reads.

The vocabulary is a file of this package (from bert-base-uncased, Apache-2.0) with one token a line; its id is the line's number from 0.
"""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

_LONGEST_WORD: Final = 100
_UNKNOWN, _START, _END = "[UNK]", "[CLS]", "[SEP]"
_IDEOGRAPHS: Final = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


def token_ids(text: str, longest: int) -> list[int]:
    """At most `longest` ids, with a mark at either end."""
    ids = _vocabulary()
    words = "".join(map(_spaced, unicodedata.normalize("NFD", text))).split()
    pieces = [piece for word in words for piece in _pieces(word)][: longest - 2]
    return [ids[_START], *pieces, ids[_END]]


@cache
def _vocabulary() -> dict[str, int]:
    text = files("planner.checks").joinpath("bert_vocabulary.txt").read_text(encoding="utf-8")
    return {token: number for number, token in enumerate(text.split("\n")[:-1])}


def _spaced(character: str) -> str:
    """In lower case, without accents and control characters; an ideograph or a punctuation mark is a word of its own."""
    category = unicodedata.category(character)
    if character.isspace():
        return " "
    if category in ("Cc", "Cf", "Co", "Mn") or character == "\N{REPLACEMENT CHARACTER}":
        return ""
    is_mark = character.isascii() and not character.isalnum()
    if is_mark or category.startswith("P") or any(first <= ord(character) <= last for first, last in _IDEOGRAPHS):
        return f" {character} "
    return character.lower()


@lru_cache(maxsize=65_536)
def _pieces(word: str) -> tuple[int, ...]:
    """The longest token that starts the rest of the word, repeatedly."""
    ids = _vocabulary()
    found: list[int] = []
    start = 0
    while start < len(word) <= _LONGEST_WORD:
        before = "##" if start else ""
        end = next((end for end in range(len(word), start, -1) if before + word[start:end] in ids), None)
        if end is None:
            return (ids[_UNKNOWN],)
        found.append(ids[before + word[start:end]])
        start = end
    return tuple(found) or (ids[_UNKNOWN],)
