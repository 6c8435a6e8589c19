"""Everything that a session knows of the consents that it serves. No I/O, no clock, no `await`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple

from planner.execution.charges import AwaitedCharges
from planner.execution.concurrency import ConcurrencyLimit
from planner.execution.engine import ConsentedJobs, EngineSettings, Job, Now, Outcome, SessionTerms
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


class CountsFor(NamedTuple):
    """What a slot counts for: a call of this job."""

    consent_id: str
    case_id: str


class Note(NamedTuple):
    """A line for people."""

    text: str
    is_warning: bool


@dataclass(slots=True)
class ConsentState:
    """What is known of the calls of one consent."""

    consented: ConsentedJobs
    wanted: WantedRuns = field(init=False)
    outcome: Outcome = field(default_factory=Outcome)
    stopped: bool = field(init=False)
    """Nothing more of it is launched."""
    runs_done: int = 0
    _jobs_by_fingerprint: dict[str, list[Job]] = field(default_factory=dict[str, list[Job]], init=False)

    def __post_init__(self) -> None:
        self.stopped = not self.consented.may_launch
        self.wanted = WantedRuns(self.consented.jobs)
        for job in self.jobs.values():
            equal = self._jobs_by_fingerprint.setdefault(job.call_fingerprint, [])
            same = (each.case_id for each in equal if each.is_equal(job))
            assert not any(same), f"{job.case_id} makes the same call as another job"
            equal.append(job)

    def jobs_of(self, call_fingerprint: str) -> Sequence[Job]:
        """Those that make this call. If there are several, they reach an agent and previews of it."""
        return self._jobs_by_fingerprint.get(call_fingerprint, ())

    @property
    def consent_id(self) -> str:
        return self.consented.consent_id

    @property
    def jobs(self) -> Mapping[str, Job]:
        return self.consented.jobs

    def has_runs_to_launch(self) -> bool:
        return not self.stopped and len(self.wanted.pending) > 0


@dataclass(slots=True)
class State:
    """Everything that a session knows. One limit, ledger and list serve all consents."""

    terms: SessionTerms
    journal: JournalState
    charges: AwaitedCharges
    is_shared: bool = False
    """Other machines search for a launch from its intent on."""

    limit: ConcurrencyLimit = field(init=False)
    consents: dict[str, ConsentState] = field(default_factory=dict[str, ConsentState])
    """Those with calls left to make or to wait for, by id."""
    ended: dict[str, ConsentState] = field(default_factory=dict[str, ConsentState])
    """Those with nothing left to do, while others continue."""
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
    counts_for: dict[SlotKey, CountsFor] = field(default_factory=dict[SlotKey, CountsFor])
    """Slots of earlier sessions that count as calls of this one, and slots that one consent left to another. Equal
    calls are interchangeable: a slot may count for another case than it was launched for."""
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

    def is_own(self, launch: Launch) -> bool:
        """Whether this session made the launch."""
        return launch.session_id == self.terms.session_id

    def use_of(self, launch: Launch, slot: Slot) -> CountsFor | None:
        """What the slot counts for in this session; None if for nothing."""
        own = CountsFor(launch.consent_id, slot.case_id) if self.is_own(launch) else None
        return self.counts_for.get(slot.key, own)

    def consent_of(self, launch: Launch, slot: Slot) -> ConsentState | None:
        """The consent that the slot counts for; None if for none that is served."""
        use = self.use_of(launch, slot)
        consent = None if use is None else self.consents.get(use.consent_id)
        return consent if use is not None and consent is not None and use.case_id in consent.jobs else None

    def served(self, consent_id: str) -> ConsentState | None:
        """A consent of this session, even if nothing of it is left to do."""
        return self.consents.get(consent_id) or self.ended.get(consent_id)

    def concerned(self, launch: Launch) -> list[ConsentState]:
        """The consents that have slots of a launch, or that may not make its calls before it is settled."""
        slots = self.journal.slots_of(launch.launch_id)
        uses = {use.consent_id for slot in slots if (use := self.use_of(launch, slot)) is not None}
        asked = set[str]() if self.is_own(launch) else {slot.call_fingerprint for slot in slots}
        return [
            consent
            for consent_id, consent in self.consents.items()
            if consent_id in uses or any(map(consent.jobs_of, asked))
        ]

    def purpose(self, plan: str, consent_id: str, moment: datetime) -> Purpose:
        """What a call of a launch at this time is spent for."""
        consent = self.served(consent_id)
        assert consent is not None, consent_id
        return Purpose(plan, consent_id, consent.consented.repository, f"{moment:%Y-%m}")

    def accepted_in_flight(self) -> int:
        """Accepted runs that are not known to have ended."""
        running = sum(1 for watched in self.watched.values() if watched.ended_at is None)
        return running + sum(unbound.slots for unbound in self.unbound.values())

    def in_flight(self) -> int:
        return self.accepted_in_flight() + sum(len(intent.slots) for intent in self.posting.values())

    def in_flight_of(self, consent_id: str) -> int:
        """The part of one consent."""
        watched = [each for each in self.watched.values() if each.consent_id == consent_id]
        running = sum(each.ended_at is None for each in watched)
        unbound = sum(each.slots for each in self.unbound.values() if self._concerns(each.launch, consent_id))
        posting = [intent for intent in self.posting.values() if intent.consent_id == consent_id]
        return running + unbound + sum(len(intent.slots) for intent in posting)

    def is_under_way(self, consent_id: str | None = None) -> bool:
        """Whether a call of this consent, or of any (None), is under way."""
        if consent_id is None:
            return bool(self.posting or self.watched or self.unbound or self.reading)
        watched = (*self.watched.values(), *(watched for _, watched in self.reading.values()))
        return (
            any(intent.consent_id == consent_id for intent in self.posting.values())
            or any(each.consent_id == consent_id for each in watched)
            or any(self._concerns(unbound.launch, consent_id) for unbound in self.unbound.values())
        )

    def is_searching(self, consent_id: str) -> bool:
        """Whether an unconfirmed launch concerns this consent."""
        searched = (search.unconfirmed.launch for search in self.unconfirmed.values())
        return any(self._concerns(launch, consent_id) for launch in searched)

    def _concerns(self, launch: Launch, consent_id: str) -> bool:
        return consent_id in map(_id_of, self.concerned(launch))

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
            if slot.ordinal in bindings and self.consent_of(launch, slot) is not None:
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
        jobs = [job for consent in self.consents.values() for each in asked for job in consent.jobs_of(each)]
        longest = max((job.timeout_seconds for job in jobs), default=0.0)
        since = known.since if known else now.seconds
        deadline = known.deadline if known else now.seconds + self._seconds_left(launch, longest, now)
        self.unbound[launch.launch_id] = Unbound(launch, unbound, since, deadline)

    def watch(self, slot: Slot, launch: Launch, now: Now) -> None:
        """Watch for the end of this slot's run."""
        use, consent = self.use_of(launch, slot), self.consent_of(launch, slot)
        assert slot.run_id is not None
        assert use is not None
        assert consent is not None
        self.begin_polling(now)
        job = consent.jobs[use.case_id]
        allowed_seconds = slot.ordinal * launch.line.stagger_seconds + job.timeout_seconds
        deadline = now.seconds + self._seconds_left(launch, allowed_seconds, now)
        self.watched[RunId(slot.run_id)] = Watched(
            replace(slot, case_id=use.case_id),
            launch,
            consent.consent_id,
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
            if self.served(launch.consent_id) is not None:
                purpose = self.purpose(slot.plan, launch.consent_id, launch.sent_at)
                self.ledger.release(purpose, slot.reserved_cents)
            use = self.use_of(launch, slot)
            consent = None if use is None else self.served(use.consent_id)
            if use is not None and consent is not None:
                consent.wanted.not_launched(use.case_id, slot.key)

    def log(self, line: str) -> None:
        self.notes.append(Note(line, is_warning=False))

    def warn(self, line: str) -> None:
        self.notes.append(Note(line, is_warning=True))

    def report_anomaly(self, launch: Launch, what: str, message: str) -> None:
        """The service shows something unexpected: warn now, and report it in the results."""
        outcomes = [consent.outcome for consent in self.concerned(launch)]
        if any(outcome.anomalies.get(what) != message for outcome in outcomes):
            self.warn(message)
        for outcome in outcomes:
            outcome.anomalies[what] = message


def _id_of(consent: ConsentState) -> str:
    return consent.consent_id
