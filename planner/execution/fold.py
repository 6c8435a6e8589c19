"""What each event changes in the state of a session. No I/O, no clock, no `await`.

A driver applies events as they happen. It records the durable ones (`events.py`) in the journal first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from planner.evidence import RunStatus
from planner.execution.consents import ConsentEvent
from planner.execution.engine import Now
from planner.execution.events import (
    BillLate,
    Consumed,
    DuplicateAnswer,
    Event,
    EvidenceComplete,
    EvidenceFailed,
    EvidenceStored,
    IdleChanged,
    Imported,
    Intended,
    Interrupted,
    Moved,
    NotSent,
    Polled,
    PreviewIntended,
    PreviewMoved,
    RequesterLearned,
    RunEnded,
    RunGone,
    RunJudged,
    RunResumed,
    RunsBound,
    RunsClaimed,
    RunsKnown,
    ServiceAnswered,
    ServiceFailed,
    SessionEvent,
    SlotsResumed,
    Stopped,
    Throttled,
    Unreachable,
)
from planner.execution.launches import UNSETTLED, LaunchState, ReportedRun, Slot
from planner.execution.state import State, purpose_of
from planner.execution.waits import Outage, Watched
from planner.providers.base import Run
from planner.quantities import money, rounded_duration

UNREACHABLE_PAUSE_SECONDS: Final = 1.0


def apply(state: State, event: Event | SessionEvent, now: Now) -> None:
    """Apply an event to the state."""
    if isinstance(event, ConsentEvent):  # the journal knows
        return
    match event:
        case Intended(intent):
            state.posting[intent.launch_id] = intent
            for ordinal, slot in enumerate(intent.slots):
                state.ledger.reserve(purpose_of(slot.plan, intent.sent_at), slot.reserved_cents)
                state.wanted.launched(slot.case_id, (intent.launch_id, ordinal))
        case Moved():
            _moved(state, event, now)
        case DuplicateAnswer():
            _duplicate_answer(state, event, now)
        case RunsBound(launch_id, bindings):
            state.watch_bound(state.launch(launch_id), bindings, now)
        case RequesterLearned(_, requester_id):
            state.requesters.add(requester_id)
        case (
            RunsClaimed()
            | EvidenceStored()
            | Consumed()
            | Imported()
            | RunsKnown()
            | PreviewIntended()
            | PreviewMoved()
        ):
            pass  # the journal knows
        case _:
            _apply_session_event(state, event, now)


def _apply_session_event(state: State, event: SessionEvent, now: Now) -> None:
    match event:
        case SlotsResumed(slots):
            _resume(state, slots, now)
        case Throttled(runs, retry_after_seconds):
            _throttled(state, runs, retry_after_seconds, now)
        case NotSent(launch_id):
            _stop(state, Stopped())
            del state.posting[launch_id]
            state.release(launch_id)
        case Unreachable(message):
            _unreachable(state, message, now)
        case ServiceFailed(message):
            _failed(state, message, now)
        case ServiceAnswered():
            if state.outage.since is not None:
                state.log(
                    f"the service is available again after {rounded_duration(state.outage.gone_seconds(now.seconds))}"
                )
            state.outage = Outage()
        case Polled(rows):
            state.list_rows = state.list_rows if rows is None else rows
            _drop_overdue(state, now)
        case RunEnded(run):
            _run_ended(state, run, now)
        case BillLate(run_id):
            expect_estimate(state, *state.reading[run_id])
        case EvidenceComplete():
            _evidence_complete(state, event)
        case EvidenceFailed():
            _evidence_failed(state, event, now)
        case RunResumed(slot):
            state.reported.append(ReportedRun(slot, state.launch(slot.launch_id), resumed=True))
        case RunGone(run_id, reason, unread):
            _stop_waiting(state, state.watched.pop(run_id), reason, unread=unread)
        case RunJudged():
            _judged(state, event)
        case IdleChanged(is_idle):
            state.idle_since = now.seconds if is_idle else None
        case Interrupted():
            state.interrupted_at = now.seconds
            state.outcome.interrupted = state.stopped = True
        case Stopped():
            _stop(state, event)


def _resume(state: State, resumed: Sequence[Slot], now: Now) -> None:
    """Paid runs count as wanted ones. Every open launch that may have made the same calls is searched for, even if its
    slots do not count."""
    state.counts_for.update((slot.key, slot.case_id) for slot in resumed)
    state.wanted.resume(resumed)
    for launch in state.journal.launches(UNSETTLED):
        slots = state.journal.slots_of(launch.launch_id)
        if any(state.jobs_of(slot.call_fingerprint) for slot in slots):
            state.search(launch.launch_id, now)
    if resumed:
        state.log(f"resuming {len(resumed)} runs of earlier sessions")


# Launches


def _moved(state: State, event: Moved, now: Now) -> None:
    launch_id = event.launch_id
    match event.state:
        case LaunchState.INTENDED | LaunchState.SENT:
            pass
        case LaunchState.ACKNOWLEDGED:
            intent = state.posting.pop(launch_id)
            _confirmed(state, event, now)
            state.refused_since = None
            state.limit.accepted(len(intent.slots), in_flight=state.accepted_in_flight())
            if event.batch_id is not None:
                _note_batch(state, event.batch_id, launch_id)
        case LaunchState.ADOPTED:
            del state.unconfirmed[launch_id]
            _confirmed(state, event, now)
        case LaunchState.UNCONFIRMED:
            del state.posting[launch_id]
            state.search(launch_id, now, since=None if event.slack_seconds is None else now.seconds)
        case LaunchState.ABSENT:
            del state.unconfirmed[launch_id]
            state.release(launch_id)
        case LaunchState.REFUSED | LaunchState.UNSENT | LaunchState.REJECTED:
            del state.posting[launch_id]
            state.release(launch_id)


def _confirmed(state: State, event: Moved, now: Now) -> None:
    state.outcome.launches += 1
    state.watch_bound(state.launch(event.launch_id), event.bindings, now)


def _note_batch(state: State, batch_id: int, launch_id: str) -> None:
    """Warn if two launches have the same batch. Their runs are known, so this is harmless, but unexpected."""
    if (other := state.batches.setdefault(batch_id, launch_id)) != launch_id:
        state.warn(
            f"the service answered launches {other} and {launch_id} with the same batch {batch_id}; each keeps its "
            "own runs"
        )


def _duplicate_answer(state: State, event: DuplicateAnswer, now: Now) -> None:
    """It is unclear what the service carries out: verify what is seen of the holder."""
    del state.posting[event.launch_id]
    for watched in state.watched.values():
        if watched.launch.launch_id == event.holder:
            watched.launch = state.launch(event.holder)
    state.search(event.launch_id, now)


def _throttled(state: State, runs: int, retry_after_seconds: float | None, now: Now) -> None:
    """The launch is still among those being sent."""
    state.is_unreachable = False
    in_flight = state.accepted_in_flight()
    if in_flight:
        state.refused_since = None
    elif state.refused_since is None:
        state.refused_since = now.seconds
    state.limit.refused(
        runs,
        in_flight=in_flight,
        others=state.in_flight() - in_flight - runs,
        now=now.seconds,
        retry_after_seconds=retry_after_seconds,
    )


def _stop(state: State, event: Stopped) -> None:
    state.stopped = True
    for name, value in event._asdict().items():
        if value:
            setattr(state.outcome, name, value)
    if event.ceiling:
        state.log(f"launching stopped: {event.ceiling_detail}")


def _unreachable(state: State, message: str, now: Now) -> None:
    state.limit.pause_until = now.seconds + UNREACHABLE_PAUSE_SECONDS
    state.is_unreachable = True
    _failed(state, message, now)


def _failed(state: State, message: str, now: Now) -> None:
    """Give up when failures persist."""
    give_up_seconds = state.settings.outage_give_up_seconds
    if state.outage.since is None:
        state.log(f"{message}; retrying for up to {rounded_duration(give_up_seconds)}")
    state.outage.failed(message, now.seconds)
    if state.outage.lasts(give_up_seconds):
        gone_seconds = state.outage.gone_seconds(now.seconds)
        _stop(state, Stopped(trouble=f"the service was unavailable for {gone_seconds:.0f} s: {message}"))


# Runs


def _run_ended(state: State, run: Run, now: Now) -> None:
    watched = state.watched[run.id]
    if watched.ended_at is None:
        watched.ended_at = now.seconds
        state.unbilled[watched.launch.line.target] += 1
        if run.call_id is not None:
            state.charges.expect(run.call_id, run.completed_at or watched.launch.earliest)
        if not watched.resumed and run.status is RunStatus.COMPLETED:  # a failed run says nothing about durations
            state.seconds_seen = [*state.seconds_seen[-99:], _length_seconds(run, watched, now)]
    is_fresh = now.seconds - watched.ended_at < state.settings.evidence_wait_seconds
    if run.call_id is None and run.status is RunStatus.COMPLETED and is_fresh and not watched.slot.evidence:
        return  # its call id has not arrived yet
    del state.watched[run.id]
    state.reading[run.id] = (run, watched)


def _length_seconds(run: Run, watched: Watched, now: Now) -> float:
    """By the service's times, which no clock of ours blurs; until now if they are missing or impossible."""
    age = watched.age_seconds(now)
    if run.created_at is None or run.completed_at is None:
        return age
    seconds = (run.completed_at - run.created_at).total_seconds()
    return seconds if 0 < seconds < age else age


