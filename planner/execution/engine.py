"""What a session calls, and how that ended, in the words of verdicts and reports."""

from dataclasses import dataclass, field
from datetime import datetime

from planner.providers.base import Line
from planner.values import frozen


@frozen
class Job:
    """The calls that one case still needs. `reserve_cents` is the high estimate of one call; None if unknown."""

    case_id: str
    plan: str
    line: Line
    prompt: str
    key: str
    """Of the calls in the log."""
    agent_revision: str | None
    runs: int
    timeout_seconds: float
    await_grade: bool
    """Whether a check needs the platform's grade, which may come late."""
    reserve_cents: int | None
    expected_seconds: float | None
    retries: int = 0
    """Retries per run after a platform failure, if the budget allows."""
    configuration: str | None = None
    """Digest of the agent's configuration that is called; None if unknown."""


@frozen
class UnsettledLaunch:
    """A launch that is unconfirmed when the engine ends."""

    launch_id: str
    case_ids: tuple[str, ...]
    reserved_cents: int
    needs_person: bool
    """Several candidates were found: a person must choose."""
    detail: str
    again_at: datetime | None = None
    """It may be sent again from this time on, if the service does not show it."""


@dataclass(slots=True)
class Outcome:
    """How calling ended. Runs that were not launched are in `left`."""

    launches: int = 0
    interrupted: bool = False
    ceiling: str = ""
    """The ceiling that stopped launching; empty if none."""
    ceiling_detail: str = ""
    """What it allows, what is spent and reserved, and the price of the next call."""
    ceiling_enough: str = ""
    """The ceiling that would cover the rest; empty if a price is unknown."""
    ceiling_by_service: bool = False
    """It is the balance, which only a payment raises."""
    broken: str = ""
    """Ceilings that bills exceeded, because calls under way cost more than reserved."""
    refusal: str = ""
    """A refusal during the session (402, policy)."""
    usage: str = ""
    """The service rejected a request or key during the session."""
    trouble: str = ""
    """The service failed, or the journal could not be written."""
    bug: Exception | None = None
    """An exception that nobody expected ended the session: a bug in planner. What the journal has is true."""
    blocked: str = ""
    """Why launching stopped while runs under way were still watched: the shared store failed, or another session makes
    the same calls."""
    fail_fast: bool = False
    left: dict[str, int] = field(default_factory=dict[str, int])
    """Runs wanted and not launched, by case id."""
    overdue: int = 0
    """Runs that we stopped waiting for."""
    unread: list[str] = field(default_factory=list[str])
    """Why ended runs among them could not be read; one entry each."""
    anomalies: dict[str, str] = field(default_factory=dict[str, str])
    """Unexpected data from the service, in words; by launch id, or `run 7110`."""
    unread_slots: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    """Keys of ended runs that could not be read, including those still being retried."""
    unsettled: tuple[UnsettledLaunch, ...] = ()

    @property
    def finished(self) -> bool:
        """Everything was done, and no launch is unconfirmed."""
        return not (
            self.interrupted
            or self.ceiling
            or self.refusal
            or self.usage
            or self.trouble
            or self.bug
            or self.blocked
            or self.left
            or self.overdue
            or self.unsettled
            or self.anomalies
        )
