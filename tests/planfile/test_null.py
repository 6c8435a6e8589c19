"""Null where a check takes values: what the documentation lists is what can be written."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

from planner.reports.pages import check_page

HEAD = """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  s:
    prompt: Ask for help.
    expect:
"""


def test_null_without_a_check_shows_how_to_write_null(workspace: Any) -> None:
    """A key without a value is probably a mistake; the message shows how to write null."""
    assert workspace.faults(
        HEAD
        + """\
      - {check: tool_called, name: x, result: null}
      - {check: tool_not_called, name: x, result: }
      - {check: field, path: $.a, equals: null}
      - {check: says, any_of: null}
      - {check: tool_called, name: x, arguments: {a: null}, result: {any_of: [null]}}
      - {check: field, path: $.a, in: [null]}
"""
    ) == snapshot("8:39 wrong-type, 9:43 wrong-type, 10:35 wrong-type, 11:23 wrong-type")


@pytest.mark.parametrize(
    ("check", "name"), [("tool_called", "result"), ("tool_not_called", "result"), ("field", "equals")]
)
def test_no_page_lists_a_null_that_is_refused(check: str, name: str) -> None:
    """Null is no value of these fields, so that neither the page nor the schema lists it."""
    (field,) = [field for field in check_page(check).fields if field.name == name]
    assert "null" not in field.type
