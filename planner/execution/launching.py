"""Launches on their way to the service: when one must not be sent any more, and what each result means. No I/O.

Each function yields one event at a time; the caller records and applies it before it asks for the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Final, TypeAlias

from planner.errors import (
    IncompleteError,
    NotFoundError,
    RefusedError,
    StoreError,
    ThrottledError,
    UnreachableError,
    UsageError,
)
from planner.execution.core import SendLaunch
from planner.execution.engine import Now
from planner.execution.events import (
    DuplicateAnswer,
    Event,
    Moved,
    NotSent,
    ServiceAnswered,
    SessionEvent,
    Stopped,
    Throttled,
    Unreachable,
)
from planner.execution.journal_state import TakenError
from planner.execution.launches import LaunchIntent, LaunchState, SlotIntent
from planner.execution.ledger import OverCeilingError
from planner.execution.reconciling import NAME_PREFIX, bind_slots
from planner.execution.state import LateShares, State
from planner.providers.base import Launched, Run
from planner.quantities import count, some
from planner.values import frozen

MAX_SEND_DELAY_SECONDS: Final = 60.0
"""A launch that has not left this long after its intent is replaced by a new one."""
LONGEST_SENDING_SECONDS: Final = 120.0
"""If a launch takes longer than this from intent to answer, assume that the machine slept."""
MAX_LATE_SHARES: Final = 3
"""Give up after this many consecutive launches that took too long to share."""
NAMED_CASES: Final = 3


@frozen
class Cancelled:
    """The process stopped waiting for the answer to a launch."""

    is_sent: bool
    """A byte of it may have left."""


LaunchResult: TypeAlias = Launched | IncompleteError | RefusedError | UsageError | Cancelled
"""The service's answer, or why there is none."""


def intent_of(state: State, action: SendLaunch, launch_id: str, now: Now) -> LaunchIntent:
    """The launch that the action asks for."""
    return LaunchIntent(
        launch_id=launch_id,
        session_id=state.terms.session_id,
        consent_id=state.terms.consent_id,
        line=action.runs[0][0].line,
        name=f"{NAME_PREFIX}{launch_id}",
        sent_at=now.server,
        slack_seconds=now.slack_seconds,
        slots=tuple(
            SlotIntent(
                job.case_id,
                job.plan,
                job.prompt,
                job.call_fingerprint,
                job.agent_revision,
                cents,
                job.configuration,
            )
            for job, cents in action.runs
        ),
        credential=state.terms.credential,
    )


def max_send_delay_seconds(state: State) -> float:
    """How long after its intent a launch may leave. Other machines search for a shared one from its intent on, for
    `settle_seconds`: they would miss one that leaves late, and make its calls again."""
    if not state.is_shared:
        return MAX_SEND_DELAY_SECONDS
    return min(MAX_SEND_DELAY_SECONDS, state.settings.settle_seconds / 2)


def is_late(state: State, intent: LaunchIntent, now: Now) -> bool:
    """Whether a launch must not leave any more. To be asked before it is recorded as sent, and again after, right
    before its first byte: the process may have been stopped in between, or the record may have taken long."""
    return now.seconds_since(intent.sent_at) > max_send_delay_seconds(state)


# Sharing


def share_result(
    state: State, intent: LaunchIntent, error: StoreError | UsageError | None, now: Now
) -> Iterator[Event | Stopped]:
    """The intent was written to the shared store, or is not to be shared. Nothing was sent: if anything is yielded, the
    launch is over."""

    def unsent(detail: str) -> Moved:
        return Moved(intent.launch_id, LaunchState.UNSENT, detail)

    if error is not None:
        yield unsent(str(error))
        yield _why_not_shared(error)
    elif state.stopped:  # interrupted, or another failure while sharing
        yield unsent("launching stopped")
    elif state.is_shared and is_late(state, intent, now):
        late_seconds = now.seconds_since(intent.sent_at)
        yield unsent(f"sharing it took {late_seconds:.0f} s")
        yield from _shared_late(state, intent, late_seconds)
    else:
        state.late_shares = LateShares()


def _why_not_shared(error: StoreError | UsageError) -> Stopped:
    if isinstance(error, UsageError):  # the store can never be written as configured
        return Stopped(usage=error.with_hint)
    if isinstance(error, OverCeilingError):
        return Stopped(ceiling=error.label, ceiling_detail=str(error))
    return Stopped(blocked=error.with_hint)


def _shared_late(state: State, intent: LaunchIntent, late_seconds: float) -> Iterator[Stopped]:
    """Replace the launch, but not forever: with a slow store, nothing would ever be sent."""
    late, late_at = state.late_shares, intent.sent_at + timedelta(seconds=late_seconds)
    if late.since is None or intent.sent_at >= late.since:  # those shared together count once
        state.late_shares = late = LateShares(late.count + 1, late_at)
    if late.count < MAX_LATE_SHARES:
        state.log(f"the launch of {words_of(intent)} took {late_seconds:.0f} s to share: it is replaced")
        return
    allowed_seconds = max_send_delay_seconds(state)
    fix = "run the same command again when the store is faster"
    if allowed_seconds < MAX_SEND_DELAY_SECONDS:
        setting = f"execution.settle_seconds in planner.yaml (now {state.settings.settle_seconds:g})"
        fix = f"increase {setting}, or {fix}"
    yield Stopped(
        blocked=f"writing a launch to the shared store took {late_seconds:.1f} s, {MAX_LATE_SHARES} times in a row; it "
        f"must be sent within {allowed_seconds:g} s, so it was not sent. To resume, {fix}",
    )


