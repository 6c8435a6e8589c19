"""Regular expressions: what is refused, and in which words."""

from __future__ import annotations

import itertools
import re
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from planner.checks.pattern_doubts import doubtful_patterns
from planner.checks.pattern_faults import TOO_LARGE, explained
from planner.checks.patterns import _characters, check_pattern, compile_pattern, dead_alternative, finds_everything  # pyright: ignore[reportPrivateUsage]
from planner.checks.reach import unreachable


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
        *[
            (
                pattern,
                (
                    "this regular expression matches no text at all: "
                    f"`$` is the end of the text; for the character itself write '{mended}', in single quotes"
                ),
            )
            for pattern, mended in [
                ("due$ now", r"due\$ now"),
                ("$5 off", r"\$5 off"),
                ("$5|$10", r"\$5|\$10"),
                ("(?m)^$5", r"(?m)^\$5"),
            ]
        ],
        (
            "guarantee^",
            "this regular expression matches no text at all: `^` is the start of the text; for the character itself write 'guarantee\\^', in single quotes",
        ),
        (
            "a^ $5",
            r"this regular expression matches no text at all: `^` is the start of the text and `$` is the end of the text; for the character itself write 'a\^ \$5', in single quotes",
        ),
        (
            r"$5 re\bfund",
            "this regular expression matches no text at all: an anchor or class in it can never hold",
        ),
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
    "pattern",
    [
        "refund(s|ed)?",
        "^$",
        r"\p{Greek}+",
        "(?i)thanks",
        r"^\s*$",
        r"foo\B",
        r"(?m)a$\nb",
        r"\bfoo\b",
        "(?m)x$",
        "[$]5",
        r"\Q$5\E",
        "(^|,)x(,|$)",
        "(^a)?b",
        "($|x)5",
        r"(?i)k\b.s",
        "(" * 4_000 + "a$" + ")" * 4_000,
    ],
)
def test_a_pattern_that_can_tell_texts_apart_is_taken(pattern: str) -> None:
    """Whatever RE2 can read, anchors for an empty text included."""
    assert check_pattern(pattern) == pattern


_ANCHORS = ["^", "$", r"\b", r"\B", r"\A", r"\z", "(?m:^)", "(?m:$)"]
_CHARACTERS = ["a", " ", r"\n", ".", "(?s:.)", r"\W", "[^a]"]
_TEXTS_OF_THREE = ["".join(text) for length in range(4) for text in itertools.product("ab\n ", repeat=length)]


@pytest.mark.parametrize("first", [*_ANCHORS, *_CHARACTERS])
def test_three_signs_match_something_or_nothing(first: str) -> None:
    """Whatever three anchors and characters follow each other, they are refused just where no short text has a match."""
    for others in itertools.product([*_ANCHORS, *_CHARACTERS], repeat=2):
        pattern = f"(?:{first}){''.join(others)}"
        expression = compile_pattern(pattern)
        found = any(expression.search(text) for text in _TEXTS_OF_THREE)
        assert (unreachable(pattern, _characters) is None) is found, pattern


_ALTERNATING = r"(?:\b-|\ba)"
_BREAK_OR_DASH = r"(?m)x(?:\B\n|-){}^y"


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        # each way to write a character: a word ends beside it, or does not
        (r"a\b\x2f", True),
        (r"a\b\x{2f}", True),
        (r"\x30\bb", False),
        (r"\x{30}\bb", False),
        (r"a\b\057", True),
        (r"\060\bb", False),
        *[(rf"a\b\{sign}", True) for sign in "ntrfva~-."],
        (r"(?m)a$\n^b", True),
        *[(rf"(?m)a$\{sign}^b", False) for sign in "trfva"],
        (r"_\bx", False),
        (r"é\ba", True),
        (r"é\Ba", False),
        (r"x-\by", True),
        (r"\Q-a\E\bb", False),
        (r"\Qa$\E\bb", True),
        (r"b\b\Q-a", True),
        (r"b\b\Qa", False),
        # letters that equal one beyond ASCII where case is ignored
        *[(rf"(?i){letter}\b5", True) for letter in "kKsS"],
        *[(rf"{letter}\b5", False) for letter in "kKsS"],
        (r"(?i)a\b5", False),
        (r"(?i)~\B5", False),
        ("(?i)\u017f\\B5", True),
        ("(?i)\u212a\\B5", True),
        (r"(?i)5\bkx", True),
        (r"(?i)xk\b5", True),
        (r"(?i)[k]\b5", True),
        (r"[k]\b5", False),
        # sets and flags
        (r"[a-z]\b[a-z]", False),
        (r"[^ -~]\ba", True),
        (r"(?ms)a$.^b", True),
        (r"(?m)a$.^b", False),
        (r"(?ms)(?-s)a$.^b", False),
        (r"(?m)(?s:a$.)^b", True),
        (r"(?m)a\n^b", True),
        (r"a\n^b", False),
        (r"(?-m)a\n^b", False),
        # anchors
        (r"a\z5", False),
        (r"a\b\z", True),
        (r"(a|-)x\z", True),
        (r"\Aa?x\b\z", True),
        (r"a(?:$5)?\b\z", True),
        (r"a(?:$5)?\z", True),
        (r"a(?:$5){0}\z", True),
        # as often as it is written
        *[
            (_BREAK_OR_DASH.format(times), matches)
            for times, matches in {
                "": False, "{1}": False, "{1,1}": False, "?": False, "{0,1}": False, "{0}": False, "{2}": True, "{1,2}": True,
                "{0,2}": True, "{3}": True, "+": True, "*": True, "{1,}": True, "{0,}": True, "{2,2}": True, "+?": True, "{2}?": True,
            }.items()
        ],
        *[(rf"x{_ALTERNATING}{{{times}}}\by", times % 2 == 1) for times in range(1, 9)],
        (r"x(?:\b-){2}y", False),
        (r"x(?:\b-){0}y", True),
    ],
)  # fmt: skip
def test_what_can_match_something_is_not_refused(pattern: str, matches: bool) -> None:
    """However characters are written, flags set and parts repeated; nothing that can never match is taken."""
    expected = pytest.raises(ValueError, match="no text at all") if not matches else nullcontext()
    with expected:
        check_pattern(pattern)


