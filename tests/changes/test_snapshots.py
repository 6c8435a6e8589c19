"""What a call ran, compared with the configuration that it was to reach."""

from __future__ import annotations

from typing import Any

import pytest

from planner.changes.configuration import redacted
from planner.changes.snapshots import snapshot_differences
from planner.providers.base import VARIANTS

PROMPT = "You answer calls for {{shop}}.\nWe open at {{hour}}, on Sunday too."
FILLED = "You answer calls for Harbor Books.\r\nWe open at 9, on Sunday too.\n"
REFUND = {"name": "refund", "description": "Pay back", "url": "https://shop.test", "parameters": {"order": "text"}}
SHOWN_REFUND = {"name": "refund", "description": "Pay back", "parameters": {"order": "text"}, "kind": "http"}


@pytest.mark.parametrize(
    ("call", "configuration", "expected"),
    [
        ({}, {"prompt": "a"}, None),
        ({"prompt_snapshot": " "}, {"prompt": "a"}, None),
        ({"prompt_snapshot": 7}, {"prompt": "a"}, None),
        ({"prompt_snapshot": "a\r\nb "}, {"prompt": "a\nb"}, ()),
        ({"prompt_snapshot": "a"}, {"prompt": "b"}, ("prompt",)),
        ({"prompt_snapshot": "a"}, {}, ("prompt",)),
        ({"prompt_snapshot": FILLED}, {"prompt": PROMPT}, ()),
        ({"prompt_snapshot": FILLED.replace("too", "never")}, {"prompt": PROMPT}, ("prompt",)),
        ({"prompt_snapshot": "x" + FILLED}, {"prompt": PROMPT}, ("prompt",)),
        ({"prompt_snapshot": FILLED}, {"prompt": "{{all}}"}, ()),
        ({"prompt_snapshot": "ab"}, {"prompt": "ab{{x}}b"}, ("prompt",)),
        ({"prompt_snapshot": "open {{ never closed"}, {"prompt": "open {{ never closed"}, ()),
        ({"prompt_snapshot": "open {{ other"}, {"prompt": "open {{ never closed"}, ("prompt",)),
        ({"prompt_snapshot": "a"}, {"prompt": redacted("a", "•")}, ()),
        ({"prompt_snapshot": "b"}, {"prompt": redacted("a", "•")}, ("prompt",)),
        ({"prompt_snapshot": "b"}, {"prompt": "a", VARIANTS: [{"prompt": "b"}, {"voice": "x"}]}, ()),
        ({"prompt_snapshot": "c"}, {"prompt": "a", VARIANTS: [{"prompt": "b"}]}, ("prompt",)),
        ({"prompt_snapshot": "a", "tool_snapshot": []}, {"prompt": "a"}, ()),
        ({"prompt_snapshot": "a", "tool_snapshot": [SHOWN_REFUND]}, {"prompt": "a", "tools": [REFUND]}, ()),
        ({"prompt_snapshot": "a", "tool_snapshot": []}, {"prompt": "a", "tools": [REFUND]}, ("tools",)),
        ({"prompt_snapshot": "b", "tool_snapshot": [SHOWN_REFUND]}, {"prompt": "a", "tools": []}, ("prompt", "tools")),
        (
            {"prompt_snapshot": "a", "tool_snapshot": [SHOWN_REFUND | {"description": "Keep"}]},
            {"prompt": "a", "tools": [REFUND]},
            ("tools",),
        ),
        ({"prompt_snapshot": "a", "tool_snapshot": [{"id": 7}]}, {"prompt": "a", "tools": [REFUND]}, ()),
        ({"prompt_snapshot": "a", "tool_snapshot": [SHOWN_REFUND]}, {"prompt": "a", "tools": [7]}, ()),
    ],
)
def test_snapshots(call: dict[str, Any], configuration: dict[str, Any], expected: tuple[str, ...] | None) -> None:
    assert snapshot_differences(call, configuration) == expected
