"""Everything that is known in a session. No I/O, no clock, no `await`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple

from planner.execution.charges import AwaitedCharges
from planner.execution.concurrency import ConcurrencyLimit
from planner.execution.engine import ConsentedJobs, EngineSettings, Job, Now, Outcome
from planner.execution.events import RequesterLearned
from planner.execution.journal_state import JournalState
from planner.execution.launches import OTHER_KEY, Launch, LaunchIntent, ReportedRun, Slot, SlotKey
from planner.execution.ledger import Ledger
from planner.execution.reconciling import Unconfirmed
from planner.execution.wanted import WantedRuns
from planner.providers.base import Run, RunId, Target
from planner.quantities import rounded_duration

LONGEST_TRY_SECONDS: Final = 250.0
"""If more time than this passes between two failed requests, assume that the process was suspended."""


@dataclass(slots=True)
class Outage:
    """How long the service has been unavailable. Times are monotonic seconds."""

    since: float | None = None
    """None while the service answers."""
    message: str = ""
    """The last error."""
    _seconds: float = 0.0
    """Without the time that this process was suspended."""
    _last: float = 0.0

    def failed(self, message: str, now: float) -> None:
        self.message = message
        if self.since is None:
            self.since, self._seconds = now, 0.0
        else:
            self._seconds += min(now - self._last, LONGEST_TRY_SECONDS)
        self._last = now

    def lasts(self, seconds: float) -> bool:
        """Whether it has lasted at least this long."""
        return self.since is not None and self._seconds >= seconds

    def gone_seconds(self, now: float) -> float:
        return 0.0 if self.since is None else now - self.since

    def describe(self, now: float, *, give_up_seconds: float) -> str:
        return (
            f"the service has been unavailable for {rounded_duration(self.gone_seconds(now))}"
            f" (giving up after {rounded_duration(give_up_seconds)}): {self.message}"
        )


FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 15.0


@dataclass(slots=True)
class Watched:
    """A run under way, or a stored run with missing parts that is read once more. `slot.run_id` is set. Times are
    monotonic seconds."""

    slot: Slot
    launch: Launch
    job: Job
    since: float
    deadline: float
    resumed: bool
    ended_at: float | None = None
    reservation_cents: int | None = None
    """Its current reservation, if it differs from the slot's."""
    retry_at: float = 0.0
    """Time of the next attempt after its data could not be read."""
    pause_seconds: float = 0.0
    problem: str = ""
    """Why its row in the service's list cannot be read; then nobody knows whether it has ended."""

    @property
    def stagger_seconds(self) -> float:
        """How long after the launch the service starts this run."""
        return self.slot.ordinal * self.launch.line.stagger_seconds

    def age_seconds(self, now: Now) -> float:
        """Seconds since the service was to start this run."""
        return now.seconds_since(self.launch.sent_at) - self.stagger_seconds

    def back_off(self, now: float) -> None:
        """Wait longer after each failure, for this run only: an unreadable run says nothing about others."""
        self.pause_seconds = min(max(FIRST_PAUSE_SECONDS, self.pause_seconds * 2), LONGEST_PAUSE_SECONDS)
        self.retry_at = now + self.pause_seconds


@dataclass(slots=True)
class Unbound:
    """A confirmed launch with runs that are not bound to slots yet."""

    launch: Launch
    slots: int
    since: float
    deadline: float


@dataclass(slots=True)
class Search:
    """The search for an unconfirmed launch. `since` is when it was sent."""

    unconfirmed: Unconfirmed
    since: float
    needs_person: bool = False
    """Only a person can settle it."""
    other_key: bool = False
    """The launch used another API key, so the current key is not used to search for it."""


@dataclass(frozen=True, slots=True)
class LateShares:
    """Consecutive launches that took too long to share."""

    count: int = 0
    since: datetime | None = None
    """When the last of them was found late, by the server's clock."""


LAST_LOOK_SECONDS: Final = 10.0
"""Time allowed for a resumed run that should have ended long ago."""


class Note(NamedTuple):
    """A line for people."""

    text: str
    is_warning: bool


