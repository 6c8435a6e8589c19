"""Records of requests to a service: what was sent, how long it took, and who is informed."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from planner.errors import IncompleteError, PlannerError, StoreError, ThrottledError, UnreachableError
from planner.values import frozen


class RequestOutcome(Enum):
    ANSWERED = "answered"
    REFUSED = "refused"
    """429: not carried out."""
    REJECTED = "rejected"
    """4xx: the service said no."""
    UNSENT = "unsent"
    """It provably never left."""
    UNCONFIRMED = "unconfirmed"
    """A launch that may have been carried out. It is searched for before it is sent again."""
    FAILED = "failed"
    """A read without a usable answer; it may be retried."""
    CANCELLED = "cancelled"
    """We stopped waiting; a launch is unconfirmed then."""


@frozen
class Exchange:
    """The record of one request, for traces, without bodies, headers or keys. `started` and `seconds` are monotonic;
    sizes are of the bodies."""

    started: float
    seconds: float
    method: str
    path: str
    """With its query."""
    status: int | None
    """None if no status line arrived."""
    sent_bytes: int
    received_bytes: int
    attempt: int
    """From 1; only reads are retried."""
    is_last: bool
    """There is no further attempt."""
    error: PlannerError | None
    is_cancelled: bool = False
    request_id: str = ""
    """The service's id of the request, for its support; "" if it names none."""
    unreadable_rows: int = 0
    """Rows of the answered list that cannot be read as a whole."""

    @property
    def outcome(self) -> RequestOutcome:
        if self.is_cancelled:
            return RequestOutcome.CANCELLED
        match self.error:
            case None:
                return RequestOutcome.ANSWERED
            case ThrottledError():
                return RequestOutcome.REFUSED
            case UnreachableError() | StoreError():  # StoreError: the journal could not be written before sending
                return RequestOutcome.UNSENT
            case IncompleteError():
                return RequestOutcome.UNCONFIRMED if self.method == "POST" else RequestOutcome.FAILED
            case _:
                return RequestOutcome.REJECTED

    @property
    def is_repeated(self) -> bool:
        return not self.is_last and self.outcome in (
            RequestOutcome.REFUSED,
            RequestOutcome.UNSENT,
            RequestOutcome.FAILED,
        )


@dataclass(slots=True)
class RequestStats:
    requests: int = 0
    refused: int = 0
    """429 answers."""


@frozen
class RequestHooks:
    """`on_exchange` is called after every request, `on_wait` before a read is retried (error, pause in seconds)."""

    on_exchange: Callable[[Exchange], None] | None = None
    on_wait: Callable[[PlannerError, float], None] | None = None


NO_HOOKS: Final = RequestHooks()
