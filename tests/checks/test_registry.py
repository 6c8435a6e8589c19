"""Tests of all kinds of check together."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from planner.checks import CHECKS
from planner.checks.base import Expectation

EXAMPLES = [(name, example) for name, kind in CHECKS.items() for example in kind.model_json_schema()["examples"]]


@pytest.mark.parametrize(
    ("name", "example"), EXAMPLES, ids=[f"{name}-{index}" for index, (name, _) in enumerate(EXAMPLES)]
)
def test_examples_are_valid(read: Any, name: str, example: dict[str, Any]) -> None:
    assert example["check"] == name
    assert isinstance(read(**example), Expectation)


def test_a_kind_says_whether_the_caller_can_cause_its_failure() -> None:
    """At its definition, not when the first call fails."""
    with pytest.raises(TypeError, match="caller_can_cause_failure"):

        class Undecided(Expectation, frozen=True):  # pyright: ignore[reportUnusedClass]
            check: Literal["undecided"]


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


def test_fingerprint_keeps_expected_nulls(read: Any) -> None:
    """`{x: null}` differs from no `x`."""
    with_null = read(check="tool_called", name="a", arguments={"x": None}).fingerprint_fields()
    without = read(check="tool_called", name="a", arguments={}).fingerprint_fields()
    assert with_null["arguments"] == {"x": None}
    assert without["arguments"] == {}
