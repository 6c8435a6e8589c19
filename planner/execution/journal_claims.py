"""Claims in the journal: each run belongs to one launch, and to one slot of it, permanently."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from planner.errors import StoreError
from planner.execution.journal_values import quoted
from planner.execution.launches import KNOWN, LaunchState


class TakenError(StoreError):
    """The service returned a run or batch that already belongs to launch `holder`."""

    def __init__(self, what: str, holder: str) -> None:
        super().__init__(
            f"{what}, which already belongs to launch {holder}",
            "Different services (THUNDERPHONE_API_BASE_URL) may use the same run ids. If this store was used with another service,"
            " choose a separate --store and run the same command again.",
        )
        self.holder = holder


def require_free(db: sqlite3.Connection, launch_id: str, batch_id: int | None, run_ids: Sequence[int]) -> None:
    """Raises `TakenError` if a run, or a batch that does not list its runs, belongs to another launch."""
    for run_id in run_ids:
        row = db.execute(
            "SELECT launch_id FROM claims WHERE run_id = ? AND launch_id != ?", (run_id, launch_id)
        ).fetchone()
        if row is not None:
            raise TakenError(f"run {run_id}", row[0])
    if batch_id is not None and not run_ids:
        known = f"state IN ({quoted(KNOWN)})"
        query = f"SELECT launch_id FROM launches WHERE batch_id = ? AND launch_id != ? AND {known}"  # noqa: S608 - ours
        row = db.execute(query, (batch_id, launch_id)).fetchone()
        if row is not None:
            raise TakenError(f"batch {batch_id}", row[0])


def claim_free(db: sqlite3.Connection, launch_id: str, run_ids: Iterable[int]) -> None:
    db.executemany("INSERT OR IGNORE INTO claims VALUES (?, ?)", [(run_id, launch_id) for run_id in sorted(run_ids)])


def bind(db: sqlite3.Connection, launch_id: str, bindings: Mapping[int, int]) -> None:
    """A bound slot keeps its run."""
    for ordinal, run_id in bindings.items():
        changed = db.execute(
            "UPDATE slots SET run_id = ?1 WHERE launch_id = ?2 AND ordinal = ?3 AND (run_id IS NULL OR run_id = ?1)",
            (run_id, launch_id, ordinal),
        )
        if not changed.rowcount:
            raise AssertionError(
                f"slot {ordinal} of launch {launch_id} cannot be bound to run {run_id}: it is not free"
            )


def require_known(db: sqlite3.Connection, launch_id: str) -> None:
    row = db.execute("SELECT state FROM launches WHERE launch_id = ?", (launch_id,)).fetchone()
    if LaunchState(row[0]) not in KNOWN:
        raise AssertionError(f"launch {launch_id} is {row[0]} and has no known runs")


def require_bound(db: sqlite3.Connection, keys: Iterable[tuple[str, int]]) -> None:
    for key in keys:
        row = db.execute("SELECT run_id FROM slots WHERE launch_id = ? AND ordinal = ?", key).fetchone()
        if row is None or row[0] is None:
            raise AssertionError(f"slot {key[1]} of launch {key[0]} is not bound to a run")
