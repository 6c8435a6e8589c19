"""A race of three checkouts of one project: what is paid twice, lost, or never ends.

    uv run python tests/benchmarks/race.py STORE RUNS SEED

STORE is git, folder or bucket. About RUNS calls are made, 20 a race, one race after the other; SEED is the number of the
first race. What a race is: `tests/support/racing_checkouts.py`. The seed decides which sessions are killed and how long after
their start, not how far each one got by then: a race that went wrong may go well the next time. With KEEP=FOLDER in the
environment, the folders of races that went wrong are copied there.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from math import ceil
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from buckets import bucket_server
from racing_checkouts import FAULTS, WORLD, Race, Tally, calls_of_race
from served_sandbox import ServedSandbox

CALLERS = 4
USAGE = "usage: race.py git|folder|bucket RUNS SEED"


@contextmanager
def open_store(kind: str, folder: Path) -> Generator[tuple[str, dict[str, str]]]:
    """The address of a store of this kind, and what its clients need in their environment."""
    if kind != "bucket":
        yield {"git": "git:refs/planner/results", "folder": str(folder / "store")}[kind], {}
        return
    with bucket_server() as server:
        environ = {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secretexample",
            "AWS_DEFAULT_REGION": "eu-1",
        }
        yield "s3://results/planner", environ


def race(kind: str, number: int, folder: Path) -> Tally:
    with (
        ServedSandbox(folder, {**WORLD, "seed": number}, FAULTS) as served,
        open_store(kind, folder) as (store, environ),
    ):
        return Race(folder / "race", served, store, number, CALLERS, environ).run()


def run() -> int:
    if len(sys.argv) != 4 or sys.argv[1] not in ("git", "folder", "bucket"):
        print(USAGE, file=sys.stderr)
        return 2
    kind, runs, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    races = ceil(runs / calls_of_race(CALLERS))
    began, total, violations = time.monotonic(), Tally(), 0
    slowest = 0.0
    for number in range(seed, seed + races):
        since = time.monotonic()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            tally = race(kind, number, Path(folder))
            if tally.problems and (kept := os.environ.get("KEEP")):
                shutil.copytree(folder, Path(kept) / f"{kind}{number}", symlinks=True)
        seconds = time.monotonic() - since
        slowest = max(slowest, seconds)
        violations += bool(tally.problems)
        total.add(tally)
        for problem in tally.problems:
            print(problem, flush=True)
        print(f"race {number}: {seconds:.0f} s, {tally.sessions} sessions", file=sys.stderr, flush=True)
    print(
        f"{kind}: {total.calls:,} calls in {races} races and {time.monotonic() - began:.0f} s (slowest {slowest:.0f} s),"
        f" {total.sessions:,} sessions, {total.killed:,} killed, {total.machines_lost:,} machines lost,"
        f" {total.lost_answers:,} launches without an answer;"
        f" {total.twice} twice, {total.lost} lost, {total.missing} missing, {total.stuck} stuck,"
        f" {total.wrong_exits} wrong exits;"
        f" {violations} races with a violation"
    )
    return min(violations, 1)


if __name__ == "__main__":
    sys.exit(run())
