"""What the service sends, read tolerantly; and what no tolerance can make sense of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from planner.providers.base import Run
from planner.providers.thunderphone.wire import WireRun


def _run(**fields: Any) -> Run:
    return WireRun.model_validate({"id": 1, "status": "queued", **fields}).plain()


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
    assert _run(status=status).ended is ended


@pytest.mark.parametrize("text", ["2026-04-20T18:24:09Z", "2026-04-20T18:24:09", "2026-04-20T20:24:09+02:00"])
def test_times_are_aware(text: str) -> None:
    """Without a zone they are UTC; a comparison with a naive time would be a bug of ours."""
    run = _run(created_at=text)
    assert run.created_at == datetime(2026, 4, 20, 18, 24, 9, tzinfo=UTC)


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
        _run(**document)
