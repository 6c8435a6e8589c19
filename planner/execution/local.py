"""Carries out what the core decides, in this process, with one task for each request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
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
from planner.evidence import Evidence, merged, missing_parts
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
    snapshot,
    wait_text,
)
from planner.execution.engine import Now, Outcome, SessionTerms
from planner.execution.events import (
    NAMES,
    BillLate,
    Event,
    EvidenceFailed,
    Interrupted,
    RunJudged,
    SessionEvent,
    SlotsResumed,
    Stopped,
)
from planner.execution.fold import apply
from planner.execution.journal import Journal
from planner.execution.launches import LaunchIntent, ReportedRun, Slot
from planner.execution.observer import EndedRun, Observer
from planner.execution.observing import evidence_result, evidence_wait, poll_request, poll_result
from planner.execution.poll_times import schedule_poll
from planner.execution.reading import Transactions, collect, read_list
from planner.execution.reads import Listed, Lists, PollRequest, StoredEvidence
from planner.execution.resuming import resume_slot
from planner.execution.sending import Sender
from planner.execution.state import State
from planner.providers.base import Batch, BatchId, CallId, Provider, Run, RunId

ShareIntent = Callable[[LaunchIntent], Awaitable[None]]
"""Raises `StoreError` or `UsageError` if the intent may not be durable."""

LONGEST_WAIT_SECONDS: Final = 1.0
"""The progress display shows the time."""
CLOCK_SLACK_SECONDS: Final = 5.0
"""`Date` headers have whole seconds and arrive late."""
UNKNOWN_CLOCK_SLACK_SECONDS: Final = 3600.0
"""Used if the service sends no `Date` headers."""


@dataclass(slots=True)
class LocalEngine:
    """Makes the calls of one session. `share_intent` makes an intent durable in the shared store before it is sent;
    None without one."""

    provider: Provider
    transactions: Transactions
    journal: Journal
    save_evidences: Callable[[Sequence[Evidence]], Sequence[str]]
    load_evidence: Callable[[str], Evidence | None]
    clock: Clock
    new_id: Callable[[], str]
    share_intent: ShareIntent | None = None
    state: State = field(init=False)
    observer: Observer = field(init=False)
    _tasks: TaskGroup = field(init=False)
    _changed: anyio.Event = field(default_factory=anyio.Event)
    _is_polling: bool = False
    _collecting: set[RunId] = field(default_factory=set[RunId])
    _read: list[tuple[Run, Evidence, bool]] = field(default_factory=list[tuple[Run, Evidence, bool]])
    """Read and not stored yet; the last value says whether the bill is final."""
    _is_storing: bool = False
    _unjudged: dict[str, Evidence] = field(default_factory=dict[str, Evidence])
    """Evidence that was just read or stored, by digest, so that it is not loaded again to be judged."""
    _waiting: WaitReason | None = None
    """Why the last decision sent no launch."""

    async def execute(
        self,
        terms: SessionTerms,
        resumed: Sequence[Slot],
        *,
        observer: Observer,
        interrupted: anyio.Event,
    ) -> Outcome:
        """Make the consented calls, less the `resumed` slots of earlier sessions.

        Returns when everything is done or nothing more can be done. Errors, also unexpected ones, are in the outcome.
        """
        is_shared = self.share_intent is not None
        self.state, self.observer = State(terms, self.journal, self.transactions.charges, is_shared), observer
        try:
            await self._run(resumed, interrupted)
            self.snapshot()
        except* Exception as errors:  # noqa: BLE001 - whatever happens, calls that were paid must be reported
            _end_with(self.state.outcome, leading_error(errors))
        return outcome_of(self.state)

    def now(self) -> Now:
        provider = self.provider
        server = self.clock.now() + timedelta(seconds=provider.clock_offset_seconds)
        unknown = CLOCK_SLACK_SECONDS if provider.clock_known else UNKNOWN_CLOCK_SLACK_SECONDS
        return Now(self.clock.monotonic(), server, provider.clock_uncertainty_seconds + unknown)

    async def _run(self, resumed: Sequence[Slot], interrupted: anyio.Event) -> None:
        if interrupted.is_set():
            self.happen(Interrupted())
        self._resume(resumed)
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self._watch_interruption, interrupted)
            await self._carry_out()
            self._tasks.cancel_scope.cancel()

    def _resume(self, slots: Sequence[Slot]) -> None:
        state = self.state
        self.happen(SlotsResumed(tuple(slots)))
        for slot in slots:
            evidence = None if slot.evidence is None else self.load_evidence(slot.evidence)
            missing = None
            if slot.evidence is not None and evidence is not None:
                self._unjudged = {slot.evidence: evidence}
                grade_wanted = state.jobs[slot.case_id].await_grade
                missing = missing_parts(evidence, grade_wanted=grade_wanted)
            self.happen_all(resume_slot(state, slot, missing, self.now()))
        self._unjudged.clear()

    async def _carry_out(self) -> None:
        while True:
            wait: WaitUntil | None = None
            now = self.now()
            for action in decide(self.state, now):
                match action:
                    case SendLaunch():
                        Sender(self).begin(action, now, self._tasks)
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
                await self._wait(wait.seconds - self.clock.monotonic())

    # Events

    def happen(self, event: Event | SessionEvent) -> None:
        """Make a durable event durable, then apply it. Raises `StoreError`."""
        if type(event) in NAMES:
            self.journal.record(cast("Event", event))
        self._apply(event)
        while self.state.reported:
            for verdict in self._judged(self.state.reported.pop(0)):
                self._apply(verdict)
        self._changed.set()

    def happen_all(self, events: Iterable[Event | SessionEvent]) -> None:
        for event in events:
            self.happen(event)
        self._show_notes()

    def _apply(self, event: Event | SessionEvent) -> None:
        apply(self.state, event, self.now())
        self._show_notes()

    def _show_notes(self) -> None:
        if not self.state.notes:
            return
        notes, self.state.notes = self.state.notes, []
        for note in notes:
            (self.observer.warn if note.is_warning else self.observer.log)(note.text)

    def _judged(self, reported: ReportedRun) -> Iterator[SessionEvent]:
        slot, digest = reported.slot, reported.slot.evidence
        evidence = None
        if digest is not None:
            evidence = self._unjudged.pop(digest, None) or self.load_evidence(digest)
        ended = EndedRun(slot, reported.launch, reported.resumed, evidence, reported.unread)
        response = self.observer.on_run(ended)
        yield RunJudged(slot, response.platform_failed, is_missing=evidence is None, unread=reported.unread)
        if response.stop:
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
        self.observer.on_snapshot(snapshot(self.state, self._waiting, self.now()))

    def _note_waiting(self, reason: WaitReason | None) -> None:
        if reason is not None and reason is not self._waiting:
            self.observer.log(f"launching waits: {wait_text(self.state, reason, self.now())}")
        self._waiting = reason

    # Polling

    def _start_poll(self) -> None:
        if not self._is_polling:
            self._is_polling = True
            self._tasks.start_soon(self._poll)

    async def _poll(self) -> None:
        """Read the lists once, if anything waits for them, and the bills that are due."""
        state, clock, transactions = self.state, self.clock, self.transactions
        began = clock.monotonic()
        request = poll_request(state)
        if request is not None:
            result = await self._read_lists(request, began)
            self.happen_all(poll_result(state, request, result, self.now()))
        schedule_poll(state, began, self.now())
        self._is_polling = False
        if transactions.is_due(clock.monotonic()):
            self._tasks.start_soon(transactions.read, clock.monotonic())

    async def _read_lists(self, request: PollRequest, began: float) -> Lists | PlannerError:
        provider, batches = self.provider, Listed[Batch]()
        members: dict[BatchId, Sequence[RunId]] = {}
        try:
            runs = await read_list(
                provider.runs, oldest=request.oldest, wanted=request.wanted, first_page=request.first_page
            )
            if request.batches_since is not None:
                batches = await read_list(provider.batches, oldest=request.batches_since)
            for batch_id in request.members:
                try:
                    members[batch_id] = (await provider.batch(batch_id)).run_ids
                except (NotFoundError, IncompleteError) as error:  # not visible yet, as if it had just been created
                    self.observer.log(f"batch {batch_id} cannot be read yet: {error}")
        except PlannerError as error:
            return error
        return Lists(began, runs, batches, members, request.searched)

    # Evidence

    def _start_collecting(self, run: Run) -> None:
        if run.id not in self._collecting:
            self._collecting.add(run.id)
            self._tasks.start_soon(self._collect, run)

    async def _collect(self, run: Run) -> None:
        stored = self.state.reading[run.id][1].slot.evidence
        try:
            read = await collect(
                self.provider,
                run,
                evidence_wait(self.state, run, self.now()),
                clock=self.clock,
                transactions=self.transactions,
                on_late=lambda: self.happen(BillLate(run.id)),
            )
            evidence = merged(self.load_evidence(stored) if stored is not None else None, read)
        except StoreError:
            raise
        except PlannerError as error:
            self._collecting.discard(run.id)
            self.happen(EvidenceFailed(run.id, str(error)))
            return
        call_id = None if evidence.call_id is None else CallId(evidence.call_id)
        is_final = self.state.charges.settle(call_id, evidence.cost_cents)
        self._read.append((run, evidence, is_final))
        if not self._is_storing:
            self._is_storing = True
            self._tasks.start_soon(self._store)

    async def _store(self) -> None:
        """Store everything that was read, in batches: writing many files together takes as long as one."""
        while self._read:
            ended, self._read = self._read, []
            digests = await anyio.to_thread.run_sync(self.save_evidences, [evidence for _, evidence, _ in ended])
            self._unjudged = {digest: evidence for (_, evidence, _), digest in zip(ended, digests, strict=True)}
            self._collecting.difference_update(run.id for run, _, _ in ended)
            self.happen_all(
                evidence_result(
                    self.state,
                    [
                        StoredEvidence(run, digest, evidence.cost_cents, is_final)
                        for (run, evidence, is_final), digest in zip(ended, digests, strict=True)
                    ],
                )
            )
        self._is_storing = False


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
