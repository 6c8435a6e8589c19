"""Simulates the execution core: as many schedules with faults, lost answers, crashes and lost machines
as are asked for.

    uv run python tests/benchmarks/schedules.py [SCHEDULES] [FIRST_SEED] [PROCESSES]

In half of them cases make the same call. Prints each schedule that pays twice,
loses a run or breaks a ceiling, by its seed, and how many there were.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from simulation import Schedule, Violation

from planner.errors import StoreError

AT_ONCE = 1000
PROGRESS = 2_000


def simulate(first: int) -> tuple[int, int, int, int, list[str]]:
    """(sessions, crashes, lost machines, launches, violations) of `AT_ONCE` schedules."""
    sessions = crashes = lost = launches = 0
    found: list[str] = []
    for seed in range(first, first + AT_ONCE):
        schedule = Schedule(seed, has_equal_calls=seed % 4 < 2)
        try:
            schedule.run()
        except (Violation, AssertionError, LookupError, StoreError) as error:
            found.append(f"schedule {seed}: {type(error).__name__}: {error}")
        sessions += schedule.sessions
        crashes += schedule.crashes
        lost += schedule.lost
        launches += schedule.launches
    return sessions, crashes, lost, launches, found


def main() -> int:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    start = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    began = time.monotonic()
    totals, violations = [0, 0, 0, 0], 0
    workers = int(sys.argv[3]) if len(sys.argv) > 3 else None
    with ProcessPoolExecutor(workers) as pool:
        firsts = range(start, start + wanted, AT_ONCE)
        for first, (*counts, found) in zip(firsts, pool.map(simulate, firsts), strict=True):
            if first % PROGRESS == 0:
                print(f"{first - start:,} after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            totals = [total + count for total, count in zip(totals, counts, strict=True)]
            violations += len(found)
            for line in found:
                print(line, flush=True)
    sessions, crashes, lost, launches = totals
    print(
        f"{wanted:,} schedules in {time.monotonic() - began:.0f} s: {sessions:,} sessions, {crashes:,} crashes,"
        f" {lost:,} lost machines, {launches:,} launches; {violations} violations"
    )
    return min(violations, 1)


if __name__ == "__main__":
    sys.exit(main())
