"""What is said of values: for those errors that no check of today makes."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from yaml import YAMLError

from planner.diagnostics import Diagnostics
from planner.spec.faults import RULES
from planner.spec.faults.reporting import Reporter
from planner.spec.faults.wording import Searches, describe, explain, near_miss, one_of, shorten, unknown
from planner.spec.source import Source
from planner.spec.yaml.syntax import report_syntax


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    least: int = 0


class Fields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    code: Annotated[str, Field(pattern="^[A-Z]+$")] = "A"
    inner: Inner | int = 0
    pair: Annotated[list[int], Field(min_length=2, max_length=3)] = [1, 2]
    below: Annotated[float, Field(lt=0.5)] = 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"code": "a b"}, [("bad-value", 'this must have the form ^[A-Z]+$, but it is the text "a b"')]),
        ({"pair": [1]}, [("bad-value", "this must have at least 2 items")]),
        ({"pair": [1, 2, 3, 4]}, [("too-many-nodes", "at most 3 may stand here; this has 4")]),
        ({"below": 0.5}, [("out-of-range", "0.5 is out of range: it must be less than 0.5")]),
        (
            {"inner": {"leats": 1}},
            [
                ("unknown-key", "`leats` is not a key here; did you mean `least`?"),
                ("wrong-type", "this must be a whole number, but it is a mapping"),
            ],
        ),
    ],
    ids=range(5),
)
def test_errors_of_any_model_are_explained(value: dict[str, Any], said: list[tuple[str, str]]) -> None:
    """A check to come may use what none uses now: every kind of error has words."""
    with pytest.raises(ValidationError) as caught:
        Fields.model_validate(value)
    assert [explain(error, Fields) for error in caught.value.errors()] == said


def test_values_are_named_as_authors_name_them() -> None:
    """One phrase for each kind of value, long texts cut."""
    values = [None, True, 5, 1.5, "x" * 50, {}, []]
    assert [describe(value) for value in values] == [
        "empty",
        "the boolean true",
        "the number 5",
        "the number 1.5",
        f'the text "{"x" * 39}…"',
        "a mapping",
        "a list",
    ]
    assert shorten("a\n  b") == "a b"


def test_hints_are_near_and_bounded() -> None:
    """A hint is one likely word; long words and long lists of choices cost nothing."""
    assert near_miss("rnus", ["runs", "mode"]) == "did you mean `runs`?"
    assert near_miss("max_cost", ["max_cost_cents", "max_calls"]) == "did you mean `max_cost_cents`?"
    assert near_miss("Runs", ["runs"]) == "did you mean `runs`?"
    assert near_miss("zebra", ["runs", "mode"]) == ""
    assert near_miss("x" * 61, ["x" * 62]) == ""
    assert near_miss("valu", (f"unlike{number:06}" for number in range(10**9))) == ""
    assert unknown("no `x`", "x", map(str, range(100, 400))) == "no `x`; there are 300"
    assert unknown("no `x`", "x", []) == "no `x`"
    assert one_of(["a", "b", "c"], limit=2) == "`a`, `b` and 1 more"


def test_rules_are_complete() -> None:
    """Each code has a summary of a few words and an explanation of whole sentences, and looks like a code."""
    assert len(RULES) > 50
    for code, rule in RULES.items():
        assert code == rule.code
        assert code.replace("-", "").replace("8", "").replace("164", "").isalpha()
        assert code == code.lower()
        assert 0 < len(rule.summary) < 50
        assert rule.explanation.endswith(".")


def test_error_without_a_place_is_reported_at_the_file() -> None:
    """Whatever the parser raises becomes a fault."""
    diagnostics = Diagnostics()
    report_syntax(YAMLError("odd\nthing"), Source("a.yaml", "a: 1\n"), Reporter(diagnostics))
    assert [(item.code, item.detail, item.span.line) for item in diagnostics] == [("yaml-syntax", "odd thing", 1)]


def test_what_was_meant_is_found_until_all_searches_together_have_looked_at_enough() -> None:
    """Of a thousand names among thousands, the first get their suggestion and the others none: it would take seconds."""
    searches = Searches(room=2_000)
    targets = [f"target-{number}" for number in range(100)]
    found = [unknown("no `targt-7`", "targt-7", targets, searches) for _ in range(3)]
    assert found[:2] == ["no `targt-7`; did you mean `target-7`?"] * 2
    assert found[2].startswith("no `targt-7`; known: `target-0`, `target-1`, ")