_SIGNS = st.sampled_from(["a", " ", r"\n", ".", "[^ ]", r"\W", "^", "$", r"\b", r"\B", r"\A", r"\z"])
_PATTERNS = st.recursive(
    _SIGNS,
    lambda parts: (
        st.builds("{}{}".format, parts, parts)
        | st.builds("(?:{}|{})".format, parts, parts)
        | st.builds("(?:{}){}".format, parts, st.sampled_from(["*", "+", "?", "{0,1}", "{1,}"]))
        | st.builds("(?m:{})".format, parts)
    ),
    max_leaves=4,
)
_TEXTS = ["".join(text) for length in range(7) for text in itertools.product("a\n ", repeat=length)]


@given(_PATTERNS)
@settings(max_examples=150, deadline=None)
def test_what_can_match_nothing_is_told_from_what_can(pattern: str) -> None:
    """Of small patterns: the whole is refused just where none of all short texts has a match."""
    expression = compile_pattern(pattern)
    found = any(expression.search(text) for text in _TEXTS)
    assert (unreachable(pattern, _characters) == pattern) is not found


@given(_PATTERNS.filter(lambda pattern: "m:" not in pattern))
@settings(max_examples=100, deadline=None)
def test_an_alternative_that_is_blamed_matches_nothing(pattern: str) -> None:
    """The part that is named is found in no text by itself."""
    dead = unreachable(f"refund|{pattern}", _characters)
    assert dead_alternative("refund") is None
    if dead is not None:
        assert dead in str(dead_alternative(f"refund|{pattern}"))
        assert not any(compile_pattern(f"(?:{dead})").search(text) for text in _TEXTS)


def test_an_alternative_that_matches_nothing_is_doubted() -> None:
    """The others still find something, so that it is no error; nobody writes what is never found."""
    assert check_pattern("refund|don't ($5)") == "refund|don't ($5)"
    doubts = doubtful_patterns(None, None, "refund|don't ($5)")
    assert [(doubt.route, doubt.code, doubt.why) for doubt in doubts] == snapshot(
        [
            (
                ("matches",),
                "bad-regex",
                "`$5` in this regular expression matches no text at all: `$` is the end of the text; for the character itself write 'refund|don''t (\\$5)', in single quotes",
            )
        ]
    )
    assert not doubtful_patterns(None, None, r"refund|don't (\$5)|^a|b$")


@pytest.mark.parametrize(
    ("pattern", "dead"),
    [
        ("$5|refund", "$5"),
        ("refund|$5", "$5"),
        ("refund|$5|$6", "$5"),
        ("a|(b|$5|c)d", "$5"),
        ("a|(b|c$5)d", "c$5"),
        (r"[$]5|refund|\$5", None),
    ],
)
def test_the_alternative_that_is_doubted_is_named(pattern: str, dead: str | None) -> None:
    """The first of them, wherever it stands, and no more than it."""
    told = dead_alternative(pattern)
    assert (told and told.partition(" in this regular expression")[0]) == (dead and f"`{dead}`")


def test_nothing_is_printed_about_a_bad_pattern(capfd: pytest.CaptureFixture[str]) -> None:
    """RE2's own log does not reach the terminal."""
    with pytest.raises(ValueError, match="not closed"):
        check_pattern("(x")
    assert capfd.readouterr() == ("", "")


def test_a_hostile_pattern_takes_linear_time() -> None:
    """A plan contains the pattern `(a+)+$`.

    Before: with Python's `re`, it takes exponential time.
    Now: RE2 takes linear time.
    """
    assert compile_pattern("(a+)+$").search("a" * 20_000 + "b") is None


