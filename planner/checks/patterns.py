"""Regular expressions in plans: RE2 syntax, compiled once, linear time whatever a plan or a call says."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, Protocol, cast

import re2  # pyright: ignore[reportMissingTypeStubs] - it ships none; `RegularExpression` is the part we use
from pydantic import AfterValidator, Field

from planner.checks.pattern_faults import explained
from planner.checks.reach import unreachable, with_signs_escaped

_re2: Any = re2

_ANY_CHARACTER = "\u2603"
"""A character no plan is about: a pattern that finds both it and the empty text finds every text."""

MAX_LENGTH = 10_000
"""Characters of a pattern: one that is refused for its size took memory for each of its classes before, some 30 kB."""
_MAX_PROBE = 10
_ASCII = "".join(map(chr, range(128)))


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
    dead = pattern if compiled.programsize == 1 else unreachable(pattern, _characters)
    if dead is not None and dead == pattern:
        raise ValueError(_never_found(pattern, dead))
    return pattern


def finds_everything(compiled: RegularExpression) -> bool:
    """Whether any one character is found, so that of no text anything is left."""
    return all(compiled.search(character) for character in (_ANY_CHARACTER, "x", "7"))


def dead_alternative(pattern: str) -> str | None:
    """What is wrong with an alternative of a sound pattern that matches no text, so that the others decide alone."""
    dead = unreachable(pattern, _characters)
    return _never_found(pattern, dead) if dead is not None else None


def _never_found(pattern: str, dead: str) -> str:
    which = (
        "this regular expression matches" if dead == pattern else f"`{dead}` in this regular expression matches"
    ) + " no text at all"
    mended = with_signs_escaped(pattern)
    if mended == pattern or unreachable(mended, _characters) is not None:
        return f"{which}: an anchor or class in it can never hold"
    edges = " and ".join(
        f"`{sign}` is the {edge} of the text"
        for sign, edge in (("^", "start"), ("$", "end"))
        if mended.count(f"\\{sign}") > pattern.count(f"\\{sign}")
    )
    return f"{which}: {edges}; for the character itself write {_in_single_quotes(mended)}, in single quotes"


def _in_single_quotes(pattern: str) -> str:
    """As YAML reads it without a further backslash."""
    return "'" + pattern.replace("'", "''") + "'"


@lru_cache(maxsize=256)
def _characters(characters: str) -> str:
    """Those of ASCII that a set of a pattern has, and one beyond where it may have some."""
    compiled = compile_pattern(characters)
    try:
        _, greatest = compiled.possiblematchrange(_MAX_PROBE)
    except _re2.error:  # of one that has anything at all
        greatest = b"\xff"
    return "".join(compiled.findall(_ASCII)) + (_ANY_CHARACTER if greatest > b"\x7f" else "")


Pattern = Annotated[
    str,
    AfterValidator(check_pattern),
    Field(description="A regular expression (RE2 syntax), found anywhere in the text.", examples=["refund(s|ed)?"]),
]
