"""Regular expressions: what is refused, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from planner.checks.patterns import check_pattern, compile_pattern


@pytest.mark.parametrize(
    "pattern", [
        "(?=refund)", "(?<!no )refund", "(\\w+) \\1", "\\9", "(?P=name)", "\\k<name>", "a++", "(?>a)", "(refund", "a)",
        "[abc", "[z-a]é", "\\pQ", "[[:foo:]]", "a{2000}", "a{5,2}", "*", "a**", "\\q", "\\Z", "a\\", "(?z)", "(?P<n",
        "((a{100}){100}){100}", "a*", "", "due$ now", "$5 off", "$5|$10", "(?m)^$5", "a^ $5", "[^\\x00-\\x{10FFFF}]",
        "a$b", "(?m)a$b", "a|",
    ],
)  # fmt: skip
def test_a_bad_pattern_is_refused(pattern: str) -> None:
    """What RE2 cannot read, what matches every text or none, and a price whose `$` is not escaped."""
    with pytest.raises(ValueError, match=r"regular expression|is never found"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern", [
        "refund(s|ed)?", "^$", r"\p{Greek}+", "(?i)thanks", r"^\s*$", r"foo\B", r"(?m)a$\nb", r"\bfoo\b", "(?m)x$",
        "[$]5", r"\Q$5\E", "(^|,)x(,|$)", "(^a)?b", "($|x)5", r"(?i)k\b.s", "(" * 4_000 + "a$" + ")" * 4_000, "a$",
        "^a", "(?m)a$", r"\ba", r"\Ba", r"a\B", r"\bé", "a" * 99, "a" * 100, "a" * 101, "a$b|c", "☃",
    ],
)  # fmt: skip
def test_a_pattern_that_distinguishes_texts_is_accepted(pattern: str) -> None:
    """Everything RE2 can read, anchors for an empty text included."""
    assert check_pattern(pattern) == pattern


@pytest.mark.parametrize("pattern", ["(?=refund)", "(?!x)y", "(?<=a)b", "(?<!no )refund"])
def test_a_lookaround_is_named(pattern: str) -> None:
    with pytest.raises(ValueError, match="RE2 has no lookahead and no lookbehind"):
        check_pattern(pattern)


def test_a_hostile_pattern_takes_linear_time() -> None:
    """A plan contains the pattern `(a+)+$`.

    Before: with Python's `re`, it takes exponential time.
    Now: RE2 takes linear time.
    """
    assert compile_pattern("(a+)+$").search("a" * 20_000 + "b") is None


def test_nested_groups_take_no_memory() -> None:
    """A plan contains a pattern with 4,000 nested groups.

    Before: the memory of each search was quadratic in the number of groups.
    Now: groups do not capture, so a search needs little memory.
    """
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


@pytest.mark.parametrize(
    ("any_of", "all_of", "routes"),
    [
        (["order|refund"], None, [("any_of", 0)]),
        (["thirty days", "^order"], ["[a-z]+"], [("any_of", 1), ("all_of", 0)]),
        (["a | b", "3.5 + 2", "9:30?", "C:\\docs", "and/or", "(or)"], None, []),
        (["(?i)x"], None, [("any_of", 0)]),
        (["/order/"], None, [("any_of", 0)]),
    ],
)
def test_phrases_that_look_like_patterns_are_reported(
    read: Any, any_of: list[str] | None, all_of: list[str] | None, routes: list[Any]
) -> None:
    """A pattern among phrases, or slashes around a pattern, gives a warning at its place."""
    written = {"any_of": any_of, "all_of": all_of}
    for name, phrases in written.items():
        if phrases is not None:
            lints = read(check="says", **{name: phrases}).lints()
            expected = [(route, "literal-pattern") for route in routes if route[0] == name]
            assert [(lint.route, lint.code) for lint in lints] == expected


@pytest.mark.parametrize(
    ("matches", "reported"),
    [("/order/i", True), ("/order/", True), ("/or/der/g", True), ("order/i", False), ("and/or", False), ("//", False)],
)
def test_slashes_around_a_pattern_are_reported(read: Any, matches: str, reported: bool) -> None:
    assert [lint.code for lint in read(check="says", matches=matches).lints()] == ["literal-pattern"] * reported


def test_quotes_of_a_pattern_are_as_straight_as_the_texts(talk: Any, judge: Any) -> None:
    said = talk("agent: It’s “here”, „there“")
    for pattern in ("It's", "It‘s", '"here', "here”, „there", '"there"'):
        assert judge(said, check="says", matches=pattern)[0] == "passed"
