"""One request as it went, for traces: what was asked, how it ended, how long it took. No bodies, no headers, no key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from planner.errors import IncompleteError, PlannerError, StoreError, ThrottledError, UnreachableError


class Fate(Enum):
    ANSWERED = "answered"
    REFUSED = "refused"
    """429: not carried out."""
    REJECTED = "rejected"
    """4xx: the service said no."""
    UNSENT = "unsent"
    """It provably never left."""
    AMBIGUOUS = "ambiguous"
    """A launch that may have been carried out: it is looked for, and not sent again before that is known."""
    FAILED = "failed"
    """A read without a usable answer; it may be repeated."""
    CANCELLED = "cancelled"
    """We stopped waiting. What became of a launch is then not known."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """`started` and `seconds` are monotonic; bytes are those of the bodies."""

    started: float
    seconds: float
    method: str
    path: str
    """With its query."""
    status: int | None
    """None where no status line came."""
    sent_bytes: int
    received_bytes: int
    attempt: int
    """From 1; only reads are repeated."""
    is_last: bool
    """It is not repeated, however it ended."""
    error: PlannerError | None
    is_cancelled: bool = False

    @property
    def fate(self) -> Fate:
        if self.is_cancelled:
            return Fate.CANCELLED
        match self.error:
            case None:
                return Fate.ANSWERED
            case ThrottledError():
                return Fate.REFUSED
            case UnreachableError() | StoreError():  # the second: what was to be written before it could not be
                return Fate.UNSENT
            case IncompleteError():
                return Fate.AMBIGUOUS if self.method == "POST" else Fate.FAILED
            case _:
                return Fate.REJECTED

    @property
    def is_repeated(self) -> bool:
        return not self.is_last and self.fate in (Fate.REFUSED, Fate.UNSENT, Fate.FAILED)
