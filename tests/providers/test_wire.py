"""What the service sends, read tolerantly; and what no tolerance can make sense of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from planner.providers.thunderphone.wire import WireBatch, WireCall, WireRun, WireTurn

_RUN = TypeAdapter(WireRun)
_BATCH = TypeAdapter(WireBatch)


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        ("queued", False),
        ("in_progress", False),
        ("completed", True),
        ("failed", True),
        ("cancelled", False),
        ("", False),
    ],
)
def test_only_known_ends_are_ends(status: str, ended: bool) -> None:
    """A status that nobody has heard of is waited for."""
    assert _RUN.validate_python({"id": 1, "status": status}).ended is ended


@pytest.mark.parametrize("text", ["2026-04-20T18:24:09Z", "2026-04-20T18:24:09", "2026-04-20T20:24:09+02:00"])
def test_times_are_aware(text: str) -> None:
    """Without a zone they are UTC; a comparison with a naive time would be a bug of ours."""
    run = _RUN.validate_python({"id": 1, "status": "queued", "created_at": text})
    assert run.created_at == datetime(2026, 4, 20, 18, 24, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("message", "ids"),
    [
        ([1, 2], [1, 2]),
        (["1"], [1]),
        ([{"id": 1, "status": "queued"}], [1]),
        ([None, {"name": "x"}, 2], [2]),
        ({}, []),
        ("1", []),
        (None, []),
    ],
    ids=str,
)
def test_run_ids_may_be_anything(message: object, ids: list[int]) -> None:
    """The official client's own model says no more of them."""
    assert _BATCH.validate_python({"id": 5, "run_ids": message, "scenario_prompts": None}).run_ids == tuple(ids)


def test_a_batch_needs_nothing_but_its_id() -> None:
    """No field that only one dialect has, or that only one kind of request sets."""
    batch = _BATCH.validate_python({"id": 5})
    assert (batch.run_ids, batch.prompts, batch.created_at) == ((), (), None)


@pytest.mark.parametrize(
    "document",
    [
        {"id": 2**63},
        {"id": -(2**63) - 1},
        {"id": 1.5},
        {"id": None},
        {"call_id": 2**63},
        {"estimated_cost_cents": float("inf")},
        {"estimated_cost_cents": float("nan")},
        {"status": None},
        {"created_at": "yesterday"},
    ],
    ids=str,
)
def test_impossible_numbers_are_refused(document: dict[str, Any]) -> None:
    """Ids over 64 bits, numbers that are none: no journal could hold them, no sum be made of them."""
    with pytest.raises(ValidationError):
        _RUN.validate_python({"id": 1, "status": "queued", **document})


def test_numbers_keep_their_kind() -> None:
    """`1` and `1.0` are different grades in the two dialects."""
    grades = [
        WireCall.model_validate_json(f'{{"grade_score": {score}}}').grade_score for score in ("1", "1.0", "95", "0.5")
    ]
    assert [(type(grade), grade) for grade in grades] == [(int, 1), (float, 1.0), (int, 95), (float, 0.5)]


def test_a_turn_may_hold_any_content() -> None:
    """Text, an object, a list or nothing."""
    for content in ("Hi", {"name": "x"}, [1], None, 5):
        assert WireTurn.model_validate({"role": "tool_response", "content": content}).content == content
