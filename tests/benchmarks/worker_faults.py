"""Real workers of an organisation that are killed, stand still, or lose their database; and what they cost when idle.

    uv run --group temporal python tests/benchmarks/worker_faults.py kills [TRIALS] [KILLS] [FIRST_SEED]
    uv run --group temporal python tests/benchmarks/worker_faults.py still | outage | idle

kills   trials on both hosts and both databases in turn; in each, so many random `kill -9` of one of two workers, while the
        service loses answers, refuses (429), fails (5xx) and is slow. Each is compared with the same work without kills.
still   SIGSTOP at each step of a launch, on both hosts and both databases.
outage  Postgres lost in the middle of the write of SENT, for two minutes.
idle    CPU time of two workers that have nothing to do.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from databases import Postgres
from forked import Forked
from killed_machines import ServedSandbox
from temporal_server import TemporalServer
from worker_trials import Trial, keeps_others_out, kill_at_each_step, lose_database, stand_still
from workers import STEPS, Organisation

from planner.organisation.states import AT_WORK
from tests.commands.conftest import Served  # pyright: ignore[reportMissingImports]

WAYS = [(host, database) for host in ("lease", "temporal") for database in ("sqlite", "postgres")]
FAULTS = [
    {"kind": "lost_answer", "probability": 0.08},
    {"kind": "throttle", "probability": 0.05},
    {"kind": "error_after", "probability": 0.04},
    {"kind": "error_before", "probability": 0.04},
    {"kind": "garbage", "body": "cut", "probability": 0.03},
    {"kind": "slow", "seconds": 0.3, "probability": 0.2},
    {"kind": "shuffle_ids", "probability": 0.5},
]
MOST_SECONDS = 600.0
TWO_MINUTES = 120.0
IDLE_SECONDS = 60.0
MOST_TIMES = 2.5


@dataclass
class Servers:
    postgres: Postgres = field(default_factory=Postgres)
    temporal: TemporalServer = field(default_factory=TemporalServer)

    @contextmanager
    def trial(self, host: str, database: str, seed: int, **settings: Any) -> Generator[Trial]:
        """With a sandbox of its own, which misbehaves."""
        with tempfile.TemporaryDirectory() as name, ServedSandbox(Path(name), seed, "page") as sandbox:
            folder = Path(name)
            address = self.postgres.new() if database == "postgres" else f"sqlite:///{folder}/organisation.sqlite"
            served = Served(sandbox.url, cast("Forked", None))
            settings = {"lease_seconds": 1.0, "settle_seconds": 4.0, **settings}
            organisation = Organisation(address, folder, sandbox.url, host, self.temporal.address, **settings)
            trial = Trial(organisation, served)
            try:
                yield trial
            finally:
                trial.end()

    def stop(self) -> None:
        self.temporal.stop()
        self.postgres.remove()


def is_done(trial: Trial) -> bool:
    return not trial.tables.consents(*AT_WORK)


def work(trial: Trial, kills: int, chance: random.Random) -> tuple[float, int]:
    """Seconds until all is done, and how many workers were killed."""
    trial.served.release()
    trial.served.control({"faults": FAULTS})
    for number in range(4):
        trial.submit(*(f"{name}{number}" for name in ("ana", "bob", "cleo")), runs=3)
    began, killed = time.monotonic(), 0
    workers = [trial.worker(), trial.worker()]
    next_kill = began + 1.0
    while not is_done(trial):
        now = time.monotonic()
        assert now - began < MOST_SECONDS, "it never ends"
        if killed < kills and now >= next_kill:
            place = chance.randrange(2)
            workers[place].kill()
            workers[place] = trial.worker()
            killed += 1
            next_kill = now + chance.uniform(0.4, 1.2)
        time.sleep(0.05)
    return time.monotonic() - began, killed


def kill_workers(servers: Servers, trials: int = 32, kills: int = 33, first: int = 0) -> None:
    total: Counter[str] = Counter()
    undisturbed: dict[tuple[str, str], float] = {}
    for seed in range(first, first + trials):
        way = WAYS[seed % len(WAYS)]
        if way not in undisturbed:
            with servers.trial(*way, seed) as trial:
                undisturbed[way], _ = work(trial, 0, random.Random(seed))
                trial.check_exact()
                print(f"{way}: undisturbed {undisturbed[way]:.1f} s", flush=True)
        with servers.trial(*way, seed) as trial:
            total["trials"] += 1
            try:
                seconds, killed = work(trial, kills, random.Random(seed))
                trial.check_exact()
            except AssertionError as error:
                total["wrong"] += 1
                print(f"trial {seed}, {way}: {error}", flush=True)
                continue
            times = seconds / undisturbed[way]
            total["killed"] += killed
            total["calls"] += len(trial.served.own_runs())
            total["too late"] += times > MOST_TIMES
            print(f"trial {seed}, {way}: {killed} killed, {seconds:.1f} s, {times:.2f} ×", flush=True)
    print(dict(total), flush=True)


def stand_everywhere(servers: Servers) -> None:
    for way in WAYS:
        for step in STEPS:
            with servers.trial(*way, 0) as trial:
                if not keeps_others_out(step, trial.organisation):
                    trial.served.release()
                    stand_still(trial, step)
                    print(f"{way}, {step}: {len(trial.served.own_runs())} calls", flush=True)
        with servers.trial(*way, 0) as trial:
            kill_at_each_step(trial)
            print(f"{way}, killed at each step: {len(trial.served.own_runs())} calls", flush=True)


def lose_postgres(servers: Servers) -> None:
    for host in ("lease", "temporal"):
        with servers.trial(host, "postgres", 0) as trial:
            trial.served.release()
            seconds = lose_database(trial, servers.postgres, TWO_MINUTES)
            print(f"{host}: done {seconds:.1f} s after two minutes", flush=True)


def be_idle(servers: Servers) -> None:
    """With the lease and the pauses of real workers."""
    for way in WAYS:
        with servers.trial(*way, 0, lease_seconds=30.0) as trial:
            workers = [trial.worker(), trial.worker()]
            while not is_done(trial):
                time.sleep(0.1)
            time.sleep(10.0)
            before = [cpu_seconds(worker) for worker in workers]
            time.sleep(IDLE_SECONDS)
            used = [cpu_seconds(worker) - first for worker, first in zip(workers, before, strict=True)]
            print(f"{way}: {', '.join(f'{each / IDLE_SECONDS:.2%}' for each in used)} of a core", flush=True)


def cpu_seconds(worker: Forked) -> float:
    fields = Path(f"/proc/{worker.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(what: str, *numbers: str) -> None:
    servers = Servers()
    try:
        if what == "kills":
            kill_workers(servers, *map(int, numbers))
        else:
            {"still": stand_everywhere, "outage": lose_postgres, "idle": be_idle}[what](servers)
    finally:
        servers.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
