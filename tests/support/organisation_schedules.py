"""An organisation against a model of the service: one seeded schedule of many consents, hosts, epochs and faults at a time.

Everything of the coordinator is the product's, but for SQL, HTTP and the event loop: its tasks are coroutines that a
queue of events wakes. So a process may die, or stand still while others go on, at each step of its own: just before or
just after each transaction, each look at the clock before a launch, each answer.

Every schedule must end with each wanted run made once, or stopped at a ceiling that the bills keep.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

import pytest
from coroutines import Wait, without_threads
from simulated_host import SERVICE, Host
from simulated_provider import CREDENTIAL
from simulated_service import EPOCH, RESERVE_CENTS, Model, Violation, job_of
from simulated_tables import Database, MemoryTables, Rows

from planner.errors import StoreError
from planner.execution.consent_records import renewed
from planner.execution.consents import Consent, ConsentedCall, ConsentWay
from planner.execution.engine import EngineSettings, Job, Outcome
from planner.execution.journal_state import JournalState
from planner.execution.launches import Slot
from planner.organisation import serving
from planner.organisation.documents import ENDED, SUBMISSION, Submission, SubmittedCeiling, parsed, written
from planner.organisation.journal import TablesJournal
from planner.organisation.policy import WorkerPolicy
from planner.organisation.states import AT_WORK, ConsentState

PERSON = "ana@example.org"
SETTLE_SECONDS = 120.0


@dataclass
class Organisation(Model):
    """The service, with the ceilings that no bill may exceed."""

    balance_cents: int | None = None
    repositories: dict[str, str] = field(default_factory=dict[str, str])
    """By consent."""
    limits: dict[tuple[str, str, str], int] = field(default_factory=dict[tuple[str, str, str], int])
    """In cents, by consent, repository and month; "" for any."""

    def _check(self) -> None:
        super()._check()
        if self.balance_cents is not None and sum(made.cents for made in self.made) > self.balance_cents:
            raise Violation(f"the balance was {self.balance_cents}, and is overdrawn")

    def check_ceilings(self, journal: JournalState, slots: Iterable[Slot]) -> None:
        """As the tables have it: which of two equal launches a run belongs to makes no difference."""
        spent = Counter[tuple[str, str, str]]()
        for slot in slots:
            launch = journal.launch(slot.launch_id)
            assert launch is not None
            month, consent_id = f"{launch.sent_at:%Y-%m}", launch.consent_id
            for scope in (consent_id, "", ""), ("", self.repositories[consent_id], month), ("", "", month):
                spent[scope] += slot.committed_cents
        for scope, limit in self.limits.items():
            if spent[scope] > limit:
                raise Violation(f"{spent[scope]} cents were spent under {scope}, whose ceiling is {limit}")

    def charged(self, now: float) -> int:
        return sum(made.cents for made in self.made if made.ends_at <= now)


@dataclass
class Client:
    """A job of a repository, which submits one consent and follows it."""

    submission: Submission
    submitted_at: float = 0.0
    ended_at: float = 0.0
    ends: int = 0
    is_done: bool = False
    outcome: Outcome | None = None

    @property
    def consent_id(self) -> str:
        return self.submission.consent.consent_id


class Schedule:
    """From the first consent to the end of the last."""

    calm_after_seconds = 900.0
    """Then nothing goes wrong any more."""
    longest_seconds = 40_000.0
    most_steps = 300_000

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)  # noqa: S311 - repeatable
        self.now = self.began = 0.0
        self.queue: list[tuple[float, int, tuple[int, int], Callable[[], None]]] = []
        self.sequence = self.crashes = self.stops = self.takeovers = self.depth = self.launched = self.people = 0
        self.trouble = random.choice([0.0, 0.03, 0.1, 0.25])
        if random.random() < 0.2:  # the month ends meanwhile
            self.now = self.began = 561_600.0 - random.uniform(10.0, 200.0)
        self.database_error = random.choice([0.0, 0.0, -3600.0, 3600.0])
        self.database = Database(lambda: EPOCH.timestamp() + self.now + self.database_error)
        self.settings = EngineSettings(
            SETTLE_SECONDS, 1e9, poll_floor_seconds=3.0, poll_ceiling_seconds=15.0, evidence_wait_seconds=20.0
        )
        self.model = Organisation(
            random,
            limit=random.randint(1, 8),
            lag_seconds=random.choice([0.0, 5.0, 25.0]),
            shows_names=random.random() < 0.5,
            shows_requesters=random.random() < 0.7,
            lists_batches=random.random() < 0.8,
            wanted=Counter(),
            ceiling_cents=None,
        )
        self.policy = WorkerPolicy(frozenset({PERSON}))
        self.clients = [self._client(number) for number in range(1, random.randint(2, 4) + 1)]
        self._limit()
        self.hosts = [Host(self, number) for number in (1, 2)]
        self.is_restored = self.service_is_away = False
        if random.random() < 0.3:
            self.database.is_lost = lambda: self.is_faulty(0.1)
        self._plan()

    # What is wanted

    def _client(self, number: int) -> Client:
        random, repository = self.random, f"acme/r{number % 3}"
        names = random.sample(["ana", "bob", "cleo", "dan"], random.randint(1, 2))
        jobs = tuple(job_of(name, random.randint(1, 3)) for name in names)
        reserved = sum(job.runs for job in jobs) * RESERVE_CENTS
        most = random.randint(RESERVE_CENTS, reserved) if random.random() < 0.15 else 10_000
        return self.client_of(number, repository, jobs, most, random.choice([0, 0, 1]))

    def client_of(self, number: int, repository: str, jobs: tuple[Job, ...], most: int, priority: int = 0) -> Client:
        """Of a consent that costs at most this many cents."""
        digest = f"sha256:{number:064x}"
        consent_id = f"{digest.removeprefix('sha256:')[:16]}-{number:016x}"
        calls = tuple(ConsentedCall(job.call_fingerprint, job.runs) for job in jobs)
        agreed_at = EPOCH + timedelta(seconds=self.now)
        consent = Consent(consent_id, digest, PERSON, ConsentWay.FLAG, agreed_at, most, calls)
        self.model.wanted.update({job.prompt: job.runs for job in jobs})
        self.model.repositories[consent_id] = repository
        self.model.limits[consent_id, "", ""] = most
        return Client(
            Submission(
                consent,
                jobs,
                f"client-{number}",
                repository,
                SERVICE,
                CREDENTIAL,
                priority=priority,
                ceilings=(SubmittedCeiling("the plan", most, "p"),),
            )
        )

    def _limit(self) -> None:
        """Ceilings of the month for all, and for a repository; the balance."""
        random, month = self.random, f"{EPOCH + timedelta(seconds=self.now):%Y-%m}"
        reserved = self.model.wanted.total() * RESERVE_CENTS
        if random.random() < 0.15:
            cents = random.randint(RESERVE_CENTS, reserved)
            self.policy = WorkerPolicy(frozenset({PERSON}), None, cents)
            for each in {month, "2026-12"}:
                self.model.limits["", "", each] = cents
        elif random.random() < 0.2:
            cents = random.randint(RESERVE_CENTS, reserved)
            self.policy = WorkerPolicy(frozenset({PERSON}), None, None, {"acme/r1": cents})
            for each in {month, "2026-12"}:
                self.model.limits["", "acme/r1", each] = cents
        if random.random() < 0.15:
            self.model.balance_cents = random.randint(RESERVE_CENTS, reserved)

    # What happens

    def _plan(self) -> None:
        random = self.random
        for host in self.hosts:
            self.at(random.uniform(0.0, 3.0), host.life, host.begin)
        for client in self.clients:
            self.at(random.choice([0.0, 0.5, 5.0, 60.0]), NOBODY, lambda client=client: self._submit(client))
        if self.trouble and random.random() < 0.3:
            self.at(random.uniform(1.0, 120.0), NOBODY, self._lose_database)
        elif self.trouble and random.random() < 0.15:
            self.at(random.uniform(1.0, 60.0), NOBODY, self._copy_database)
        elif self.trouble and random.random() < 0.1:
            self.at(random.uniform(1.0, 120.0), NOBODY, self._lose_service)

    def _lose_service(self) -> None:
        self.service_is_away = True
        self.at(self.random.choice([30.0, 400.0]), NOBODY, self._find_service)

    def _find_service(self) -> None:
        self.service_is_away = False

    def _lose_database(self) -> None:
        self.database.is_away = True
        self.at(self.random.choice([1.0, 20.0, 120.0]), NOBODY, self._find_database)

    def _find_database(self) -> None:
        self.database.is_away = False

    def _copy_database(self) -> None:
        copied = self.database.copy()
        self.at(self.random.uniform(5.0, 120.0), NOBODY, lambda: self._stop_to_restore(copied))

    def _stop_to_restore(self, copied: Rows) -> None:
        """As the documentation says: all workers are ended, and what was sent is listed before they begin again."""
        self.is_restored = True
        self.database.is_away = True
        for host in self.hosts:
            host.end()
        self.at(SETTLE_SECONDS, NOBODY, lambda: self._restore(copied))

    def _restore(self, copied: Rows) -> None:
        self.database.rows, self.database.is_away = copied, False
        for host in self.hosts:
            self.at(self.random.uniform(0.0, 3.0), host.life, host.begin)

    def run(self) -> None:
        """Raises `Violation`."""
        with without_threads(self.pause):
            try:
                while not all(client.is_done for client in self.clients):
                    self._play(self.now + 50.0)
                    if self.now > self.began + self.longest_seconds:
                        raise Violation("it never ends")
                self._play(self.now + 200.0)
                self._check_end()
            finally:
                for host in self.hosts:
                    host.end()

    def _play(self, until: float) -> None:
        while self.queue and self.queue[0][0] <= until:
            at, _, life, what = heapq.heappop(self.queue)
            self.now = max(self.now, at)
            self.sequence += 1
            if self.sequence > self.most_steps:
                raise Violation("nothing but steps")
            if life == NOBODY:
                what()
            else:
                self.hosts[life[0] - 1].step(life, what)
        self.now = max(self.now, until)

    def stand_still(self, seconds: float) -> None:
        """Others go on meanwhile."""
        self.stops += 1
        self.depth += 1
        self._play(self.now + seconds)
        self.depth -= 1

    def at(self, seconds: float, life: tuple[int, int], what: Callable[[], None]) -> None:
        self.sequence += 1
        heapq.heappush(self.queue, (self.now + seconds, self.sequence, life, what))

    def is_faulty(self, share: float = 1.0) -> bool:
        is_calm = self.now > self.began + self.calm_after_seconds
        return not is_calm and self.random.random() < self.trouble * share

    def pause(self) -> Wait:
        return self.wait(self.random.uniform(0.0, 0.1))

    def wait(self, seconds: float) -> Wait:
        """Of the process at work."""
        life = self.hosts[self.at_work].life
        return Wait(lambda wake: self.at(seconds, life, lambda: wake(None, None)))

    def show(self, line: str) -> None:
        """For whoever studies a schedule."""

    at_work = 0
    """The host whose code runs now."""

    # Clients

    def _submit(self, client: Client) -> None:
        """Whoever resumes it agrees once more."""
        tables, consent = MemoryTables(self.database), client.submission.consent
        again = replace(consent, agreed_at=EPOCH + timedelta(seconds=self.now))
        submission = client.submission = replace(client.submission, consent=renewed(consent, again))
        try:
            tables.submit(client.consent_id, submission.repository, written(SUBMISSION, submission))
        except StoreError:
            self.at(5.0, NOBODY, lambda: self._submit(client))
            return
        self.at(15.0, NOBODY, lambda: self._look(client))

    def _look(self, client: Client) -> None:
        """As `planner run` does; whoever started it starts it again."""
        tables = MemoryTables(self.database)
        try:
            row = tables.consent(client.consent_id)
        except StoreError:
            self.at(5.0, NOBODY, lambda: self._look(client))
            return
        if row is None:
            self._submit(client)
        elif ConsentState(row["state"]) in AT_WORK:
            self.at(15.0, NOBODY, lambda: self._look(client))
        elif ConsentState(row["state"]) is ConsentState.DEAD:
            raise Violation(f"a consent is dead: {row['outcome']}")
        else:
            client.ends += 1
            client.ended_at = self.now
            outcome = client.outcome = parsed(ENDED, row["outcome"], client.consent_id).outcome()
            needs_person = any(each.needs_person for each in outcome.unsettled)
            is_known = not outcome.unsettled and not outcome.overdue
            client.is_done = outcome.finished or needs_person or (bool(outcome.ceiling) and is_known)
            client.is_done |= self.is_restored and client.ends > 3
            self.people += needs_person
            if outcome.refusal or client.ends > 20:
                raise Violation(f"a consent ends with {outcome}")
            if not client.is_done:
                self._submit(client)
            elif outcome.finished and self.random.random() < 0.7:
                self._close(client)

    def _close(self, client: Client) -> None:
        """Its results are stored."""
        try:
            MemoryTables(self.database).close(client.consent_id, "")
        except StoreError:
            self.at(5.0, NOBODY, lambda: self._close(client))

    # The end

    def _check_end(self) -> None:
        made = Counter(made.run.prompt or "" for made in self.model.made)
        outcomes = [client.outcome for client in self.clients if client.outcome is not None]
        missing = self.model.wanted - made
        if self.is_restored:  # a run that the copy does not know may count for an equal call of another consent, too
            missing -= self._equal_calls()
        if all(outcome.finished for outcome in outcomes) and (made - self.model.wanted or missing):
            raise Violation(f"{dict(made)} runs were made, {dict(self.model.wanted)} are wanted")
        if self.is_restored or self.people:
            return  # the tables do not know every run then
        journal = TablesJournal(MemoryTables(self.database), 0)
        slots = [slot for client in self.clients for slot in journal.slots_of_consent(client.consent_id)]
        self.model.check_ceilings(journal, slots)
        bills = {slot.run_id: slot.cost_cents for slot in slots if slot.run_id is not None}
        launches, pruned = self.database.launches, self.database.pruned
        charged: Mapping[int | None, int | None] = {
            made.run.id: made.cents for made in self.model.made if launches[made.launch_id] not in pruned
        }
        if bills != charged:
            raise Violation(f"the tables say {bills}, the service charged {charged}")

    def _equal_calls(self) -> Counter[str]:
        """Of the calls that several consents want, all but those of the one that wants most."""
        runs = [Counter({job.prompt: job.runs for job in client.submission.jobs}) for client in self.clients]
        most = Counter[str]()
        for each in runs:
            most |= each
        return sum(runs, Counter[str]()) - most


NOBODY = (0, 0)


def simulated(seed: int) -> Counter[str]:
    """What happened in one schedule. Raises `Violation`."""
    schedule = Schedule(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "LOOK_SECONDS", 5.0)
        patch.setattr(serving, "LOOK_AT_WORK_SECONDS", 5.0)
        schedule.run()
    counted = {
        "schedules": 1,
        "crashes": schedule.crashes,
        "stops": schedule.stops,
        "takeovers": schedule.takeovers,
        "restored": int(schedule.is_restored),
        "pruned": len(schedule.database.pruned),
        "calls": len(schedule.model.made),
        "at a ceiling": any(client.outcome is not None and client.outcome.ceiling for client in schedule.clients),
        "for a person": schedule.people,
    }
    return Counter(counted)
