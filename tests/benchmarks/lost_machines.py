"""Machines that are lost: what is paid twice, lost, left over, or never ends.

    uv run python tests/benchmarks/lost_machines.py [STORIES] [FIRST_SEED]

Each story (`tests/support/lost_machines.py`) is random: calls, a preview or a judge, refusals (429), lost answers,
sessions that die at any boundary, another one at the same time, and new machines that have only the shared store. They
run in virtual time, in this process. The first `REAL` stories of every thousand are followed by one of real processes
(`tests/support/killed_machines.py`): served sandbox, store in a git ref, `kill -9`.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from lost_machines import Story

COUNTED = ("sessions", "killed", "lost", "alongside", "calls")


def tell(seed: int) -> Story:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(seed, Path(folder))
        try:
            story.run()
        except Exception as error:  # noqa: BLE001 - reported with its seed
            story.problems.append(f"{type(error).__name__}: {error}")
    return story


def run() -> int:
    os.environ["TZ"] = "UTC"
    stories = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    began = time.monotonic()
    totals, violations = Counter[str](), 0
    for seed in range(first, first + stories):
        story = tell(seed)
        totals += Counter({name: getattr(story, name) for name in COUNTED})
        violations += bool(story.problems)
        for problem in story.problems:
            print(f"story {seed}: {problem}", flush=True)
    print(
        f"{stories:,} stories in {time.monotonic() - began:.0f} s: {totals['sessions']:,} sessions, {totals['killed']:,}"
        f" killed, {totals['lost']:,} machines lost, {totals['alongside']:,} at the same time as another,"
        f" {totals['calls']:,} calls; {violations} stories with a violation"
    )
    return min(violations, 1)


if __name__ == "__main__":
    sys.exit(run())
