"""The interface between a driver and its session."""

from __future__ import annotations

from collections.abc import Callable

from planner.evidence import Evidence
from planner.execution.engine import Snapshot
from planner.execution.launches import Launch, LaunchState, Slot
from planner.values import frozen


@frozen
class EndedRun:
    """A run that ended, or that nobody waits for any longer. Its slot is bound."""

    slot: Slot
    launch: Launch
    resumed: bool
    """An earlier session launched it."""
    evidence: Evidence | None = None
    """None if it is missing."""
    unread: str = ""
    """Why an ended run has no evidence: its data could not be read."""

    @property
    def run_id(self) -> int:
        assert self.slot.run_id is not None
        return self.slot.run_id

    @property
    def adopted(self) -> bool:
        return self.launch.state is LaunchState.ADOPTED


@frozen
class RunResponse:
    """What a session says of a run that ended."""

    platform_failed: bool = False
    """It may be retried."""
    stop: bool = False
    """Launch nothing more (`--fail-fast`)."""


@frozen
class Observer:
    """Callbacks of a driver."""

    on_run: Callable[[EndedRun], RunResponse]
    """Called once per run that counts for a case."""
    on_snapshot: Callable[[Snapshot], None]
    log: Callable[[str], None]
    warn: Callable[[str], None] = lambda _: None
