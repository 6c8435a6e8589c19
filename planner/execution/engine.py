"""What carries out an order: makes its calls, and resumes those of earlier sessions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import anyio

    from planner.execution.jobs import Observer, Outcome
    from planner.execution.launches import Slot
    from planner.execution.state import Order


class Engine(Protocol):
    async def execute(
        self, order: Order, resumed: Sequence[Slot], *, observer: Observer, interrupted: anyio.Event
    ) -> Outcome:
        """Make the calls of the order, less the `resumed` slots of earlier sessions.

        Returns when everything is done or nothing more can be done. Errors of the service or the disk are in the
        outcome.
        """
        ...
