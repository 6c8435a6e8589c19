"""Tests of all kinds of check together."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args

import pytest
from pydantic import ValidationError

from planner.checks import CHECKS
from planner.checks.base import Expectation

EXAMPLES = [(name, example) for name, kind in CHECKS.items() for example in kind.model_json_schema()["examples"]]


def test_names_match_the_models() -> None:
    names = {name: get_args(kind.model_fields["check"].annotation) for name, kind in CHECKS.items()}
    assert names == {name: (name,) for name in CHECKS}


@pytest.mark.parametrize(
    ("name", "example"), EXAMPLES, ids=[f"{name}-{index}" for index, (name, _) in enumerate(EXAMPLES)]
)
def test_examples_are_valid(read: Any, name: str, example: dict[str, Any]) -> None:
    assert example["check"] == name
    assert isinstance(read(**example), Expectation)


@pytest.mark.parametrize("kind", CHECKS.values(), ids=CHECKS)
def test_every_field_has_a_description(kind: type[Expectation]) -> None:
    schema = kind.model_json_schema()
    assert schema["description"]
    undescribed = [name for name, field in schema["properties"].items() if "description" not in field]
    assert undescribed == []
    assert all(re.search(r"[.…]$", field["description"]) for field in schema["properties"].values())


def test_a_kind_says_whether_the_caller_can_cause_its_failure() -> None:
    """At its definition, not when the first call fails."""
    with pytest.raises(TypeError, match="caller_can_cause_failure"):

        class Undecided(Expectation, frozen=True):  # pyright: ignore[reportUnusedClass]
            check: Literal["undecided"]


@pytest.mark.parametrize("severity", ["critical", "error", "warning"])
def test_severities(read: Any, severity: str) -> None:
    assert read(check="cost", max_cents=1, severity=severity).fingerprint_fields()["severity"] == severity


def test_fingerprint_fields(read: Any) -> None:
    """Without id and description, with defaults and version."""
    said = read(check="says", any_of=["a"], id="greets", description="Because.")
    assert said.fingerprint_fields() == {
        "check": "says",
        "severity": "error",
        "who": "agent",
        "any_of": ["a"],
        "ignore_case": True,
        "in": "any",
        "spoken": False,
        "version": 11,
    }
    assert (
        said.fingerprint_fields()
        == read(check="says", any_of=["a"], who="agent", ignore_case=True).fingerprint_fields()
    )


def test_versions_do_not_decrease() -> None:
    """Runs judged by an older version are judged again."""
    raised = {
        "call": 2,
        "grade": 2,
        "latency": 4,
        "no_pii": 9,
        "says": 11,
        "never_says": 11,
        "sequence": 12,
        "pacing": 2,
    }
    assert {name: CHECKS[name].version for name in raised} == raised


@pytest.mark.parametrize(("name", "example"), EXAMPLES[::2], ids=str)
def test_expectations_are_immutable(read: Any, name: str, example: dict[str, Any]) -> None:
    """Cases share them."""
    with pytest.raises(ValidationError, match="frozen"):
        read(**example).check = name


def test_fingerprint_keeps_expected_nulls(read: Any) -> None:
    """`{x: null}` differs from no `x`."""
    with_null = read(check="tool_called", name="a", arguments={"x": None}).fingerprint_fields()
    without = read(check="tool_called", name="a", arguments={}).fingerprint_fields()
    assert with_null["arguments"] == {"x": None}
    assert without["arguments"] == {}


def test_judging_twice_gives_the_same_result(talk: Any, read: Any) -> None:
    evidence = talk("agent: Hello.", "caller: Hi.")
    for _, example in EXAMPLES:
        expectation, twin = read(**example), read(**example)
        assert expectation.judge(evidence) == expectation.judge(evidence)
        assert expectation == twin
        assert expectation.model_dump() == twin.model_dump()


KEYWORDS = {
    "$defs", "$ref", "additionalProperties", "anyOf", "const", "default", "description", "enum", "examples", "maxLength",
    "exclusiveMinimum", "items", "maximum", "minItems", "minLength", "minimum", "not", "pattern", "properties", "required",
    "title", "type",
}  # fmt: skip


def keywords(schema: Any) -> set[tuple[str, str]]:
    """(keyword, type next to it) of a schema and all schemas in it."""
    if isinstance(schema, list):
        return set().union(*map(keywords, schema))
    if not isinstance(schema, dict):
        return set()
    found = {(key, str(schema.get("type"))) for key in schema}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            found |= set().union(*map(keywords, value.values()))
        elif key not in ("examples", "default", "enum", "const"):
            found |= keywords(value)
    return found


@pytest.mark.parametrize("kind", CHECKS.values(), ids=CHECKS)
def test_schemas_use_json_schema_keywords(kind: type[Expectation]) -> None:
    found = keywords(kind.model_json_schema())
    assert {key for key, _ in found} <= KEYWORDS
    assert {beside for key, beside in found if key == "minLength"} <= {"string"}
    assert {beside for key, beside in found if key == "minItems"} <= {"array"}
    assert {beside for key, beside in found if key in ("minimum", "maximum")} <= {"integer", "number"}
