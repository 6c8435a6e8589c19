"""The conductor: goes on with what earlier invocations launched, launches what is wanted, collects what has ended.

A launcher and a watcher go on at once, in one thread, over one `Context`; each step between two journal states is theirs
alone, so that another owner (a durable workflow engine, say) could schedule them without repeating one blindly.
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
from planner.execution.launcher import Launcher
from planner.execution.launches import ANSWERED_TWICE, OTHER_KEY, UNSETTLED, Slot, run_record
from planner.execution.watcher import Watcher
from planner.execution.work import Outcome, UnsettledLaunch

LAST_WORDS_SECONDS = 3.0
"""How long an interrupted engine waits for the answers to launches already sent; the report is due within 5 s."""


async def execute(context: Context, resumed: Sequence[Slot], *, interrupted: anyio.Event) -> Outcome:
    """Make the calls that `context.works` want, less the `resumed` slots of earlier invocations.

    Returns when all is done or nothing more can be; whatever the service or the disk does is told in the outcome.
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
    context.outcome.left = context.holding.left()
    context.outcome.not_needed = context.holding.not_needed
    context.outcome.unread_slots |= {item.slot.key for item in context.watched.values() if item.pause_seconds}
    context.outcome.unsettled = tuple(
        UnsettledLaunch(
            launch_id,
            tuple(sorted({slot.case_id for slot in doubt.lost.slots})),
            sum(slot.reserved_cents for slot in doubt.lost.slots),
            doubt.several or doubt.lost.launch.detail.startswith(ANSWERED_TWICE),
            doubt.lost.launch.detail,
            doubt.lost.launch.sent_at + timedelta(seconds=context.settings.settle_seconds),
        )
        for launch_id, doubt in context.doubts.items()
    )
    return context.outcome


def _resume(context: Context, resumed: Sequence[Slot]) -> None:
    """Runs already paid for stand in for as many wanted ones; launches of unknown fate are looked for first."""
    have = Counter(slot.case_id for slot in resumed)
    # More than were wanted: those were called again because the platform had failed the others.
    context.retried.update({case_id: max(0, made - context.works[case_id].runs) for case_id, made in have.items()})
    context.made_up_for.update(context.retried)
    context.standing_in.update(slot.key for slot in resumed)
    for work in context.works.values():
        context.holding.under_way(work, have[work.case_id])
        if work.may_settle:  # before anything is reported, so that what it leaves open is known
            context.holding.want(work, work.runs - have[work.case_id])
    for slot in resumed:
        launch = context.launch(slot.launch_id)
        evidence = context.load_evidence(slot.evidence) if slot.evidence is not None else None
        if launch.state in UNSETTLED:
            if launch.launch_id not in context.doubts:
                context.doubt(launch.launch_id)
        elif evidence is not None and not _may_come(context, slot, evidence):
            context.report(run_record(slot, launch, evidence, resumed=True))
        elif slot.launch_id in context.launched_with_other:
            context.find_odd(f"{OTHER_KEY} {slot.launch_id}", f"launch {slot.launch_id} is not waited for: {OTHER_KEY}")
        elif slot.run_id is not None:  # under way, or the store lacks evidence that the service may have
            context.watch(slot, launch)
        elif launch.launch_id not in context.unbound:
            context.bind(launch.launch_id, {})
    if resumed:
        context.observer.narrate(f"going on with {len(resumed)} runs of earlier invocations")
    for work in context.works.values():
        if work.may_settle:
            context.let_go(work)
        else:
            context.holding.want(work, work.runs - have[work.case_id])


def _may_come(context: Context, slot: Slot, evidence: Evidence) -> bool:
    work = context.works.get(slot.case_id)
    return work is not None and bool(missing_parts(evidence, grade_wanted=work.await_grade))


async def _watch(context: Context, launcher: Launcher, watcher: Watcher, tasks: TaskGroup) -> None:
    """Sweep until everything is known, or only launches of unknown fate are left and have had their time."""
    only_doubts_since: float | None = None
    while not context.outcome.trouble:
        looked = (
            context.clock.monotonic()
        )  # before: the process may be stopped at any moment, and then a look is an old one
        if context.watched or context.unbound or context.doubts:
            await watcher.sweep(tasks)
            context.snapshot()
        if context.transactions.is_due(context.clock.monotonic()):
            tasks.start_soon(context.transactions.read, context.clock.monotonic())
        if len(context.holding) and not (context.under_way() or context.doubts or len(context.pending)):
            context.holding.let_all_go(context.works)
            context.wake()
        launching = not (launcher.done or context.stopped) and len(context.pending) and not launcher.held_by_doubts
        if context.under_way() or launching:
            only_doubts_since = None
        elif not context.doubts:
            return
        else:
            only_doubts_since = looked if only_doubts_since is None else only_doubts_since
            hopeless = all(doubt.several for doubt in context.doubts.values())
            if hopeless or looked - only_doubts_since >= context.settings.linger_seconds:
                context.stay_failed()
                return
        await _pause(context, watcher.poll_seconds())


async def _pause(context: Context, seconds: float) -> None:
    """Until the next look is due, or nothing is left that it could show."""
    until = context.clock.monotonic() + seconds
    while context.under_way() or context.doubts or (len(context.pending) and not context.stopped):
        left = until - context.clock.monotonic()
        if left <= 0:
            return
        await context.wait(left)


async def _watch_interruption(context: Context, interrupted: anyio.Event, tasks: TaskGroup) -> None:
    await interrupted.wait()
    context.outcome.interrupted = True
    context.stopped = True
    context.wake()
    with anyio.move_on_after(LAST_WORDS_SECONDS):
        while context.posting:
            await context.wait(LAST_WORDS_SECONDS)
    tasks.cancel_scope.cancel()


def _first_message(errors: BaseExceptionGroup[StoreError]) -> str:
    first = errors.exceptions[0]
    if isinstance(first, BaseExceptionGroup):
        return _first_message(first)
    return f"{first}. {first.hint}"
