"""Records of requests to a service: what was sent, how long it took, and who is informed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from planner.errors import PlannerError
from planner.values import frozen


@frozen
class Exchange:
    """The record of one request, without bodies, headers or keys."""

    seconds: float
    method: str
    path: str
    """With its query."""
    status: int | None
    """None if no status line arrived."""
    error: PlannerError | None
    """None after an answer, and if we stopped waiting."""
    request_id: str
    """The service's id of the request, for its support; "" if it names none."""


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
