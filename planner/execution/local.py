"""Carries out what the core decides, in this process, with one task for each request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, cast

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from planner.clock import Clock
from planner.errors import (
    FULL_DISK,
    IncompleteError,
    NotFoundError,
    PlannerError,
    RefusedError,
    StoreError,
    UsageError,
    leading_error,
)
from planner.evidence import Evidence, merged
from planner.execution.core import (
    Apply,
    Finish,
    Poll,
    ReadEvidence,
    SendLaunch,
    WaitReason,
    WaitUntil,
    decide,
    outcome_of,
    schedule_poll,
    snapshot,
    wait_text,
)
from planner.execution.engine import ConsentedJobs, Now, Observer, Outcome
from planner.execution.events import (
    NAMES,
    BillLate,
    Event,
    EvidenceComplete,
    EvidenceFailed,
    Interrupted,
    Polled,
    RunJudged,
    ServiceAnswered,
    ServiceFailed,
    SessionEvent,
    Stopped,
)
from planner.execution.fold import apply
from planner.execution.journal import Journal
from planner.execution.journal_state import evidence_stored
from planner.execution.launches import EndedRun, LaunchIntent, Slot
from planner.execution.observing import Lists, listed, resume, searchable, wanted_batches
from planner.execution.reading import Listed, Transactions, WaitPolicy, collect, read_list
from planner.execution.sending import Sender
from planner.execution.state import State, Watched
from planner.providers.base import Batch, BatchId, CallId, Provider, Run, RunId

ShareIntent = Callable[[LaunchIntent], Awaitable[None]]
"""Raises `StoreError` or `UsageError` if the intent may not be durable."""

LONGEST_WAIT_SECONDS: Final = 1.0
"""The progress display shows the time."""
ROW_MARGIN: Final = 1.2
"""Rows to request, as a multiple of those needed last time plus new launches, since other clients launch too."""
CLOCK_SLACK_SECONDS: Final = 5.0
"""`Date` headers have whole seconds and arrive late."""
UNKNOWN_CLOCK_SLACK_SECONDS: Final = 3600.0
"""Used if the service sends no `Date` headers."""


@dataclass(slots=True)
class LocalEngine:
    """An `Engine`. `share_intent` makes an intent durable in the shared store before it is sent; None without one."""

    provider: Provider
    charges: Transactions
    journal: Journal
    save_evidences: Callable[[Sequence[Evidence]], Sequence[str]]
    load_evidence: Callable[[str], Evidence | None]
    clock: Clock
    new_id: Callable[[], str]
    share_intent: ShareIntent | None = None

    async def execute(
        self, consented: ConsentedJobs, resumed: Sequence[Slot], *, observer: Observer, interrupted: anyio.Event
    ) -> Outcome:
        """See `Engine.execute`."""
        state = State(consented, self.journal, self.charges, observer.log, observer.warn)
        session = Session(self, state, observer)
        try:
            await session.run(resumed, interrupted)
            session.snapshot()
        except* Exception as errors:  # noqa: BLE001 - whatever happens, calls that were paid must be reported
            _end_with(state.outcome, leading_error(errors))
        return outcome_of(state)

    def now(self) -> Now:
        provider = self.provider
        server = self.clock.now() + timedelta(seconds=provider.clock_offset_seconds)
        unknown = CLOCK_SLACK_SECONDS if provider.clock_known else UNKNOWN_CLOCK_SLACK_SECONDS
        return Now(self.clock.monotonic(), server, provider.clock_uncertainty_seconds + unknown)


@dataclass(slots=True)
class Session:
    engine: LocalEngine
    state: State
    observer: Observer
    _sender: Sender = field(init=False)
    _tasks: TaskGroup = field(init=False)
    _changed: anyio.Event = field(default_factory=anyio.Event)
    _is_polling: bool = False
    _collecting: set[RunId] = field(default_factory=set[RunId])
    _read: list[tuple[Run, Watched, Evidence, bool]] = field(default_factory=list[tuple[Run, Watched, Evidence, bool]])
    """Read and not stored yet; the last value says whether the bill is final."""
    _is_storing: bool = False
    _waiting: WaitReason | None = None
    """Why the last decision sent no launch."""

    def __post_init__(self) -> None:
        self._sender = Sender(self.engine, self)

    async def run(self, resumed: Sequence[Slot], interrupted: anyio.Event) -> None:
        if interrupted.is_set():
            self.happen(Interrupted())
        self.happen_all(resume(self.state, resumed, self.engine.load_evidence, self.engine.now()))
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self._watch_interruption, interrupted)
            await self._carry_out()
            self._tasks.cancel_scope.cancel()

    async def _carry_out(self) -> None:
        while True:
            wait: WaitUntil | None = None
            for action in decide(self.state, self.engine.now()):
                match action:
                    case SendLaunch():
                        self._sender.begin(action, self._tasks)
                    case Poll():
                        self._start_poll()
                    case ReadEvidence(run):
                        self._start_collecting(run)
                    case Apply(event):
                        self.happen(event)
                    case WaitUntil():
                        wait = action
                    case Finish():
                        return
            if wait is not None:
                self._note_waiting(wait.reason)
                self.snapshot()
                await self._wait(wait.seconds - self.engine.clock.monotonic())

    # Events

    def happen(self, event: Event | SessionEvent) -> None:
        """Make a durable event durable, then apply it. Raises `StoreError`."""
        if type(event) in NAMES:
            self.engine.journal.record(cast("Event", event))
        apply(self.state, event, self.engine.now())
        while self.state.reported:
            for verdict in self._judged(self.state.reported.pop(0)):
                apply(self.state, verdict, self.engine.now())
        self._changed.set()

    def happen_all(self, events: Iterable[Event | SessionEvent]) -> None:
        for event in events:
            self.happen(event)

    def _judged(self, ended: EndedRun) -> Iterator[SessionEvent]:
        digest = ended.slot.evidence
        if ended.evidence is None and digest is not None:
            ended = replace(ended, evidence=self.engine.load_evidence(digest))
        judged = self.observer.on_run(ended)
        yield RunJudged(ended.slot, judged.platform_failed, is_missing=ended.evidence is None, unread=ended.unread)
        if judged.stop:
            yield Stopped(fail_fast=True)

    async def _wait(self, seconds: float) -> None:
        """Wait for an event."""
        if not self._changed.is_set():
            with anyio.move_on_after(min(seconds, LONGEST_WAIT_SECONDS)):
                await self._changed.wait()
        self._changed = anyio.Event()

    async def _watch_interruption(self, interrupted: anyio.Event) -> None:
        await interrupted.wait()
        self.happen(Interrupted())

    def snapshot(self) -> None:
        self.observer.on_snapshot(snapshot(self.state, self._waiting, self.engine.now()))

    def _note_waiting(self, reason: WaitReason | None) -> None:
        if reason is not None and reason is not self._waiting:
            self.observer.log(f"launching waits: {wait_text(self.state, reason, self.engine.now())}")
        self._waiting = reason

    # Polling

    def _start_poll(self) -> None:
        if not self._is_polling:
            self._is_polling = True
            self._tasks.start_soon(self._poll)

    async def _poll(self) -> None:
        """Read the lists once. If the service cannot be read, the next poll tries again."""
        state, clock = self.state, self.engine.clock
        began = clock.monotonic()
        try:
            if state.is_asking():
                lists, rows = await self._read_lists(began)
                self.happen(ServiceAnswered())
                self.happen_all(listed(state, lists, self.engine.now()))
                self.happen(Polled(rows))
        except StoreError:
            raise
        except IncompleteError as error:
            self.happen(ServiceFailed(str(error)))
        except PlannerError as error:  # refused during the session, for example because the key was revoked
            self.happen(Stopped(usage=error.with_hint, trouble=error.with_hint))
        schedule_poll(state, began, self.engine.now())
        self._is_polling = False
        if self.engine.charges.is_due(clock.monotonic()):
            self._tasks.start_soon(self.engine.charges.read, clock.monotonic())

    async def _read_lists(self, began: float) -> tuple[Lists, int | None]:
        state, provider = self.state, self.engine.provider
        searched = searchable(state)
        asked = [search.unconfirmed.launch for search in state.unconfirmed.values()]
        asked += [unbound.launch for unbound in state.unbound.values()]
        oldest = min(
            (launch.earliest for launch in asked + [watched.launch for watched in state.watched.values()]),
            default=None,
        )
        rows: int | None = None
        if asked:
            runs = await read_list(provider.runs, oldest=oldest)
        else:
            wanted = state.watched.keys()
            launched_since = sum(watched.since >= state.polled_at for watched in state.watched.values())
            expected = int((state.list_rows + launched_since) * ROW_MARGIN)
            runs = await read_list(provider.runs, oldest=oldest, wanted=wanted, first_page=expected)
            rows = _last_row(runs, wanted)
        batches = Listed[Batch]()
        if searched:
            since = min(state.unconfirmed[each].unconfirmed.launch.earliest for each in searched)
            batches = await read_list(provider.batches, oldest=since)
        members: dict[BatchId, Sequence[RunId]] = {}
        for batch_id in wanted_batches(state):
            try:
                members[batch_id] = (await provider.batch(batch_id)).run_ids
            except (NotFoundError, IncompleteError) as error:  # not visible yet, as if it had just been created
                state.log(f"batch {batch_id} cannot be read yet: {error}")
        return Lists(began, runs, batches, members, searched), rows

    # Evidence

    def _start_collecting(self, run: Run) -> None:
        if run.id not in self._collecting:
            self._collecting.add(run.id)
            self._tasks.start_soon(self._collect, run, self.state.reading[run.id][1])

    async def _collect(self, run: Run, watched: Watched) -> None:
        engine, stored = self.engine, watched.slot.evidence
        try:
            wait = WaitPolicy(
                # After the first reading, one more is enough.
                0.0 if stored is not None else self.state.settings.evidence_wait_seconds,
                watched.job.await_grade,
                engine.now().seconds_since(run.completed_at) if watched.resumed and run.completed_at else 0.0,
                lambda: self.happen(BillLate(run.id)),
            )
            read = await collect(engine.provider, run, wait, clock=engine.clock, transactions=engine.charges)
            evidence = merged(engine.load_evidence(stored) if stored is not None else None, read)
        except StoreError:
            raise
        except PlannerError as error:
            self._collecting.discard(run.id)
            self.happen(EvidenceFailed(run.id, str(error)))
            return
        call_id = None if evidence.call_id is None else CallId(evidence.call_id)
        is_final = engine.charges.settle(call_id, evidence.cost_cents)
        self._read.append((run, watched, evidence, is_final))
        if not self._is_storing:
            self._is_storing = True
            self._tasks.start_soon(self._store)

    async def _store(self) -> None:
        """Store everything that was read, in batches: writing many files together takes as long as one. Only durable
        evidence is billed and reported."""
        while self._read:
            ended, self._read = self._read, []
            evidences = [evidence for _, _, evidence, _ in ended]
            digests = await anyio.to_thread.run_sync(self.engine.save_evidences, evidences)
            slots = [
                replace(watched.slot, evidence=digest, cost_cents=evidence.cost_cents, completed_at=run.completed_at)
                for (run, watched, evidence, _), digest in zip(ended, digests, strict=True)
            ]
            self.happen(evidence_stored(slots))
            for (run, _, evidence, is_final), slot in zip(ended, slots, strict=True):
                self._collecting.discard(run.id)
                self.happen(EvidenceComplete(run, slot, evidence, is_final))
        self._is_storing = False


def _last_row(runs: Listed[Run], wanted: Iterable[RunId]) -> int:
    """The row of the oldest wanted run under way."""
    ours = set(wanted)
    return max(
        (row for row, (run_id, run) in enumerate(runs.found.items(), start=1) if run_id in ours and not run.ended),
        default=0,
    )


def _end_with(outcome: Outcome, error: BaseException) -> None:
    """Note why a task failed."""
    if isinstance(error, RefusedError):
        outcome.refusal = outcome.refusal or error.with_hint
    elif isinstance(error, UsageError):
        outcome.usage = outcome.usage or error.with_hint
    elif isinstance(error, PlannerError):
        outcome.trouble = error.with_hint
    elif isinstance(error, OSError) and error.errno in FULL_DISK:
        outcome.trouble = "the disk is full"
    elif isinstance(error, Exception):
        outcome.bug = error
