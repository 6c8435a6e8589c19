"""Trials of an organisation whose workers, as real processes, are killed or stand still."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from databases import Postgres
from forked import Forked
from patience import PATIENCE_SECONDS, wait_for
from workers import STEPS, Organisation

from planner.execution.engine import Job
from planner.organisation.documents import ENDED, parsed
from planner.organisation.journal import TablesJournal
from planner.organisation.opening import prepare
from planner.organisation.states import AT_WORK
from planner.organisation.tables import Tables
from tests.execution.conftest import make_work  # pyright: ignore[reportMissingImports]

if TYPE_CHECKING:
    from tests.commands.conftest import Served  # pyright: ignore[reportMissingImports]

RUNS = 2


class Trial:
    """Calls of two consents, and their workers."""

    def __init__(self, organisation: Organisation, served: Served) -> None:
        self.served = served
        self.organisation = organisation
        self.tables: Tables = organisation.tables()
        prepare(self.tables, upgrade=False)
        self._started: list[Forked] = []
        self.wanted: list[Job] = []
        self.number = 0
        """Of the last consent."""
        self.submit("ana", "bob", "cleo", "dan")
        self.submit("eva", "fay")

    def submit(self, *names: str, runs: int = RUNS) -> None:
        """One consent. Each case has a launch of its own."""
        self.number += 1
        jobs = [
            make_work(name, runs=runs, stagger_seconds=place, expected_seconds=0.5)
            for place, name in enumerate(names, 9 * self.number)
        ]
        self.wanted += jobs
        self.organisation.submit(self.tables, self.number, *jobs, repository=f"r{self.number % 3}")

    def worker(self, stops: str = "") -> Forked:
        started = self.organisation.worker(stops)
        self._started.append(started)
        return started

    def wait_until_ended(self) -> None:
        wait_for(lambda: not self.tables.consents(*AT_WORK))

    def check_exact(self) -> None:
        """Each call was made once, and the tables and the service agree to the cent."""
        runs = self.served.own_runs()
        made = Counter(run["prompt"].strip() for run in runs)
        assert made == Counter({job.prompt: job.runs for job in self.wanted})
        rows = self.tables.consents()
        assert all(parsed(ENDED, row["outcome"], row["consent_id"]).outcome().finished for row in rows)
        slots = TablesJournal(self.tables, 0).unconsumed_slots()
        billed = {slot.run_id: slot.cost_cents for slot in slots if slot.run_id is not None}
        assert billed == {run["run_id"]: run["cost_cents"] for run in runs}

    def end(self) -> None:
        for worker in self._started:
            worker.kill()
        self.tables.engine.dispose()


def says(worker: Forked, words: str) -> None:
    """Wait until it has written them."""
    impatience = threading.Timer(PATIENCE_SECONDS, worker.process.kill)
    impatience.start()
    read: list[str] = []
    while not any(words in line for line in read):
        read.append(worker.output.readline())
        assert read[-1], f"it ended: {read}"
    impatience.cancel()


def stand_still(trial: Trial, step: str) -> None:
    """A worker is stopped at this step, and wakes when another one has made all calls."""
    first = trial.worker(step)
    says(first, "stopped")
    trial.worker()
    trial.wait_until_ended()
    os.kill(first.process.pid or 0, signal.SIGCONT)
    says(first, "no longer holds")
    trial.check_exact()


def kill_at_each_step(trial: Trial) -> None:
    """Lost answers, refusals and failures of the service besides."""
    kinds = ("lost_answer", "throttle", "error_after", "error_before")
    trial.served.control({"faults": [{"kind": kind, "times": 1, "after": 2 * n} for n, kind in enumerate(kinds)]})
    for step in STEPS:
        if not keeps_others_out(step, trial.organisation):
            worker = trial.worker(step)
            says(worker, "stopped")
            worker.kill()
    trial.worker()
    trial.wait_until_ended()
    trial.check_exact()


def lose_database(trial: Trial, server: Postgres, seconds: float) -> float:
    """The machine of the database is lost just before SENT is committed, and is back after so many seconds. Returns how
    long the calls took from then on."""
    worker = trial.worker("in SENT")
    says(worker, "stopped")
    server.stop()
    os.kill(worker.process.pid or 0, signal.SIGCONT)
    says(worker, "cannot be written")
    time.sleep(seconds)
    server.start()
    began = time.monotonic()
    trial.wait_until_ended()
    trial.check_exact()
    return time.monotonic() - began


def keeps_others_out(step: str, organisation: Organisation) -> bool:
    """Whoever stands still in a transaction keeps all others from an SQLite file."""
    return step == "in SENT" and organisation.address.startswith("sqlite")
