"""What happens, in order. The journal records an `Event` before its effect, and `JournalState` folds these. A
`SessionEvent` need not be durable: after a crash, the service shows it again.

No `from __future__ import annotations`: pydantic reads the types when it parses a stored event.
"""

from typing import Any, Final, NamedTuple, TypeAlias

from pydantic import AwareDatetime

from planner.bounds import Cents, Count, Seconds, ServiceId
from planner.execution.consents import (
    ConsentAdded,
    ConsentEnded,
    ConsentEvent,
    ConsentImported,
    JudgeCallReserved,
    JudgeCallSettled,
)
from planner.execution.launches import Digest, Launch, LaunchIntent, LaunchState, Slot
from planner.execution.previews import PreviewIntended, PreviewMoved
from planner.providers.base import Run, RunId
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

    session_id: str
    slots: tuple[tuple[str, Count], ...]


class Imported(NamedTuple):
    """A launch of another machine. Runs already claimed here keep their claim."""

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
    | ConsentEvent
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
    "consent_added": ConsentAdded,
    "consent_ended": ConsentEnded,
    "consent_imported": ConsentImported,
    "judge_call_reserved": JudgeCallReserved,
    "judge_call_settled": JudgeCallSettled,
}
"""Event types by the name that is stored."""
NAMES: Final = {kind: name for name, kind in KINDS.items()}


class SlotsResumed(NamedTuple):
    """The session begins. Calls are to be made, less these slots of earlier sessions."""

    slots: tuple[Slot, ...]


class RunResumed(NamedTuple):
    """A run of an earlier session needs nothing but a verdict."""

    slot: Slot


class Throttled(NamedTuple):
    """A launch was refused with 429."""

    runs: int
    retry_after_seconds: float | None


class NotSent(NamedTuple):
    """A launch was not sent, since the journal could not record that. The next session moves it to UNSENT."""

    launch_id: str


class Unreachable(NamedTuple):
    """A launch could not be sent."""

    message: str


class ServiceFailed(NamedTuple):
    """A request failed."""

    message: str


class ServiceAnswered(NamedTuple):
    """A request succeeded."""


class Polled(NamedTuple):
    """The lists were read."""

    rows: int | None
    """The row of the oldest run under way in the list; None if it was not counted."""


class RunEnded(NamedTuple):
    """A run of ours has ended, and its evidence can be read."""

    run: Run


class EvidenceFailed(NamedTuple):
    """The evidence of an ended run could not be read."""

    run_id: RunId
    problem: str


class EvidenceComplete(NamedTuple):
    """The evidence of an ended run is stored, and its bill counts. `is_final` is false if more may have been
    charged."""

    run: Run
    slot: Slot
    """With the digest and the bill."""
    is_final: bool


class RunGone(NamedTuple):
    """Nobody waits for a run any longer: it did not end in time, cannot be read, or is not ours."""

    run_id: RunId
    reason: str
    unread: str = ""
    """Why an ended run could not be read."""


class RunJudged(NamedTuple):
    """The session judged a run that has ended, or that nobody waits for any longer."""

    slot: Slot
    platform_failed: bool
    is_missing: bool = False
    """There is no evidence."""
    unread: str = ""
    """Why the evidence of an ended run could not be read."""


class BillLate(NamedTuple):
    """The first look at the evidence of an ended run was incomplete."""

    run_id: RunId


class IdleChanged(NamedTuple):
    """Only unconfirmed launches are left, or no longer."""

    is_idle: bool


class Stopped(NamedTuple):
    """Launch nothing more. The reasons are those of `Outcome`."""

    refusal: str = ""
    usage: str = ""
    blocked: str = ""
    trouble: str = ""
    ceiling: str = ""
    ceiling_detail: str = ""
    ceiling_enough: str = ""
    ceiling_by_service: bool = False
    fail_fast: bool = False


class Interrupted(NamedTuple):
    """A person or the machine asked the session to stop."""


SessionEvent: TypeAlias = (
    SlotsResumed
    | RunResumed
    | Throttled
    | NotSent
    | Unreachable
    | ServiceFailed
    | ServiceAnswered
    | Polled
    | RunEnded
    | EvidenceFailed
    | EvidenceComplete
    | RunGone
    | RunJudged
    | BillLate
    | IdleChanged
    | Stopped
    | Interrupted
)