def _evidence_complete(state: State, event: EvidenceComplete) -> None:
    run, watched = state.reading.pop(event.run.id)
    cents = event.slot.cost_cents
    if watched.slot.cost_cents is None:  # otherwise it was billed before and only its evidence was missing
        if cents is None:
            expect_estimate(state, run, watched)
        else:
            bill(state, watched, cents, is_final=event.is_final or watched.job.reserve_cents is None)
    billed = "its bill is late" if cents is None else f"billed {money(cents)}"
    state.log(f"run {run.id} of {event.slot.case_id} ended, {billed}")
    state.unbilled[watched.launch.line.target] -= 1
    state.reported.append(ReportedRun(event.slot, watched.launch, watched.resumed))


def _evidence_failed(state: State, event: EvidenceFailed, now: Now) -> None:
    """Not a failure of the service: the list shows whether that works."""
    run_id, problem = event
    _, watched = state.reading.pop(run_id)
    assert watched.ended_at is not None
    if now.seconds - watched.ended_at < state.settings.evidence_give_up_seconds:
        state.begin_polling(now)
        watched.back_off(now.seconds)
        state.watched[run_id] = watched
        state.log(f"run {run_id} cannot be read, retrying in {watched.pause_seconds:.2g} s: {problem}")
    else:
        _stop_waiting(state, watched, f"the evidence of run {run_id} cannot be read: {problem}", unread=problem)


