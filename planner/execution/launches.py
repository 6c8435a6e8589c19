"""Launches and their slots, as the journal records them, and the state machine of a launch.

A launch's states::

    INTENDED ─┬─► UNSENT                 provably never left (no connection, or the process ended first)
              └─► SENT ─┬─► UNSENT                   recording it took too long: nothing left
                        ├─► ACKNOWLEDGED             answered: its runs are known
                        ├─► REFUSED                  429: not carried out, not charged
                        ├─► REJECTED                 4xx: the service said no
                        └─► UNCONFIRMED ─┬─► ADOPTED  found at the service: its runs are known
                                         └─► ABSENT   not found after the settling time, or a person said so

Of equal launches, another machine may match a run to one that was UNSENT, REFUSED, REJECTED or ABSENT here. It becomes
ADOPTED then: which of them was carried out makes no difference, how many does.

INTENDED is written with everything that the launch asks for; SENT when the connection is open, before the first byte
leaves. If a later session finds INTENDED, the launch is UNSENT; SENT becomes UNCONFIRMED: the process died in between.

A launch has one slot per wanted run. A slot's states::

    WANTED ─► BOUND ─┬─► COLLECTED ─► CONSUMED
                     └──────────────► CONSUMED

WANTED: its run is unknown; the launch may not have happened. BOUND: it has a run id, permanently. COLLECTED: evidence
is stored; later evidence may replace it, even after CONSUMED. CONSUMED: it is part of the finished results of a
session. Later sessions resume unconsumed slots.

Every transition is one transaction, and the journal refuses all others. So after a crash each launch and slot is in one
of these states.
"""

from collections.abc import Mapping
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
    INTENDED = "intended"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNSENT = "unsent"
    REJECTED = "rejected"
    UNCONFIRMED = "unconfirmed"
    ADOPTED = "adopted"
    ABSENT = "absent"


TRANSITIONS: Mapping[LaunchState, frozenset[LaunchState]] = {
    LaunchState.INTENDED: frozenset({LaunchState.SENT, LaunchState.UNSENT}),
    LaunchState.SENT: frozenset(
        {
            LaunchState.UNSENT,
            LaunchState.ACKNOWLEDGED,
            LaunchState.REFUSED,
            LaunchState.REJECTED,
            LaunchState.UNCONFIRMED,
        }
    ),
    LaunchState.UNCONFIRMED: frozenset({LaunchState.ADOPTED, LaunchState.ABSENT}),
    **dict.fromkeys(
        (LaunchState.UNSENT, LaunchState.REFUSED, LaunchState.REJECTED, LaunchState.ABSENT),
        frozenset({LaunchState.ADOPTED}),
    ),
}
LIVE = frozenset(
    {LaunchState.INTENDED, LaunchState.SENT, LaunchState.ACKNOWLEDGED, LaunchState.UNCONFIRMED, LaunchState.ADOPTED}
)
"""States in which money is, or may be, spent."""
UNSETTLED = frozenset({LaunchState.INTENDED, LaunchState.SENT, LaunchState.UNCONFIRMED})
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


class SlotState(Enum):
    WANTED = "wanted"
    BOUND = "bound"
    COLLECTED = "collected"
    CONSUMED = "consumed"


@frozen
class SlotIntent:
    case_id: str
    plan: str
    prompt: str
    call_fingerprint: str
    agent_revision: str | None
    reserved_cents: Cents
    configuration: str | None = None
    """Digest of the agent's configuration that is called; None if unknown."""


@frozen
class LaunchIntent:
    """A launch before it is sent. `sent_at` is in the server's clock if that is known."""

    launch_id: str
    session_id: str
    consent_id: str
    line: Line
    name: str
    sent_at: AwareDatetime
    slack_seconds: Seconds
    """Tolerance of `sent_at` in the server's clock."""
    slots: tuple[SlotIntent, ...]
    credential: str = ""
    """A digest of the API key."""


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

    @property
    def state(self) -> SlotState:
        if self.consumed_by is not None:
            return SlotState.CONSUMED
        if self.evidence is not None:
            return SlotState.COLLECTED
        return SlotState.WANTED if self.run_id is None else SlotState.BOUND

    @property
    def key(self) -> SlotKey:
        return self.launch_id, self.ordinal

    @property
    def committed_cents(self) -> int:
        """The bill, or the reservation while the bill is unknown."""
        return self.reserved_cents if self.cost_cents is None else self.cost_cents


@frozen
class ReportedRun:
    """A run that ended, or that nobody waits for any longer. Its slot is bound."""

    slot: Slot
    launch: Launch
    resumed: bool
    """An earlier session launched it."""
    unread: str = ""
    """Why an ended run has no evidence: its data could not be read."""
