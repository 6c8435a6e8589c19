"""The states of a consent in the tables of an organisation."""

from __future__ import annotations

from enum import Enum
from typing import Final

from planner.errors import StoreError


class ConsentState(Enum):
    SUBMITTED = "submitted"
    """No coordinator has seen it yet."""
    OPEN = "open"
    """Its calls are being made."""
    ENDED = "ended"
    """`outcome` says how."""
    DEFERRED = "deferred"
    """The service has such calls, and the tables do not know them: nothing is called."""
    DEAD = "dead"
    """It failed again and again; `outcome` has the reason."""
    CLOSING = "closing"
    """Its results are stored; the coordinator does not know yet."""
    CLOSED = "closed"

    @classmethod
    def _missing_(cls, value: object) -> None:
        raise StoreError(f"{value!r} is no state of a consent in the organisation's tables", "Correct that row.")


CALLING: Final = (ConsentState.SUBMITTED, ConsentState.OPEN)
THEIRS: Final = (*CALLING, ConsentState.DEFERRED)
"""Nobody but the workers may make its calls."""
STORED: Final = (ConsentState.CLOSING, ConsentState.CLOSED)
AT_WORK: Final = (*CALLING, ConsentState.CLOSING)
