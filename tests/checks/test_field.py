"""Tests of `field` and its paths."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_core import PydanticCustomError

from planner.checks.field import MAX_LENGTH, MAX_VALUES, compile_path, find_values
from planner.evidence import Call

DOCUMENT = {
    "locale": "en-US",
    "score": 0.9,
    "flag": True,
    "nothing": None,
    "items": [{"n": 1, "tag": "a"}, {"n": 2, "tag": None}, {"n": 3}],
    "strange name": {"x": "17"},
}


@pytest.mark.parametrize(
    ("fields", "outcome", "said"),
    [
        ({"path": "$.locale", "equals": "en-US"}, "passed", '$.locale is "en-US"'),
        ({"path": "$.score", "equals": "0.9"}, "passed", "$.score is 0.9"),
        ({"path": "$.flag", "equals": True}, "passed", "$.flag is true"),
        ({"path": "$.items[0]", "equals": {"n": 1}}, "passed", '$.items[0] is {"n":1,"tag":"a"}'),
        ({"path": "$['strange name'].x", "in": [16, "17"]}, "passed", '$["strange name"].x is "17"'),
        ({"path": "$.score", "in": [1, 2]}, "failed", "$.score was 0.9, expected one of 1, 2"),
        ({"path": "$.items[*].n", "min": 1}, "passed", "$.items[0].n is 1; 2 further values hold as well"),
        ({"path": "$.items[*].n", "max": 2}, "failed", "$.items[2].n is 3, expected at most 2"),
        ({"path": "$.items[*].n", "min": 2, "max": 3}, "failed", "$.items[0].n is 1, expected at least 2"),
        ({"path": "$.items[?@.tag == 'a'].n", "equals": 1}, "passed", "$.items[0].n is 1"),
        ({"path": "$.locale", "min": 1}, "errored", '$.locale was "en-US", which is not a number'),
        ({"path": "$.flag", "min": 0}, "errored", "$.flag was true, which is not a number"),
        ({"path": "$.nothing", "equals": "x"}, "errored", "the service gave no value of $.nothing: it is null"),
        ({"path": "$.nothing", "in": ["x", None]}, "passed", "$.nothing is null"),
        ({"path": "$.locale", "in": ["x", None]}, "failed", '$.locale was "en-US", expected one of "x", null'),
        ({"path": "$.items[*].tag", "matches": "b"}, "failed", '$.items[0].tag was "a", expected a match of "b"'),
        ({"path": "$.items[*].tag", "matches": "a"}, "errored", "it is null"),
        ({"path": "$.items[1].tag", "exists": True}, "passed", "$.items[1].tag finds 1 value"),
        ({"path": "$.items[*].tag", "exists": False}, "failed", "$.items[*].tag finds 2 values, expected nothing"),
        ({"path": "$.items[2].tag", "equals": "a"}, "errored", "the service gave no $.items[2].tag"),
    ],
)
def test_fields_are_judged(talk: Any, assert_judged: Any, fields: Any, outcome: str, said: str) -> None:
    """All values must hold; missing or null is undecided."""
    evidence = talk(call=Call(call_id=9, status="completed", document=DOCUMENT))
    assert_judged(evidence, outcome, None, said, check="field", **fields)


def test_too_many_values_are_undecided(talk: Any, judge: Any) -> None:
    many = Call(call_id=9, status="completed", document={"a": [1] * (MAX_VALUES + 1)})
    expected = ("errored", "$.a[*] finds more than 1,000 values, or goes too deep", None)
    assert judge(talk(call=many), check="field", path="$.a[*]", max=1) == expected
    enough = Call(call_id=9, status="completed", document={"a": [1] * MAX_VALUES})
    assert judge(talk(call=enough), check="field", path="$.a[*]", max=1)[0] == "passed"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("locale", "a path begins with `$`, which is the call, as in $.locale"),
        (".locale", "a path begins with `$`, which is the call, as in $.locale"),
        ("call.locale", "a path begins with `$`, which is the call, as in $.locale"),
        ("/items[0]/name", "a path begins with `$`, which is the call, as in $.locale"),
        ("@.a[*].b", "a path begins with `$`, which is the call, as in $.locale"),
        ("", "a path begins with `$`, which is the call, as in $.locale"),
        ("a b", "a path begins with `$`, which is the call, as in $.locale"),
        ("/a-b/0", "a path begins with `$`, which is the call, as in $.locale"),
        ("$" + ".a" * 150, "a path may have 300 characters, this one has 301"),
        ("$..a..b", "`..` may occur in a path once"),
        ("$[0,0][0,0]", "only one pair of brackets may list several selectors"),
        ("$.a[?$.b]", "a filter may use only `@`, not `$`"),
        ("$.a[?!@..b]", "a path inside a filter may have names, indices, slices and `*` only"),
        ("$.a[?@.x == 1 && @[?@.b]]", "a path inside a filter may have names, indices, slices and `*` only"),
        ("$.a[?@[0,1]]", "a path inside a filter may have names, indices, slices and `*` only"),
    ],
)
def test_costly_paths_are_rejected(refusal: Any, path: str, message: str) -> None:
    assert refusal(check="field", path=path, exists=True) == [(("path",), message)]


PLACES = {
    "$.a[": (3, 4),
    "$.a[?(@.b == 1]": (5, 6),
    "$[1 [2]]": (4, 5),
    "$[**]": (3, 4),
    "$[1..b]": (3, 5),
    "$.a['b": (4, 5),
    "$.items[*.quantity": (9, 10),
    "$.a[?@.x = 1]": (9, 10),
    "$.a[?@.b =~ /x/]": (9, 10),
    "$.a[?@.x == 'y' and @.z]": (16, 19),
    "$.a[?@.b == True]": (12, 16),
    "$.a[?match(@.b, '(a+)+$')]": (5, 10),
    "$.a[?foo(@.b)]": (5, 8),
    "$.a[?count(@.b)]": (4, 5),
    "$.a[99999999999999999999]": (4, 24),
    "$.a[1:2:3:4]": (9, 10),
    "$.a[]": (3, 4),
    "$a": (1, 2),
    "$.0": (2, 3),
    "$.a.'b'": (5, 6),
    "$.a.length()": (10, 11),
    "$.a | $.b": (4, 5),
}
"""By path, the first and the last place of the part that is named."""


def test_path_errors_have_a_place() -> None:
    for path, place in PLACES.items():
        with pytest.raises(PydanticCustomError) as caught:
            compile_path(path)
        assert (context := caught.value.context) is not None
        assert (context["start"], context["end"]) == place, path


@pytest.mark.parametrize("path", ["$", "$..n", "$[*][0,1]", "$.items[?count(@.*) > 1 && (@.n > 0 || !@.tag)]"])
def test_valid_paths(path: str) -> None:
    """One descent, one list of selectors, filters on `@`."""
    assert len(path) <= MAX_LENGTH
    assert compile_path(path) is compile_path(path)
    assert find_values(path, DOCUMENT)


def test_bounds_of_paths() -> None:
    longest = "$." + "a" * (MAX_LENGTH - 2)
    assert find_values(longest, {longest[2:]: 1}) == [(longest, 1)]
    with pytest.raises(ValueError, match="this one has 301"):
        compile_path(longest + "a")
    assert len(find_values("$.a[*]", {"a": [0] * MAX_VALUES}) or ()) == MAX_VALUES
    assert find_values("$.a[*]", {"a": [0] * (MAX_VALUES + 1)}) is None


def test_path_functions() -> None:
    """Those of RFC 9535 without patterns."""
    items = {"items": [{"name": "cup", "of": [1, 2]}, {"name": "pots", "of": [1]}]}
    assert [place for place, _ in find_values("$.items[?length(@.name) > 3]", items) or ()] == ["$.items[1]"]
    assert [place for place, _ in find_values("$.items[?count(@.of[*]) > 1]", items) or ()] == ["$.items[0]"]
    for name in ("match", "search"):
        with pytest.raises(ValueError, match="not a JSONPath"):
            compile_path(f"$.items[?{name}(@.name, 'c')]")
