"""A store in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.stores.directory import DirectoryStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "project" / ".planner"


@pytest.fixture
def store(folder: Path) -> DirectoryStore:
    return DirectoryStore(folder)
