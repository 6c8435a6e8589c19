"""What counts as an edit of an agent during its calls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from planner.providers.base import AgentState
from planner.session.called_agents import is_edited

BEFORE = AgentState(12, "Support", "2026-11-20T08:00:00Z", {"prompt": "Be brief.", "voice": "aria"}, {})
LATER = "2026-11-20T09:00:00Z"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, False),
        ({"configuration": {"prompt": "Be brief.", "voice": "nova"}}, True),
        ({"edited_at": LATER}, True),  # edited and reverted
        ({"edited_at": LATER, "draft": {"voice": "nova"}}, False),  # no call reaches a draft
        ({"edited_at": LATER, "name": "Support 2"}, False),
        ({"configuration": {"prompt": "Be rude.", "voice": "aria"}, "draft": {"voice": "nova"}}, True),
    ],
)
def test_edits(changes: dict[str, Any], expected: bool) -> None:
    assert is_edited(BEFORE, replace(BEFORE, **changes)) is expected
