"""The JSON Schemas: they accept what the reader accepts, refuse what it refuses, and explain every key."""

from __future__ import annotations

from functools import cache
from pathlib import Path, PurePath
from typing import Any

import pytest

from planner.checks import CHECKS
from planner.diagnostics import Diagnostics
from planner.planfile import schema as schemas
from planner.planfile.examples import examples
from planner.planfile.reporter import Reporter
from planner.planfile.yaml.document import Source
from planner.planfile.yaml.reader import parse

jsonschema = pytest.importorskip("jsonschema", reason="an editor's validator, not needed by the program")

plan_schema, library_schema, project_schema = map(
    cache, (schemas.plan_schema, schemas.library_schema, schemas.project_schema)
)

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
    """As planner reads it, and editors do: a day is a string."""
    return parse(Source("plan.yaml", text), Reporter(Diagnostics()))


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
expectations:
  quick: {check: duration, max_seconds: "{{ limit }}"}
  polite: [{check: never_says, matches: calm down}]
"""


def test_schema_accepts_a_library_and_what_uses_it() -> None:
    """A library has a schema of its own."""
    assert complaints(LIBRARY, library_schema()) == []
    used = "- {use: polite, severity: warning}\n      - {check: duration"
    assert complaints(GOOD.replace("- {check: duration", used)) == []


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("kind: library", "kind: lib", "$.kind"),
        ("version: 1\n", "", "$"),
        ("vars:", "plan: x\nvars:", "$"),
        ("polite:", "very polite:", "$.expectations"),
        ("max_seconds", "max_second", "$.expectations.quick"),
        ("[{check: never_says, matches: calm down}]", "[]", "$.expectations.polite"),
        ("{check: never_says", "{use: quick", "$.expectations.polite[0]"),
    ],
    ids=range(7),
)
def test_library_schema_rejects_what_the_reader_rejects(old: str, new: str, path: str) -> None:
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
        ("check: duration", "check: durations", "$.scenarios.s.expect[0].check"),
        ('"{{ limit }}"', '"5"', "$.scenarios.s.expect[0].max_seconds"),
        ("max_seconds", "max_second", "$.scenarios.s.expect[0]"),
        ("severity: critical", "severity: bad", "$.scenarios.s.expect[1].severity"),
        ("name: x, ", "", "$.scenarios.s.expect[2]"),
    ],
    ids=range(16),
)
def test_schema_rejects_what_the_reader_rejects(old: str, new: str, path: str) -> None:
    """An editor underlines a diagnostic at the innermost thing that has it."""
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
    return [*own, *(found for key, value in schema.items() if key != "if" for found in properties(value))]


@pytest.mark.parametrize("make", [plan_schema, library_schema, project_schema])
def test_every_key_is_explained(make: Any) -> None:
    """Hovering over any key in an editor says what it is for."""
    whole = make()
    shared = {f"#/$defs/{name}": definition for name, definition in whole["$defs"].items()}
    found = [(name, schema and {**shared.get(schema.get("$ref"), {}), **schema}) for name, schema in properties(whole)]
    assert len(found) > 10
    refused = [name for name, schema in found if schema is False]
    assert set(refused) <= {"severity", "min_pass_rate"}  # of the parts of a combinator
    explained = [(name, schema) for name, schema in found if schema is not False]
    assert [name for name, schema in explained if not schema.get("description")] == []


def test_every_check_is_a_branch_with_an_example() -> None:
    """One branch for each kind of check, chosen by `check`, which says what each is for; each with a usable example."""
    schema = plan_schema()
    expectation = schema["$defs"]["Expectation"]
    assert expectation["properties"]["check"]["enum"] == list(CHECKS)
    assert all(expectation["properties"]["check"]["enumDescriptions"])
    branches = [branch["then"]["$ref"].removeprefix("#/$defs/") for branch in expectation["allOf"]]
    assert branches == [f"check-{name}" for name in CHECKS]
    for name in CHECKS:
        branch = schema["$defs"][f"check-{name}"]
        assert branch["properties"]["check"]["const"] == name
        for example in branch["examples"]:
            validator = jsonschema.Draft202012Validator({"$ref": "#/$defs/Expectation", "$defs": schema["$defs"]})
            assert [error.message for error in validator.iter_errors(example)] == []


def of_a_kind(name: str, text: str) -> dict[str, Any]:
    """The schema that an editor would use for a file of an example."""
    if PurePath(name).name == "planner.yaml":
        return project_schema()
    return library_schema() if "kind: library" in text else plan_schema()


@pytest.mark.parametrize("code", examples())
def test_schema_accepts_the_fixed_examples(code: str) -> None:
    example = examples()[code]
    for name, text in {**example.beside, **example.fixed}.items():
        if name.endswith(".yaml") and not name.startswith("agents/"):
            assert complaints(text, of_a_kind(name, text)) == [], name


def test_schema_refuses_the_broken_examples_that_it_can() -> None:
    """Editors underline what is wrong in one file without rendering templates."""
    refused: list[str] = []
    for code, example in sorted(examples().items()):
        for name, text in example.broken.items():
            if not name.startswith("agents/") and load(text) is not None and complaints(text, of_a_kind(name, text)):
                refused.append(code)
    assert refused == [
        "bad-alias",
        "bad-axis",
        "bad-value",
        "duplicate-item",
        "empty-prompt",
        "misplaced-use",
        "missing-key",
        "nested-library",
        "no-prompt",
        "no-scenarios",
        "no-targets",
        "not-a-choice",
        "not-a-name",
        "not-a-slug",
        "not-e164",
        "out-of-range",
        "two-prompts",
        "unknown-check",
        "unknown-key",
        "version-unknown",
        "wrong-type",
    ]


TEMPLATED = """\
version: 1
plan: p
targets: {s: {agent: 14}}
scenarios:
  a:
    prompt: Speak {{ x.language }}, {{ x.id }}.
    matrix: {axes: {x: [{id: a, language: en, who: agent, turns: first, outcome: success, status: completed, kind: card, weight: warning}]}}
    expect:
      - {check: says, who: "{{ x.who }}", in: "{{ x.turns }}", any_of: [thanks]}
      - {check: grade, outcome: "{{ x.outcome }}"}
      - {check: call, status: "{{ x.status }}"}
      - {check: language, is: "{{ x.language }}"}
      - {check: no_pii, kinds: ["{{ x.kind }}"], severity: "{{ x.weight }}", id: "no-{{ x.kind }}"}
"""


def test_schema_takes_templates_where_the_reader_does(workspace: Any) -> None:
    """A word of a few, or a string of some form, may come from the matrix: what runs is not underlined, a wrong word is."""
    assert workspace.codes(TEMPLATED) == []
    assert complaints(TEMPLATED) == []
    assert complaints(TEMPLATED.replace('"{{ x.who }}"', "bot")) != []
    assert complaints(TEMPLATED.replace('"{{ x.language }}"', "english")) != []
    assert complaints(TEMPLATED.replace("check: grade", "severity: weighty, check: grade")) != []
    assert complaints(TEMPLATED.replace("check: grade", "id: No Card, check: grade")) != []


@pytest.mark.parametrize("part", ["quarantine: {until: 2027-01-31}", "quarantine: {reason: VOX-41}"])
def test_schema_knows_what_a_quarantine_needs(part: str) -> None:
    """A key that is required is missed by an editor, as by the reader."""
    plan = "version: 1\nplan: p\ntargets: {s: {agent: 14}}\nscenarios:\n  a: {prompt: Hello., %s}\n"
    assert complaints(plan % "runs: 1") == []
    assert complaints(plan % part) != []
    assert complaints("budget: {}\n" + plan % "runs: 1") != []
