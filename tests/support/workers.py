"""Workers of an organisation in processes of their own, with a lease of a second or so. One may stop itself (SIGSTOP) at a
step of a launch: it then stands still until it is told to go on.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any, ClassVar

import anyio
import forked
from forked import Forked
from sqlalchemy import Connection, event

from planner.cli.system import GlobalOptions, shell
from planner.commands.worker import WorkerOptions, work
from planner.execution.consents import Consent, ConsentedCall, ConsentWay
from planner.execution.engine import Job
from planner.organisation.documents import SUBMISSION, Submission, written
from planner.organisation.opening import open_tables, prepare
from planner.organisation.policy import WorkerPolicy
from planner.organisation.tables import Tables
from planner.providers.thunderphone.client import Account

PERSON = "ana@example.org"
KEY = "sk_test_workers"
STEPS: Mapping[str, tuple[str, str]] = {
    "before the intent": ("before", "intended"),
    "after the intent": ("after", "intended"),
    "in SENT": ("in", "sent"),
    "after SENT": ("after", "sent"),
    "after the answer": ("before", "acknowledged"),
}
"""When, relative to the write of an event or of a launch's state."""


@dataclass(frozen=True)
class Organisation:
    """How its workers are started. `service` is the address of a sandbox."""

    address: str
    root: Path
    service: str
    host: str = "lease"
    temporal: str = ""
    lease_seconds: float = 2.0
    settle_seconds: float = 4.0

    def tables(self) -> Tables:
        opened = open_tables(self.address, self.root, {})
        return Tables(opened.engine, opened.shown, self.lease_seconds)

    def worker(self, stops: str = "") -> Forked:
        """At the first such step, if one is named, it says "stopped" and stands still."""
        return forked.started(_work, self, stops, cwd=self.root)

    def submit(self, tables: Tables, number: int, *jobs: Job, repository: str = "shop") -> None:
        digest = f"sha256:{number:064x}"
        consent_id = f"{digest.removeprefix('sha256:')[:16]}-{number:016x}"
        calls = tuple(ConsentedCall(job.call_fingerprint, job.runs) for job in jobs)
        consent = Consent(consent_id, digest, PERSON, ConsentWay.TERMINAL, datetime.now(UTC), 100_000, calls)
        submission = Submission(
            consent, jobs, f"client-{number}", repository, self.service, Account(self.service, KEY).credential
        )
        tables.submit(consent_id, repository, written(SUBMISSION, submission))


class _StoppingTables(Tables):
    stops: ClassVar[tuple[str, str]] = ("", "")
    lock: ClassVar[RLock] = RLock()
    """No other thread may stand still in a transaction: it would keep all processes from an SQLite file."""
    is_sending: ClassVar[bool] = False

    @contextmanager
    def writing(self, epoch: int | None = None) -> Generator[Connection]:
        with self.lock, Tables.writing(self, epoch) as connection:
            yield connection

    def add_event(self, epoch: int, values: Mapping[str, Any]) -> None:
        state = json.loads(values["event"]).get("state", values["kind"])
        _stop_at("before", state)
        _StoppingTables.is_sending = state == "sent"
        Tables.add_event(self, epoch, values)
        _StoppingTables.is_sending = False
        _stop_at("after", state)


def _stop_at(when: str, what: str) -> None:
    if _StoppingTables.stops == (when, what):
        _StoppingTables.stops = ("", "")
        sys.stdout.write("stopped\n")
        sys.stdout.flush()
        with _StoppingTables.lock:
            os.kill(os.getpid(), signal.SIGSTOP)


def _work(organisation: Organisation, stops: str) -> int:
    os.environ |= {
        "THUNDERPHONE_API_BASE_URL": organisation.service,
        "THUNDERPHONE_API_KEY": KEY,
        "TEMPORAL_ADDRESS": organisation.temporal,
    }
    opened = organisation.tables()
    prepare(opened, upgrade=False)
    tables = _StoppingTables(opened.engine, opened.shown, organisation.lease_seconds)
    if stops:
        _StoppingTables.stops = STEPS[stops]
        event.listen(opened.engine, "commit", lambda _: _StoppingTables.is_sending and _stop_at("in", "sent"))
    options = WorkerOptions(host=organisation.host, settle_seconds=organisation.settle_seconds)
    return anyio.run(work, shell(GlobalOptions()), options, tables, WorkerPolicy(frozenset({PERSON})))
