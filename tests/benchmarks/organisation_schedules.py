"""Simulates an organisation: as many schedules as are asked for (tests/organisation/test_schedules.py).

    uv run python tests/benchmarks/organisation_schedules.py [SCHEDULES] [FIRST_SEED] [PROCESSES]

Prints each schedule that pays twice, loses a run or breaks a ceiling, by its seed, and how many there were.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from organisation_schedules import simulated

AT_ONCE = 500


def simulate(first: int, count: int) -> tuple[Counter[str], list[str]]:
    """What happened, and what was wrong."""
    happened, found = Counter[str](), list[str]()
    for seed in range(first, first + count):
        try:
            happened += simulated(seed)
        except Exception as error:  # noqa: BLE001 - each is reported
            found.append(f"schedule {seed}: {type(error).__name__}: {error}")
    return happened, found


def main(wanted: int = 200_000, start: int = 0, processes: int | None = None) -> int:
    began, violations = time.monotonic(), 0
    happened = Counter[str]()
    firsts = range(start, start + wanted, AT_ONCE)
    counts = [min(AT_ONCE, start + wanted - first) for first in firsts]
    with ProcessPoolExecutor(processes) as pool:
        for number, (counted, found) in enumerate(pool.map(simulate, firsts, counts), 1):
            happened += counted
            violations += len(found)
            for line in found:
                print(line, flush=True)
            if number % 4 == 0:
                print(f"{happened['schedules']:,} after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    counted = ", ".join(f"{count:,} {what}" for what, count in happened.items())
    print(f"{counted}; {violations} violations, {time.monotonic() - began:.0f} s")
    return min(violations, 1)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
