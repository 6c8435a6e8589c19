"""Regular expressions in plans: RE2 syntax, which takes linear time on any pattern and text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, Final, Protocol, cast

import re2  # pyright: ignore[reportMissingTypeStubs]
from pydantic import AfterValidator, Field

MAX_LENGTH: Final = 10_000
"""Characters of a pattern. RE2 needs some 30 kB for each character class before it refuses a pattern as too large."""
TOO_LARGE: Final = "written out, it is too large; repeat less"
_MAX_DETAIL = 80
_LOOKAROUND = tuple(f"invalid perl operator: {start}" for start in ("(?=", "(?!", "(?<"))
_SNOWMAN = "\N{SNOWMAN}"
"""No plan is about it: a pattern that matches both it and the empty text matches every text."""


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
    def sub(self, repl: str, text: str) -> str: ...


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str, *, ignore_case: bool = False) -> RegularExpression:
    """Compile a pattern. Raises `ValueError` with a message for its author.

    Groups do not capture, because google-re2 uses memory quadratic in their number at each search.
    """
    engine: Any = re2
    if len(pattern) > MAX_LENGTH:
        raise ValueError(
            f"a regular expression may have {MAX_LENGTH:,} characters, this one has {len(pattern):,}; shorten it"
        )
    options = engine.Options()
    options.log_errors = False
    options.never_capture = True
    options.case_sensitive = not ignore_case
    try:
        return cast("RegularExpression", engine.compile(pattern, options))
    except engine.error as error:
        detail = error.args[0].decode("utf-8", "replace")
        if detail.startswith("pattern too large"):
            detail = TOO_LARGE
        elif detail.startswith(_LOOKAROUND):
            detail = "RE2 has no lookahead and no lookbehind; write what must be there, or a second expectation"
        elif len(detail) > _MAX_DETAIL:  # it may quote the whole pattern
            detail = f"{detail[: _MAX_DETAIL - 1]}…"
        raise ValueError(f"this is not a regular expression: {detail}") from error


def check_pattern(pattern: str) -> str:
    """The pattern itself if it compiles and matches some strings but not all. Raises `ValueError` with a message for
    its author."""
    compiled = compile_pattern(pattern)
    if compiled.search("") and compiled.search(_SNOWMAN):
        raise ValueError("this regular expression matches every text, so it checks nothing")
    if compiled.programsize == 1:
        raise ValueError("this regular expression matches no text at all")
    if "$" in pattern and (price := _unescaped_price(pattern)):
        raise ValueError(f"`{price}` is never found: `$` is the end of the text; write \\$ for the character itself")
    return pattern


def _unescaped_price(pattern: str) -> str:
    """A part like `$5` if every alternative has one; in a class or after a backslash `$` is the character itself."""
    literal = r"\\Q.*|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]"
    alternatives = re.sub(literal, "\0", pattern, flags=re.DOTALL).split("|")
    prices = [re.search(r"\$[\w ](?![*?{])", each) for each in alternatives]
    return prices[0][0] if all(prices) and prices[0] else ""


def finds_everything(compiled: RegularExpression) -> bool:
    """Whether any single character matches, so that nothing of a string would be left."""
    return all(compiled.search(character) for character in (_SNOWMAN, "x", "7"))


Pattern = Annotated[
    str,
    AfterValidator(check_pattern),
    Field(description="A regular expression (RE2 syntax), found anywhere in the text.", examples=["refund(s|ed)?"]),
]
