"""Regular expressions in plans: RE2 syntax, compiled once, linear time whatever a plan or a call says."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, Protocol, cast

import re2  # pyright: ignore[reportMissingTypeStubs] - it ships none; `RegularExpression` is the part we use
from pydantic import AfterValidator, Field

from planner.checks.pattern_faults import explained

_re2: Any = re2

_ANY_CHARACTER = "\u2603"
"""A character no plan is about: a pattern that finds both it and the empty text finds every text."""

MAX_LENGTH = 10_000
"""Characters of a pattern: one that is refused for its size took memory for each of its classes before, some 30 kB."""
_MAX_PROBE = 100
_BESIDE = ("", "\n", " ", "x")
"""The edge of a text or line, and what is no part of a word and what is: all that anchors tell apart."""


class Found(Protocol):
    def group(self) -> str: ...
    def start(self) -> int: ...
    def end(self) -> int: ...


class RegularExpression(Protocol):
    """What we use of a compiled RE2 pattern."""

    @property
    def programsize(self) -> int: ...
    def possiblematchrange(self, maxlen: int) -> tuple[bytes, bytes]: ...
    def search(self, text: str) -> Found | None: ...
    def finditer(self, text: str) -> Iterator[Found]: ...
    def findall(self, text: str) -> list[str]: ...
    def sub(self, repl: str, text: str) -> str: ...


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str, *, ignore_case: bool = False) -> RegularExpression:
    """Raises `ValueError` with a sentence for the author when RE2 cannot read the pattern.

    Groups do not capture: google-re2 asks for all of them at each search, which takes memory with the square of their
    number, and nobody here wants more than the whole of what was found.
    """
    if len(pattern) > MAX_LENGTH:
        raise ValueError(
            f"a regular expression may have {MAX_LENGTH:,} characters, this one has {len(pattern):,}; shorten it"
        )
    options = _re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.case_sensitive = not ignore_case
    try:
        return cast("RegularExpression", _re2.compile(pattern, options))
    except _re2.error as error:
        detail = error.args[0].decode("utf-8", "replace")
        raise ValueError(explained(detail, pattern)) from error


def check_pattern(pattern: str) -> str:
    """The pattern itself, when it compiles and can tell texts apart. Raises `ValueError` with a sentence for the author."""
    compiled = compile_pattern(pattern)
    if compiled.search("") and compiled.search(_ANY_CHARACTER):
        raise ValueError("this regular expression matches every text, so it checks nothing")
    if _matches_nothing(compiled):
        raise ValueError("this regular expression matches no text at all: an anchor or class in it can never hold")
    return pattern


def _matches_nothing(compiled: RegularExpression) -> bool:
    """Whether the one text that the pattern could find is found nowhere: what is beside it decides about anchors.

    False where it could find several texts, although there are such patterns, too, that find none.
    """
    if compiled.programsize == 1:  # all of it was simplified away
        return True
    try:
        least, greatest = compiled.possiblematchrange(_MAX_PROBE)
    except _re2.error:  # of patterns that are nested deeply, or begin with anything at all
        return False
    if (
        least != greatest or not least or len(least) >= _MAX_PROBE
    ):  # nothing: of one that begins amid a word it cannot tell
        return False
    text = least.decode("utf-8", "replace")
    return not any(compiled.search(before + text + after) for before in _BESIDE for after in _BESIDE)


Pattern = Annotated[
    str,
    AfterValidator(check_pattern),
    Field(description="A regular expression (RE2 syntax), found anywhere in the text.", examples=["refund(s|ed)?"]),
]
