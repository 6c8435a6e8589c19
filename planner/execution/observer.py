"""A run as the verdicts see it."""

from __future__ import annotations

from planner.evidence import Evidence
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
