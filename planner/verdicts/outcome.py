"""How the calling of a session ended, for its verdict and its report."""

from dataclasses import dataclass, field

from planner.calls.model import Unsettled


@dataclass(slots=True)
class Outcome:
    """How calling ended. Runs that were not launched are in `left`."""

    launches: int = 0
    interrupted: bool = False
    ceilings: tuple[str, ...] = ()
    """The ceilings that stopped launching."""
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
    fail_fast: bool = False
    left: dict[str, int] = field(default_factory=dict[str, int])
    """Runs wanted and not launched, by case id."""
    overdue: int = 0
    """Runs that we stopped waiting for."""
    unread: list[str] = field(default_factory=list[str])
    """Why ended runs among them could not be read; one entry each."""
    anomalies: tuple[str, ...] = ()
    """Unexpected data from the service, in words."""
    unread_slots: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    """Keys of ended runs that could not be read, including those still being retried."""
    unsettled: tuple[Unsettled, ...] = ()
