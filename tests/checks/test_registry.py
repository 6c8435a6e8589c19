"""The registry of checks, and what every check promises."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from planner.checks import CHECKS
from planner.checks.base import Expectation
from planner.checks.meaning import missing_packages

EXAMPLES = [
    (name, example)
    for name, kind in CHECKS.items()
    for example in kind.model_json_schema()["examples"]
    if name != "similar" or not missing_packages()  # its extra is no part of what most have installed
]


def test_every_check_goes_by_the_name_it_is_registered_under() -> None:
    """The `check:` an author writes, the registry's key and the model's literal are one."""
    names = {name: get_args(kind.model_fields["check"].annotation) for name, kind in CHECKS.items()}
    assert names == {name: (name,) for name in CHECKS}


@pytest.mark.parametrize(
    ("name", "example"), EXAMPLES, ids=[f"{name}-{index}" for index, (name, _) in enumerate(EXAMPLES)]
)
def test_every_example_of_the_schema_can_be_written(read: Any, name: str, example: dict[str, Any]) -> None:
    """Documentation and editors show nothing that validation refuses."""
    assert example["check"] == name
    assert isinstance(read(**example), Expectation)


@pytest.mark.parametrize("kind", CHECKS.values(), ids=CHECKS)
def test_every_field_is_described(kind: type[Expectation]) -> None:
    """Editors have a sentence for each field, and the check itself has one."""
    schema = kind.model_json_schema()
    assert schema["description"]
    undescribed = [name for name, field in schema["properties"].items() if "description" not in field]
    assert undescribed == []
    assert all(re.search(r"[.…]$", field["description"]) for field in schema["properties"].values())


def test_the_fingerprint_holds_what_decides_a_judgement(read: Any) -> None:
    """Names and descriptions may change for free; fields, defaults and the check's own version may not."""
    said = read(check="says", any_of=["a"], id="greets", description="Because.")
    assert said.fingerprint_fields() == {
        "check": "says",
        "severity": "error",
        "who": "agent",
        "any_of": ["a"],
        "ignore_case": True,
        "in": "any",
        "spoken": False,
        "version": 8,
    }
    assert (
        said.fingerprint_fields()
        == read(check="says", any_of=["a"], who="agent", ignore_case=True).fingerprint_fields()
    )


def test_a_version_that_was_raised_stays_raised() -> None:
    """Runs that an older version judged are judged again; those of this one are not, and no model is asked again."""
    raised = {"call": 2, "grade": 2, "latency": 2, "similar": 2, "no_pii": 8, "says": 8, "never_says": 8, "sequence": 8}
    assert {name: CHECKS[name].version for name in raised} == raised


@pytest.mark.parametrize(("name", "example"), EXAMPLES[::2], ids=str)
def test_an_expectation_cannot_be_changed(read: Any, name: str, example: dict[str, Any]) -> None:
    """Cases share expectations: what one reader sees, all see."""
    with pytest.raises(ValidationError, match="frozen"):
        read(**example).check = name


def test_the_fingerprint_keeps_a_null_that_is_expected(read: Any) -> None:
    """`{x: null}` and no `x` ask different things."""
    with_null = read(check="tool_called", name="a", arguments={"x": None}).fingerprint_fields()
    without = read(check="tool_called", name="a", arguments={}).fingerprint_fields()
    assert with_null["arguments"] == {"x": None}
    assert without["arguments"] == {}


def test_judging_twice_gives_the_same(talk: Any, read: Any) -> None:
    """What is cached inside a check changes neither its equality nor its judgement."""
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
    """(keyword, type it stands beside) of a schema and all schemas in it."""
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
def test_limits_reach_the_schema_as_json_schema_spells_them(kind: type[Expectation]) -> None:
    """No keyword of the validation library leaks into what editors read, and none stands beside the wrong type."""
    found = keywords(kind.model_json_schema())
    assert {key for key, _ in found} <= KEYWORDS
    assert {beside for key, beside in found if key == "minLength"} <= {"string"}
    assert {beside for key, beside in found if key == "minItems"} <= {"array"}
    assert {beside for key, beside in found if key in ("minimum", "maximum")} <= {"integer", "number"}