# Results


def launch_result(state: State, intent: LaunchIntent, result: LaunchResult, now: Now) -> Iterator[Event | SessionEvent]:
    """What became of a launch. Only what certainly never reached the service, or was refused, is wanted again."""
    launch_id = intent.launch_id
    match result:
        case Launched():
            yield from _accepted(state, intent, result)
        case StoreError():  # this could not be recorded, so it was not sent
            yield NotSent(launch_id)
        case ThrottledError():
            yield from _refused(state, intent, result, now)
        case UnreachableError():
            yield Moved(launch_id, LaunchState.UNSENT, str(result))
            yield Unreachable(str(result))
        case Cancelled(is_sent=False):
            yield Moved(launch_id, LaunchState.UNSENT, "interrupted before it was sent")
        case Cancelled():
            yield _unconfirmed(state, intent, "interrupted before the answer came", now)
        case RefusedError():
            yield Moved(launch_id, LaunchState.REJECTED, str(result))
            yield Stopped(refusal=result.with_hint)
        case UsageError():
            yield Moved(launch_id, LaunchState.REJECTED, str(result))
            yield _why_rejected(state, intent, result)
        case IncompleteError():
            yield _unconfirmed(state, intent, str(result), now)


def _accepted(state: State, intent: LaunchIntent, launched: Launched) -> Iterator[Event | SessionEvent]:
    before = state.limit.current
    runs: dict[int, Run] = {launched.run.id: launched.run} if launched.run else {}
    slots = state.journal.slots_of(intent.launch_id)
    accepted = Moved(
        intent.launch_id,
        LaunchState.ACKNOWLEDGED,
        batch_id=launched.batch_id,
        run_ids=tuple(launched.run_ids),
        bindings=bind_slots(slots, runs, launched.run_ids),
    )
    try:
        state.journal.validate(accepted)
    except TakenError as error:  # the service gave two launches the same answer
        yield from _answered_twice(state, intent.launch_id, error)
        return
    yield accepted
    yield from state.requester_to_learn(launched.requester_id)
    yield ServiceAnswered()
    batch = f" as batch {launched.batch_id}" if launched.batch_id is not None else ""
    state.log(
        f"launched {words_of(intent)}{batch} ({_cases_of(intent)}): {state.in_flight()} of at most {before} in flight"
    )
    if state.limit.current != before:
        state.log(f"at most {state.limit.current} concurrent runs from now on ({before} were accepted)")


def _answered_twice(state: State, launch_id: str, error: TakenError) -> Iterator[Event | Stopped]:
    yield DuplicateAnswer(launch_id, error.holder, f"the service answered two launches with {error}")
    blocked = (
        f"the service answered launch {launch_id} with {error}: launching stopped, and neither launch is repeated."
        " Settle it with `planner reconcile`: another --store would not know it, and its calls would be charged again"
    )
    state.warn(blocked)
    yield Stopped(blocked=blocked)


def _refused(state: State, intent: LaunchIntent, error: ThrottledError, now: Now) -> Iterator[Event | SessionEvent]:
    yield Throttled(len(intent.slots), error.retry_after_seconds)
    yield Moved(intent.launch_id, LaunchState.REFUSED, str(error))
    pause_seconds = max(0.0, state.limit.pause_until - now.seconds)
    state.log(
        f"429 for {words_of(intent)}: at most {state.limit.current} concurrent runs from now on, next attempt in "
        f"{pause_seconds:.1f} s"
    )


def _why_rejected(state: State, intent: LaunchIntent, error: UsageError) -> Stopped:
    preview = state.journal.previews.of_target(intent.line.target)
    if preview is None or not isinstance(error, NotFoundError):
        return Stopped(usage=error.with_hint)
    return Stopped(
        blocked=f"the preview (agent {preview.copy_id}) of agent {preview.agent_id} was deleted while calls were "
        "to be made on it"
        " (404). Run the same command again: it makes another one, and nothing is called twice",
    )


def _unconfirmed(state: State, intent: LaunchIntent, detail: str, now: Now) -> Moved:
    launch = state.launch(intent.launch_id)
    age_seconds = now.seconds_since(launch.sent_at)
    # Otherwise the machine slept while sending, and it may have been sent only now.
    slack_seconds = None if age_seconds <= LONGEST_SENDING_SECONDS else launch.slack_seconds + age_seconds
    state.log(
        f"the launch of {words_of(intent)} is unconfirmed ({detail}): searching for it before anything is sent again"
    )
    return Moved(intent.launch_id, LaunchState.UNCONFIRMED, detail, slack_seconds=slack_seconds)


def words_of(intent: LaunchIntent) -> str:
    runs = count(len(intent.slots), "run")
    return f"{runs} on {intent.line.target_type.replace('_', ' ')} {intent.line.target_id}"


def _cases_of(intent: LaunchIntent) -> str:
    counted = Counter(slot.case_id for slot in intent.slots)
    named = [f"{case_id} ×{runs}" if runs > 1 else case_id for case_id, runs in counted.items()]
    return some(named, NAMED_CASES)
