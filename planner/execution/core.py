"""What to do next: every rule about money, as a function of what is known. No I/O, no clock, no `await`.

A driver performs the actions, applies their results to the `State`, and asks again. So the same rules run against the
service (`local.py`) and against a model of it, in the tests. The rules:

1. Reserve: the highest price of a launch is reserved before it is sent, under every ceiling.
2. Write ahead: the intent is durable before the request is sent (`Intended`), the answer after (`Moved`).
3. Retry only what the service certainly did not carry out (`UNSENT`, `REFUSED`).
4. Reconcile: an unconfirmed launch is searched for; it is sent again only when it is provably absent. Those of other
   sessions are settled before any call of theirs is made again: nobody knows which of them the service refused.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import timedelta
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from planner.execution.engine import Job, Now, Outcome, Snapshot, UnsettledLaunch
from planner.execution.events import IdleChanged, Stopped
from planner.execution.launches import Launch, LaunchProblem, LaunchState
from planner.execution.ledger import Ledger, Purpose
from planner.execution.poll_times import NEVER
from planner.execution.reconciling import Unconfirmed
from planner.execution.state import State, purpose_of
from planner.providers.base import Run
from planner.quantities import rounded_duration

POSTS_AT_ONCE: Final = 4
MAX_UNCONFIRMED: Final = 3
"""Launching stops at this many unconfirmed launches until one is settled."""
ANSWER_GRACE_SECONDS: Final = 3.0
"""How long an interrupted session waits for answers to sent launches. The report is due within 5 s."""


class WaitReason(Enum):
    """Why no launch is sent."""

    UNCONFIRMED_LAUNCHES = "unconfirmed_launches"
    SAME_CALLS_UNCONFIRMED = "same_calls_unconfirmed"
    UNREACHABLE = "unreachable"
    ASKED_TO_WAIT = "asked_to_wait"
    """A 429 while own runs are under way."""
    REFUSED = "refused"
    """Nothing but 429, with no own run under way."""
    CONCURRENCY = "concurrency"
    CEILING = "ceiling"
    """The next call fits only when a bill makes room."""


_FOR_SEARCH: Final = (WaitReason.UNCONFIRMED_LAUNCHES, WaitReason.SAME_CALLS_UNCONFIRMED, WaitReason.CEILING)
"""No launch before an unconfirmed one is settled, unless a run under way ends first."""


class SendLaunch(NamedTuple):
    """Launch these runs, which share one line, with their reservations in cents."""

    runs: tuple[tuple[Job, int], ...]


class Poll(NamedTuple):
    """Read the service's lists if anything waits for them, and the bills that are due. Returned until it is done: a
    driver starts it once."""


class ReadEvidence(NamedTuple):
    """Read and store the evidence of an ended run. Returned until it is done: a driver starts it once."""

    run: Run


class Apply(NamedTuple):
    """Record a decision; nothing is sent."""

    event: Stopped | IdleChanged


class WaitUntil(NamedTuple):
    """Wait for an event, at most until then (monotonic seconds)."""

    seconds: float
    reason: WaitReason | None = None


class Finish(NamedTuple):
    """Nothing is left to do, or nothing more can be done."""


Action: TypeAlias = SendLaunch | Poll | ReadEvidence | Apply | WaitUntil | Finish


def decide(state: State, now: Now) -> list[Action]:
    """The actions to take now. Then call this again; if the last action is `WaitUntil`, wait for it or an event
    first."""
    if state.outcome.trouble:
        return [Finish()]
    if state.interrupted_at is not None:
        answered_by = state.interrupted_at + ANSWER_GRACE_SECONDS
        return [WaitUntil(answered_by)] if state.posting and now.seconds < answered_by else [Finish()]
    actions: list[Action] = [ReadEvidence(run) for run, _ in state.reading.values()]
    launching = _next_launch(state, now)
    if isinstance(launching, SendLaunch | Apply):
        return [*actions, launching]
    under_way = state.is_under_way()
    is_waiting = state.has_runs_to_launch() and launching.reason not in _FOR_SEARCH
    if not (under_way or is_waiting):
        if not state.unconfirmed:
            return [*actions, Finish()]
        if state.idle_since is None:
            return [*actions, Apply(IdleChanged(is_idle=True))]
        is_hopeless = all(search.needs_person for search in state.unconfirmed.values())
        searched_seconds = state.polled_at - state.idle_since
        if searched_seconds >= 0 and (is_hopeless or searched_seconds >= state.settings.linger_seconds):
            return [*actions, _end_of_search(state, now)]
    elif state.idle_since is not None:
        return [*actions, Apply(IdleChanged(is_idle=False))]
    if now.seconds >= state.poll_at and (state.is_asking() or state.reading):
        return [*actions, Poll(), launching]
    until = min(state.poll_at, launching.seconds) if state.is_asking() or state.reading else launching.seconds
    return [*actions, WaitUntil(until, launching.reason)]


def _end_of_search(state: State, now: Now) -> Apply | Finish:
    if state.outage.since is None:
        return Finish()
    gone = rounded_duration(state.outage.gone_seconds(now.seconds))
    return Apply(Stopped(trouble=f"the service was unavailable for the last {gone}: {state.outage.message}"))


def _next_launch(state: State, now: Now) -> SendLaunch | Apply | WaitUntil:
    """The next launch, or why there is none."""
    if not state.has_runs_to_launch():
        return WaitUntil(NEVER)
    if len(state.unconfirmed) >= MAX_UNCONFIRMED:
        return WaitUntil(NEVER, WaitReason.UNCONFIRMED_LAUNCHES)
    unsettled = state.unsettled_fingerprints()
    if all(job.call_fingerprint in unsettled for job in state.wanted.pending.jobs()):
        return WaitUntil(NEVER, WaitReason.SAME_CALLS_UNCONFIRMED)
    if now.seconds < state.limit.pause_until:
        return _paused(state, now)
    room = state.limit.current - state.in_flight()
    if room <= 0 or len(state.posting) >= POSTS_AT_ONCE:
        return WaitUntil(NEVER, WaitReason.CONCURRENCY)
    return _fitting_launch(state, room, unsettled, now) or _at_ceiling(state, now)


def _fitting_launch(state: State, room: int, unsettled: AbstractSet[str], now: Now) -> SendLaunch | None:
    """The next launch; None if no call may be made now."""
    ledger = state.ledger.copy()
    reserved: list[int] = []

    def fits(job: Job) -> bool:
        if job.call_fingerprint in unsettled:
            return False
        purpose = purpose_of(job.plan, now.server)
        cents = _reservation(state, ledger, purpose, job)
        if cents is None:
            return False
        ledger.reserve(purpose, cents)
        reserved.append(cents)
        return True

    chosen = state.wanted.pending.choose(room, fits)
    return SendLaunch(tuple(zip(chosen, reserved, strict=True))) if chosen else None


def _reservation(state: State, ledger: Ledger, purpose: Purpose, job: Job) -> int | None:
    """The reservation of one more call; None if it must wait for room under a ceiling.

    Once calls have ended, waits for the first bill of their target: only calls already in flight may exceed their
    reservation.
    """
    target = job.line.target
    if job.reserve_cents is not None and state.unbilled[target] and ledger.is_untested(purpose, target):
        return None
    return ledger.reservation_for(purpose, target, job.reserve_cents)


def _paused(state: State, now: Now) -> Apply | WaitUntil:
    """Wait after a 429 or while the service is unreachable; give up after too long."""
    settings, pause_until = state.settings, state.limit.pause_until
    if state.is_unreachable:
        return WaitUntil(pause_until, WaitReason.UNREACHABLE)
    if state.in_flight():
        return WaitUntil(pause_until, WaitReason.ASKED_TO_WAIT)
    give_up_seconds = settings.throttled_give_up_seconds
    refused_seconds = _refused_seconds(state, now)
    left_seconds = pause_until - now.seconds
    if left_seconds > give_up_seconds:
        message = f"the service asks to wait {rounded_duration(left_seconds)} before the next launch (429)"
        return Apply(Stopped(trouble=message))
    if refused_seconds > give_up_seconds:
        message = f"the service refused every launch (429) for {refused_seconds:.0f} s: other clients use its capacity"
        return Apply(Stopped(trouble=message))
    give_up_at = now.seconds + give_up_seconds - refused_seconds + 0.1
    return WaitUntil(min(pause_until, give_up_at), WaitReason.REFUSED)


def _refused_seconds(state: State, now: Now) -> float:
    """How long the service has refused every launch."""
    return 0.0 if state.refused_since is None else now.seconds - state.refused_since


def _at_ceiling(state: State, now: Now) -> Apply | WaitUntil:
    """Stop if no outstanding bill can make room for one of the wanted calls."""
    ledger, jobs = state.ledger, state.wanted.pending.jobs()
    blocking = [ledger.blocking(purpose_of(job.plan, now.server), job.line.target, job.reserve_cents) for job in jobs]
    if not all(blocking) and (state.is_under_way() or state.unconfirmed):
        return WaitUntil(NEVER, WaitReason.CEILING)
    reached = [ceiling for ceiling in blocking if ceiling is not None]
    labels = {ceiling.label for ceiling in reached}
    cheapest = min(jobs, key=lambda job: job.reserve_cents or 0)
    left = [(state.jobs[case_id], runs) for case_id, runs in state.wanted.left().items()]
    return Apply(
        Stopped(
            ceiling=", ".join(sorted(labels)) or "the ceiling, until unconfirmed launches are settled",
            ceiling_detail=ledger.explain(
                purpose_of(cheapest.plan, now.server), cheapest.line.target, cheapest.reserve_cents
            ),
            ceiling_enough=ledger.enough(
                labels,
                [(purpose_of(job.plan, now.server), job.line.target, job.reserve_cents, runs) for job, runs in left],
            ),
            ceiling_by_service=bool(reached) and all(ceiling.by_service for ceiling in reached),
        )
    )


def snapshot(state: State, waiting: WaitReason | None, now: Now) -> Snapshot:
    """For the progress display. `waiting` is why the last decision sent no launch."""
    return Snapshot(
        state.runs_done,
        state.wanted.total,
        state.in_flight(),
        state.ledger.spent_cents,
        state.ledger.reserved_cents,
        _why_waiting(state, waiting, now),
    )


def _why_waiting(state: State, waiting: WaitReason | None, now: Now) -> str:
    if state.outage.since is not None:
        return state.outage.describe(now.seconds, give_up_seconds=state.settings.outage_give_up_seconds)
    if state.unconfirmed and not state.is_under_way():
        count = len(state.unconfirmed)
        what = "an unconfirmed launch" if count == 1 else f"{count} unconfirmed launches"
        seconds = min(state.settings.linger_seconds, state.settings.settle_seconds)
        return f"searching for {what} for up to {rounded_duration(seconds)}"
    if len(state.wanted.pending):
        return wait_text(state, waiting, now) if waiting else ""
    return "waiting for runs that differ from their launch" if state.outcome.anomalies and state.unbound else ""


def wait_text(state: State, reason: WaitReason, now: Now) -> str:
    """The reason, for people."""
    match reason:
        case WaitReason.UNCONFIRMED_LAUNCHES:
            return f"{len(state.unconfirmed)} unconfirmed launches"
        case WaitReason.SAME_CALLS_UNCONFIRMED:
            return "earlier launches of the same calls are unconfirmed"
        case WaitReason.UNREACHABLE:
            return "the service cannot be reached"
        case WaitReason.ASKED_TO_WAIT:
            return "the service asked to wait (429)"
        case WaitReason.REFUSED:
            refused = rounded_duration(_refused_seconds(state, now))
            limit = rounded_duration(state.settings.throttled_give_up_seconds)
            return f"the service has refused every launch (429) for {refused} (giving up after {limit})"
        case WaitReason.CONCURRENCY:
            return f"at most {state.limit.current} concurrent runs"
        case WaitReason.CEILING:
            return "under a ceiling, the next calls wait for a bill"


def outcome_of(state: State) -> Outcome:
    """How the session ended."""
    outcome = state.outcome
    outcome.left = state.wanted.left()
    outcome.unread_slots |= {item.slot.key for item in state.watched.values() if item.pause_seconds}
    searched = [search.unconfirmed for search in state.unconfirmed.values()]
    asked = [Unconfirmed(launch, state.journal.slots_of(launch.launch_id)) for launch in _sent_without_answer(state)]
    needs_person = {launch_id for launch_id, search in state.unconfirmed.items() if search.needs_person}
    outcome.unsettled = tuple(
        UnsettledLaunch(
            each.launch.launch_id,
            tuple(sorted({slot.case_id for slot in each.slots})),
            sum(slot.reserved_cents for slot in each.slots),
            each.launch.launch_id in needs_person or each.launch.problem is LaunchProblem.DUPLICATE_ANSWER,
            each.launch.detail,
            each.launch.sent_at + timedelta(seconds=state.settings.settle_seconds),
        )
        for each in (*searched, *asked)
    )
    return outcome


def _sent_without_answer(state: State) -> list[Launch]:
    """Launches whose answer could not be recorded, as on a full disk: the next session searches for them."""
    launches = (state.launch(launch_id) for launch_id in state.posting)
    return [launch for launch in launches if launch.state is LaunchState.SENT]