@dataclass(slots=True)
class State:
    """Everything that is known in a session."""

    consented: ConsentedJobs
    journal: JournalState
    charges: AwaitedCharges
    is_shared: bool = False
    """Other machines search for a launch from its intent on."""

    ledger: Ledger = field(init=False)
    limit: ConcurrencyLimit = field(init=False)
    wanted: WantedRuns = field(init=False)
    outcome: Outcome = field(default_factory=Outcome)
    posting: dict[str, LaunchIntent] = field(default_factory=dict[str, LaunchIntent])
    """Intended launches without an answer."""
    watched: dict[RunId, Watched] = field(default_factory=dict[RunId, Watched])
    """Runs under way."""
    reading: dict[RunId, tuple[Run, Watched]] = field(default_factory=dict[RunId, tuple[Run, Watched]])
    """Ended runs whose evidence is being read."""
    unbound: dict[str, Unbound] = field(default_factory=dict[str, Unbound])
    unconfirmed: dict[str, Search] = field(default_factory=dict[str, Search])
    unbilled: Counter[Target] = field(default_factory=Counter[Target])
    """Ended runs whose bill is not known yet."""
    reported: list[ReportedRun] = field(default_factory=list[ReportedRun])
    """Ended runs to judge; the driver takes them."""
    notes: list[Note] = field(default_factory=list[Note])
    """To show; the driver takes them."""
    runs_done: int = 0
    stopped: bool = False
    interrupted_at: float | None = None
    resumed_slots: set[SlotKey] = field(default_factory=set[SlotKey])
    """Slots of earlier sessions that count as calls of this one. Other slots of the same launches do not."""
    requesters: set[int] = field(default_factory=set[int])
    """Our ids at the service, from acknowledged launches. Runs of other requesters are never ours."""
    launched_with_other: frozenset[str] = frozenset()
    """Ids of launches that used another API key."""
    batches: dict[int, str] = field(default_factory=dict[int, str])
    """The first launch that was answered with each batch."""

    refused_since: float | None = None
    """The first 429 without own runs in flight, since the last accepted launch."""
    is_unreachable: bool = False
    """Launching pauses because the service is unreachable, not because of a 429."""
    outage: Outage = field(default_factory=Outage)

    poll_at: float = 0.0
    polled_at: float = 0.0
    """When the last poll began."""
    idle_since: float | None = None
    """Since this poll, only unconfirmed launches are left."""
    list_rows: int = 200
    """The row of the oldest run under way in the last list."""
    late_shares: LateShares = field(default_factory=LateShares)
    seconds_seen: list[float] = field(default_factory=list[float])
    """Seconds from start to end of the latest runs that ended while watched."""

    def __post_init__(self) -> None:
        consented = self.consented
        self.ledger = consented.ledger
        self.stopped = not consented.may_launch
        self.limit = ConcurrencyLimit(consented.settings.max_concurrent_runs)
        self.wanted = WantedRuns(consented.jobs)
        self.launched_with_other = self.journal.launched_with_other(consented.credential)
        self.requesters = self.journal.requesters(consented.credential)

    # Reading

    @property
    def settings(self) -> EngineSettings:
        return self.consented.settings

    def accepted_in_flight(self) -> int:
        """Accepted runs that are not known to have ended."""
        running = sum(1 for watched in self.watched.values() if watched.ended_at is None)
        return running + sum(unbound.slots for unbound in self.unbound.values())

    def in_flight(self) -> int:
        return self.accepted_in_flight() + sum(len(intent.slots) for intent in self.posting.values())

    def is_under_way(self) -> bool:
        return bool(self.posting or self.watched or self.unbound or self.reading)

    def unsettled_fingerprints(self) -> set[str]:
        """Fingerprints of calls that must not be made now: launches of other sessions that asked for them are open."""
        return {
            slot.call_fingerprint
            for search in self.unconfirmed.values()
            if search.unconfirmed.launch.session_id != self.consented.session_id
            for slot in search.unconfirmed.slots
        }

    def is_asking(self) -> bool:
        """Whether anything waits for the lists."""
        return bool(self.watched or self.unbound or self.unconfirmed)

    def launch(self, launch_id: str) -> Launch:
        launch = self.journal.launch(launch_id)
        assert launch is not None, launch_id
        return launch

    def is_wanted(self, launch: Launch, slot: Slot) -> bool:
        """Whether the slot is one of the consented calls."""
        mine = launch.session_id == self.consented.session_id or slot.key in self.resumed_slots
        return mine and slot.case_id in self.consented.jobs

    def requester_to_learn(self, requester_id: int | None) -> Iterator[RequesterLearned]:
        if requester_id is not None and requester_id not in self.requesters:
            yield RequesterLearned(self.consented.credential, requester_id)

    # Watching

    def watch_bound(self, launch: Launch, bindings: Mapping[int, int], now: Now) -> None:
        slots = self.journal.slots_of(launch.launch_id)
        for slot in slots:
            if slot.ordinal in bindings and self.is_wanted(launch, slot):
                self.watch(slot, launch, now)
        self.await_binding(launch, slots, now)

    def await_binding(self, launch: Launch, slots: Sequence[Slot], now: Now) -> None:
        """Wait for the runs of a confirmed launch that are not bound yet, if there are any."""
        unbound = sum(1 for slot in slots if slot.run_id is None)
        if not unbound:
            self.unbound.pop(launch.launch_id, None)
            return
        self.begin_polling(now)
        known = self.unbound.get(launch.launch_id)
        jobs = self.consented.jobs
        longest = max((jobs[slot.case_id].timeout_seconds for slot in slots if slot.case_id in jobs), default=0.0)
        since = known.since if known else now.seconds
        deadline = known.deadline if known else now.seconds + self._seconds_left(launch, longest, now)
        self.unbound[launch.launch_id] = Unbound(launch, unbound, since, deadline)

    def watch(self, slot: Slot, launch: Launch, now: Now) -> None:
        """Watch for the end of this slot's run."""
        assert slot.run_id is not None
        self.begin_polling(now)
        job = self.consented.jobs[slot.case_id]
        allowed_seconds = slot.ordinal * launch.line.stagger_seconds + job.timeout_seconds
        deadline = now.seconds + self._seconds_left(launch, allowed_seconds, now)
        resumed = launch.session_id != self.consented.session_id
        self.watched[RunId(slot.run_id)] = Watched(slot, launch, job, now.seconds, deadline, resumed)

    def _seconds_left(self, launch: Launch, allowed_seconds: float, now: Now) -> float:
        """The time of a resumed run began with its launch; an overdue run is checked once more."""
        if launch.session_id == self.consented.session_id:
            return allowed_seconds
        return max(allowed_seconds - now.seconds_since(launch.sent_at), LAST_LOOK_SECONDS)

    def search(self, launch_id: str, now: Now, *, since: float | None = None) -> None:
        """Search for an unconfirmed launch from now on."""
        self.begin_polling(now)
        launch = self.launch(launch_id)
        if since is None:
            since = now.seconds - now.seconds_since(launch.sent_at)
        other_key = launch_id in self.launched_with_other
        if other_key:
            launch = replace(launch, detail=f"{OTHER_KEY}: {launch.detail}")
        unconfirmed = Unconfirmed(launch, self.journal.slots_of(launch_id))
        self.unconfirmed[launch_id] = Search(unconfirmed, since, needs_person=other_key, other_key=other_key)

    def begin_polling(self, now: Now) -> None:
        if not self.is_asking():
            self.poll_at = max(self.poll_at, now.seconds + self.settings.poll_floor_seconds)

    def release(self, launch_id: str) -> None:
        """A launch never happened: release its reservations; its runs are wanted again."""
        is_ours = self.launch(launch_id).consent_id == self.consented.consent_id
        for slot in self.journal.slots_of(launch_id):
            if is_ours:
                self.ledger.release(slot.plan, slot.reserved_cents)
            self.wanted.not_launched(slot.case_id, slot.key)

    def log(self, line: str) -> None:
        self.notes.append(Note(line, is_warning=False))

    def warn(self, line: str) -> None:
        self.notes.append(Note(line, is_warning=True))

    def report_anomaly(self, what: str, message: str) -> None:
        """The service shows something unexpected: warn now, and report it in the results."""
        if self.outcome.anomalies.get(what) != message:
            self.outcome.anomalies[what] = message
            self.warn(message)
