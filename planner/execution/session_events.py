"""What happens in a session and need not be durable: after a crash, the service shows it again."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from planner.evidence import Evidence
from planner.execution.launches import Slot
from planner.execution.watched import Ended
from planner.providers.base import Run, RunId


class RunResumed(NamedTuple):
    """A run of an earlier session needs nothing but a verdict."""

    ended: Ended


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
    """The evidence of an ended run is stored, and its bill counts. `is_final` is false if more may have been charged."""

    run: Run
    slot: Slot
    evidence: Evidence
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


class DeferredReleased(NamedTuple):
    """No verdict is to come that could make a deferred run unnecessary."""


class Stopped(NamedTuple):
    """Launch nothing more. The reasons are those of `Outcome`."""

    refusal: str = ""
    usage: str = ""
    blocked: str = ""
    trouble: str = ""
    ceiling: str = ""
    ceiling_detail: str = ""
    ceiling_enough: str = ""
    overtaken: bool = False
    fail_fast: bool = False


class Interrupted(NamedTuple):
    """A person or the machine asked the session to stop."""


SessionEvent: TypeAlias = (
    RunResumed
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
    | DeferredReleased
    | Stopped
    | Interrupted
)
