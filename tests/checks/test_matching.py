"""Matchers of JSON values: what equals what, and what is told of what does not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from planner.checks.matching import ABSENT, Expected, ExpectedUnlessNull, read_matcher
from planner.checks.near_matchers import check_no_near_matcher

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
    assert read_matcher(written).mismatch(actual, "x") is None


@pytest.mark.parametrize(
    ("written", "actual", "told"),
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
def test_a_value_that_is_not_as_expected(written: Any, actual: Any, told: str) -> None:
    """What was found is told against what was asked, at the path where they part."""
    assert read_matcher(written).mismatch(actual, "x") == told


def test_exact_allows_no_further_key_at_any_depth() -> None:
    """What is not written is unwelcome, within keys too."""
    assert read_matcher({"a": 1}, exact=True).mismatch({"a": 1, "b": 2}, "") == "b was 2, expected not to be given"
    inner = read_matcher({"a": [{"b": 1}]}, exact=True)
    assert inner.mismatch({"a": [{"b": 1, "c": 2}]}, "x") == "x.a[0].c was 2, expected not to be given"
    assert inner.mismatch({"a": [{"b": 1}]}, "x") is None


def test_a_long_value_is_cut() -> None:
    """A message stays a line, whatever a tool was given."""
    told = read_matcher("a").mismatch("b\n" * 500, "x")
    assert told is not None
    assert len(told) < 200
    assert "\n" not in told


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
    """Wherever it stands, the author reads what it takes."""
    with pytest.raises(ValueError, match="takes") as caught:
        read_matcher(written)
    assert str(caught.value) == message


@given(JSON)
def test_any_value_equals_itself(value: Any) -> None:
    """What an author copies from a call matches that call, exactly too."""
    assert read_matcher(value).mismatch(value, "x") is None
    assert read_matcher(value, exact=True).mismatch(value, "x") is None


@given(JSON, JSON)
def test_exact_is_never_more_lenient(written: Any, actual: Any) -> None:
    """Whatever `exact` accepts is accepted without it."""
    if read_matcher(written, exact=True).mismatch(actual, "x") is None:
        assert read_matcher(written).mismatch(actual, "x") is None


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"matchs": ".*"}, "`matchs` is no matcher; write `matches`"),
        ({"Matches": "x"}, "`Matches` is no matcher; write `matches`"),
        ({"regex": "x"}, "`regex` is no matcher; write `matches`"),
        ({"a": [{"exist": True}]}, "`exist` is no matcher; write `exists`"),
        ({"any-of": [1, 2]}, "`any-of` is no matcher; write `any_of`"),
        ({"one-of": [1, 2]}, "`one-of` is no matcher; write `any_of`"),
        ({"one of": [1, 2]}, "`one of` is no matcher; write `any_of`"),
        ({"any of": [1, 2]}, "`any of` is no matcher; write `any_of`"),
        ({"any_of": [1, {"in": [2]}]}, "`in` is no matcher; write `any_of`"),
        ({"equals": 3}, "`equals` is no matcher: a value that is equal is written as it is, 3"),
        (
            {"not": "x"},
            "`not` is no matcher; write the opposite, or `tool_not_called`, or the check `not` around all of it",
        ),
        (
            {"min": 3, "max": 4.5},
            "`min` is no matcher, and there is none for a range; write a pattern, such as {matches: '^[3-9]$'}",
        ),
    ],
)
def test_a_mistyped_matcher_is_not_an_object(read: Any, written: Any, message: str) -> None:
    """Compared as an object it would pass whatever must not be called, and fail every call otherwise."""
    whole = (
        f"{message}; if it is an object with this key that is meant, write {{any_of: [{{{_first_key(written)}: …}}]}}"
    )
    for fields in (
        {"check": "tool_not_called", "name": "t", "arguments": {"a": written}},
        {"check": "field", "path": "$.a", "equals": written},
    ):
        with pytest.raises(ValidationError) as raised:
            read(**fields)
        assert [error["msg"] for error in raised.value.errors()] == [f"Value error, {whole}"]


def _first_key(written: Any) -> str:
    """The key that looks like a matcher's."""
    while isinstance(written, list) or set(written) <= {"a", "any_of"}:
        written = written[-1] if isinstance(written, list) else next(iter(written.values()))
    return next(iter(written))


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


