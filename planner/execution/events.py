"""What the journal records, in order. `JournalState` folds these events; an event is durable before its effect.

No `from __future__ import annotations`: pydantic reads the types when it parses a stored event.
"""

from typing import Any, Final, NamedTuple, TypeAlias

from pydantic import AwareDatetime

from planner.bounds import Cents, Count, Seconds, ServiceId
from planner.execution.launches import Digest, Launch, LaunchIntent, LaunchState, Slot
from planner.execution.previews import Preview, PreviewState
from planner.values import frozen


class Intended(NamedTuple):
    """A launch is about to be sent."""

    intent: LaunchIntent


class Moved(NamedTuple):
    """A launch changed its state. For ACKNOWLEDGED and ADOPTED, `run_ids` are claimed for this launch alone, and
    `bindings` map slots (by ordinal) to runs where known."""

    launch_id: str
    state: LaunchState
    detail: str = ""
    batch_id: ServiceId | None = None
    run_ids: tuple[ServiceId, ...] = ()
    bindings: dict[int, ServiceId] = {}  # noqa: RUF012 - never changed
    slack_seconds: Seconds | None = None
    """The new tolerance of `sent_at`, if the launch may have been sent much later."""


class DuplicateAnswer(NamedTuple):
    """The service gave a SENT launch the same answer as launch `holder`."""

    launch_id: str
    holder: str
    detail: str


class RunsClaimed(NamedTuple):
    """Runs of a confirmed launch whose answer did not list them."""

    launch_id: str
    run_ids: tuple[ServiceId, ...]


class RunsBound(NamedTuple):
    """Runs (by slot ordinal) that belong to slots of a confirmed launch."""

    launch_id: str
    bindings: dict[int, ServiceId]


@frozen
class Collected:
    """Evidence, bill and end of one slot's run; they may replace earlier ones."""

    launch_id: str
    ordinal: Count
    evidence: Digest | None
    cost_cents: Cents | None
    completed_at: AwareDatetime | None


class EvidenceStored(NamedTuple):
    slots: tuple[Collected, ...]


class Consumed(NamedTuple):
    """Slots (launch id, ordinal) became part of finished results."""

    invocation_id: str
    slots: tuple[tuple[str, Count], ...]


class Imported(NamedTuple):
    """A launch of another machine or of an older journal. Runs already claimed here keep their claim."""

    launch: Launch
    slots: tuple[Slot, ...]
    credential: str


class RunsKnown(NamedTuple):
    """Runs in the results of other machines: no launch of this journal may adopt them."""

    run_ids: tuple[ServiceId, ...]


class RequesterLearned(NamedTuple):
    """The id of an API key's requester at the service; the key is named by its digest."""

    credential: str
    requester_id: ServiceId


class PreviewIntended(NamedTuple):
    """A copy of an agent is about to be made, or another machine may have made it (its state says which)."""

    preview: Preview


class PreviewMoved(NamedTuple):
    """A preview changed its state. From MADE on, `copy_id` is known."""

    preview_id: str
    state: PreviewState
    copy_id: ServiceId | None = None
    detail: str = ""


Event: TypeAlias = (
    Intended
    | Moved
    | DuplicateAnswer
    | RunsClaimed
    | RunsBound
    | EvidenceStored
    | Consumed
    | Imported
    | RunsKnown
    | RequesterLearned
    | PreviewIntended
    | PreviewMoved
)

KINDS: Final[dict[str, type[Any]]] = {
    "intended": Intended,
    "moved": Moved,
    "duplicate_answer": DuplicateAnswer,
    "runs_claimed": RunsClaimed,
    "runs_bound": RunsBound,
    "evidence_stored": EvidenceStored,
    "consumed": Consumed,
    "imported": Imported,
    "runs_known": RunsKnown,
    "requester_learned": RequesterLearned,
    "preview_intended": PreviewIntended,
    "preview_moved": PreviewMoved,
}
"""Event types by the name that is stored."""
NAMES: Final = {kind: name for name, kind in KINDS.items()}
