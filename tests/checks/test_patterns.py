"""Regular expressions: what is refused, and in which words."""

from __future__ import annotations

import time
from typing import Any

import pytest
from inline_snapshot import snapshot

from planner.checks.patterns import check_pattern, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (
            "(?=refund)",
            snapshot(
                "this is not a regular expression: `(?=` looks ahead or back, which these patterns cannot; write what must be there and what must not as two of them"
            ),
        ),
        (
            "(?<!no )refund",
            snapshot(
                "this is not a regular expression: `(?<!` looks ahead or back, which these patterns cannot; write what must be there and what must not as two of them"
            ),
        ),
        (
            "(\\w+) \\1",
            snapshot(
                "this is not a regular expression: `\\1` repeats what was found before, which these patterns cannot; write it out"
            ),
        ),
        (
            "a++",
            snapshot(
                "this is not a regular expression: `++` asks never to go back, and these patterns never do; leave out the last `+`"
            ),
        ),
        (
            "(?>a)",
            snapshot(
                "this is not a regular expression: `(?>` asks never to go back, and these patterns never do; leave out the `?>`"
            ),
        ),
        (
            "(refund",
            snapshot(
                "this is not a regular expression: a ( is not closed; close it, or write \\( for the character itself"
            ),
        ),
        (
            "a)",
            snapshot(
                "this is not a regular expression: a ) closes nothing; remove it, or write \\) for the character itself"
            ),
        ),
        (
            "[abc",
            snapshot(
                "this is not a regular expression: a [ is not closed; close it, or write \\[ for the character itself"
            ),
        ),
        (
            "[z-a]é",
            snapshot("this is not a regular expression: `z-a` runs backwards; write the earlier character first"),
        ),
        (
            "\\pQ",
            snapshot(
                "this is not a regular expression: there is no class `\\pQ`; \\d is a digit, \\w a letter, digit or _, \\s white space"
            ),
        ),
        (
            "[[:foo:]]",
            snapshot(
                "this is not a regular expression: there is no class `[:foo:]`; \\d is a digit, \\w a letter, digit or _, \\s white space"
            ),
        ),
        (
            "a{2000}",
            snapshot(
                "this is not a regular expression: `{2000}` repeats too often or runs backwards: at most 1,000 times with those inside and around it, the smaller number first"
            ),
        ),
        (
            "a{5,2}",
            snapshot(
                "this is not a regular expression: `{5,2}` repeats too often or runs backwards: at most 1,000 times with those inside and around it, the smaller number first"
            ),
        ),
        (
            "*",
            snapshot(
                "this is not a regular expression: `*` repeats nothing; write before it what it repeats, such as .*, or \\* for the character itself"
            ),
        ),
        ("a**", snapshot("this is not a regular expression: `**` repeats a repetition; write one of the two")),
        (
            "\\q",
            snapshot(
                "this is not a regular expression: `\\q` has no meaning; write q without the backslash, or \\\\ for a backslash itself"
            ),
        ),
        ("\\Z", snapshot("this is not a regular expression: `\\Z` has no meaning; write \\z for the end of the text")),
        (
            "a\\",
            snapshot(
                "this is not a regular expression: nothing follows the \\ at the end; write \\\\ for the character itself"
            ),
        ),
        (
            "(?z)",
            snapshot(
                "this is not a regular expression: `(?z` has no meaning; (?i) ignores case, (?: ) groups, \\( is the character itself"
            ),
        ),
        (
            "(?P<n",
            snapshot(
                "this is not a regular expression: `(?P<n` is no name of a group; leave the name out, such as (…)"
            ),
        ),
        (
            "((a{100}){100}){100}",
            snapshot(
                "this is not a regular expression: `{100}` repeats too often or runs backwards: at most 1,000 times with those inside and around it, the smaller number first"
            ),
        ),
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
    """The author reads what is wrong and what to write instead, and nothing of what only RE2 knows."""
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
    with pytest.raises(ValueError, match="not closed"):
        check_pattern("(x")
    assert capfd.readouterr() == ("", "")


def test_a_hostile_pattern_takes_linear_time() -> None:
    """What makes a backtracking engine run for years is over at once."""
    began = time.perf_counter()
    assert compile_pattern("(a+)+$").search("a" * 20_000 + "b") is None
    assert time.perf_counter() - began < 1


def test_groups_take_no_memory_of_their_own() -> None:
    """google-re2 asks for all groups at each search, quadratic in their number: none captures, whatever the plan writes."""
    nested = compile_pattern("(" * 4_000 + "a" + ")" * 4_000)
    assert nested.programsize < 10
    assert [found.group() for found in compile_pattern("(a)(?P<rest>b)?").finditer("ab a")] == ["ab", "a"]


def test_a_pattern_has_a_length_that_people_can_read() -> None:
    """What is refused for its size was taken apart before, which takes memory: text is refused first."""
    assert check_pattern("a" * 10_000)
    with pytest.raises(
        ValueError, match="a regular expression may have 10,000 characters, this one has 10,001; shorten it"
    ):
        check_pattern("a" * 10_001)


@pytest.mark.parametrize(
    "said",
    [
        "I gua\u00adrantee it",
        "I guar\u200bantee it",
        "I \uff27\uff55\uff41\uff52\uff41\uff4e\uff54\uff45\uff45 it",
        "I \U0001d420uarantee it",
    ],
)
def test_a_pattern_finds_what_is_seen_however_it_is_spelled(judge: Any, talk: Any, said: str) -> None:
    """Characters that nobody sees, and letters of another width, hide a word from no check that takes a pattern."""
    evidence = talk(f"agent: {said}")
    assert judge(evidence, check="never_says", matches="(?i)guarantee")[0] == "failed"
    assert judge(evidence, check="says", matches="(?i)guarantee", max_count=1)[0] == "passed"
    assert judge(evidence, check="no_pii", also=["(?i)guarantee"])[0] == "failed"
    steps = [{"says": {"matches": "^I"}}, {"says": {"matches": "(?i)guarantee it"}}]
    assert judge(evidence, check="sequence", steps=steps)[0] == "passed"


def test_a_pattern_finds_what_is_written_as_it_is_written(judge: Any, talk: Any) -> None:
    """What a pattern spells out is still found: an ellipsis, a mark, a wide letter."""
    for said in ("well\u2026", "Acme\u2122", "\uff27o", "a\u00adb"):
        assert judge(talk(f"agent: {said}"), check="says", matches=said, max_count=1)[0] == "passed"
