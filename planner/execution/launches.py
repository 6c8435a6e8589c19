"""Launches and their slots, as the readers of the log know them: one slot for each call that a launch asked for."""

from datetime import datetime, timedelta
from enum import Enum
from typing import Annotated, TypeAlias

from pydantic import AwareDatetime, Field

from planner.bounds import Cents, Count, Seconds, ServiceId
from planner.providers.base import Line
from planner.values import frozen

LONGEST_RUN = timedelta(days=1)
"""Longest time between a run's creation and its end; the list is read this far back."""


class LaunchState(Enum):
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNSENT = "unsent"
    REJECTED = "rejected"
    UNCONFIRMED = "unconfirmed"
    ADOPTED = "adopted"
    ABSENT = "absent"


LIVE = frozenset({LaunchState.ACKNOWLEDGED, LaunchState.UNCONFIRMED, LaunchState.ADOPTED})
"""States in which money is, or may be, spent."""
UNSETTLED = frozenset({LaunchState.UNCONFIRMED})
KNOWN = frozenset({LaunchState.ACKNOWLEDGED, LaunchState.ADOPTED})


class LaunchProblem(Enum):
    DUPLICATE_ANSWER = "duplicate_answer"
    """The service gave two launches the same answer. The second is UNCONFIRMED and only a person can settle it: the
    lists cannot show which of the two was carried out. Runs of the first are verified before they count."""


OTHER_KEY = "it was made with another key"
"""Says of a launch that used another API key why it is open. The current key may not see its runs."""


Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""Names stored evidence."""


SlotKey: TypeAlias = tuple[str, int]
"""Launch id and ordinal."""


@frozen
class Launch:
    launch_id: str
    session_id: str
    consent_id: str
    state: LaunchState
    line: Line
    name: str
    sent_at: AwareDatetime
    slack_seconds: Seconds
    batch_id: ServiceId | None = None
    run_ids: tuple[ServiceId, ...] = ()
    detail: str = ""
    """Why it is in this state, for people."""
    problem: LaunchProblem | None = None

    @property
    def earliest(self) -> datetime:
        """The earliest time that its runs may have been created, by the server's clock."""
        return self.sent_at - timedelta(seconds=self.slack_seconds)


@frozen
class Slot:
    launch_id: str
    ordinal: Count
    case_id: str
    plan: str
    prompt: str
    call_fingerprint: str
    agent_revision: str | None
    reserved_cents: Cents
    run_id: ServiceId | None = None
    evidence: Digest | None = None
    """Digest of the stored evidence; None until collected."""
    cost_cents: Cents | None = None
    completed_at: AwareDatetime | None = None
    consumed_by: str | None = None
    configuration: str | None = None
    call_key: str = ""
    """Of its calls in the log."""

    @property
    def key(self) -> SlotKey:
        return self.launch_id, self.ordinal

    @property
    def committed_cents(self) -> int:
        """The bill, or the reservation while the bill is unknown."""
        return self.reserved_cents if self.cost_cents is None else self.cost_cents