WORDS_OF_OTHERS: dict[str, tuple[Any, str]] = {
    "match": ("x", "; write `matches`"),
    "matching": ("x", "; write `matches`"),
    "regex": ("x", "; write `matches`"),
    "regexp": ("x", "; write `matches`"),
    "contains": ("x", "; write `matches`"),
    "includes": ("x", "; write `matches`"),
    "in": (["x"], "; write `any_of`"),
    "one_of": (["x"], "; write `any_of`"),
    "oneof": (["x"], "; write `any_of`"),
    "present": (True, "; write `exists`"),
    "given": (True, "; write `exists`"),
    "equals": (3, ": a value that is equal is written as it is, 3"),
    "equal": (3, ": a value that is equal is written as it is, 3"),
    "eq": (3, ": a value that is equal is written as it is, 3"),
    **dict.fromkeys(
        ("min", "max", "minimum", "maximum", "gt", "gte", "ge", "lt", "lte", "le"),
        (3, ", and there is none for a range; write a pattern, such as {matches: '^[3-9]$'}"),
    ),
}


@pytest.mark.parametrize("word", WORDS_OF_OTHERS)
def test_every_word_of_another_language_is_answered_with_what_is_written_here(word: str) -> None:
    """Each is a matcher elsewhere; the author is told what does the same here."""
    value, proposed = WORDS_OF_OTHERS[word]
    with pytest.raises(ValueError, match=r".") as raised:
        check_no_near_matcher({word: value})
    assert str(raised.value) == (
        f"`{word}` is no matcher{proposed}; if it is an object with this key that is meant, write {{any_of: [{{{word}: …}}]}}"
    )


@pytest.mark.parametrize(
    ("field", "scalars"),
    [(Expected, ["string", "number", "boolean", "null"]), (ExpectedUnlessNull, ["string", "number", "boolean"])],
)
def test_what_an_editor_is_told_of_a_value_or_matcher(field: Any, scalars: list[str]) -> None:
    """A matcher as it must be, a scalar or a list, or an object that has none of the matchers' keys."""

    def matcher(key: str, **takes: Any) -> dict[str, Any]:
        return {"type": "object", "required": [key], "properties": {key: takes}, "additionalProperties": False}

    assert TypeAdapter(field).json_schema() == {
        "description": "A value to equal, or a matcher in place of one.",
        "anyOf": [
            matcher("matches", type="string", description="A regular expression (RE2 syntax) to find in it."),
            matcher("any_of", type="array", minItems=1, description="Values, one of which it equals."),
            matcher("exists", type="boolean", description="Whether it is given at all."),
            {"type": [*scalars, "array"]},
            {
                "type": "object",
                "not": {"anyOf": [{"required": ["matches"]}, {"required": ["any_of"]}, {"required": ["exists"]}]},
            },
        ],
    }


def test_an_any_of_beside_something_else_means_nothing_of_the_kind() -> None:
    """Only alone it says that what stands in it is meant."""
    check_no_near_matcher({"any_of": [{"regex": "x"}]})
    others: Any = ({"any_of": [{"regex": "x"}], "b": 1}, {"some": [{"regex": "x"}]}, {"any_of": [{"regex": "x"}, 1]})
    for written in others:
        with pytest.raises(ValueError, match=r"^`regex` is no matcher; write `matches`; if it is"):
            check_no_near_matcher(written)


def test_an_object_that_looks_like_a_matcher_can_be_meant() -> None:
    """Alone in an `any_of`, it is one option that is written out."""
    matcher = read_matcher({"any_of": [{"min": 3}]})
    assert matcher.mismatch({"min": 3, "max": 4}, "x") is None
    assert matcher.mismatch({"min": 4}, "x") == 'x was {"min":4}, expected one of {"min":3}'
