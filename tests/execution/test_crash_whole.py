"""kill -9 of `planner run` wherever something more has become durable: journal, service, evidence, results, baseline, reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from mortality import Life
from troubled_plan import TROUBLES, boundaries, check, effects, finish, organisation

KINDS = {
    "a journal write",
    "POST /v1/test-call-batches",
    "POST /v1/test-calls",
    "putting evidence",
    "putting runs",
    "putting latest",
    "writing report.md",
    "writing results.json",
    "writing junit.xml",
}


# Every trouble in every dialect, and every boundary that a process crosses, is `tests/benchmarks/deaths.py`.
@pytest.mark.parametrize(
    ("dialect", "faults"), list(zip(("page", "client"), TROUBLES.values(), strict=True)), ids=("page", "client")
)
def test_a_death_after_any_effect_costs_nothing(tmp_path: Path, dialect: Any, faults: Sequence[dict[str, Any]]) -> None:
    """Killed there, run again: each call is paid for once, none is lost, and the ledgers agree to the cent."""
    crossed = boundaries(tmp_path / "alive", dialect, faults)
    points = effects(crossed)
    assert {crossed[number - 1].removeprefix("after ") for number in points} == KINDS
    for number in points:
        service = organisation(tmp_path / str(number), dialect, faults)
        assert service.run(life=Life(number)).code is None
        assert finish(service).code == 0, crossed[number - 1]
        check(service)
