"""When two configurations of an agent mean the same for a call."""

from __future__ import annotations

from typing import Any

import pytest

from planner.changes.configuration import agree, configuration_digest, differences, is_same, overlay

DEPLOYED = {"prompt": "Be brief.\n", "voice": "aria", "tools": [{"id": 7, "name": "find", "url": "a"}]}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Be brief.", "Be brief.\r\n", True),
        ("Be brief.", "Be rude.", False),
        ({"speed": 1}, {"speed": 1.0, "pitch": None}, True),
        ({"speed": 1}, {"speed": 1, "pitch": 2}, False),
        ([{"id": 1, "name": "find", "edited_at": "x"}], [{"id": 2, "name": "find"}], True),
        ([{"name": "find"}], [{"name": "find", "url": "a"}], False),
        ([1, 2], [2, 1], False),
        (True, 1, False),
    ],
)
def test_values(one: Any, other: Any, expected: bool) -> None:
    assert (agree(one, other), agree(other, one)) == (expected, expected)


def test_a_new_field_of_the_api_is_no_change() -> None:
    """Unless the file sets it; a field that is gone is a change: it was set for the earlier calls."""
    newer = {**DEPLOYED, "thinking_level": "low"}
    assert is_same(DEPLOYED, newer)
    assert not is_same(DEPLOYED, newer, ["thinking_level"])
    assert not is_same(newer, DEPLOYED)
    assert is_same({**DEPLOYED, "thinking_level": None}, DEPLOYED)


def test_a_file_replaces_only_what_differs() -> None:
    file = {"prompt": "Be brief.", "tools": [{"name": "find", "url": "b"}]}
    effective = overlay(DEPLOYED, file)
    assert effective == {"prompt": "Be brief.\n", "voice": "aria", "tools": [{"name": "find", "url": "b"}]}
    assert [change.name for change in differences(DEPLOYED, effective)] == ["tools"]
    assert configuration_digest(overlay(DEPLOYED, {"prompt": "Be brief."})) == configuration_digest(DEPLOYED)
