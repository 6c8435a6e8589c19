"""Tests of valid but suspicious content of an expectation."""

from typing import Any

import pytest


def test_a_mistyped_end_reason_is_a_near_miss(read: Any) -> None:
    """The service may have other reasons, so only near misses are reported."""
    near = {"transfered": "transfer", "caller-hangup": "caller_hangup", "Timeout": "timeout", "timed out": "timeout"}
    for word in (*near, "agent_end", "user_hangup", "voicemail", "max_duration", "no_answer", "x" * 5_000):
        lints = read(check="call", end_reason=["error", word]).lints()
        assert [(lint.code, lint.route) for lint in lints] == [("near-miss", ("end_reason", 1))] * (word in near)
        assert all(f"`{near[word]}`" in lint.why for lint in lints)
    assert [lint.route for lint in read(check="call", end_reason="errors").lints()] == [("end_reason",)]


@pytest.mark.parametrize(
    ("fields", "places"),
    [
        ({"any_of": ["30 days", "30, days!"]}, [("any_of", 1)]),
        ({"all_of": ["bye", "Bye"]}, [("all_of", 1)]),
        ({"all_of": ["bye", "Bye"], "ignore_case": False}, []),
        ({"any_of": ["30 days", "thirty days", "30-Days"]}, [("any_of", 2)]),
        ({"any_of": ["nine thirty", "930"], "spoken": True}, []),
        ({"any_of": ["thirty days", "30 days"], "spoken": True}, [("any_of", 1)]),
    ],
)
def test_a_redundant_phrase_is_reported(read: Any, fields: dict[str, Any], places: list[tuple[str, int]]) -> None:
    """By the words that are compared."""
    lints = read(check="says", **fields).lints()
    assert [(lint.route, lint.code) for lint in lints] == [(place, "duplicate-item") for place in places]
