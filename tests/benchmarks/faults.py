"""Each fault of the sandbox alone, and all together, over many seeds: duplicates, wrong passes, broken ceilings.

    uv run python tests/benchmarks/faults.py [SEEDS] [FAULT…]

Whole sessions of `planner run` in virtual time, repeated until nothing is left to do (at most
six times, ten minutes apart). The plan has cases that pass and cases that fail. A case that is reported as passed although
what was said on one of its calls (as the service shows it afterwards, without faults) does not pass is a wrong pass.
A `hang` stays open, as it should: a run that never ends is paid for, and given up only a day after its launch
(`tests/calls/test_overdue_whole.py` lets that day pass).
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from faulty import FAULTS, Met, meet


def run() -> int:
    os.environ["TZ"] = "UTC"
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    chosen = sys.argv[2:] or list(FAULTS)
    began = time.monotonic()
    total = Counter[str]()
    print(f"{'fault':<28} {'runs':>6} {'dup':>4} {'lost':>5} {'wrong':>6} {'over':>5} {'open':>5}  sessions")
    for name in chosen:
        met: list[Met] = []
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                met.append(meet(Path(folder), FAULTS[name](Random(seed)), seed))
        needed = Counter(one.sessions for one in met if one.complete)
        row = {
            "runs": sum(one.runs for one in met),
            "dup": sum(one.duplicates for one in met),
            "lost": sum(one.lost for one in met),
            "wrong": sum(one.wrong_passes for one in met),
            "over": sum(one.over_ceiling for one in met),
            "open": sum(not one.complete for one in met),
        }
        total += Counter(row)
        spread = ", ".join(f"{count} × {often}" for count, often in sorted(needed.items()))
        print(
            f"{name:<28} {row['runs']:>6} {row['dup']:>4} {row['lost']:>5} {row['wrong']:>6} {row['over']:>5} {row['open']:>5}  {spread}"
        )
        for seed, one in enumerate(met):
            for line in one.unexpected:
                print(f"    seed {seed}: {line}")
        sys.stdout.flush()
    print(f"{seeds} seeds each, {time.monotonic() - began:.0f} s: {dict(total)}")
    return bool(total["dup"] or total["lost"] or total["wrong"] or total["over"])


if __name__ == "__main__":
    sys.exit(run())
