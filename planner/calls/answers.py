"""What the answer to a launch means: the only table that says which launch may be made again. No I/O.

Only what certainly never reached the service, or was refused, is wanted again. Everything else is unconfirmed until the
service's lists show what became of it.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from planner.calls.deciding import copy_gone
from planner.calls.model import Now, Stop, StopReason
from planner.errors import IncompleteError, NotFoundError, RefusedError, ThrottledError, UnreachableError, UsageError
from planner.log.facts import Intent, Outcome, Result
from planner.log.fold import State
from planner.providers.base import Launched
from planner.values import frozen


@frozen
class Cancelled:
    """The process stopped waiting for the answer."""

    is_sent: bool
    """A byte of the launch may have left."""


Answer: TypeAlias = Launched | IncompleteError | RefusedError | UsageError | Cancelled


class Effect(Enum):
    """What else an answer says."""

    ACCEPTED = "accepted"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    LATE = "late"
    """It was not sent, since its intent was too old."""
    UNCONFIRMED = "unconfirmed"
    STOPPED = "stopped"


class TooLateError(UnreachableError):
    """The intent was too old to be sent."""


@frozen
class Meaning:
    """`outcome` is None while nobody knows what became of the launch."""

    outcome: Outcome | None
    effect: Effect
    stop: Stop | None = None


def meaning_of(intent: Intent, answer: Answer, state: State, now: Now) -> Meaning:
    def outcome(result: Result, status: int = 0) -> Outcome:
        return Outcome(now.server, intent.launch_id, result, status=status)

    match answer:
        case Launched():
            return _accepted(intent, answer, state, now)
        case ThrottledError():
            return Meaning(outcome(Result.REFUSED, 429), Effect.THROTTLED)
        case TooLateError():
            return Meaning(outcome(Result.UNSENT), Effect.LATE)
        case UnreachableError():
            return Meaning(outcome(Result.UNSENT), Effect.UNREACHABLE)
        case Cancelled(is_sent=False):
            return Meaning(outcome(Result.UNSENT), Effect.STOPPED)
        case Cancelled():
            return Meaning(None, Effect.UNCONFIRMED)
        case RefusedError():
            stop = Stop(StopReason.REFUSED, answer.with_hint, error=answer)
            return Meaning(outcome(Result.REFUSED, 402), Effect.STOPPED, stop)
        case NotFoundError() if state.preview_of(intent.line.target) is not None:
            return Meaning(outcome(Result.REFUSED, 404), Effect.STOPPED, copy_gone(state, intent.line.target))
        case UsageError():
            stop = Stop(StopReason.REJECTED, answer.with_hint, error=answer)
            return Meaning(outcome(Result.REFUSED, answer.status or 400), Effect.STOPPED, stop)
        case IncompleteError():
            return Meaning(None, Effect.UNCONFIRMED)


def _accepted(intent: Intent, launched: Launched, state: State, now: Now) -> Meaning:
    """A batch that another launch has is no answer: nobody knows what became of this one."""
    taken = [run_id for run_id in launched.run_ids if state.is_claimed("run", run_id)]
    if taken or (launched.batch_id is not None and state.is_claimed("batch", launched.batch_id)):
        launch = state.launch(intent.launch_id)
        if launch is None or launch.batch_id != launched.batch_id:
            what = f"batch {launched.batch_id}, which another launch has"
            stop = Stop(StopReason.UNCLEAR, f"the service answered launch {intent.launch_id} with {what}")
            return Meaning(Outcome(now.server, intent.launch_id, Result.UNCLEAR), Effect.STOPPED, stop)
    accepted = Outcome(
        now.server,
        intent.launch_id,
        Result.ACCEPTED,
        launched.batch_id,
        tuple(sorted(launched.run_ids)),
        launched.requester_id,
    )
    return Meaning(accepted, Effect.ACCEPTED)
