"""Text as the token ids of BERT's uncased vocabulary, in which all-MiniLM-L6-v2 reads.

The vocabulary is a file of this package (from bert-base-uncased, Apache-2.0): a token a line, its id is the line's number from 0.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

_LONGEST_WORD: Final = 100
_UNKNOWN, _START, _END = "[UNK]", "[CLS]", "[SEP]"
_WHITE_CONTROLS: Final = "\t\n\r"
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
    """At most `longest` of them, the first and the last of which mark the ends."""
    ids = _vocabulary()
    pieces = [piece for word in _words(text) for piece in _pieces(word)][: longest - 2]
    return [ids[_START], *pieces, ids[_END]]


@cache
def _vocabulary() -> dict[str, int]:
    text = files("planner.checks").joinpath("bert_vocabulary.txt").read_text(encoding="utf-8")
    return {token: number for number, token in enumerate(text.split("\n")[:-1])}


def _words(text: str) -> Iterator[str]:
    """In lower case, without accents; each ideograph and punctuation mark is one."""
    clean = "".join(map(_cleaned, text))
    bare = (mark for mark in unicodedata.normalize("NFD", clean) if unicodedata.category(mark) != "Mn")
    for word in "".join(mark.lower() for mark in bare).split():
        start = 0
        for at, mark in enumerate(word):
            if _is_punctuation(mark):
                if start < at:
                    yield word[start:at]
                yield mark
                start = at + 1
        if start < len(word):
            yield word[start:]


def _cleaned(mark: str) -> str:
    if mark in _WHITE_CONTROLS or mark.isspace():
        return " "
    if mark == "\ufffd" or unicodedata.category(mark) in ("Cc", "Cf", "Co"):
        return ""
    return f" {mark} " if any(first <= ord(mark) <= last for first, last in _IDEOGRAPHS) else mark


def _is_punctuation(mark: str) -> bool:
    return (mark.isascii() and mark.isprintable() and not mark.isalnum()) or unicodedata.category(mark).startswith("P")


@lru_cache(maxsize=65_536)
def _pieces(word: str) -> tuple[int, ...]:
    """The longest token that the rest of the word begins with, again and again."""
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
