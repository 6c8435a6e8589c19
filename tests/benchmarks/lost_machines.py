"""Machines that are lost: what is paid twice, lost, left over, or never ends.

    uv run python tests/benchmarks/lost_machines.py [STORIES] [REAL_STORIES] [FIRST_SEED]

Each story (`tests/support/lost_machines.py`) is random: calls (in every fourth story, two plans make the
same ones), a preview or a judge, refusals (429), lost answers, sessions that die at any boundary, another one at the same
time, and new machines that have only the shared store. They run in virtual time, in this process. Real stories (`tests/support/killed_machines.py`) have processes of their own, a
served sandbox, and `kill -9`; every other one has a store in a git ref, and machines that are lost.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from killed_machines import FAULTS, WORLD, KilledStory
from lost_machines import Story
from served_sandbox import ServedSandbox

COUNTED = ("sessions", "killed", "lost", "alongside", "calls", "votes")
PROGRESS = 100
MEMORY = next(filter(os.path.isdir, ["/dev/shm"]), None)  # noqa: S108 - a disk would be half of the time


def tell(seed: int) -> Story:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        story = Story(seed, Path(folder), has_equal_calls=seed % 4 == 3)
        try:
            story.run()
        except Exception as error:  # noqa: BLE001 - reported with its seed
            story.problems.append(f"{type(error).__name__}: {error}")
    return story


def real_stories(seeds: Iterable[int], seed: int) -> Iterator[KilledStory]:
    with (
        tempfile.TemporaryDirectory() as folder,
        ServedSandbox(Path(folder), {**WORLD, "seed": seed}, FAULTS) as served,
    ):
        for number in seeds:
            story = KilledStory(Path(folder) / f"story{number}", served, number)
            story.run(Random(number))
            yield story


def report(stories: Iterable[Story | KilledStory], seeds: Sequence[int], what: str) -> int:
    """Print what went wrong in which story, and the sums. Return how many had a violation."""
    began = time.monotonic()
    totals, violations = Counter[str](), 0
    for done, (seed, story) in enumerate(zip(seeds, stories, strict=True)):
        if done % PROGRESS == 0:
            print(f"{done:,} after {time.monotonic() - began:.0f} s, {violations} wrong", file=sys.stderr, flush=True)
        totals += Counter({name: getattr(story, name) for name in COUNTED})
        violations += bool(story.problems)
        for problem in story.problems:
            print(f"{what} {seed}: {problem}", flush=True)
    print(
        f"{len(seeds):,} × {what} in {time.monotonic() - began:.0f} s: {totals['sessions']:,} sessions,"
        f" {totals['killed']:,} killed, {totals['lost']:,} machines lost, {totals['alongside']:,} at the same time as"
        f" another, {totals['calls']:,} calls, {totals['votes']:,} judge calls; {violations} with a violation",
        flush=True,
    )
    return violations


def run() -> int:
    os.environ["TZ"] = "UTC"
    numbers = [int(word) for word in sys.argv[1:]]
    stories, real, first = [*numbers, *(3000, 30, 0)[len(numbers) :]]
    seeds, real_seeds = range(first, first + stories), range(first, first + real)
    violations = report(map(tell, seeds), seeds, "story")
    violations += report(real_stories(real_seeds, first), real_seeds, "real story")
    return min(violations, 1)


if __name__ == "__main__":
    sys.exit(run())
