"""`planner run` under every fault of the service: no call twice, none lost, no wrong pass, no ceiling broken."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from faulty import FAULTS, meet

SEEDS = [(name, number % 4) for number, name in enumerate(FAULTS)] + [("all together", 1)]
"""One each, by turns in both dialects and under both ceilings; a hundred each are `tests/benchmarks/faults.py`."""


@pytest.mark.parametrize(("name", "seed"), SEEDS)
def test_a_fault_costs_nothing_and_hides_nothing(tmp_path: Path, name: str, seed: int) -> None:
    """Run again until nothing is left to do, the service's own word for what was called, said and charged is the report's."""
    met = meet(tmp_path, FAULTS[name](Random(seed)), seed)  # noqa: S311 - so that it fails again
    assert (met.duplicates, met.lost, met.wrong_passes, met.over_ceiling, met.unexpected) == (0, 0, 0, 0, [])
    assert met.complete == (name != "hang")
