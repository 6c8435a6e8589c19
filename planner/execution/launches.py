"""Launches and their slots, as the journal knows them, and the state machine that a launch goes through.

A launch's states::

    INTENDED ─┬─► UNSENT                 provably never left (no connection, or the process ended before)
              └─► SENT ─┬─► ACKNOWLEDGED             answered: its runs are known
                        ├─► REFUSED                  429: not carried out, not charged
                        ├─► REJECTED                 4xx: the service said no
                        └─► AMBIGUOUS ─┬─► ADOPTED   found at the service: its runs are known
                                       └─► ABSENT    looked for until settled, not there (or a person said so)

INTENDED is written with everything the launch asks for, SENT when its connection stands and before its first byte leaves.
Found by a later invocation, the first is UNSENT and the second AMBIGUOUS: the process died in between.

Each launch has slots, one a run wanted. A slot's states::

    WANTED ─► BOUND ─┬─► COLLECTED ─► CONSUMED
                     └──────────────► CONSUMED

WANTED: which run it got is not known (its launch may not even have happened). BOUND to a run id, once and for all, when the
launch is ACKNOWLEDGED or ADOPTED. COLLECTED: its evidence is stored; that is replaced where more of it came later, also after
it was consumed. CONSUMED by the invocation whose finished results hold it. Unconsumed slots are what a later invocation goes on with.

Whatever a process that died left behind, each launch and slot is in one of these states, since every transition is one
transaction; any other transition is refused by the journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from planner.evidence import Evidence
from planner.execution.work import Line, RunRecord


class LaunchState(Enum):
    INTENDED = "intended"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNSENT = "unsent"
    REJECTED = "rejected"
    AMBIGUOUS = "ambiguous"
    ADOPTED = "adopted"
    ABSENT = "absent"


TRANSITIONS: Mapping[LaunchState, frozenset[LaunchState]] = {
    LaunchState.INTENDED: frozenset({LaunchState.SENT, LaunchState.UNSENT}),
    LaunchState.SENT: frozenset(
        {LaunchState.ACKNOWLEDGED, LaunchState.REFUSED, LaunchState.REJECTED, LaunchState.AMBIGUOUS}
    ),
    LaunchState.AMBIGUOUS: frozenset({LaunchState.ADOPTED, LaunchState.ABSENT}),
}
LIVE = frozenset(
    {LaunchState.INTENDED, LaunchState.SENT, LaunchState.ACKNOWLEDGED, LaunchState.AMBIGUOUS, LaunchState.ADOPTED}
)
"""States in which money is, or may be, spent."""
UNSETTLED = frozenset({LaunchState.INTENDED, LaunchState.SENT, LaunchState.AMBIGUOUS})
KNOWN = frozenset({LaunchState.ACKNOWLEDGED, LaunchState.ADOPTED})


ANSWERED_TWICE = "the service answered two launches with one thing: "
"""How the detail of both of them begins. The second is AMBIGUOUS, and not sent again before a person has said so: which of the
two was carried out cannot be told from what the service shows. The first is KNOWN, and what is seen of it is believed only where
it shows what was asked for."""


OTHER_KEY = "it was made with another key"
"""How the detail begins of a launch that the present key is not asked about: what it does not see may be there all the same."""


class SlotState(Enum):
    WANTED = "wanted"
    BOUND = "bound"
    COLLECTED = "collected"
    CONSUMED = "consumed"


@dataclass(frozen=True, slots=True)
class SlotIntent:
    case_id: str
    plan: str
    prompt: str
    call_fingerprint: str
    agent_revision: str | None
    reserved_cents: int


@dataclass(frozen=True, slots=True)
class LaunchIntent:
    """What is about to be sent. `sent_at` is in the server's clock as far as it is known."""

    launch_id: str
    invocation_id: str
    change_set_digest: str
    line: Line
    name: str
    sent_at: datetime
    slack_seconds: float
    """How far `sent_at` may be off the server's clock."""
    slots: tuple[SlotIntent, ...]
    credential: str = ""
    """What it is made with; tells one key from another, and not what it is."""


@dataclass(frozen=True, slots=True)
class Launch:
    launch_id: str
    invocation_id: str
    change_set_digest: str
    state: LaunchState
    line: Line
    name: str
    sent_at: datetime
    slack_seconds: float
    batch_id: int | None
    run_ids: tuple[int, ...]
    detail: str
    """Why it is ambiguous, refused, …"""

    @property
    def earliest(self) -> datetime:
        """When it may have been carried out at the earliest, by the server's clock."""
        return self.sent_at - timedelta(seconds=self.slack_seconds)


@dataclass(frozen=True, slots=True)
class Slot:
    launch_id: str
    ordinal: int
    case_id: str
    plan: str
    prompt: str
    call_fingerprint: str
    agent_revision: str | None
    reserved_cents: int
    run_id: int | None
    evidence: str | None
    """Digest of the stored evidence; None until collected."""
    cost_cents: int | None
    completed_at: datetime | None
    consumed_by: str | None

    @property
    def state(self) -> SlotState:
        if self.consumed_by is not None:
            return SlotState.CONSUMED
        if self.evidence is not None:
            return SlotState.COLLECTED
        return SlotState.WANTED if self.run_id is None else SlotState.BOUND

    @property
    def key(self) -> tuple[str, int]:
        return self.launch_id, self.ordinal

    @property
    def committed_cents(self) -> int:
        """Billed, or while the bill is unknown what was reserved."""
        return self.reserved_cents if self.cost_cents is None else self.cost_cents


def run_record(slot: Slot, launch: Launch, evidence: Evidence | None, *, resumed: bool, unread: str = "") -> RunRecord:
    """Of a slot whose run is known. `evidence` is None for one we stopped waiting for; `unread` says why, if it had ended."""
    assert slot.run_id is not None
    return RunRecord(
        case_id=slot.case_id,
        launch_id=launch.launch_id,
        ordinal=slot.ordinal,
        run_id=slot.run_id,
        batch_id=launch.batch_id,
        evidence=evidence,
        digest=slot.evidence,
        cost_cents=slot.cost_cents,
        adopted=launch.state is LaunchState.ADOPTED,
        invocation_id=launch.invocation_id,
        completed_at=slot.completed_at,
        resumed=resumed,
        unread=unread,
    )
