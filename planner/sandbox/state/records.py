"""What the service remembers, as events: one JSON line each in the state file, replayed in order.

Times are seconds since the epoch by the sandbox's clock. Everything that was decided at a launch is in its event, so that neither a
restart nor another world changes what a run was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from planner.sandbox.conversation import Conversation
from planner.sandbox.worlds.dialogues import Snapshot

TargetType = Literal["agent", "phone_number"]
Direction = Literal["outbound", "inbound"]
Mode = Literal["bot", "sip"]
Status = Literal["queued", "in_progress", "completed", "failed"]

OWN_USER_ID = 1
"""Who asks with the keys of this organization."""
FOREIGN_USER_ID = 2
"""Who asks for runs that a fault makes appear."""


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """What a valid POST asks for. `prompts` rotates over the runs."""

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


@dataclass(frozen=True, slots=True)
class Run:
    """One test call. What it shows at a moment is computed from the times (`timeline.py`)."""

    id: int
    batch_id: int | None
    target_type: TargetType
    target_id: int
    direction: Direction
    mode: Mode
    target_number: str
    prompt: str
    requested_by_id: int
    snapshot: str
    """Digest of the agent's snapshot; "" when nobody was there to answer."""
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
    duration_ms: int = 0
    """Of the conversation, in its own time."""
    billable_minutes: int = 0
    call_cents: int = 0
    """The call's bill before the multiplier."""
    cost_cents: int = 0
    """What the run is charged once it ends."""
    is_pending: bool = False
    """Models are talking on its call: neither its end nor its bill is known yet."""

    @property
    def agent_id(self) -> int | None:
        return self.target_id if self.target_type == "agent" else None


@dataclass(frozen=True, slots=True)
class Batch:
    id: int
    request: LaunchRequest
    requested_by_id: int
    created_at: float
    run_ids: tuple[int, ...]
    estimated_cost_cents: int
    estimated_minutes: int


Kind = Literal["call_usage", "adjustment", "manual_topup"]
"""Of a transaction."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One change of the prepaid balance; usage is negative."""

    id: int
    at: float
    kind: Kind
    amount_cents: int
    call_id: int | None
    description: str


@dataclass(frozen=True, slots=True)
class SnapshotEvent:
    digest: str
    snapshot: Snapshot
    kind: Literal["snapshot"] = "snapshot"


@dataclass(frozen=True, slots=True)
class LaunchEvent:
    """One accepted POST (or somebody else's)."""

    at: float
    batch: Batch | None
    runs: tuple[Run, ...]
    kind: Literal["launch"] = "launch"


@dataclass(frozen=True, slots=True)
class TalkEvent:
    """A call between models has ended: the run with its bill, and what was said, which cannot be computed again."""

    run: Run
    conversation: Conversation
    kind: Literal["talk"] = "talk"


@dataclass(frozen=True, slots=True)
class RegradeEvent:
    at: float
    call_id: int
    cost_cents: int
    grade_at: float
    kind: Literal["regrade"] = "regrade"


AgentChange = Literal["create", "draft", "discard", "deploy", "delete"]


@dataclass(frozen=True, slots=True)
class AgentEvent:
    """An agent was changed. `fields`: of the new agent, the whole draft, or everything deployed so far."""

    at: float
    agent_id: int
    change: AgentChange
    fields: dict[str, str]
    copy_of: int | None
    """The agent of the world whose dialogues and tools it has; None: any dialogue may match."""
    kind: Literal["agent"] = "agent"


@dataclass(frozen=True, slots=True)
class TopUpEvent:
    at: float
    amount_cents: int
    kind: Literal["top_up"] = "top_up"


@dataclass(frozen=True, slots=True)
class AdvanceEvent:
    """The clock was moved forward."""

    at: float
    seconds: float
    kind: Literal["advance"] = "advance"


@dataclass(frozen=True, slots=True)
class FaultEvent:
    """A declared fault fired, so that `times` holds across restarts."""

    key: str
    seen: int
    fired: int
    kind: Literal["fault"] = "fault"


Event = SnapshotEvent | LaunchEvent | TalkEvent | RegradeEvent | AgentEvent | TopUpEvent | AdvanceEvent | FaultEvent

_EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])


def to_line(event: Event) -> bytes:
    return _EVENTS.dump_json(event, by_alias=True, exclude_defaults=False) + b"\n"


def from_line(line: bytes) -> Event:
    """Raises pydantic's ValidationError (a ValueError) when the line is none."""
    return _EVENTS.validate_json(line)
