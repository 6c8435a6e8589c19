"""The JSON Schemas: they accept what the reader accepts, refuse what it refuses, and explain every key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from planner.checks import CHECKS
from planner.spec import library_schema, plan_schema, project_schema

jsonschema = pytest.importorskip("jsonschema", reason="an editor's validator, not needed by the program")

PLANS = Path(__file__).parents[2] / "plans"

GOOD = """\
version: 1
plan: p
targets: {a: {agent: 1}}
vars: {limit: 5}
defaults: {runs: 3, expect: [{check: call, status: completed}]}
scenarios:
  s:
    prompt: "{{ mood }}"
    matrix: {axes: {mood: [calm, 3, {id: x}], city: {file: cities.csv, column: name}}, exclude: [{mood: calm}]}
    expect:
      - {check: duration, max_seconds: "{{ limit }}"}
      - {check: says, any_of: [a], in: {first: 2}, severity: critical}
      - {check: tool_called, name: x, times: {min: 1}, arguments: {a: {matches: b}}}
"""


def load(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def complaints(text: str, schema: dict[str, Any] | None = None) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema or plan_schema())
    return [error.json_path for error in validator.iter_errors(load(text))]


def test_schemas_are_schemas() -> None:
    """All documents are valid JSON Schema 2020-12."""
    for schema in (plan_schema(), library_schema(), project_schema()):
        jsonschema.Draft202012Validator.check_schema(schema)


def test_schema_accepts_a_plan_that_uses_everything() -> None:
    """What the reader takes, an editor does not underline."""
    assert complaints(GOOD) == []
    assert complaints(GOOD.replace("{a: {agent: 1}}", "[a]")) == []


LIBRARY = """\
version: 1
kind: library
vars: {limit: 5}
targets: {a: {agent: 1}}
axes: {moods: [calm, {id: x}], cities: {file: cities.csv, column: name}}
expectations:
  quick: {check: duration, max_seconds: "{{ limit }}"}
  polite: [{check: never_says, matches: calm down}]
"""


def test_schema_accepts_a_library_and_what_uses_it() -> None:
    """A library has a schema of its own; a plan that imports one may leave its targets to it."""
    assert complaints(LIBRARY, library_schema()) == []
    using = GOOD.replace("targets: {a: {agent: 1}}", "imports: [lib.yaml]").replace(
        "{file: cities.csv, column: name}", "{use: cities}"
    )
    assert (
        complaints(using.replace("- {check: duration", "- {use: polite, severity: warning}\n      - {check: duration"))
        == []
    )


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("kind: library", "kind: lib", "$.kind"),
        ("version: 1\n", "", "$"),
        ("vars:", "plan: x\nvars:", "$"),
        ("moods:", "my moods:", "$.axes"),
        ("max_seconds", "max_second", "$.expectations.quick"),
        ("[{check: never_says, matches: calm down}]", "[]", "$.expectations.polite"),
        ("{check: never_says", "{use: quick", "$.expectations.polite"),
    ],
    ids=range(7),
)
def test_library_schema_refuses_what_the_reader_refuses(old: str, new: str, path: str) -> None:
    """An editor underlines what is wrong in a library as well."""
    assert old in LIBRARY
    assert path in complaints(LIBRARY.replace(old, new, 1), library_schema())


@pytest.mark.parametrize("plan", sorted(PLANS.glob("*.yaml")), ids=lambda path: path.name)
def test_schema_accepts_the_example_plans(plan: Path) -> None:
    """The plans people copy from are valid in an editor."""
    assert complaints(plan.read_text()) == []


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("version: 1\n", "", "$"),
        ("version: 1", "version: 2", "$.version"),
        ("plan: p", "plan: P Q", "$.plan"),
        ("vars:", "varz:", "$"),
        ("{agent: 1}", "{agent: 1, phone_number: 2}", "$.targets"),
        ("runs: 3", "runs: 0", "$.defaults.runs"),
        ("runs: 3", "runs: null", "$.defaults.runs"),
        ("runs: 3", "prompt: x", "$.defaults"),
        ("prompt:", "prompts:", "$.scenarios.s"),
        ("axes: {mood:", "axes: {my-mood:", "$.scenarios.s.matrix.axes"),
        ("file: cities.csv, ", "", "$.scenarios.s.matrix.axes.city"),
        ("check: duration", "check: durations", "$.scenarios.s.expect[0]"),
        ('"{{ limit }}"', '"5"', "$.scenarios.s.expect[0]"),
        ("max_seconds", "max_second", "$.scenarios.s.expect[0]"),
        ("severity: critical", "severity: bad", "$.scenarios.s.expect[1]"),
        ("name: x, ", "", "$.scenarios.s.expect[2]"),
    ],
    ids=range(16),
)
def test_schema_refuses_what_the_reader_refuses(old: str, new: str, path: str) -> None:
    """An editor underlines a fault at the innermost thing that has it."""
    assert old in GOOD
    assert path in complaints(GOOD.replace(old, new, 1))


def test_project_schema() -> None:
    """The project's keys, limits and targets."""
    good = "environments: {staging: {a: {agent: 1}}}\npolicy: {max_calls: 5, allowed_targets: [{agent: 1}]}\nrates: {spark: 8}\n"
    assert complaints(good, project_schema()) == []
    assert complaints(good.replace("max_calls", "max_cals"), project_schema()) == ["$.policy"]
    assert complaints(good.replace("{a: {agent: 1}}", "{A B: {}}"), project_schema()) != []


def properties(schema: Any) -> list[tuple[str, Any]]:
    """Every property with its schema, at any depth."""
    if isinstance(schema, list):
        return [found for item in schema for found in properties(item)]
    if not isinstance(schema, dict):
        return []
    own = list(schema["properties"].items()) if isinstance(schema.get("properties"), dict) else []
    return [*own, *(found for value in schema.values() for found in properties(value))]


@pytest.mark.parametrize("make", [plan_schema, library_schema, project_schema])
def test_every_key_is_explained(make: Any) -> None:
    """Hovering over any key in an editor says what it is for."""
    found = properties(make())
    assert len(found) > 10
    assert [name for name, schema in found if not schema.get("description")] == []


def test_every_check_is_a_branch_with_an_example() -> None:
    """One branch for each kind of check, told apart by `check`, each with a usable example."""
    schema = plan_schema()
    branches = [branch["$ref"].removeprefix("#/$defs/") for branch in schema["$defs"]["Expectation"]["oneOf"]]
    assert branches == [f"check-{name}" for name in CHECKS]
    for name in CHECKS:
        branch = schema["$defs"][f"check-{name}"]
        assert branch["properties"]["check"]["const"] == name
        for example in branch["examples"]:
            validator = jsonschema.Draft202012Validator({"$ref": "#/$defs/Expectation", "$defs": schema["$defs"]})
            assert [error.message for error in validator.iter_errors(example)] == []
