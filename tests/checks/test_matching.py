"""Matchers of JSON values: what equals what, and the messages about what does not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from planner.checks.judgement import LONGEST_VALUE, shown
from planner.checks.matching import ABSENT, Matcher, check_matcher

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text().filter(lambda key: key not in ("matches", "any_of", "exists")), inner)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("written", "actual"),
    [
        ("17", 17),
        ("17.5", 17.5),
        ("true", True),
        (17, 17.0),
        (None, None),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": {"b": [1, {"c": "2"}]}}, {"a": {"b": [1, {"c": 2, "d": 3}]}}),
        ({"matches": "^ord"}, "order"),
        ({"matches": r"^\d+$"}, 17),
        ({"matches": "late"}, {"status": "late"}),
        ({"matches": "^null$"}, None),
        ({"any_of": ["a", 17]}, "a"),
        ({"any_of": [{"matches": "^x"}, None]}, None),
        ({"exists": True}, None),
        ({"exists": False}, ABSENT),
        ({"a": {"exists": False}}, {"b": 1}),
    ],
)
def test_a_value_that_is_as_expected(written: Any, actual: Any) -> None:
    """Numbers equal by value, a string what it spells, objects by the keys that are written."""
    assert Matcher(written).mismatch(actual, "x") is None


@pytest.mark.parametrize(
    ("written", "actual", "message"),
    [
        (17, "17", 'x was the string "17", expected 17'),
        ("17", 18, 'x was 18, expected "17"'),
        ("a", "A", 'x was "A", expected "a"'),
        (True, 1, "x was 1, expected true"),
        (1, True, "x was true, expected 1"),
        (None, 0, "x was 0, expected null"),
        ("a", ABSENT, 'x was not given, expected "a"'),
        ("a", ["a"], 'x was ["a"], expected "a"'),
        ({"a": 1}, [1], 'x was [1], expected {"a":1}'),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "x.a.b was 2, expected 1"),
        ({"a": 1}, {}, "x.a was not given, expected 1"),
        ([1, 2], [1], "x was [1], expected [1,2]"),
        ([1, 2], [1, 3], "x[1] was 3, expected 2"),
        ({"matches": "^a"}, "b", 'x was "b", expected a match of "^a"'),
        ({"matches": "^a"}, ABSENT, 'x was not given, expected a match of "^a"'),
        ({"any_of": [1, "b"]}, 2, 'x was 2, expected one of 1, "b"'),
        ({"any_of": [1]}, ABSENT, "x was not given, expected one of 1"),
        ({"exists": True}, ABSENT, "x was not given"),
        ({"exists": False}, 3, "x was 3, expected not to be given"),
    ],
)
def test_a_value_that_is_not_as_expected(written: Any, actual: Any, message: str) -> None:
    """The message has what was found and what was expected, at the path where they differ."""
    assert Matcher(written).mismatch(actual, "x") == message


def test_exact_allows_no_further_key_at_any_depth() -> None:
    """What is not written is unwelcome, within keys too."""
    assert Matcher({"a": 1}, exact=True).mismatch({"a": 1, "b": 2}, "") == "b was 2, expected not to be given"
    inner = Matcher({"a": [{"b": 1}]}, exact=True)
    assert inner.mismatch({"a": [{"b": 1, "c": 2}]}, "x") == "x.a[0].c was 2, expected not to be given"
    assert inner.mismatch({"a": [{"b": 1}]}, "x") is None


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"matches": "a", "any_of": [1]}, "takes one of `matches`, `any_of` and `exists`, with no other key beside it"),
        ({"exists": True, "a": 1}, "takes one of `matches`, `any_of` and `exists`, with no other key beside it"),
        ({"matches": 3}, "`matches` takes a regular expression, in quotes"),
        ({"any_of": []}, "`any_of` takes a list of at least one value"),
        ({"any_of": "a"}, "`any_of` takes a list of at least one value"),
        ({"exists": "yes"}, "`exists` takes true or false"),
        ({"a": [{"exists": 1}]}, "`exists` takes true or false"),
    ],
)
def test_a_matcher_that_cannot_be_meant_is_refused(written: Any, message: str) -> None:
    with pytest.raises(ValueError, match="takes") as caught:
        check_matcher(written)
    assert str(caught.value) == message


@given(JSON)
def test_any_value_equals_itself(value: Any) -> None:
    """What an author copies from a call matches that call, exactly too."""
    assert Matcher(value).mismatch(value, "x") is None
    assert Matcher(value, exact=True).mismatch(value, "x") is None


@pytest.mark.parametrize(
    ("written", "key", "instead"),
    [
        ({"matchs": ".*"}, "matchs", "`matches`"),
        ({"Matches": "x"}, "Matches", "`matches`"),
        ({"a": [{"exist": True}]}, "exist", "`exists`"),
        ({"any-of": [1, 2]}, "any-of", "`any_of`"),
        ({"one of": [1, 2]}, "one of", "`any_of`"),
        ({"any_of": [1, {"in": [2]}]}, "in", "`any_of`"),
        ({"not": "x"}, "not", "`not`"),
        ({"min": 3, "max": 4.5}, "min", "matches"),
        ({"regex": "x"}, "regex", "`matches`"),
        ({"one_of": ["x"]}, "one_of", "`any_of`"),
        ({"present": True}, "present", "`exists`"),
        ({"equals": 3}, "equals", "the value itself, 3"),
        ({"gte": 3}, "gte", "pattern"),
    ],
)  # fmt: skip
def test_a_mistyped_matcher_is_refused(read: Any, written: Any, key: str, instead: str) -> None:
    """As an object it would match no call, and in `tool_not_called` it would hide every call."""
    with pytest.raises(ValidationError) as raised:
        read(check="tool_not_called", name="t", arguments={"a": written})
    (error,) = raised.value.errors()
    assert f"`{key}` is not a matcher" in error["msg"]
    assert instead in error["msg"]
    assert f"{{any_of: [{{{key}: …}}]}}" in error["msg"]


@pytest.mark.parametrize(
    "written",
    [
        {"matched": True},
        {"match": True},
        {"matching": 3},
        {"min": "a", "max": "b"},
        {"min": 3, "unit": "kg"},
        {"equals": {"a": 1}},
        {"maximum_price": 3},
        {"in": "Berlin"},
        {"given": "Ana"},
        {},
    ],
)
def test_an_object_like_any_other_is_one(read: Any, written: Any) -> None:
    """Only what could be a matcher by its value, too, is taken for a mistyped one."""
    assert read(check="tool_not_called", name="t", arguments={"a": written}).arguments == {"a": written}


def test_an_object_that_looks_like_a_matcher_is_accepted_alone_in_an_any_of() -> None:
    """Beside anything else it is refused."""
    check_matcher({"any_of": [{"regex": "x"}]})
    others: Any = ({"some": [{"regex": "x"}]}, {"any_of": [{"regex": "x"}, 1]})
    for written in others:
        with pytest.raises(ValueError, match=r"^`regex` is not a matcher"):
            check_matcher(written)


def test_long_values_are_cut() -> None:
    fitting = "a" * (LONGEST_VALUE - 2)
    assert LONGEST_VALUE == 120
    assert shown(fitting) == f'"{fitting}"'
    cut = shown(fitting + "a")
    assert cut == '"' + "a" * (LONGEST_VALUE - 2) + "…"
    assert len(cut) == LONGEST_VALUE
    message = Matcher("a").mismatch("b\n" * 500, "x")
    assert message is not None
    assert len(message) < 200
    assert "\n" not in message
