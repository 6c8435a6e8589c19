"""State and collaborators that the launcher and the watcher share, and the steps that both use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import anyio

from planner.clock import Clock
from planner.evidence import Evidence
from planner.execution.concurrency import ConcurrencyLimit
from planner.execution.deferred import DeferredRuns
from planner.execution.events import Moved, RequesterLearned, RunsBound, WindowWidened
from planner.execution.jobs import (
    Job,
    Observer,
    Outcome,
    Pace,
    RunRecord,
    Settings,
    Snapshot,
    all_at_once,
)
from planner.execution.journal import Journal
from planner.execution.launches import OTHER_KEY, Launch, LaunchIntent, LaunchState, Slot, SlotIntent
from planner.execution.ledger import Ledger
from planner.execution.packing import Pending
from planner.execution.reconciling import Unconfirmed, bind_slots
from planner.execution.transactions import Transactions
from planner.execution.watched import Search, Unbound, Watched
from planner.execution.wording import span
from planner.providers.base import Provider, Run, Target

ShareIntent = Callable[[LaunchIntent], Awaitable[None]]
"""Raises `StoreError` or `UsageError` if the intent may not be durable."""

LONGEST_TRY_SECONDS = 250.0
"""If more time than this passes between two failed requests, assume that the process was suspended."""
LONGEST_SENDING_SECONDS = 120.0
"""If a launch takes longer than this from intent to answer, assume that the machine slept."""
LAST_LOOK_SECONDS = 10.0
"""Time allowed for a resumed run that should have ended long ago."""


@dataclass(slots=True)
class Context:
    client: Provider
    transactions: Transactions
    journal: Journal
    ledger: Ledger
    save_evidences: Callable[[Sequence[Evidence]], Sequence[str]]
    load_evidence: Callable[[str], Evidence | None]
    settings: Settings
    clock: Clock
    new_id: Callable[[], str]
    observer: Observer
    invocation_id: str
    change_set_digest: str
    jobs: Mapping[str, Job]
    pace: Pace = all_at_once
    share_intent: ShareIntent | None = None
    """Makes an intent durable in the shared store before it is sent; None without a shared store."""

    limit: ConcurrencyLimit = field(init=False)
    deferred: DeferredRuns = field(init=False)
    outcome: Outcome = field(default_factory=Outcome)
    pending: Pending = field(default_factory=lambda: Pending([]))
    posting: dict[str, LaunchIntent] = field(default_factory=dict[str, LaunchIntent])
    watched: dict[int, Watched] = field(default_factory=dict[int, Watched])
    unbound: dict[str, Unbound] = field(default_factory=dict[str, Unbound])
    unconfirmed: dict[str, Search] = field(default_factory=dict[str, Search])
    collecting: int = 0
    unbilled: Counter[Target] = field(default_factory=Counter[Target])
    """Ended runs whose bill is not known yet."""
    runs_done: int = 0
    runs_total: int = 0
    waiting: str = ""
    """Why the next launch waits, in words."""
    waiting_logged: str = ""
    """The last reason that was logged."""
    stopped: bool = False
    """Launch nothing more."""
    retried: dict[str, int] = field(default_factory=dict[str, int])
    """Retries because of platform failures, by case id."""
    retried_before: dict[str, int] = field(default_factory=dict[str, int])
    """Retries by earlier sessions, by case id: as many platform failures need no new retry."""
    resumed_slots: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    """Keys of slots of earlier sessions that count as calls of this one. Other slots of the same launches do not."""
    requesters: set[int] = field(default_factory=set[int])
    """The ids of this API key's requesters, learned from acknowledged launches. Runs of other requesters are never
    ours."""
    failing_since: float | None = None
    failing_seconds: float = 0.0
    """Seconds since then, without the time that this process was suspended."""
    failed_last: float = 0.0
    failure: str = ""
    _changed: anyio.Event = field(default_factory=anyio.Event)

    launched_with_other: frozenset[str] = frozenset()
    """Ids of launches that used another API key."""

    def __post_init__(self) -> None:
        self.launched_with_other = self.journal.launched_with_other(self.client.credential)
        self.limit = ConcurrencyLimit(self.settings.max_concurrent_runs)
        self.deferred = DeferredRuns(self.pending, self.pace)
        self.requesters |= self.journal.requesters(self.client.credential)
        self.runs_total = sum(job.runs for job in self.jobs.values())

    # Counting

    def accepted_in_flight(self) -> int:
        """Accepted runs that are not known to have ended."""
        running = sum(1 for watched in self.watched.values() if watched.ended_at is None)
        return running + sum(unbound.slots for unbound in self.unbound.values())

    def in_flight(self) -> int:
        return self.accepted_in_flight() + sum(len(intent.slots) for intent in self.posting.values())

    def under_way(self) -> bool:
        return bool(self.posting or self.watched or self.unbound or self.collecting)

    def seconds_to_retry(self) -> float:
        """Seconds until the next retry of an unreadable run, if nothing else is pending."""
        if self.posting or self.collecting or self.unbound or self.unconfirmed or len(self.pending):
            return 0.0
        return min((item.retry_at for item in self.watched.values()), default=0.0) - self.clock.monotonic()

    def record_requester(self, requester_id: int | None) -> None:
        """Record our id at the service, from an acknowledged launch."""
        if requester_id is not None and requester_id not in self.requesters:
            self.requesters.add(requester_id)
            self.journal.record(RequesterLearned(self.client.credential, requester_id))

    # What becomes of launches

    def confirm_launch(
        self,
        launch_id: str,
        state: LaunchState,
        runs: Mapping[int, Run],
        *,
        batch_id: int | None,
        run_ids: Sequence[int],
        detail: str = "",
    ) -> None:
        """The launch became these runs, according to its answer or the lists: claim and watch them."""
        slots = self.journal.slots_of(launch_id)
        bindings = bind_slots(slots, runs, run_ids)
        self.journal.record(
            Moved(launch_id, state, detail=detail, batch_id=batch_id, run_ids=tuple(run_ids), bindings=bindings)
        )
        self.outcome.launches += 1
        self._watch_bound(self.launch(launch_id), slots, bindings)

    def bind(self, launch_id: str, runs: Mapping[int, Run]) -> None:
        """Bind further runs of a confirmed launch to its slots, and watch them."""
        launch, slots = self.launch(launch_id), self.journal.slots_of(launch_id)
        bindings = bind_slots(slots, runs, launch.run_ids)
        if bindings:
            self.journal.record(RunsBound(launch_id, bindings))
        self._watch_bound(launch, slots, bindings)

    def _watch_bound(self, launch: Launch, before: Sequence[Slot], bindings: Mapping[int, int]) -> None:
        """Watch the runs of `bindings`, which are already in the journal."""
        launch_id = launch.launch_id
        slots = [replace(slot, run_id=bindings[slot.ordinal]) if slot.ordinal in bindings else slot for slot in before]
        for slot in slots:
            if slot.ordinal in bindings and self._is_wanted(launch, slot.ordinal, slot.case_id):
                self.watch(slot, launch)
        unbound = sum(1 for slot in slots if slot.run_id is None)
        if unbound:
            longest = max((job.timeout_seconds for slot in slots if (job := self.jobs.get(slot.case_id))), default=0.0)
            now = self.clock.monotonic()
            known = self.unbound.get(launch_id)
            if launch.invocation_id != self.invocation_id:  # as in `watch`
                longest = max(longest - self._age_seconds(launch), LAST_LOOK_SECONDS)
            self.unbound[launch_id] = Unbound(
                launch, unbound, known.since if known else now, known.deadline if known else now + longest
            )
        else:
            self.unbound.pop(launch_id, None)

    def watch(self, slot: Slot, launch: Launch) -> None:
        """Watch for the end of this slot's run."""
        assert slot.run_id is not None
        job = self.jobs[slot.case_id]
        now = self.clock.monotonic()
        allowed_seconds = slot.ordinal * launch.line.stagger_seconds + job.timeout_seconds
        resumed = launch.invocation_id != self.invocation_id
        if resumed:  # its time began with its launch; an overdue run is checked once more
            allowed_seconds = max(allowed_seconds - self._age_seconds(launch), LAST_LOOK_SECONDS)
        self.watched[slot.run_id] = Watched(slot, launch, job, now, now + allowed_seconds, resumed)

    def track_unconfirmed(self, launch_id: str, *, until_now: bool = False) -> None:
        """Search for an unconfirmed launch from now on. `until_now`: it may have been sent only now, if the machine
        slept while sending."""
        launch = self.launch(launch_id)
        age_seconds = self._age_seconds(launch)
        if until_now and age_seconds > LONGEST_SENDING_SECONDS:
            self.journal.record(WindowWidened(launch_id, launch.slack_seconds + age_seconds))
            launch, age_seconds = self.launch(launch_id), 0.0
        since = self.clock.monotonic() - age_seconds
        other_key = launch_id in self.launched_with_other
        if other_key:
            launch = replace(launch, detail=f"{OTHER_KEY}: {launch.detail}")
        unconfirmed = Unconfirmed(launch, self.journal.slots_of(launch_id))
        self.unconfirmed[launch_id] = Search(unconfirmed, since, needs_person=other_key, other_key=other_key)

    def _age_seconds(self, launch: Launch) -> float:
        return self.seconds_since(launch.sent_at)

    def seconds_since(self, moment: datetime) -> float:
        """By the server's clock; 0 for a time in the future."""
        return max(0.0, (self.clock.now() - moment).total_seconds() + self.client.clock_offset_seconds)

    def requeue(self, launch: Launch | LaunchIntent, slots: Sequence[SlotIntent | Slot]) -> None:
        """A launch never happened: release its reservations and queue its runs again if they are still wanted. `slots`
        are all of its slots, in order."""
        for ordinal, slot in enumerate(slots):
            if launch.change_set_digest == self.change_set_digest:
                self.ledger.release(slot.plan, slot.reserved_cents)
            if self._is_wanted(launch, ordinal, slot.case_id):
                self.deferred.requeue(self.jobs[slot.case_id], 1)

    def _is_wanted(self, launch: Launch | LaunchIntent, ordinal: int, case_id: str) -> bool:
        """Whether the slot is one of the calls of `jobs`."""
        mine = launch.invocation_id == self.invocation_id or (launch.launch_id, ordinal) in self.resumed_slots
        return mine and case_id in self.jobs

    def reservation_for(self, job: Job) -> int | None:
        """The reservation of one more call; None if it must wait for room under a ceiling.

        Once calls have ended, waits for the first bill of their target: only calls already in flight may exceed their
        reservation.
        """
        target = job.line.target
        if job.reserve_cents is not None and self.unbilled[target] and self.ledger.is_untested(job.plan, target):
            return None
        return self.ledger.reservation_for(job.plan, target, job.reserve_cents)

    def bill(
        self,
        slot: Slot,
        launch: Launch,
        billed_cents: int | None,
        *,
        reservation_cents: int | None,
        is_final: bool = True,
    ) -> None:
        """Settle a run's reservation. Runs of other change sets have no reservation here, but their bills update the
        price.

        If the account may have been charged more (not `is_final`), ceilings count the higher of bill and reservation.
        """
        if billed_cents is None:
            return
        reserved_cents = slot.reserved_cents if reservation_cents is None else reservation_cents
        self.ledger.learn(launch.line.target, reserved_cents=reserved_cents, billed_cents=billed_cents)
        if launch.change_set_digest == self.change_set_digest:
            counted_cents = billed_cents if is_final else max(billed_cents, reserved_cents)
            self.ledger.bill(slot.plan, reserved_cents=reserved_cents, billed_cents=counted_cents)

    def report(self, record: RunRecord) -> None:
        """Report an ended run, queue a retry if the platform failed it, and release or drop deferred runs of its
        case."""
        self.runs_done += 1
        job = self.jobs[record.case_id]
        platform_failed = self.observer.on_run(record)
        self.deferred.judged(job)
        if platform_failed and self.retried_before.get(job.case_id, 0):
            self.retried_before[job.case_id] -= 1
            platform_failed = False
        may_retry = platform_failed and not self.stopped and self._retries_left(job.case_id) > 0
        if may_retry:
            self.retried[job.case_id] = self.retried.get(job.case_id, 0) + 1
            self.runs_total += 1
            self.deferred.want(job, 1)
        self.release_deferred(job)
        if may_retry and not self.deferred.is_settled(job.case_id):
            self.observer.log(f"run {record.run_id} of {record.case_id} failed because of the platform: retrying")
            self.wake()

    def release_deferred(self, job: Job) -> None:
        """Release the deferred runs of a case that are needed now."""
        unneeded = self.deferred.release(job, self._retries_left(job.case_id))
        if unneeded:
            self.runs_total -= unneeded
            calls = f"{unneeded} call{'s' if unneeded > 1 else ''}"
            self.observer.log(f"{job.case_id} is decided: {calls} not needed")
        if job.may_stop_early:
            self.wake()

    def may_retry_runs(self) -> bool:
        """Whether a run under way would be retried if the platform failed it."""
        return self.under_way() and any(map(self._retries_left, self.jobs))

    def _retries_left(self, case_id: str) -> int:
        job = self.jobs[case_id]
        if self.deferred.is_settled(case_id):
            return 0
        return job.retries * job.runs - self.retried.get(case_id, 0)

    def launch(self, launch_id: str) -> Launch:
        launch = self.journal.launch(launch_id)
        assert launch is not None, launch_id
        return launch

    # Trouble

    def service_failed(self, message: str) -> None:
        """A request failed; give up when failures persist."""
        now = self.clock.monotonic()
        self.failure = message
        if self.failing_since is None:
            self.failing_since, self.failing_seconds = now, 0.0
            self.observer.log(f"{message}; retrying for up to {span(self.settings.outage_give_up_seconds)}")
        else:
            self.failing_seconds += min(now - self.failed_last, LONGEST_TRY_SECONDS)
            if self.failing_seconds >= self.settings.outage_give_up_seconds:
                self.give_up(f"the service was unavailable for {now - self.failing_since:.0f} s: {message}")
        self.failed_last = now

    def fail_at_end(self) -> None:
        """The session ends while the service is unavailable: report that."""
        if self.failing_since is not None:
            gone = span(self.clock.monotonic() - self.failing_since)
            self.outcome.trouble = f"the service was unavailable for the last {gone}: {self.failure}"

    def service_recovered(self) -> None:
        if self.failing_since is not None:
            passed = self.clock.monotonic() - self.failing_since
            self.observer.log(f"the service is available again after {span(passed)}")
        self.failing_since = None

    def set_waiting(self, reason: str) -> None:
        self.waiting = reason
        if reason != self.waiting_logged:
            self.waiting_logged = reason
            self.observer.log(f"launching waits: {reason}")

    def _waiting_reason(self) -> str:
        """Why nothing happens, for the progress display."""
        if self.failing_since is not None:
            gone = span(self.clock.monotonic() - self.failing_since)
            ends = span(self.settings.outage_give_up_seconds)
            return f"the service has been unavailable for {gone} (giving up after {ends}): {self.failure}"
        if self.unconfirmed and not self.under_way():
            count = (
                "an unconfirmed launch"
                if len(self.unconfirmed) == 1
                else f"{len(self.unconfirmed)} unconfirmed launches"
            )
            return f"searching for {count} for up to {span(self.settings.linger_seconds)}"
        if len(self.pending):
            return self.waiting
        return "waiting for runs that differ from their launch" if self.outcome.anomalies and self.unbound else ""

    def reload_launch(self, launch_id: str) -> None:
        """Reload a launch whose journal record has changed: from now on, verify what is seen of it."""
        for watched in self.watched.values():
            if watched.launch.launch_id == launch_id:
                watched.launch = self.launch(launch_id)

    def report_anomaly(self, what: str, message: str) -> None:
        """The service shows something unexpected: warn now, and report it in the results."""
        if self.outcome.anomalies.get(what) != message:
            self.outcome.anomalies[what] = message
            self.observer.warn(message)

    def give_up(self, reason: str) -> None:
        self.outcome.trouble = reason
        self.stopped = True
        self.wake()

    # Telling and waiting

    def snapshot(self) -> None:
        self.observer.on_snapshot(
            Snapshot(
                self.runs_done,
                self.runs_total,
                self.in_flight(),
                self.ledger.spent_cents,
                self.ledger.reserved_cents,
                self._waiting_reason(),
            )
        )

    def wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def wait(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._changed.wait()
