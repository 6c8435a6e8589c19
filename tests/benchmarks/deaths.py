"""Every boundary that `planner run` crosses, died at in turn: before and after each journal write, request, stored evidence,
result, baseline and report file, under each trouble; then sessions that die several times in a row.

    uv run python tests/benchmarks/deaths.py [SEQUENCES] [SEED]

In virtual time and one process: a death is an exception after which nothing has an effect (`tests/support/mortality.py`).
The real thing, `kill -9` at random, is part of `lost_machines.py`.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from mortality import Life
from troubled_plan import TROUBLES, boundaries, check, finish, organization


def die(faults: Sequence[dict[str, Any]], deaths: Sequence[int]) -> str:
    """Sessions that die at these of their boundaries, one after the other. Returns what went wrong, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        service = organization(Path(folder), faults)
        try:
            for boundary in deaths:
                service.run(life=Life(boundary))
            assert finish(service).code == 0
            check(service)
        except AssertionError as error:
            return f"died at {list(deaths)}: {error}"
    return ""


def run() -> int:
    sequences = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    dice = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    began = time.monotonic()
    wrong: list[str] = []
    single = 0
    crossed: dict[str, int] = {}
    for name, faults in TROUBLES.items():
        with tempfile.TemporaryDirectory() as folder:
            crossed[name] = len(boundaries(Path(folder), faults))
        deaths = range(1, crossed[name] + 1)
        wrong += filter(None, (die(faults, [boundary]) for boundary in deaths))
        single += len(deaths)
        print(f"{name}: {len(deaths)} deaths, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    in_a_row = 0
    for _ in range(sequences):
        name = dice.choice(list(crossed))
        deaths = [dice.randint(1, crossed[name]) for _ in range(dice.randint(2, 6))]
        in_a_row += len(deaths)
        wrong += filter(None, [die(TROUBLES[name], deaths)])
    print(
        f"{single} boundaries died at one by one, {in_a_row} deaths in {sequences} rows of two to six,"
        f" {time.monotonic() - began:.0f} s: {len(wrong)} in which a call was paid twice or lost, or a ledger differed"
    )
    for line in wrong:
        print("  ", line)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(run())
