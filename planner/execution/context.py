"""What the launcher and the watcher share: collaborators, the state of the work, and the steps that both take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import anyio

from planner.api.client import ApiClient
from planner.api.wire import WireRun
from planner.evidence import Evidence
from planner.execution.clock import Clock
from planner.execution.concurrency import ConcurrencyLimit
from planner.execution.holding import Holding
from planner.execution.journal import Journal
from planner.execution.launches import OTHER_KEY, Launch, LaunchIntent, LaunchState, Slot, SlotIntent
from planner.execution.ledger import Ledger
from planner.execution.packing import Pending
from planner.execution.reconciling import Lost, bind_slots
from planner.execution.transactions import Transactions
from planner.execution.watched import Doubt, Unbound, Watched
from planner.execution.wording import span
from planner.execution.work import (
    CaseWork,
    Observer,
    Outcome,
    Pace,
    RunRecord,
    Settings,
    Snapshot,
    Target,
    all_at_once,
)

ShareIntent = Callable[[LaunchIntent], Awaitable[None]]
"""Raises `StoreError` or `UsageError` where the intent is not known to be durable."""

LONGEST_TRY_SECONDS = 250.0
"""Between two failures to use the service, all tries of a read counted: what is longer, the process was stopped."""
LONGEST_SENDING_SECONDS = 120.0
"""From a launch's intent to its answer, or to the end of waiting for it: what is longer, the machine slept."""
LAST_LOOK_SECONDS = 10.0
"""For a resumed run that should have ended long ago."""


