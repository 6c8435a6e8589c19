"""Keys that earlier versions read: what to write instead."""

from __future__ import annotations

from typing import Any

import pytest

from planner.planfile.project import load_project
from planner.planfile.removed import REMOVED_KEYS


@pytest.mark.parametrize(("key", "instead"), REMOVED_KEYS.items())
def test_a_removed_key_says_what_to_write_instead(workspace: Any, key: str, instead: str) -> None:
    workspace.write("planner.yaml", f"{key}: 1\n")
    _, diagnostics = load_project(workspace.root, cwd=workspace.root)
    assert [item.detail for item in diagnostics.items] == [f"`{key}` is no longer a key; {instead}"]
