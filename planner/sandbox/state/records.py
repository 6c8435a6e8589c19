"""What the service remembers, as events: one JSON line each in the state file, replayed in order.

Times are seconds since the epoch by the sandbox's clock. An event contains everything that was decided with it, so that neither a
restart nor another world changes an earlier run. Nothing happens in the background: what a run shows follows from the clock.
"""

from __future__ import annotations

from dataclasses import field
from functools import cache
from typing import Literal

from pydantic import JsonValue, TypeAdapter

from planner.sandbox.conversation import EMPTY, Conversation
from planner.sandbox.worlds.world import Snapshot
from planner.values import frozen

TargetType = Literal["agent", "phone_number"]
Direction = Literal["outbound", "inbound"]
Mode = Literal["bot", "sip"]
Status = Literal["queued", "in_progress", "completed", "failed"]

OWN_USER_ID = 1
"""The user of this organization's keys."""
FOREIGN_USER_ID = 2
"""The user of runs that a fault makes appear."""


@frozen
class LaunchRequest:
    """A valid POST. `prompts` rotates over the runs."""

    target_type: TargetType
    target_id: int
    direction: Direction
    target_number: str = ""
    prompts: tuple[str, ...] = ("",)
    mode: Mode = "bot"
    run_count: int = 1
    stagger_seconds: int = 0
    name: str = ""
    is_batch: bool = False


@frozen
class Run:
    """One test call."""

    id: int
    batch_id: int | None
    target_type: TargetType
    target_id: int
    direction: Direction
    mode: Mode
    target_number: str
    prompt: str
    requested_by_id: int
    snapshot: Snapshot | None
    """The agent that answers; None: nobody does."""
    seed: int
    """Of the conversation."""
    time_scale: float
    created_at: float
    starts_at: float
    ends_at: float | None
    """None: it has not ended yet, or it hangs and never does."""
    from_number: str
    to_number: str
    charge_multiplier: int
    estimated_cost_cents: int
    error_message: str = ""
    """Not empty: the run ends `failed`."""
    call_id: int | None = None
    sip_call_id: int | None = None
    call_id_at: float = 0
    transcript_at: float = 0
    grade_at: float = 0
    conversation: Conversation = EMPTY
    billable_minutes: int = 0
    call_cents: int = 0
    """The call's bill before the multiplier."""
    cost_cents: int = 0
    """The charge for the run once it ends."""
    is_pending: bool = False
    """Models are talking on its call: neither its end nor its bill is known yet."""

    def has_ended(self, now: float) -> bool:
        return self.ends_at is not None and now >= self.ends_at

    def status(self, now: float) -> Status:
        if self.has_ended(now):
            return "failed" if self.error_message else "completed"
        return "in_progress" if now >= self.starts_at else "queued"

    def updated_at(self, now: float) -> float:
        if self.ends_at is not None and now >= self.ends_at:
            return self.ends_at
        return self.starts_at if now >= self.starts_at else self.created_at

    def call_exists(self, now: float) -> bool:
        """A call can be read as soon as it rings, even before its run shows its id."""
        return self.call_id is not None and now >= self.starts_at


@frozen
class Batch:
    id: int
    request: LaunchRequest
    requested_by_id: int
    created_at: float
    run_ids: tuple[int, ...]
    estimated_cost_cents: int
    estimated_minutes: int


@frozen
class AgentRecord:
    """All changes of an agent since the world was loaded."""

    copy_of: int | None
    """The agent of the world whose dialogues and tools it has; None: any dialogue may match."""
    fields: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """Deployed fields that differ from the world's."""
    deployments: tuple[float, ...] = ()
    draft: dict[str, JsonValue] | None = None
    draft_at: float | None = None
    is_deleted: bool = False


@frozen
class Charge:
    """A change of the prepaid balance; usage is negative. The bills of runs are not stored as charges."""

    at: float
    kind: Literal["call_usage", "adjustment", "manual_topup"]
    amount_cents: int
    call_id: int | None
    description: str
    grade_at: float = 0
    """For a call that is graded again: when its new grade is there."""


@frozen
class Event:
    """One change of the state."""

    at: float
    kind: Literal["launch", "change"] = "change"
    runs: tuple[Run, ...] = ()
    """The new runs of a launch; otherwise a run whose call between models has ended, or queued runs of a deleted agent."""
    batch: Batch | None = None
    agents: dict[int, AgentRecord] = field(default_factory=dict[int, AgentRecord])
    charge: Charge | None = None
    faults: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """(seen, fired) of faults of the world file, so that `times` counts across restarts."""
    advance_seconds: float = 0
    """How far the clock was moved forward."""


@cache
def event_format() -> TypeAdapter[Event]:
    return TypeAdapter(Event)
