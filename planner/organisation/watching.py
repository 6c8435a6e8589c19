"""What a client says while no worker is at work, and how long it waits for a database that is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import anyio
import anyio.to_thread

from planner.organisation.tables import AwayError, Tables
from planner.quantities import duration, rounded_duration

T = TypeVar("T")
START_WORKER: Final = "Start one: planner worker"
_UNHEARD_SECONDS: Final = 12.0
"""Two heartbeats."""
_LOOK_SECONDS: Final = 2.0
_RETRY_SECONDS: Final = 2.0


@dataclass(slots=True)
class Watch:
    """Says each trouble once."""

    tables: Tables
    interrupted: anyio.Event
    patience_seconds: float
    say: Callable[[str], None]
    _said: str = ""
    _looked_at: float | None = None

    async def patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the database, again while it is away. Raises `AwayError` after some minutes, or if interrupted."""
        since = anyio.current_time()
        while True:
            try:
                return await ask()
            except AwayError as error:
                gone_seconds = anyio.current_time() - since
                if self.interrupted.is_set() or gone_seconds >= self.patience_seconds:
                    raise
                self._note(f"{error}; trying again for up to {rounded_duration(self.patience_seconds)}")
            with anyio.move_on_after(_RETRY_SECONDS):
                await self.interrupted.wait()

    async def look_at_worker(self) -> None:
        """Say why no calls are made. Raises `StoreError`."""
        now = anyio.current_time()
        if self._looked_at is not None and now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        row = await anyio.to_thread.run_sync(self.tables.worker)
        if row is None:
            self._note(f"no worker of the organisation is running, so no call is made. {START_WORKER}")
        elif row["silent_seconds"] > _UNHEARD_SECONDS:
            lease = duration(self.tables.lease_seconds)
            self._note(
                f"the organisation's worker was last heard of more than {_UNHEARD_SECONDS:.0f} s ago: another one "
                f"takes over within {lease}. If there is none, start one: planner worker"
            )
        elif row["trouble"]:
            self._note(f"the organisation's worker makes no calls at the moment: {row['trouble']}")

    def _note(self, trouble: str) -> None:
        if trouble != self._said:
            self._said = trouble
            self.say(trouble)
