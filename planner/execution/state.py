"""Everything that a session knows. No I/O, no clock, no `await`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple

from planner.execution.charges import AwaitedCharges
from planner.execution.concurrency import ConcurrencyLimit
from planner.execution.engine import EngineSettings, Job, Now, Outcome, SessionTerms
from planner.execution.events import RequesterLearned
from planner.execution.journal_state import JournalState
from planner.execution.launches import OTHER_KEY, Launch, LaunchIntent, ReportedRun, Slot, SlotKey
from planner.execution.ledger import Ledger, Purpose
from planner.execution.reconciling import Unconfirmed
from planner.execution.waits import Outage, Search, Unbound, Watched
from planner.execution.wanted import WantedRuns
from planner.providers.base import Run, RunId, Target


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
    """Everything that a session knows."""

    terms: SessionTerms
    journal: JournalState
    charges: AwaitedCharges
    is_shared: bool = False
    """Other machines search for a launch from its intent on."""

    limit: ConcurrencyLimit = field(init=False)
    wanted: WantedRuns = field(init=False)
    outcome: Outcome = field(default_factory=Outcome)
    stopped: bool = field(init=False)
    """Nothing more is launched."""
    runs_done: int = 0
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
    interrupted_at: float | None = None
    counts_for: dict[SlotKey, str] = field(default_factory=dict[SlotKey, str])
    """Slots of earlier sessions that count as calls of this one, with the case. Equal calls are interchangeable: a slot
    may count for another case than it was launched for."""
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
    _jobs_by_fingerprint: dict[str, list[Job]] = field(default_factory=dict[str, list[Job]], init=False)

    def __post_init__(self) -> None:
        self.stopped = not self.terms.may_launch
        self.wanted = WantedRuns(self.jobs)
        for job in self.jobs.values():
            self._jobs_by_fingerprint.setdefault(job.call_fingerprint, []).append(job)
        self.limit = ConcurrencyLimit(self.settings.max_concurrent_runs)
        self.launched_with_other = self.journal.launched_with_other(self.terms.credential)
        self.requesters = self.journal.requesters(self.terms.credential)

    # Reading

    @property
    def settings(self) -> EngineSettings:
        return self.terms.settings

    @property
    def ledger(self) -> Ledger:
        return self.terms.ledger

    @property
    def jobs(self) -> Mapping[str, Job]:
        return self.terms.jobs

    def jobs_of(self, call_fingerprint: str) -> Sequence[Job]:
        """Those that make this call. If there are several, they reach an agent and previews of it."""
        return self._jobs_by_fingerprint.get(call_fingerprint, ())

    def has_runs_to_launch(self) -> bool:
        return not self.stopped and len(self.wanted.pending) > 0

    def is_own(self, launch: Launch) -> bool:
        """Whether this session made the launch."""
        return launch.session_id == self.terms.session_id

    def is_charged(self, launch: Launch) -> bool:
        """Whether the launch is charged under this session's consent."""
        return launch.consent_id == self.terms.consent_id

    def case_of(self, launch: Launch, slot: Slot) -> str | None:
        """The case that the slot counts for in this session; None if for none."""
        return self.counts_for.get(slot.key, slot.case_id if self.is_own(launch) else None)

    def accepted_in_flight(self) -> int:
        """Accepted runs that are not known to have ended."""
        running = sum(1 for watched in self.watched.values() if watched.ended_at is None)
        return running + sum(unbound.slots for unbound in self.unbound.values())

    def in_flight(self) -> int:
        return self.accepted_in_flight() + sum(len(intent.slots) for intent in self.posting.values())

    def is_under_way(self) -> bool:
        """Whether a call is under way."""
        return bool(self.posting or self.watched or self.unbound or self.reading)

    def unsettled_fingerprints(self) -> set[str]:
        """Fingerprints of calls that must not be made now: launches of other sessions that asked for them are open."""
        return {
            slot.call_fingerprint
            for search in self.unconfirmed.values()
            if not self.is_own(search.unconfirmed.launch)
            for slot in search.unconfirmed.slots
        }

    def is_asking(self) -> bool:
        """Whether anything waits for the lists."""
        return bool(self.watched or self.unbound or self.unconfirmed)

    def launch(self, launch_id: str) -> Launch:
        launch = self.journal.launch(launch_id)
        assert launch is not None, launch_id
        return launch

    def requester_to_learn(self, requester_id: int | None) -> Iterator[RequesterLearned]:
        if requester_id is not None and requester_id not in self.requesters:
            yield RequesterLearned(self.terms.credential, requester_id)

    # Watching

    def watch_bound(self, launch: Launch, bindings: Mapping[int, int], now: Now) -> None:
        slots = self.journal.slots_of(launch.launch_id)
        for slot in slots:
            if slot.ordinal in bindings and self.case_of(launch, slot) in self.jobs:
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
        asked = {slot.call_fingerprint for slot in slots}
        longest = max((job.timeout_seconds for each in asked for job in self.jobs_of(each)), default=0.0)
        since = known.since if known else now.seconds
        deadline = known.deadline if known else now.seconds + self._seconds_left(launch, longest, now)
        self.unbound[launch.launch_id] = Unbound(launch, unbound, since, deadline)

    def watch(self, slot: Slot, launch: Launch, now: Now) -> None:
        """Watch for the end of this slot's run."""
        case_id = self.case_of(launch, slot)
        assert slot.run_id is not None
        assert case_id is not None
        self.begin_polling(now)
        job = self.jobs[case_id]
        deadline = now.seconds + self._seconds_left(launch, job.timeout_seconds, now)
        self.watched[RunId(slot.run_id)] = Watched(
            replace(slot, case_id=case_id),
            launch,
            job,
            now.seconds,
            deadline,
            resumed=not self.is_own(launch),
        )

    def _seconds_left(self, launch: Launch, allowed_seconds: float, now: Now) -> float:
        """The time of a resumed run began with its launch; an overdue run is checked once more."""
        if self.is_own(launch):
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
        launch = self.launch(launch_id)
        for slot in self.journal.slots_of(launch_id):
            if self.is_charged(launch):
                self.ledger.release(purpose_of(slot.plan, launch.sent_at), slot.reserved_cents)
            case_id = self.case_of(launch, slot)
            if case_id is not None:
                self.wanted.not_launched(case_id, slot.key)

    def log(self, line: str) -> None:
        self.notes.append(Note(line, is_warning=False))

    def warn(self, line: str) -> None:
        self.notes.append(Note(line, is_warning=True))

    def report_anomaly(self, what: str, message: str) -> None:
        """The service shows something unexpected: warn now, and report it in the results."""
        if self.outcome.anomalies.get(what) != message:
            self.outcome.anomalies[what] = message
            self.warn(message)


def purpose_of(plan: str, moment: datetime) -> Purpose:
    """What a call of a launch at this time is spent for."""
    return Purpose(plan, f"{moment:%Y-%m}")
