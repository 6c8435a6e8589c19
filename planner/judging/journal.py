"""The write-ahead record of votes asked for: durable before a request leaves. SQLite, WAL, `synchronous=FULL`.

::

    SENT ──► ANSWERED   its answer is stored, and its cost is known or taken to be what was reserved
      │ └──► FREE       it provably never left, or was refused: not charged
      └────► (stays)    no answer, or a crash: it may have been charged, so that what was reserved counts as spent

A crash loses at most the answers to requests in flight; what these may cost stays counted.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from planner.errors import StoreError
from planner.execution.journal_values import check_tables

_TABLE = """
CREATE TABLE IF NOT EXISTS asked (
  id TEXT PRIMARY KEY, change_set TEXT NOT NULL, invocation TEXT NOT NULL, plan TEXT NOT NULL, question TEXT NOT NULL,
  number INTEGER NOT NULL, state TEXT NOT NULL, reserved INTEGER NOT NULL, cost INTEGER, consumed_by TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS asked_by_change_set ON asked (change_set) WHERE consumed_by IS NULL;
"""


_BELIEVED: Final = 10
"""Times what was reserved: an endpoint may add words to a prompt, and thoughts to an answer, but not so many."""


def believed(cost: int | None, reserved: int) -> int:
    """What a request counts as that is told to have cost this: what was reserved, the most it was to cost, where nothing was told, or
    what cannot be. One such answer must not close a ceiling for good."""
    return reserved if cost is None or cost > _BELIEVED * reserved else cost


class AskedState(Enum):
    SENT = "sent"
    ANSWERED = "answered"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. Money in millionths of a cent."""

    id: str
    invocation_id: str
    plan: str
    state: AskedState
    reserved: int
    cost: int | None

    @property
    def committed(self) -> int:
        """What it cost, or may have."""
        return 0 if self.state is AskedState.FREE else believed(self.cost, self.reserved)


class VoteJournal:
    """One file, one writer: the store's lock sees to that."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._stumbling("opened"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():  # SQLite's own would be readable by all
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(path, isolation_level=None, timeout=5)
        try:
            with self._stumbling("opened"):
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.execute("PRAGMA trusted_schema=OFF")
                self._db.executescript(_TABLE)
                check_tables(self._db, path, _TABLE, {"asked": AskedState})
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        self._db.close()

    def send(
        self, asked_id: str, *, change_set: str, invocation: str, plan: str, question: str, number: int, reserved: int
    ) -> None:
        """On disk when it returns."""
        row = (asked_id, change_set, invocation, plan, question, number, AskedState.SENT.value, reserved)
        with self._stumbling("written"):
            self._db.execute("INSERT INTO asked VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)", row)

    def settle(self, asked_id: str, state: AskedState, cost: int | None) -> None:
        with self._stumbling("written"):
            self._db.execute(
                "UPDATE asked SET state = ?, cost = ? WHERE id = ? AND state = ?",
                (state.value, cost, asked_id, AskedState.SENT.value),
            )

    def consume(self, change_set: str, invocation: str) -> None:
        """What was asked for this change set stands in finished results: it weighs on no ceiling of a later one."""
        with self._stumbling("written"):
            self._db.execute(
                "UPDATE asked SET consumed_by = ? WHERE change_set = ? AND consumed_by IS NULL",
                (invocation, change_set),
            )

    def asked_for(self, change_set: str) -> list[Asked]:
        """By any invocation of it that did not finish."""
        with self._stumbling("read"):
            rows = self._db.execute(
                "SELECT id, invocation, plan, state, reserved, cost FROM asked"
                " WHERE change_set = ? AND consumed_by IS NULL",
                (change_set,),
            ).fetchall()
        return [Asked(row[0], row[1], row[2], AskedState(row[3]), row[4], row[5]) for row in rows]

    @contextmanager
    def _stumbling(self, what: str) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, OverflowError) as error:
            raise StoreError(
                f"the journal of votes {self._path} cannot be {what}: {error}",
                "No model is asked without it. Free some disk space or mend its permissions, then run the same command again.",
            ) from error
