"""The write-ahead journal of launches: each record is durable before its effect.

`launches.py` describes the records and the state machine of a launch. SQLite, WAL, `synchronous=FULL`: a transition is
on disk when its method returns.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from planner.errors import UsageError
from planner.execution.jobs import Line, Target
from planner.execution.journal_claims import bind, claim_free, require_bound, require_free, require_known
from planner.execution.journal_file import LATER_TABLES, TABLES, copy_of, journal_error
from planner.execution.journal_values import (
    check_tables,
    checked_launch,
    checked_slot,
    launch_row,
    line_of,
    line_text,
    parsing,
    quoted,
    slot_row,
)
from planner.execution.launches import (
    DUPLICATE_ANSWER,
    KNOWN,
    LIVE,
    TRANSITIONS,
    Launch,
    LaunchIntent,
    LaunchState,
    Slot,
)

SCHEMA_VERSION = 1

IN_MEMORY = Path(":memory:")
"""A journal in memory."""

_MAX_TEXT_BYTES = 16 * 1024 * 1024
"""Of one value; a prompt, the longest that planner writes, has at most 32 KiB."""
_STORED = "stored results"
"""Stands for the unknown launches of runs in other machines' results."""
_LAUNCH_COLUMNS = (
    "launch_id, invocation_id, change_set_digest, state, line, name, sent_at, slack_seconds, batch_id, detail"
)
_SLOT_COLUMNS = (
    "s.launch_id, ordinal, case_id, plan, prompt, call_fingerprint, agent_revision, reserved_cents, run_id, evidence,"
    " cost_cents, completed_at, consumed_by"
)


