"""`planner run` under every fault of the service: no call twice, none lost, no wrong pass, no ceiling broken."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from faulty import FAULTS, meet

SEEDS = [(name, number % 4) for number, name in enumerate(FAULTS)] + [("all together", 1)]
"""One run of each fault, alternating dialects and ceilings; `tests/benchmarks/faults.py` makes a hundred of each."""


@pytest.mark.parametrize(("name", "seed"), SEEDS)
def test_faults_cost_nothing_and_hide_nothing(tmp_path: Path, name: str, seed: int) -> None:
    """Run again until nothing is left: the calls, transcripts and charges of the report are those of the service."""
    met = meet(tmp_path, FAULTS[name](Random(seed)), seed)  # noqa: S311 - so that it fails again
    assert (met.duplicates, met.lost, met.wrong_passes, met.over_ceiling, met.unexpected) == (0, 0, 0, 0, [])
    assert met.complete == (name != "hang")
