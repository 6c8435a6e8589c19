"""How a log grows: bytes and seconds of one session's append, and CPU of a first read, after 1, 50 and 200 sessions.

A session appends 288 lines of 400 to 600 bytes, in batches as a session shares them; those that are not measured
use larger ones. Every 50 sessions there is a checkpoint, after the measurement. Run: `python tests/benchmarks/log_sizes.py [folder] [bucket] [git]`.

Conditions: an append after 200 sessions takes at most 1.1 times the bytes of the first, and at most 200 kB; a fresh
machine reads 200 sessions with at most 3 s of CPU, parsing included.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from log_places import BucketPlace, GitPlace, Place, make_place
from repositories import git

from planner.log.journal import Journal
from planner.log.stores.chain import ChainedStore

SESSIONS = (1, 50, 200)
CALLS = 288
BATCH = 24
CHECKPOINT_EVERY = 50
ALLOWED_GROWTH = 1.1
ALLOWED_BYTES = 200_000
ALLOWED_SECONDS = 3.0


class Cost(NamedTuple):
    sent_bytes: int
    uses: int
    """Requests, or git processes."""
    seconds: float


def lines_of(session: int) -> list[str]:
    """Calls as facts have them: digests, ids and times, which compress badly."""
    source = random.Random(session)
    return [
        json.dumps(
            {
                "fact": "call",
                "run_id": f"run_{source.randbytes(12).hex()}",
                "key": source.randbytes(32).hex(),
                "launch": f"{session}-{number}",
                "agent": source.randbytes(32).hex(),
                "snapshot": source.randbytes(32).hex(),
                "evidence": source.randbytes(32).hex(),
                "status": source.choice(["completed", "failed", "no_answer"]),
                "reason": "caller hung up" * source.randrange(1, 6),
                "began": f"2026-12-{source.randrange(1, 29):02}T12:{number % 60:02}:00Z",
                "cents": source.randrange(1, 90),
                "basis": "transactions",
            }
        )
        for number in range(CALLS)
    ]


def append_session(place: Place, store: ChainedStore, session: int) -> Cost:
    _, at = store.read(place_position.get(place, ""))
    lines = lines_of(session)
    bytes_before, uses = sent_bytes(place), place.used()
    began = time.perf_counter()
    batch = BATCH if session in SESSIONS else 4 * BATCH
    for start in range(0, CALLS, batch):
        end = store.append(lines[start : start + batch], at)
        if end is None:
            raise SystemExit("somebody else appended")
        at = end
    cost = Cost(sent_bytes(place) - bytes_before, place.used() - uses, time.perf_counter() - began)
    place_position[place] = at
    return cost


def checkpoint(place: Place, store: ChainedStore) -> None:
    saved = store.checkpoint(place_position[place])
    if saved is None:
        raise SystemExit("somebody else appended")
    place_position[place] = saved


place_position: dict[Place, str] = {}


def sent_bytes(place: Place) -> int:
    """What the store has received, compressed as it is stored."""
    if isinstance(place, BucketPlace):
        return place.server.received
    if isinstance(place, GitPlace):
        objects = (place.bare / "objects").rglob("*")
        return sum(path.stat().st_size for path in objects if path.is_file() and path.suffix != ".idx")
    return place.stored()[1]


def first_read(place: Place) -> tuple[float, float, int]:
    """CPU seconds of this process and its children with parsing; those of putting all into a journal; lines."""
    if isinstance(place, GitPlace):  # as a server does, whose CPU would count here
        git(place.bare, "repack", "-adq")
    store = place.open(f"fresh-{len(place_position)}-{time.monotonic_ns()}")
    began = cpu_seconds()
    lines, _ = store.read()
    for line in lines:
        json.loads(line)
    read = cpu_seconds() - began
    began = cpu_seconds()
    journal = Journal(place.folder / f"log-{time.monotonic_ns()}.db", store, "store")
    journal.read()
    journal.close()
    return read, cpu_seconds() - began, len(lines)


def cpu_seconds() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def measure(kind: str) -> list[str]:
    """Print a table; return the conditions that are not met."""
    failed: list[str] = []
    print(
        f"{kind}: sessions, bytes / requests or processes / seconds of an append, CPU of a first read, into a journal",
        flush=True,
    )
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name, make_place(kind, Path(name)) as place:
        store = place.open()
        costs: list[Cost] = []
        for session in range(1, max(SESSIONS) + 1):
            cost = append_session(place, store, session)
            if session in SESSIONS:
                costs.append(cost)
                failed += report(kind, place, session, costs)
            if session % CHECKPOINT_EVERY == 0:
                checkpoint(place, store)
    return failed


def report(kind: str, place: Place, session: int, costs: Sequence[Cost]) -> list[str]:
    """Print a row; return the conditions that are not met."""
    cost, first = costs[-1], costs[0]
    read, journaled, count = first_read(place)
    print(
        f"  {session:4}  {cost.sent_bytes:9,} / {cost.uses:3} / {cost.seconds:5.2f} s"
        f"  {read:5.2f} s for {count:,} lines, {journaled:5.2f} s",
        flush=True,
    )
    failed: list[str] = []
    if cost.sent_bytes > ALLOWED_GROWTH * first.sent_bytes or cost.uses > ALLOWED_GROWTH * first.uses:
        failed.append(f"{kind}: the append of session {session} grew")
    if cost.sent_bytes > ALLOWED_BYTES:
        failed.append(f"{kind}: the append of session {session} is too large")
    if read > ALLOWED_SECONDS:
        failed.append(f"{kind}: a first read after {session} sessions takes {read:.2f} s of CPU")
    return failed


def main(kinds: Sequence[str]) -> int:
    failed = [line for kind in kinds or ("folder", "bucket", "git") for line in measure(kind)]
    for line in failed:
        print(line)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
