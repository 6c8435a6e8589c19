"""Regular expressions: what is refused, and in which words."""

from __future__ import annotations

import time

import pytest

from planner.checks.patterns import check_pattern, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (
            "(?=refund)",
            (
                "not a regular expression RE2 can read: invalid perl operator: (?=. "
                "Lookahead and lookbehind are not supported: RE2 promises linear time and has neither"
            ),
        ),
        (
            "(?<!no )refund",
            (
                "not a regular expression RE2 can read: invalid perl operator: (?<!. "
                "Lookahead and lookbehind are not supported: RE2 promises linear time and has neither"
            ),
        ),
        (
            r"(\w+) \1",
            (
                r"not a regular expression RE2 can read: invalid escape sequence: \1. "
                "Backreferences are not supported: RE2 promises linear time and has none"
            ),
        ),
        (
            r"a++",
            (
                "not a regular expression RE2 can read: bad repetition operator: ++. "
                "Possessive quantifiers and atomic groups are not supported, and not needed: RE2 never backtracks"
            ),
        ),
        ("(refund", "not a regular expression RE2 can read: missing ): (refund"),
        ("[z-a]é", "not a regular expression RE2 can read: invalid character class range: z-a"),
        ("a*", "this regular expression matches every text, so it checks nothing"),
        ("", "this regular expression matches every text, so it checks nothing"),
        ("due$ now", "this regular expression matches no text at all: an anchor or class in it can never hold"),
        (r"re\bfund", "this regular expression matches no text at all: an anchor or class in it can never hold"),
        (
            r"[^\x00-\x{10FFFF}]",
            "this regular expression matches no text at all: an anchor or class in it can never hold",
        ),
    ],
)
def test_a_bad_pattern_is_refused_in_words(pattern: str, message: str) -> None:
    """The author reads what is wrong and, for what RE2 lacks, that it is RE2 that lacks it."""
    with pytest.raises(ValueError, match="regular expression") as caught:
        check_pattern(pattern)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "pattern", ["refund(s|ed)?", "^$", r"\p{Greek}+", "(?i)thanks", r"^\s*$", r"foo\B", r"(?m)a$\nb", r"\bfoo\b"]
)
def test_a_pattern_that_can_tell_texts_apart_is_taken(pattern: str) -> None:
    """Whatever RE2 can read, anchors for an empty text included."""
    assert check_pattern(pattern) == pattern


def test_nothing_is_printed_about_a_bad_pattern(capfd: pytest.CaptureFixture[str]) -> None:
    """RE2's own log does not reach the terminal."""
    with pytest.raises(ValueError, match="missing"):
        check_pattern("(x")
    assert capfd.readouterr() == ("", "")


def test_a_hostile_pattern_takes_linear_time() -> None:
    """What makes a backtracking engine run for years is over at once."""
    began = time.perf_counter()
    assert compile_pattern("(a+)+$").search("a" * 20_000 + "b") is None
    assert time.perf_counter() - began < 1
