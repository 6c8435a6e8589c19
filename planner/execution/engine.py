"""Resumes runs of earlier sessions, launches what is wanted, and collects what has ended.

A launcher and a watcher run concurrently in one thread and share one `Context`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import anyio
from anyio.abc import TaskGroup

from planner.errors import StoreError
from planner.evidence import Evidence, missing_parts
from planner.execution.context import Context
from planner.execution.jobs import Outcome, UnsettledLaunch
from planner.execution.launcher import Launcher
from planner.execution.launches import DUPLICATE_ANSWER, OTHER_KEY, UNSETTLED, Slot, run_record
from planner.execution.watcher import Watcher

ANSWER_GRACE_SECONDS = 3.0
"""How long an interrupted engine waits for answers to sent launches. The report is due within 5 s."""


async def execute(context: Context, resumed: Sequence[Slot], *, interrupted: anyio.Event) -> Outcome:
    """Make the calls of `context.jobs`, minus the `resumed` slots of earlier sessions.

    Returns when everything is done or nothing more can be done. Errors of the service or the disk are in the outcome.
    """
    launcher = Launcher(context)
    watcher = Watcher(context)
    context.outcome.interrupted = interrupted.is_set()
    context.stopped = context.stopped or interrupted.is_set()
    try:
        _resume(context, resumed)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_watch_interruption, context, interrupted, tasks)
            tasks.start_soon(launcher.run, tasks)
            await _watch(context, launcher, watcher, tasks)
            tasks.cancel_scope.cancel()
    except* StoreError as errors:
        context.outcome.trouble = _first_message(errors)
    context.snapshot()
    context.outcome.left = context.deferred.left()
    context.outcome.not_needed = context.deferred.not_needed
    context.outcome.unread_slots |= {item.slot.key for item in context.watched.values() if item.pause_seconds}
    context.outcome.unsettled = tuple(
        UnsettledLaunch(
            launch_id,
            tuple(sorted({slot.case_id for slot in search.unconfirmed.slots})),
            sum(slot.reserved_cents for slot in search.unconfirmed.slots),
            search.needs_person or search.unconfirmed.launch.detail.startswith(DUPLICATE_ANSWER),
            search.unconfirmed.launch.detail,
            search.unconfirmed.launch.sent_at + timedelta(seconds=context.settings.settle_seconds),
        )
        for launch_id, search in context.unconfirmed.items()
    )
    return context.outcome


def _resume(context: Context, resumed: Sequence[Slot]) -> None:
    """Count paid runs as wanted ones; search for unconfirmed launches first."""
    have = Counter(slot.case_id for slot in resumed)
    # The surplus are retries of platform failures.
    context.retried.update({case_id: max(0, made - context.jobs[case_id].runs) for case_id, made in have.items()})
    context.retried_before.update(context.retried)
    context.resumed_slots.update(slot.key for slot in resumed)
    for job in context.jobs.values():
        context.deferred.add_started(job, have[job.case_id])
        if job.may_stop_early:  # before any report, so that the open number is known
            context.deferred.want(job, job.runs - have[job.case_id])
    for slot in resumed:
        launch = context.launch(slot.launch_id)
        evidence = context.load_evidence(slot.evidence) if slot.evidence is not None else None
        if launch.state in UNSETTLED:
            if launch.launch_id not in context.unconfirmed:
                context.track_unconfirmed(launch.launch_id)
        elif evidence is not None and not _may_still_change(context, slot, evidence):
            context.report(run_record(slot, launch, evidence, resumed=True))
        elif slot.launch_id in context.launched_with_other:
            context.report_anomaly(
                f"{OTHER_KEY} {slot.launch_id}", f"not waiting for launch {slot.launch_id}: {OTHER_KEY}"
            )
        elif slot.run_id is not None:  # under way, or its evidence is missing from the store
            context.watch(slot, launch)
        elif launch.launch_id not in context.unbound:
            context.bind(launch.launch_id, {})
    if resumed:
        context.observer.log(f"resuming {len(resumed)} runs of earlier sessions")
    for job in context.jobs.values():
        if job.may_stop_early:
            context.release_deferred(job)
        else:
            context.deferred.want(job, job.runs - have[job.case_id])


def _may_still_change(context: Context, slot: Slot, evidence: Evidence) -> bool:
    job = context.jobs.get(slot.case_id)
    return job is not None and bool(missing_parts(evidence, grade_wanted=job.await_grade))


async def _watch(context: Context, launcher: Launcher, watcher: Watcher, tasks: TaskGroup) -> None:
    """Poll until everything is known, or only unconfirmed launches are left and their time is over."""
    idle_since: float | None = None
    while not context.outcome.trouble:
        searched_at = context.clock.monotonic()  # taken before the poll: the process may be suspended during it
        if context.watched or context.unbound or context.unconfirmed:
            await watcher.sweep(tasks)
            context.snapshot()
        if context.transactions.is_due(context.clock.monotonic()):
            tasks.start_soon(context.transactions.read, context.clock.monotonic())
        if len(context.deferred) and not (context.under_way() or context.unconfirmed or len(context.pending)):
            context.deferred.release_all(context.jobs)
            context.wake()
        launching = (
            not (launcher.done or context.stopped) and len(context.pending) and not launcher.blocked_by_unconfirmed
        )
        if context.under_way() or launching:
            idle_since = None
        elif not context.unconfirmed:
            return
        else:
            idle_since = searched_at if idle_since is None else idle_since
            hopeless = all(search.needs_person for search in context.unconfirmed.values())
            if hopeless or searched_at - idle_since >= context.settings.linger_seconds:
                context.fail_at_end()
                return
        await _pause(context, watcher.poll_seconds())


async def _pause(context: Context, seconds: float) -> None:
    """Wait until the next poll, or until nothing is left to poll for."""
    until = context.clock.monotonic() + seconds
    while context.under_way() or context.unconfirmed or (len(context.pending) and not context.stopped):
        left = until - context.clock.monotonic()
        if left <= 0:
            return
        await context.wait(left)


async def _watch_interruption(context: Context, interrupted: anyio.Event, tasks: TaskGroup) -> None:
    await interrupted.wait()
    context.outcome.interrupted = True
    context.stopped = True
    context.wake()
    with anyio.move_on_after(ANSWER_GRACE_SECONDS):
        while context.posting:
            await context.wait(ANSWER_GRACE_SECONDS)
    tasks.cancel_scope.cancel()


def _first_message(errors: BaseExceptionGroup[StoreError]) -> str:
    first = errors.exceptions[0]
    if isinstance(first, BaseExceptionGroup):
        return _first_message(first)
    return f"{first}. {first.hint}"
