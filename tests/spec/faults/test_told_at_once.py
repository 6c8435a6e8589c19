"""What is told in the first round and where: keys that nobody may read, names that can be used, each of several empty values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from planner.diagnostics import without_secrets
from planner.reports.diagnostics import render_text
from planner.spec import load_project

SCHEMAS = Path(__file__).parents[3] / "schemas"


def test_a_key_in_a_file_is_not_printed(workspace: Any) -> None:
    """Neither in the excerpt nor in what is said of it, and where it belongs is said."""
    workspace.write(
        "planner.yaml",
        """\
api_key: sk_live_abcdefghij
judge: {base_url: "https://x.test/v1", model: m, token: abcdefghijkl}
store: [sk_live_abcdefghij]
""",
    )
    _, diagnostics = load_project(workspace.root, cwd=workspace.root)
    text = render_text(
        diagnostics, read_source=lambda file: (workspace.root / file).read_text(), width=100, color=False
    )
    assert text == snapshot("""\
planner.yaml:1:1: error: unknown key [unknown-key]
    1 | api_key: ******************
      | ^^^^^^^
        `api_key` is not a key here; keys are never in a file: set THUNDERPHONE_API_KEY in the
        environment, and revoke one that was committed

planner.yaml:2:50: error: unknown key [unknown-key]
    2 | judge: {base_url: "https://x.test/v1", model: m, token: ************}
      |                                                  ^^^^^
        `token` is not a key here; keys are never in a file: set PLANNER_JUDGE_API_KEY in the
        environment, and revoke one that was committed

planner.yaml:3:8: error: wrong type of value [wrong-type]
    3 | store: [******************]
      |        ^^^^^^^^^^^^^^^^^^^^
        this must be text, but it is a list; one stands here, without brackets

3 errors in 1 file
""")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('password: "correct horse battery"', 'password: "correct horse battery"'),
        ('password: "correct-horse-battery"', 'password: "*********************"'),
        ("Authorization: Bearer abcdefgh.ijkl", "Authorization: Bearer *************"),
        ("x: ghp_" + "a" * 36, "x: " + "*" * 40),
        ("prompt: My token is {{ token }}", "prompt: My token is {{ token }}"),
        ("max_output_tokens: 100000000", "max_output_tokens: 100000000"),
        ("token: {{ api_token_of_ana }}", "token: {{ api_token_of_ana }}"),
    ],
)
def test_what_is_taken_for_a_secret(written: str, shown: str) -> None:
    """What stands after a word for a key, and what is known by its beginning; each star is a character, so that carets fit."""
    assert without_secrets(written) == shown


PLAN = """\
version: 1
plan: p
targets: {support: {agent: 12}}
vars: {a: null, b: null}
scenarios:
  s:
    prompt: Ask {{ a }} and {{ b }}.
    expect: [{check: says, any_of: ["{{ b }}, {{ a }}"]}]
"""


def test_each_empty_value_of_one_text_is_told(workspace: Any) -> None:
    """The second would be found only after the first is mended."""
    assert workspace.codes(PLAN) == [
        ("template-failed", 7, 20),
        ("template-failed", 7, 32),
        ("template-failed", 8, 41),
        ("template-failed", 8, 50),
    ]


def test_only_names_that_can_be_used_are_offered(workspace: Any) -> None:
    """An axis whose name is refused is none that a template could mean."""
    told = workspace.faults("""\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  s:
    prompt: Ask {{ order }} as {{ mood }} of {{ zzz }}.
    matrix: {axes: {mood: [calm], order: [1], "2nd axis!": [x, y]}}
    expect: [{check: duration, max_seconds: 9}]
""")
    assert "known: `mood`, `nd_axis`, `order`" in " ".join(told.split())
    assert "`2nd axis!`, " not in told


def test_a_bill_of_nothing_is_refused(workspace: Any) -> None:
    """Every call is billed, so that the check could never hold."""
    plan = PLAN.replace("null", "1").replace(
        '{check: says, any_of: ["{{ b }}, {{ a }}"]}', "{check: cost, max_cents: 0}"
    )
    assert workspace.codes(plan) == [("bad-expectation", 8, 39)]
    assert workspace.codes(plan.replace("max_cents: 0", "max_cents: 1")) == []


@pytest.mark.parametrize("opened", ["[" * 70 + "]" * 70, "[" * 3_000, "[1, {x: " * 1_500])
def test_the_first_level_too_many_is_pointed_at(workspace: Any, opened: str) -> None:
    """Not the thousandth, where the parser that looks ahead gives up."""
    (found,) = workspace.codes(f"version: 1\nplan: p\nvars:\n  a: {opened}\n")
    column = 6 + [place for place, character in enumerate(opened) if character in "[{"][62]
    assert found == ("too-much-nesting", 4, column)


def _unnamed(schema: Any, named: frozenset[str], route: str) -> list[str]:
    """Required keys that are among no properties, as ajv's `strictRequired` looks for them."""
    if isinstance(schema, list):
        return [found for index, part in enumerate(schema) for found in _unnamed(part, named, f"{route}/{index}")]
    if not isinstance(schema, dict):
        return []
    known: dict[str, Any] = schema
    named = named | known.get("properties", {}).keys()
    found = [f"{route}: {key}" for key in known.get("required", []) if key not in named]
    for word, part in known.items():
        if word in {"properties", "$defs"}:
            for name, below in part.items():
                found += _unnamed(below, frozenset(), f"{route}/{word}/{name}")
        elif word in {"allOf", "anyOf", "oneOf", "if", "then", "else", "not"}:
            found += _unnamed(part, named, f"{route}/{word}")
        elif word in {"items", "additionalProperties", "propertyNames"}:
            found += _unnamed(part, frozenset(), f"{route}/{word}")
    return found


@pytest.mark.parametrize("schema", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.name)
def test_strict_validators_take_the_schemas(schema: Path) -> None:
    """Each required key is among the properties beside it."""
    assert _unnamed(json.loads(schema.read_text()), frozenset(), "") == []


def test_a_day_that_is_none_is_told_beside_a_reason_with_a_fault(workspace: Any) -> None:
    """The two mistakes of a quarantine are independent."""
    plan = (
        "version: 1\nplan: p\ntargets: {a: {agent: 1}}\nscenarios:\n  s:\n    prompt: Hi.\n"
        "    quarantine: {until: 2027-02-30, reason: 5}\n    expect: [{check: cost, max_cents: 9}]\n"
    )
    assert workspace.codes(plan) == [("bad-value", 7, 25), ("wrong-type", 7, 45)]
