"""Simulates sessions over one log: as many schedules with faults, lost answers, crashes and lost machines as are asked
for.

    uv run python tests/benchmarks/log_schedules.py [SCHEDULES] [--seed FIRST] [--processes N] [--rules]

Prints each schedule that pays twice, loses a run, breaks a ceiling or never ends, by its seed, and how many there were.
With `--rules`, each rule of the log is switched off in turn, and the number of schedules that find it is printed.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from broken_rules import RULES, schedules_until_found
from log_simulation import Schedule

AT_ONCE = 200
PROGRESS = 2_000
RULE_SCHEDULES = 2_000


def simulate(first: int) -> tuple[Counter[str], list[str]]:
    """What `AT_ONCE` schedules had in all, and what they found."""
    counts = Counter[str]()
    found: list[str] = []
    for seed in range(first, first + AT_ONCE):
        schedule = Schedule(seed)
        try:
            schedule.run()
        except Exception as error:  # noqa: BLE001 - any error is a finding
            where = traceback.extract_tb(error.__traceback__)[-1]
            found.append(
                f"schedule {seed}: {type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
            )
        counts.update(
            sessions=schedule.sessions,
            crashes=schedule.crashes,
            lost=schedule.lost,
            launches=schedule.launches,
            persons=schedule.persons,
        )
    return counts, found


def run_schedules(wanted: int, first_seed: int, processes: int | None) -> int:
    began = time.monotonic()
    counts, violations = Counter[str](), 0
    with ProcessPoolExecutor(processes) as pool:
        firsts = range(first_seed, first_seed + wanted, AT_ONCE)
        for first, (more, found) in zip(firsts, pool.map(simulate, firsts), strict=True):
            if (first - first_seed) % PROGRESS == 0:
                print(f"{first - first_seed:,} after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            counts += more
            violations += len(found)
            for line in found:
                print(line, flush=True)
    print(
        f"{wanted:,} schedules in {time.monotonic() - began:.0f} s: {counts['sessions']:,} sessions,"
        f" {counts['crashes']:,} crashes, {counts['lost']:,} lost machines, {counts['launches']:,} launches,"
        f" {counts['persons']:,} settled by a person; {violations} violations"
    )
    return min(violations, 1)


def run_rules(first_seed: int, processes: int | None) -> int:
    """Switch off each rule in turn."""
    seeds = range(first_seed, first_seed + RULE_SCHEDULES)
    missed = 0
    with ProcessPoolExecutor(processes) as pool:
        for rule, found in zip(RULES, pool.map(partial(schedules_until_found, seeds=seeds), RULES), strict=True):
            missed += found is None
            print(f"{rule}: {'not found' if found is None else f'{found[0]:,} ({found[1]})'}", flush=True)
    return min(missed, 1)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("schedules", nargs="?", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int)
    parser.add_argument("--rules", action="store_true")
    options = parser.parse_args()
    if options.rules:
        return run_rules(options.seed, options.processes)
    return run_schedules(options.schedules, options.seed, options.processes)


if __name__ == "__main__":
    sys.exit(main())
