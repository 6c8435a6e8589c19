"""Stories of machines that are lost: whole sessions that share a store, in virtual time. More of them, and with real
processes, are in `tests/benchmarks/lost_machines.py`."""

from __future__ import annotations

from pathlib import Path

import pytest
from lost_machines import Story

FOUND = (19, 23, 45)
"""Two sessions side by side made the same calls: one looked too early, or while the other had already finished."""
SAMPLE = tuple(range(1, 11))


@pytest.mark.parametrize("seed", [*FOUND, *SAMPLE])
def test_no_story_pays_twice_or_leaves_anything(tmp_path: Path, seed: int) -> None:
    story = Story(seed, tmp_path)
    story.run()
    assert story.problems == []
    assert story.calls == story.wanted.total()