class Journal:
    """One file with one writer, ensured by the store's lock. `read_only` copies a journal that cannot be written into
    memory."""

    def __init__(self, path: Path, *, read_only: bool = False, now: datetime | None = None) -> None:
        """Raises `StoreError` for a journal that cannot be used or holds impossible values. A launch much later than
        `now` is impossible."""
        self.path = path
        self._now = now
        with self._mapped_errors("opened"):
            if read_only:
                self._db = copy_of(path)
            else:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                if (
                    path != IN_MEMORY and not path.exists()
                ):  # SQLite would create it readable by everybody; it holds prompts and phone numbers
                    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
                self._db = sqlite3.connect(path, isolation_level=None, timeout=5)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        with self._mapped_errors("opened"):
            self._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_TEXT_BYTES)
            self._db.execute("PRAGMA trusted_schema=OFF")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA foreign_keys=ON")
            version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                made = f"{TABLES} {LATER_TABLES} PRAGMA user_version={SCHEMA_VERSION};"
                self._db.executescript(f"BEGIN IMMEDIATE; {made} COMMIT;")
            elif version <= SCHEMA_VERSION:
                self._db.executescript(LATER_TABLES)
            if version <= SCHEMA_VERSION:
                check_tables(self._db, self.path, TABLES + LATER_TABLES, {"launches": LaunchState})
        if version > SCHEMA_VERSION:
            raise UsageError(f"{self.path} was written by a newer planner", "Use that version, or another --store.")
        unconsumed = "SELECT launch_id FROM slots WHERE consumed_by IS NULL"
        self._launches(f"WHERE state IN ({quoted(LIVE)}) AND launch_id IN ({unconsumed})", ())
        self.unconsumed_slots()

    def close(self) -> None:
        self._db.close()

    # Writing: every method is one durable transaction

    def intend(self, intent: LaunchIntent) -> None:
        with self._transaction() as db:
            launch = {
                "launch_id": intent.launch_id,
                "invocation_id": intent.invocation_id,
                "change_set_digest": intent.change_set_digest,
                "state": LaunchState.INTENDED.value,
                "line": line_text(intent.line),
                "name": intent.name,
                "sent_at": intent.sent_at.isoformat(),
                "slack_seconds": intent.slack_seconds,
            }
            _insert(db, "launches", launch)
            for ordinal, slot in enumerate(intent.slots):
                _insert(db, "slots", {"launch_id": intent.launch_id, "ordinal": ordinal, **asdict(slot)})
            _insert(db, "launched_with", {"launch_id": intent.launch_id, "credential": intent.credential})

    def settle(
        self,
        launch_id: str,
        state: LaunchState,
        *,
        detail: str = "",
        batch_id: int | None = None,
        run_ids: Sequence[int] = (),
        bindings: Mapping[int, int] | None = None,
    ) -> None:
        """Change the state of a launch. For ACKNOWLEDGED and ADOPTED, `run_ids` are claimed for this launch alone, and
        `bindings` map slots (by ordinal) to runs where known.

        Raises:
            StoreError: the journal cannot be written.
            TakenError: a run or batch belongs to another launch. Nothing was written.
        """
        with self._transaction() as db:
            require_free(db, launch_id, batch_id, run_ids)
            _move(db, launch_id, state, detail, batch_id)
            db.executemany(
                "INSERT INTO claims (run_id, launch_id) VALUES (?, ?)", [(run_id, launch_id) for run_id in run_ids]
            )
            bind(db, launch_id, bindings or {})

    def widen_window(self, launch_id: str, slack_seconds: float) -> None:
        """The launch may have been created this much later or earlier than `sent_at` says."""
        with self._transaction() as db:
            db.execute("UPDATE launches SET slack_seconds = ? WHERE launch_id = ?", (slack_seconds, launch_id))

    def mark_duplicate_answer(self, launch_id: str, holder: str, detail: str) -> None:
        """The service gave a SENT launch the same answer as launch `holder`. The launch becomes AMBIGUOUS, and runs of
        `holder` are verified from now on."""
        with self._transaction() as db:
            _move(db, launch_id, LaunchState.AMBIGUOUS, detail, None)
            require_known(db, holder)
            also = f"{DUPLICATE_ANSWER}also launch {launch_id}"
            db.execute("UPDATE launches SET detail = ? WHERE launch_id = ?", (also, holder))

    def claim(self, launch_id: str, run_ids: Sequence[int]) -> None:
        """Claim runs of a launch whose answer did not list them."""
        with self._transaction() as db:
            require_known(db, launch_id)
            db.executemany(
                "INSERT INTO claims (run_id, launch_id) VALUES (?, ?)", [(run_id, launch_id) for run_id in run_ids]
            )

    def bind(self, launch_id: str, bindings: Mapping[int, int]) -> None:
        """Map slots (by ordinal) to runs."""
        with self._transaction() as db:
            require_known(db, launch_id)
            bind(db, launch_id, bindings)

    def collect(self, slots: Iterable[Slot]) -> None:
        """Store the evidence, bill and end time of these bound slots; they may replace earlier ones."""
        collected = list(slots)
        with self._transaction() as db:
            require_bound(db, [slot.key for slot in collected])
            db.executemany(
                "UPDATE slots SET evidence = ?, cost_cents = ?, completed_at = ? WHERE launch_id = ? AND ordinal = ?",
                [
                    (
                        slot.evidence,
                        slot.cost_cents,
                        slot.completed_at.isoformat() if slot.completed_at else None,
                        slot.launch_id,
                        slot.ordinal,
                    )
                    for slot in collected
                ],
            )

    def consume(self, invocation_id: str, keys: Iterable[tuple[str, int]]) -> None:
        """Mark slots as part of finished results, so that no later session resumes them."""
        consumed = list(keys)
        with self._transaction() as db:
            require_bound(db, consumed)
            db.executemany(
                "UPDATE slots SET consumed_by = ? WHERE launch_id = ? AND ordinal = ?",
                [(invocation_id, launch_id, ordinal) for launch_id, ordinal in consumed],
            )

    def take_over(self, launch: Launch, slots: Sequence[Slot], *, credential: str) -> None:
        """Import a launch of another machine. Runs already claimed here keep their claim."""
        with self._transaction() as db:
            _insert(db, "launches", launch_row(launch))
            _insert(db, "launched_with", {"launch_id": launch.launch_id, "credential": credential})
            run_ids = {*launch.run_ids, *(slot.run_id for slot in slots if slot.run_id is not None)}
            claim_free(db, launch.launch_id, run_ids)
            mine = {row[0] for row in db.execute("SELECT run_id FROM claims WHERE launch_id = ?", (launch.launch_id,))}
            for slot in slots:
                _insert(db, "slots", slot_row(slot if slot.run_id in mine else replace(slot, run_id=None)))

    def record_claimed(self, run_ids: Iterable[int], now: datetime) -> None:
        """Claim runs that are in stored results of other machines, so that no unconfirmed launch adopts them."""
        line = Line("", 0, "", "", None, 0)
        stored = Launch(_STORED, "", "", LaunchState.ACKNOWLEDGED, line, "", now, 0.0, None, (), "")
        with self._transaction() as db:
            if db.execute("SELECT 1 FROM launches WHERE launch_id = ?", (_STORED,)).fetchone() is None:
                _insert(db, "launches", launch_row(stored))
            claim_free(db, _STORED, run_ids)

    def record_requester(self, credential: str, requested_by_id: int) -> None:
        """Record the `requested_by_id` of an API key."""
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO requesters VALUES (?, ?)", (credential, requested_by_id))

    def mark_interrupted(self) -> int:
        """Settle what a killed session left: INTENDED was never sent, SENT is unconfirmed. Returns the number of
        unconfirmed launches."""
        with self._transaction() as db:
            db.execute(
                "UPDATE launches SET state = ?, detail = ? WHERE state = ?",
                (LaunchState.UNSENT.value, "the process ended before it was sent", LaunchState.INTENDED.value),
            )
            return db.execute(
                "UPDATE launches SET state = ?, detail = ? WHERE state = ?",
                (LaunchState.AMBIGUOUS.value, "the process ended before the answer came", LaunchState.SENT.value),
            ).rowcount

    # Reading

    def launches(self, states: Iterable[LaunchState]) -> list[Launch]:
        """Oldest first."""
        wanted = quoted(states)
        return self._launches(f"WHERE state IN ({wanted}) ORDER BY sent_at, launch_id", ())

    def launches_of(self, invocation_id: str) -> list[Launch]:
        return self._launches("WHERE invocation_id = ?", (invocation_id,))

    def launch(self, launch_id: str) -> Launch | None:
        return next(iter(self._launches("WHERE launch_id = ?", (launch_id,))), None)

    def _launches(self, condition: str, parameters: Sequence[str]) -> list[Launch]:
        rows = self._select(f"SELECT {_LAUNCH_COLUMNS} FROM launches {condition}", parameters)  # noqa: S608 - ours
        claims = "SELECT run_id FROM claims WHERE launch_id = ? ORDER BY run_id"
        found = [(row, tuple(claim[0] for claim in self._select(claims, (row[0],)))) for row in rows]
        return [checked_launch(self.path, row, run_ids, self._now) for row, run_ids in found]

    def unconsumed_slots(self) -> list[Slot]:
        """Slots of launches that cost or may cost money; oldest first."""
        return self._slots(f"l.state IN ({quoted(LIVE)}) AND consumed_by IS NULL", ())

    def slots_of_change_set(self, digest: str) -> list[Slot]:
        """All slots that cost or may cost money, from any session."""
        return self._slots(f"l.state IN ({quoted(LIVE)}) AND change_set_digest = ?", (digest,))

    def bills(self, digest: str) -> list[tuple[Target, int, int]]:
        """(target, reserved cents, billed cents) of this change set's calls, and of calls that are not in finished
        results."""
        rows = self._select(
            "SELECT l.line, s.reserved_cents, MAX(s.cost_cents) FROM slots s JOIN launches l ON s.launch_id = l.launch_id"
            " WHERE s.cost_cents IS NOT NULL AND (l.change_set_digest = ? OR s.consumed_by IS NULL)"
            " GROUP BY l.line, s.reserved_cents",
            (digest,),
        )
        with parsing(self.path, "the line of a launch"):
            return [(line_of(line).target, reserved_cents, billed_cents) for line, reserved_cents, billed_cents in rows]

    def slots_of(self, launch_id: str) -> tuple[Slot, ...]:
        """By ordinal, in any state of the launch."""
        return tuple(self._slots("s.launch_id = ?", (launch_id,)))

    def slot_of_run(self, run_id: int) -> Slot | None:
        return next(iter(self._slots("s.run_id = ?", (run_id,))), None)

    def _slots(self, condition: str, parameters: Sequence[str | int]) -> list[Slot]:
        rows = self._select(
            f"SELECT {_SLOT_COLUMNS} FROM slots s JOIN launches l ON s.launch_id = l.launch_id WHERE {condition}"  # noqa: S608 - ours
            " ORDER BY l.sent_at, s.launch_id, ordinal",
            parameters,
        )
        return [checked_slot(self.path, row, self._now) for row in rows]

    def claimed_run_ids(self) -> set[int]:
        return {row[0] for row in self._select("SELECT run_id FROM claims")}

    def requesters(self, credential: str) -> set[int]:
        """The known `requested_by_id`s of this API key; may be empty."""
        query = "SELECT requested_by_id FROM requesters WHERE credential = ?"
        return {row[0] for row in self._select(query, (credential,))}

    def requesters_of(self, launch_id: str) -> frozenset[int]:
        """Possible requesters of this launch, by its API key; empty if unknown, which matches anyone."""
        query = "SELECT requested_by_id FROM requesters JOIN launched_with USING (credential) WHERE launch_id = ?"
        return frozenset(row[0] for row in self._select(query, (launch_id,)))

    def launched_with_other(self, credential: str) -> frozenset[str]:
        """Ids of launches that used another API key. Launches with an unknown key are not included."""
        query = "SELECT launch_id FROM launched_with WHERE credential NOT IN ('', ?)"
        return frozenset(row[0] for row in self._select(query, (credential,))) if credential else frozenset()

    def claimed_batch_ids(self) -> set[int]:
        """Includes batches that did not list their runs."""
        known = f"state IN ({quoted(KNOWN)}) AND batch_id IS NOT NULL"
        return {row[0] for row in self._select(f"SELECT batch_id FROM launches WHERE {known}")}  # noqa: S608 - ours

    def _select(self, query: str, parameters: Sequence[str | int] = ()) -> Iterator[tuple[Any, ...]]:
        with self._mapped_errors("read"):
            return iter(self._db.execute(query, parameters).fetchall())

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._mapped_errors("written"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _mapped_errors(self, what: str) -> Generator[None]:
        """Map errors of SQLite and the file system."""
        try:
            yield
        except (sqlite3.Error, OSError, OverflowError, UnicodeError) as error:  # a number over 64 bits, a damaged text
            raise journal_error(self.path, what, error) from error


def _move(db: sqlite3.Connection, launch_id: str, state: LaunchState, detail: str, batch_id: int | None) -> None:
    row = db.execute("SELECT state FROM launches WHERE launch_id = ?", (launch_id,)).fetchone()
    before = LaunchState(row[0])
    if state not in TRANSITIONS.get(before, frozenset()):
        raise AssertionError(f"launch {launch_id}: {before.value} → {state.value} is not a valid transition")
    db.execute(
        "UPDATE launches SET state = ?, detail = ?, batch_id = ? WHERE launch_id = ?",
        (state.value, detail, batch_id, launch_id),
    )


def _insert(db: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    """`table` and the keys of `row` are our own names."""
    places = ", ".join("?" * len(row))
    db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", tuple(row.values()))  # noqa: S608 - ours
