"""Regular expressions in plans: RE2 syntax, compiled once, linear time whatever a plan or a call says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, Protocol, cast

import re2  # pyright: ignore[reportMissingTypeStubs] - it ships none; `RegularExpression` is the part we use
from pydantic import AfterValidator, Field

_re2: Any = re2

_ANY_CHARACTER = "\u2603"
"""A character no plan is about: a pattern that finds both it and the empty text finds every text."""

MAX_LENGTH = 10_000
"""Characters of a pattern: one that is refused for its size took memory for each of its classes before, some 30 kB."""
_MAX_DETAIL = 80
TOO_LARGE = "written out, it is too large; repeat less"
_UNSUPPORTED = (
    (re.compile(r"\(\?<?[=!]"), "looks ahead or behind, which RE2 does not have; write two expectations"),
    (re.compile(r"\\[1-9]|\(\?P=|\\k<"), "refers back to a group, which RE2 does not have; write the text out"),
    (re.compile(r"\(\?>|[*+?}]\+"), "keeps RE2 from going back, which it never does; remove it"),
)
_SKIPPED = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
"""Escaped characters and classes: a `$` in one is the character itself."""
_PRICE = re.compile(r"\$[\w ](?![*?{])")


class Found(Protocol):
    def group(self) -> str: ...
    def start(self) -> int: ...
    def end(self) -> int: ...


class RegularExpression(Protocol):
    """What we use of a compiled RE2 pattern."""

    @property
    def programsize(self) -> int: ...
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
        raise ValueError(f"this is not a regular expression: {_explained(detail, pattern)}") from error


def _explained(detail: str, pattern: str) -> str:
    """`detail` is what RE2 says of the pattern."""
    for form, why in _UNSUPPORTED:
        if (found := form.search(pattern)) is not None:
            return f"`{found[0]}` {why}"
    if detail.startswith("pattern too large"):
        return TOO_LARGE
    return detail if len(detail) <= _MAX_DETAIL else f"{detail[: _MAX_DETAIL - 1]}…"  # it may quote all of the pattern


def check_pattern(pattern: str) -> str:
    """The pattern itself, when it compiles and can tell texts apart. Raises `ValueError` with a sentence for the author."""
    compiled = compile_pattern(pattern)
    if compiled.search("") and compiled.search(_ANY_CHARACTER):
        raise ValueError("this regular expression matches every text, so it checks nothing")
    if compiled.programsize == 1:
        raise ValueError("this regular expression matches no text at all")
    prices = unescaped_prices(pattern)
    if all(prices):
        raise ValueError(never_found(prices))
    return pattern


def unescaped_prices(pattern: str) -> list[str]:
    """For each alternative the part like `$5`, which is never found, or nothing."""
    if "\\Q" in pattern:  # up to \E, all characters are themselves
        return [""]
    found = map(_PRICE.search, _SKIPPED.sub("\0", pattern).split("|"))
    return [price[0] if price is not None else "" for price in found]


def never_found(prices: list[str]) -> str:
    price = next(filter(None, prices))
    return f"`{price}` is never found: `$` is the end of the text; write \\$ for the character itself"


def finds_everything(compiled: RegularExpression) -> bool:
    """Whether any one character is found, so that of no text anything is left."""
    return all(compiled.search(character) for character in (_ANY_CHARACTER, "x", "7"))


Pattern = Annotated[
    str,
    AfterValidator(check_pattern),
    Field(description="A regular expression (RE2 syntax), found anywhere in the text.", examples=["refund(s|ed)?"]),
]