@dataclass(slots=True)
class Context:
    client: ApiClient
    transactions: Transactions
    journal: Journal
    ledger: Ledger
    save_evidences: Callable[[Sequence[Evidence]], Sequence[str]]
    """Durably; returns what each is stored under."""
    load_evidence: Callable[[str], Evidence | None]
    settings: Settings
    clock: Clock
    new_id: Callable[[], str]
    observer: Observer
    invocation_id: str
    change_set_digest: str
    works: Mapping[str, CaseWork]
    """By case id."""
    pace: Pace = all_at_once
    share_intent: ShareIntent | None = None
    """Makes an intent durable where other machines see it, before it is sent; None where no store is shared."""

    limit: ConcurrencyLimit = field(init=False)
    holding: Holding = field(init=False)
    outcome: Outcome = field(default_factory=Outcome)
    pending: Pending = field(default_factory=lambda: Pending([]))
    posting: dict[str, LaunchIntent] = field(default_factory=dict[str, LaunchIntent])
    watched: dict[int, Watched] = field(default_factory=dict[int, Watched])
    unbound: dict[str, Unbound] = field(default_factory=dict[str, Unbound])
    doubts: dict[str, Doubt] = field(default_factory=dict[str, Doubt])
    collecting: int = 0
    unbilled: Counter[Target] = field(default_factory=Counter[Target])
    """Runs that have ended and whose bill is still to be read."""
    runs_done: int = 0
    runs_total: int = 0
    waiting: str = ""
    """Why the next launch waits, in words."""
    waiting_told: str = ""
    """The latest of them that was narrated."""
    stopped: bool = False
    """Launch nothing more."""
    retried: dict[str, int] = field(default_factory=dict[str, int])
    """Calls made again because the platform failed them, by case id."""
    made_up_for: dict[str, int] = field(default_factory=dict[str, int])
    """Of those, the ones that earlier invocations made: so many failures are reported here that call for none any more."""
    standing_in: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    """Slots of earlier invocations, by key, that stand in for calls wanted now; others of the same launches do not."""
    requesters: set[int] = field(default_factory=set[int])
    """Who we are to the service (`requested_by_id`), as far as answers to our own launches told, also to earlier invocations
    with the same key, and the journal knows: another's run is never ours, however alike."""
    failing_since: float | None = None
    failing_seconds: float = 0.0
    """Since then, less what this process may have been stopped for."""
    failed_last: float = 0.0
    failure: str = ""
    """Why the service cannot be used since then."""
    _changed: anyio.Event = field(default_factory=anyio.Event)

    launched_with_other: frozenset[str] = frozenset()
    """Ids of launches that were made with another key."""

    def __post_init__(self) -> None:
        self.launched_with_other = self.journal.launched_with_other(self.client.credential)
        self.limit = ConcurrencyLimit(self.settings.max_concurrent_runs)
        self.holding = Holding(self.pending, self.pace)
        self.requesters |= self.journal.requesters(self.client.credential)
        self.runs_total = sum(work.runs for work in self.works.values())

    # Counting

    def accepted_in_flight(self) -> int:
        """Runs the service has accepted and we have not seen end."""
        running = sum(1 for watched in self.watched.values() if watched.ended_at is None)
        return running + sum(unbound.slots for unbound in self.unbound.values())

    def in_flight(self) -> int:
        return self.accepted_in_flight() + sum(len(intent.slots) for intent in self.posting.values())

    def under_way(self) -> bool:
        return bool(self.posting or self.watched or self.unbound or self.collecting)

    def seconds_to_read_again(self) -> float:
        """Where nothing else is waited for than answers that could not be read."""
        if self.posting or self.collecting or self.unbound or self.doubts or len(self.pending):
            return 0.0
        return min((item.read_again_at for item in self.watched.values()), default=0.0) - self.clock.monotonic()

    def know_requester(self, requested_by_id: int | None) -> None:
        """By a launch of our own whose answer came."""
        if requested_by_id is not None and requested_by_id not in self.requesters:
            self.requesters.add(requested_by_id)
            self.journal.know_requester(self.client.credential, requested_by_id)

    # What becomes of launches

    def carried_out(
        self,
        launch_id: str,
        state: LaunchState,
        runs: Mapping[int, WireRun],
        *,
        batch_id: int | None,
        run_ids: Sequence[int],
        detail: str = "",
    ) -> None:
        """A launch became these runs, by its answer or by what the lists show: claim and watch them."""
        slots = self.journal.slots_of(launch_id)
        bindings = bind_slots(slots, runs, run_ids)
        self.journal.settle(launch_id, state, detail=detail, batch_id=batch_id, run_ids=run_ids, bindings=bindings)
        self.outcome.launches += 1
        self._watch_bound(self.launch(launch_id), slots, bindings)

    def bind(self, launch_id: str, runs: Mapping[int, WireRun]) -> None:
        """Match more runs of a launch that was carried out to its slots, as far as they can be, and watch them."""
        launch, slots = self.launch(launch_id), self.journal.slots_of(launch_id)
        bindings = bind_slots(slots, runs, launch.run_ids)
        if bindings:
            self.journal.bind(launch_id, bindings)
        self._watch_bound(launch, slots, bindings)

    def _watch_bound(self, launch: Launch, before: Sequence[Slot], bindings: Mapping[int, int]) -> None:
        """Watch the runs that a launch's slots have got by `bindings`, which are written down."""
        launch_id = launch.launch_id
        slots = [replace(slot, run_id=bindings[slot.ordinal]) if slot.ordinal in bindings else slot for slot in before]
        for slot in slots:
            if slot.ordinal in bindings and self._stands_in(launch, slot.ordinal, slot.case_id):
                self.watch(slot, launch)
        unbound = sum(1 for slot in slots if slot.run_id is None)
        if unbound:
            longest = max(
                (work.timeout_seconds for slot in slots if (work := self.works.get(slot.case_id))), default=0.0
            )
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
        """From now on look for the end of this slot's run."""
        assert slot.run_id is not None
        work = self.works[slot.case_id]
        now = self.clock.monotonic()
        allowed_seconds = slot.ordinal * launch.line.stagger_seconds + work.timeout_seconds
        resumed = launch.invocation_id != self.invocation_id
        if resumed:  # its time began with its launch; one that should have ended is looked at once more
            allowed_seconds = max(allowed_seconds - self._age_seconds(launch), LAST_LOOK_SECONDS)
        self.watched[slot.run_id] = Watched(slot, launch, work, now, now + allowed_seconds, resumed)

    def doubt(self, launch_id: str, *, until_now: bool = False) -> None:
        """From now on look for an ambiguous launch. `until_now`: it was under way to this moment, so that one which outlasted
        the machine's sleep may have been carried out only now."""
        launch = self.launch(launch_id)
        age_seconds = self._age_seconds(launch)
        if until_now and age_seconds > LONGEST_SENDING_SECONDS:
            self.journal.widen(launch_id, launch.slack_seconds + age_seconds)
            launch, age_seconds = self.launch(launch_id), 0.0
        since = self.clock.monotonic() - age_seconds
        other_key = launch_id in self.launched_with_other
        if other_key:
            launch = replace(launch, detail=f"{OTHER_KEY}: {launch.detail}")
        lost = Lost(launch, self.journal.slots_of(launch_id))
        self.doubts[launch_id] = Doubt(lost, since, several=other_key, other_key=other_key)

    def _age_seconds(self, launch: Launch) -> float:
        """Since it was sent."""
        return self.seconds_since(launch.sent_at)

    def seconds_since(self, moment: datetime) -> float:
        """By the server's clock; a moment still to come is now."""
        return max(0.0, (self.clock.now() - moment).total_seconds() + self.client.clock_offset_seconds)

    def put_back(self, launch: Launch | LaunchIntent, slots: Sequence[SlotIntent | Slot]) -> None:
        """A launch never happened: its money is free again and its runs are wanted again, as far as they were. `slots` are
        all of it, in order."""
        for ordinal, slot in enumerate(slots):
            if launch.change_set_digest == self.change_set_digest:
                self.ledger.release(slot.plan, slot.reserved_cents)
            if self._stands_in(launch, ordinal, slot.case_id):
                self.holding.put_back(self.works[slot.case_id], 1)

    def _stands_in(self, launch: Launch | LaunchIntent, ordinal: int, case_id: str) -> bool:
        """Whether a slot is one of the calls that `works` want."""
        mine = launch.invocation_id == self.invocation_id or (launch.launch_id, ordinal) in self.standing_in
        return mine and case_id in self.works

    def reservation_for(self, work: CaseWork) -> int | None:
        """What one more call would reserve; None when it must wait for room under a ceiling.

        Where calls have ended, the first bill of their target is awaited: only calls that were in flight by then may cost more
        than was reserved for them.
        """
        target = work.line.target
        if work.reserve_cents is not None and self.unbilled[target] and self.ledger.is_untested(work.plan, target):
            return None
        return self.ledger.reservation_for(work.plan, target, work.reserve_cents)

    def bill(
        self, slot: Slot, launch: Launch, billed_cents: int | None, *, held_cents: int | None, is_final: bool = True
    ) -> None:
        """Settle a run's reservation. Runs of other change sets were never reserved here, but their bills tell what calls cost.

        Where the account may have been charged more (not `is_final`), ceilings count the reservation if it is higher.
        """
        if billed_cents is None:
            return
        reserved_cents = slot.reserved_cents if held_cents is None else held_cents
        self.ledger.learn(launch.line.target, reserved_cents=reserved_cents, billed_cents=billed_cents)
        if launch.change_set_digest == self.change_set_digest:
            counted_cents = billed_cents if is_final else max(billed_cents, reserved_cents)
            self.ledger.bill(slot.plan, reserved_cents=reserved_cents, billed_cents=counted_cents)

    def report(self, record: RunRecord) -> None:
        """Tell of a run that ended. One that the platform failed is wanted again, as often as its case allows; what is wanted
        of its case besides may have become needed, or needless."""
        self.runs_done += 1
        work = self.works[record.case_id]
        platform_failed = self.observer.on_run(record)
        self.holding.judged(work)
        if platform_failed and self.made_up_for.get(work.case_id, 0):
            self.made_up_for[work.case_id] -= 1
            platform_failed = False
        may_retry = platform_failed and not self.stopped and self._retries_left(work.case_id) > 0
        if may_retry:
            self.retried[work.case_id] = self.retried.get(work.case_id, 0) + 1
            self.runs_total += 1
            self.holding.want(work, 1)
        self.let_go(work)
        if may_retry and not self.holding.is_settled(work.case_id):
            self.observer.narrate(
                f"run {record.run_id} of {record.case_id} failed without the agent's doing: called again"
            )
            self.wake()

    def let_go(self, work: CaseWork) -> None:
        """Make of the held calls of a case those that are needed now."""
        spared = self.holding.let_go(work, self._retries_left(work.case_id))
        if spared:
            self.runs_total -= spared
            calls = f"{spared} call{'s' if spared > 1 else ''}"
            self.observer.narrate(f"{work.case_id} is settled: {calls} of it not needed")
        if work.may_settle:
            self.wake()

    def may_call_again(self) -> bool:
        """Whether a run under way, should the platform fail it, would be wanted again."""
        return self.under_way() and any(map(self._retries_left, self.works))

    def _retries_left(self, case_id: str) -> int:
        work = self.works[case_id]
        if self.holding.is_settled(case_id):
            return 0
        return work.retries * work.runs - self.retried.get(case_id, 0)

    def launch(self, launch_id: str) -> Launch:
        launch = self.journal.launch(launch_id)
        assert launch is not None, launch_id
        return launch

    # Trouble

    def failed(self, message: str) -> None:
        """The service could not be used just now; give up when that has lasted."""
        now = self.clock.monotonic()
        self.failure = message
        if self.failing_since is None:
            self.failing_since, self.failing_seconds = now, 0.0
            self.observer.narrate(f"{message}; trying again for up to {span(self.settings.outage_give_up_seconds)}")
        else:
            self.failing_seconds += min(now - self.failed_last, LONGEST_TRY_SECONDS)
            if self.failing_seconds >= self.settings.outage_give_up_seconds:
                self.give_up(f"the service could not be used for {now - self.failing_since:.0f} s: {message}")
        self.failed_last = now

    def stay_failed(self) -> None:
        """Nothing is waited for any more: a service that cannot be used at this moment is why."""
        if self.failing_since is not None:
            gone = span(self.clock.monotonic() - self.failing_since)
            self.outcome.trouble = f"the service could not be used for {gone}, to the end: {self.failure}"

    def worked(self) -> None:
        if self.failing_since is not None:
            passed = self.clock.monotonic() - self.failing_since
            self.observer.narrate(f"the service can be used again, after {span(passed)}")
        self.failing_since = None

    def waits(self, reason: str) -> None:
        """Why the next launch waits; each reason is told once, until there is another."""
        self.waiting = reason
        if reason != self.waiting_told:
            self.waiting_told = reason
            self.observer.narrate(f"launching waits: {reason}")

    def _circumstances(self) -> str:
        """Why nothing happens, for who watches: how long it has been so, and when it ends."""
        if self.failing_since is not None:
            gone = span(self.clock.monotonic() - self.failing_since)
            ends = span(self.settings.outage_give_up_seconds)
            return f"the service has failed for {gone}, stops after {ends} at most: {self.failure}"
        if self.doubts and not self.under_way():
            count = "a launch" if len(self.doubts) == 1 else f"{len(self.doubts)} launches"
            return f"looking for {count} of unknown fate, for up to {span(self.settings.linger_seconds)}"
        if len(self.pending):
            return self.waiting
        return (
            "runs that are not as they were asked for are waited for" if self.outcome.oddities and self.unbound else ""
        )

    def distrust(self, launch_id: str) -> None:
        """What the journal says of a launch has changed: what is seen of it is believed only where it is what was asked for."""
        for watched in self.watched.values():
            if watched.launch.launch_id == launch_id:
                watched.launch = self.launch(launch_id)

    def find_odd(self, what: str, told: str) -> None:
        """What the service shows of a launch or run is not what it should be: told at once to whoever watches, and in the results."""
        if self.outcome.oddities.get(what) != told:
            self.outcome.oddities[what] = told
            self.observer.warn(told)

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
                self._circumstances(),
            )
        )

    def wake(self) -> None:
        """Something happened that a waiting launcher wants to know."""
        self._changed.set()
        self._changed = anyio.Event()

    async def wait(self, seconds: float) -> None:
        """Until something happens, at most so long."""
        with anyio.move_on_after(seconds):
            await self._changed.wait()