def _drop_overdue(state: State, now: Now) -> None:
    for run_id, watched in list(state.watched.items()):
        if now.seconds >= watched.deadline and watched.ended_at is None:
            reason = f"run {run_id} has not ended within {watched.job.timeout_seconds:.0f} s"
            if watched.problem:
                reason = f"run {run_id} cannot be read: {watched.problem}"
            _stop_waiting(state, state.watched.pop(run_id), reason, unread=watched.problem)
    for launch_id, unbound in list(state.unbound.items()):
        if now.seconds >= unbound.deadline:
            del state.unbound[launch_id]
            state.outcome.overdue += unbound.slots
            if launch_id not in state.outcome.anomalies:
                message = f"{unbound.slots} runs of launch {launch_id} never appeared in the service's list of runs"
                state.report_anomaly(launch_id, message)


def _stop_waiting(state: State, watched: Watched, reason: str, *, unread: str = "") -> None:
    """Stop waiting for a run; the next session resumes it. Stored evidence stays."""
    state.unbilled[watched.launch.line.target] -= watched.ended_at is not None
    state.log(f"{reason}; not waiting any longer")
    state.reported.append(ReportedRun(watched.slot, watched.launch, watched.resumed, unread))


def _judged(state: State, event: RunJudged) -> None:
    state.runs_done += 1
    if event.is_missing:
        state.outcome.overdue += 1
        if event.unread:
            state.outcome.unread.append(event.unread)
            state.outcome.unread_slots.add(event.slot.key)
    case_id = event.slot.case_id
    may_retry = event.platform_failed and not state.stopped
    if may_retry and state.wanted.platform_failed(case_id):
        state.log(f"run {event.slot.run_id} of {case_id} failed because of the platform: retrying")


def bill(state: State, watched: Watched, billed_cents: int, *, is_final: bool) -> None:
    """Settle a reservation. Runs of other consents have no reservation here, but their bills update the price.

    If the account may have been charged more (not `is_final`), ceilings count the higher of bill and reservation.
    """
    slot, launch = watched.slot, watched.launch
    reserved_cents = slot.reserved_cents if watched.reservation_cents is None else watched.reservation_cents
    state.ledger.learn(launch.line.target, reserved_cents=reserved_cents, billed_cents=billed_cents)
    if state.is_charged(launch):
        counted_cents = billed_cents if is_final else max(billed_cents, reserved_cents)
        purpose = purpose_of(slot.plan, launch.sent_at)
        state.ledger.bill(purpose, reserved_cents=reserved_cents, billed_cents=counted_cents)


def expect_estimate(state: State, run: Run, watched: Watched) -> None:
    """A call of unknown price ended and its bill is late: replace its reservation, which is everything left, by the
    service's estimate, so that other calls can start. Our own estimates stay."""
    slot, job, launch = watched.slot, watched.job, watched.launch
    is_unpriced = job.reserve_cents is None and watched.reservation_cents is None and slot.cost_cents is None
    if is_unpriced and state.is_charged(launch) and run.estimated_cents is not None:
        watched.reservation_cents = run.estimated_cents
        state.ledger.revise(purpose_of(slot.plan, launch.sent_at), slot.reserved_cents, run.estimated_cents)
