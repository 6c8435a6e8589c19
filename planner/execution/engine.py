"""What a session wants done, and the protocol of the driver that does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from planner.execution.jobs import Job, Pace, Settings, all_at_once
from planner.execution.ledger import Ledger

if TYPE_CHECKING:
    import anyio

    from planner.execution.jobs import Observer, Outcome
    from planner.execution.launches import Slot


class Now(NamedTuple):
    """The time, as a driver reads it."""

    seconds: float
    """Monotonic."""
    utc: datetime
    server: datetime
    """By the service's clock if that is known."""
    slack_seconds: float
    """How far `server` may be wrong."""

    def seconds_since(self, moment: datetime) -> float:
        """By the service's clock; 0 for a time in the future."""
        return max(0.0, (self.server - moment).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a session wants done."""

    jobs: Mapping[str, Job]
    settings: Settings
    invocation_id: str
    change_set_digest: str
    credential: str
    """A digest of the API key."""
    ledger: Ledger
    pace: Pace = all_at_once
    may_launch: bool = True
    """Resuming calls needs no consent; launching does, even for launches that turned out never to have arrived."""


class Engine(Protocol):
    """Carries out an order."""

    async def execute(
        self, order: Order, resumed: Sequence[Slot], *, observer: Observer, interrupted: anyio.Event
    ) -> Outcome:
        """Make the calls of the order, less the `resumed` slots of earlier sessions.

        Returns when everything is done or nothing more can be done. Errors of the service or the disk are in the
        outcome.
        """
        ...