def test_nested_groups_take_no_memory() -> None:
    """A plan contains a pattern with 4,000 nested groups.

    Before: each search took memory quadratic in their number.
    Now: no group captures.
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
    ("said", "told"),
    [
        ("missing ): (a", r"a ( is not closed; close it, or write \( for the character itself"),
        ("invalid character class: [:foo:]", r"there is no class `[:foo:]`; \d is a digit, \w a letter, digit or _, \s white space"),
        ("invalid character class range: z-a", "`z-a` runs backwards; write the earlier character first"),
        ("bad repetition operator: {2}*", "`{2}*` repeats a repetition; write one of the two"),
        ("trailing \\", r"nothing follows the \ at the end; write \\ for the character itself"),
        ("trailing \\ at end of regexp", r"nothing follows the \ at the end; write \\ for the character itself"),
        ("invalid group name: (?P<>", "`(?P<>` is no name of a group; leave the name out, such as (…)"),
        ("invalid named capture group: (?P<>", "`(?P<>` is no name of a group; leave the name out, such as (…)"),
        ("pattern too large", TOO_LARGE),
        ("pattern too large - compile failed", TOO_LARGE),
        ("invalid escape sequence: \\Z", r"`\Z` has no meaning; write \z for the end of the text"),
        ("invalid escape sequence: \\u", r"`\u` has no meaning; write the character itself"),
        ("invalid escape sequence: \\e", r"`\e` has no meaning; write the character itself"),
        ("invalid escape sequence: \\<", r"`\<` has no meaning; write \b for the edge of a word"),
        ("invalid escape sequence: \\>", r"`\>` has no meaning; write \b for the edge of a word"),
        ("unexpected error", "unexpected error"),
        ("Unexpected error: x", "Unexpected error: x"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_re2_says_is_told_in_our_words(said: str, told: str) -> None:
    """In the words of each of its versions, those that are known; others are told as they are."""
    assert explained(said, "x") == f"this is not a regular expression: {told}"


@pytest.mark.parametrize("pattern", [r"\9", r"(?P=name)", r"\k<name>"])
def test_what_was_found_before_is_not_repeated(pattern: str) -> None:
    """However another language would write it."""
    with pytest.raises(
        ValueError, match=r"` repeats what was found before, which these patterns cannot; write it out$"
    ):
        check_pattern(pattern)


def test_a_pattern_that_re2_cannot_hold_is_too_large() -> None:
    """Whose repetitions are each within bounds."""
    with pytest.raises(ValueError, match=re.escape(TOO_LARGE)):
        check_pattern(r"(\pL{1000}){1}" * 30)


@pytest.mark.parametrize(
    ("any_of", "all_of", "matches", "found"),
    [
        (["order|refund"], None, None, [(("any_of", 0), '"order|refund"')]),
        (["thirty days", "^order"], ["[a-z]+"], None, [(("any_of", 1), '"^order"'), (("all_of", 0), '"[a-z]+"')]),
        (["a | b", "3.5 + 2", "9:30?", "C:\\docs", "and/or", "(or)"], None, None, []),
        (["(?i)x"], None, None, [(("any_of", 0), '"(?i)x"')]),
        (["/order/"], None, None, [(("any_of", 0), '"/order/"')]),
    ],
)
def test_phrases_that_look_like_patterns_are_doubted(
    any_of: list[str], all_of: list[str] | None, matches: str | None, found: list[Any]
) -> None:
    """Each at its place, with what it may have been meant for."""
    why = "a phrase is compared word by word; if {} is a regular expression, write it as `matches`"
    assert [(doubt.route, doubt.why, doubt.code) for doubt in doubtful_patterns(any_of, all_of, matches)] == [
        (route, why.format(shown), "literal-pattern") for route, shown in found
    ]


@pytest.mark.parametrize(
    ("matches", "mended"),
    [
        ("/order/i", '"(?i)order"'),
        ("/order/", '"order"'),
        ("/order/gimsxu", '"(?ims)order"'),
        ("/or/der/g", '"or/der"'),
        ("order/i", None),
        ("and/or", None),
        ("//", None),
    ],
)
def test_slashes_around_a_pattern_are_doubted(matches: str, mended: str | None) -> None:
    """With the flags that these patterns know, written as they know them."""
    why = f"the slashes would have to be said: a regular expression stands without them, such as {mended}"
    expected = [(("matches",), why, "literal-pattern")] if mended else []
    found = doubtful_patterns(None, None, matches)
    assert [(doubt.route, doubt.why, doubt.code) for doubt in found] == expected


@pytest.mark.parametrize(("pattern", "everything"), [(".", True), ("[^a]", True), ("[^x]", False), ("[^7]", False), ("[x7]", False), (r"\d", False)])  # fmt: skip
def test_what_leaves_nothing_of_a_text_is_known(pattern: str, everything: bool) -> None:
    """A letter, a digit or a sign that it does not find is left."""
    assert finds_everything(compile_pattern(pattern)) is everything
