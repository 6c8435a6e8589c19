"""A log in each kind of store."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from log_places import KINDS, Place, make_place


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Place]:
    with make_place(request.param, tmp_path) as made:
        yield made
