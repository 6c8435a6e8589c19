"""The tables of an organisation in memory, for simulations: the same methods, a clock of their own, and faults."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic_core import from_json

from planner.errors import StoreError
from planner.organisation.states import AT_WORK, ConsentState
from planner.organisation.tables import KEPT_SECONDS, LEASE_SECONDS, PRUNED, FencedError, Tables, together

T = TypeVar("T")

SENT = "the record that a launch is sent"


@dataclass
class Rows:
    """What a copy of the database has."""

    coordinator: dict[str, Any] | None = None
    consents: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    progress: dict[str, str] = field(default_factory=dict[str, str])
    evidence: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])


class Database:
    """One for all processes. `now` is its clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.rows = Rows()
        self.is_away = False
        self.is_lost: Callable[[], bool] = lambda: False
        """Whether the answer to a write is lost."""
        self.kept_seconds = KEPT_SECONDS
        self.pruned: set[str] = set()
        self.launches: dict[str, str] = {}
        """The consent of each launch, whatever was pruned since."""

    def copy(self) -> Rows:
        return copy.deepcopy(self.rows)


class MemoryTables(Tables):
    """As one process sees them. `step` is called just before and just after each transaction, and may raise."""

    def __init__(self, database: Database, step: Callable[[str], None] = lambda _: None) -> None:
        object.__setattr__(self, "database", database)
        object.__setattr__(self, "step", step)
        object.__setattr__(self, "shown", "memory")

    database: Database
    step: Callable[[str], None]

    def _do(self, name: str, what: Callable[[Rows], T], epoch: int | None = None, *, after: int | None = None) -> T:
        self.step(f"before {name}")
        database = self.database
        if database.is_away:
            raise StoreError("the database is away")
        if epoch is not None:
            self._check_epoch(epoch)
        if after is not None and after != len(database.rows.events):
            raise StoreError(f"event {after} is not the last one")
        found = what(database.rows)
        if epoch is not None and database.is_lost():
            raise StoreError("the connection broke when everything was written")
        self.step(f"after {name}")
        return found

    def _check_epoch(self, epoch: int) -> None:
        row = self.database.rows.coordinator
        if row is None or row["epoch"] != epoch or row["expires_at"] <= self.database.now():
            raise FencedError(epoch)

    # The coordinator

    def take(self, holder: str, version: str) -> int | None:
        def take(rows: Rows) -> int | None:
            now, known = self.database.now(), rows.coordinator
            if known is not None and known["expires_at"] > now:
                return None
            epoch = 1 if known is None else known["epoch"] + 1
            rows.coordinator = {
                "epoch": epoch,
                "holder": holder,
                "version": version,
                "expires_at": now + LEASE_SECONDS,
            }
            return epoch

        return self._do("a take", take)

    def heartbeat(self, epoch: int) -> None:
        def beat(rows: Rows) -> None:
            assert rows.coordinator is not None
            rows.coordinator["expires_at"] = self.database.now() + LEASE_SECONDS

        self._do("a heartbeat", beat, epoch)

    # Consents

    def consents(self, *states: ConsentState) -> Sequence[Any]:
        wanted = {state.value for state in states or ConsentState}

        def read(rows: Rows) -> list[dict[str, Any]]:
            found = [dict(row) for row in rows.consents.values() if row["state"] in wanted]
            return sorted(found, key=lambda row: row["changed_at"])

        return self._do("a look", read)

    def consent(self, consent_id: str) -> Any:
        def read(rows: Rows) -> dict[str, Any] | None:
            return None if (row := rows.consents.get(consent_id)) is None else dict(row)

        return self._do("a look", read)

    def submit(self, consent_id: str, repository: str, submission: str, is_equal: Any = lambda _: False) -> bool:
        values = {
            "consent_id": consent_id,
            "state": ConsentState.SUBMITTED.value,
            "repository": repository,
            "submission": submission,
            "failures": 0,
            "outcome": "",
            "changed_at": self.database.now(),
        }

        def write(rows: Rows) -> bool:
            digest = consent_id.partition("-")[0]
            alike = [row for row in rows.consents.values() if row["consent_id"].startswith(f"{digest}-")]
            others = [row for row in alike if row["repository"] == repository and row["consent_id"] != consent_id]
            if any(map(is_equal, others)):
                return False
            known = rows.consents.get(consent_id)
            if known is None or ConsentState(known["state"]) not in AT_WORK:
                rows.consents[consent_id] = values
            return True

        return self._do("a submission", write)

    def change(self, epoch: int | None, consent_id: str, **values: Any) -> None:
        def write(rows: Rows) -> None:
            if consent_id in rows.consents:
                rows.consents[consent_id].update(values, changed_at=self.database.now())

        self._do("a change of a consent", write, epoch)

    def close(self, consent_id: str, submission: str) -> None:
        def write(rows: Rows) -> None:
            rows.progress.pop(consent_id, None)
            rows.evidence = {key: row for key, row in rows.evidence.items() if row["consent_id"] != consent_id}
            if consent_id in rows.consents:
                closing = {"state": ConsentState.CLOSING.value, "submission": submission}
                rows.consents[consent_id].update(closing, changed_at=self.database.now())

        self._do("a closing", write)

    # Events

    def events(self, after: int = 0, consent_id: str | None = None) -> Sequence[Any]:
        def read(rows: Rows) -> list[dict[str, Any]]:
            found = [row for row in rows.events[after:] if consent_id in (None, row["consent_id"])]
            return list({row["number"]: row for row in found}.values())

        return self._do("a look", read)

    def add_event(self, epoch: int, values: Mapping[str, Any]) -> None:
        def write(rows: Rows) -> None:
            rows.events.append({"epoch": epoch, **values})

        if values["kind"] == "intended":
            self.database.launches[from_json(values["event"])["intent"]["launch_id"]] = values["consent_id"]
        name = SENT if '"state":"sent"' in values["event"] else values["kind"]
        self._do(name, write, epoch, after=values["number"] - 1)

    def rewrite_events(self, epoch: int, events: Mapping[int, str]) -> None:
        def write(rows: Rows) -> None:
            for number, event in events.items():
                rows.events[number - 1] = {**rows.events[number - 1], "event": event}

        self._do("rewritten events", write, epoch)

    # Progress and evidence

    def show_progress(self, epoch: int, snapshots: Mapping[str, str]) -> None:
        self._do("progress", lambda rows: rows.progress.update(snapshots), epoch)

    def save_evidence(self, epoch: int, rows: Sequence[Mapping[str, Any]]) -> None:
        new = {row["digest"]: dict(row) for row in rows}
        self._do("evidence", lambda rows: rows.evidence.update(new), epoch)

    def evidence(self, digest: str) -> bytes | None:
        def read(rows: Rows) -> bytes | None:
            return rows.evidence[digest]["data"] if digest in rows.evidence else None

        return self._do("a look", read)

    def empty_log(self) -> None:
        pass

    def prune(self, epoch: int) -> int:
        """As in the database, but soon."""

        def write(rows: Rows) -> int:
            until = self.database.now() - self.database.kept_seconds
            old = {
                key
                for key, row in rows.consents.items()
                if row["state"] == ConsentState.CLOSED.value and row["changed_at"] < until
            }
            self.database.pruned |= old
            for key in old:
                del rows.consents[key]
            gone = [row["number"] for row in rows.events if row["consent_id"] in old or row["kind"] == PRUNED]
            for first, last in together((number, number) for number in gone):
                mark = {"consent_id": "", "kind": PRUNED, "event": f'{{"through": {last}}}'}
                for number in range(first, last + 1):
                    rows.events[number - 1] = {**rows.events[number - 1], **mark, "number": first}
            return len(old)

        return self._do("a pruning", write, epoch)
