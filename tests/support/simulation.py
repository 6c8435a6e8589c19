"""The execution core against a model of the service: one seeded schedule of faults, lost answers and crashes at a time.

The process may die after any event. What is durable survives (the journal's events and stored evidence), and so do
requests that have left: they may reach the service after the process is dead. A person settles what only a person can.

Every schedule must end with each wanted run made once, or stopped at a ceiling that the bills keep.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from planner.evidence import Evidence
from planner.execution.core import (
    Apply,
    Finish,
    Poll,
    ReadEvidence,
    SendLaunch,
    WaitUntil,
    decide,
    outcome_of,
    schedule_poll,
)
from planner.execution.engine import ConsentedJobs, Job, Now, Settings
from planner.execution.events import (
    NAMES,
    EvidenceComplete,
    EvidenceFailed,
    Intended,
    Interrupted,
    Moved,
    Polled,
    RunJudged,
    ServiceAnswered,
    ServiceFailed,
    Throttled,
    Unreachable,
)
from planner.execution.fold import apply
from planner.execution.journal_state import JournalState, evidence_stored
from planner.execution.launches import LaunchIntent, LaunchState
from planner.execution.ledger import Ceiling, Ledger
from planner.execution.observing import (
    Lists,
    answered,
    bind_slots,
    intent_of,
    listed,
    resume,
    searchable,
    unconfirmed,
    wanted_batches,
)
from planner.execution.reading import Listed, Transactions
from planner.execution.state import State
from planner.providers.base import Batch, BatchId, CallId, Launched, Line, Run, RunId

EPOCH = datetime(2026, 11, 24, 12, tzinfo=UTC)
RESERVE_CENTS = 24
MOST_SESSIONS = 40
FAULTY_SESSIONS = 6
US, SOMEBODY_ELSE = 1, 2


class Violation(Exception):  # noqa: N818 - what a schedule found
    """A rule of `core.py` does not hold."""


class Crash(Exception):  # noqa: N818 - the process is dead
    pass


@dataclass
class Made:
    """A run that the service made."""

    run: Run
    ended: Run
    launch_id: str
    ends_at: float
    shown_at: float
    cents: int


@dataclass
class Model:
    """The service: what it does with a launch, and what its lists show."""

    random: Random
    limit: int
    lag_seconds: float
    shows_names: bool
    shows_requesters: bool
    wanted: Counter[str]
    ceiling_cents: int | None
    made: list[Made] = field(default_factory=list[Made])
    names: dict[int, str] = field(default_factory=dict[int, str])
    """By batch."""

    def launch(self, intent: LaunchIntent, now: float) -> Launched | None:
        """None if it is refused with 429."""
        active = sum(1 for made in self.made if made.ends_at > now)
        if active + len(intent.slots) > self.limit:
            return None
        batch_id = BatchId(1000 + len(self.made)) if len(intent.slots) > 1 else None
        if batch_id is not None:
            self.names[batch_id] = intent.name
        runs = [self._make(slot.prompt, intent.line, batch_id, intent.launch_id, now) for slot in intent.slots]
        self._check()
        ids = [run.id for run in runs]
        self.random.shuffle(ids)
        is_listed = batch_id is None or self.random.random() < 0.7
        return Launched(
            batch_id,
            tuple(ids) if is_listed else (),
            runs[0] if batch_id is None else None,
            US if self.shows_requesters else None,
        )

    def launch_of_somebody_else(self, prompt: str, line: Line, now: float) -> None:
        self._make(prompt, line, None, "", now)

    def _make(self, prompt: str, line: Line, batch_id: BatchId | None, launch_id: str, now: float) -> Run:
        run = Run(
            id=RunId(7000 + len(self.made)),
            status="in_progress",
            target_type=line.target_type,
            target_id=line.target_id,
            direction=line.direction,
            mode=line.mode,
            prompt=prompt,
            created_at=EPOCH + timedelta(seconds=now),
            batch_id=batch_id,
            requester_id=(US if launch_id else SOMEBODY_ELSE) if self.shows_requesters else None,
        )
        lasts, lag = self.random.uniform(5, 90), self.random.uniform(0, self.lag_seconds)
        self.made.append(
            Made(run, _ended(run), launch_id, now + lasts, now + lag, self.random.randint(1, RESERVE_CENTS))
        )
        return run

    def _check(self) -> None:
        ours = [made for made in self.made if made.launch_id]
        for prompt, runs in Counter(made.run.prompt or "" for made in ours).items():
            if runs > self.wanted[prompt]:
                raise Violation(f"{runs} runs of {prompt!r} were paid for, {self.wanted[prompt]} are wanted")
        spent = sum(made.cents for made in ours)
        if self.ceiling_cents is not None and spent > self.ceiling_cents:
            raise Violation(f"{spent} cents were spent, the ceiling is {self.ceiling_cents}")

    def runs(self, now: float) -> Listed[Run]:
        found: dict[int, Run] = {}
        for made in reversed(self.made):
            if made.shown_at <= now:
                found[made.run.id] = made.ended if made.ends_at <= now else made.run
        return Listed(found, whole=True)

    def batches(self, now: float) -> Listed[Batch]:
        found: dict[int, Batch] = {}
        for batch_id, name in self.names.items():
            members = [made for made in self.made if made.run.batch_id == batch_id]
            if members[0].shown_at <= now:
                first = members[0].run
                found[batch_id] = Batch(
                    id=BatchId(batch_id),
                    name=name if self.shows_names else "a name of its own",
                    target_type=first.target_type,
                    target_id=first.target_id,
                    direction=first.direction,
                    prompts=tuple(made.run.prompt or "" for made in members),
                    size=len(members),
                    requester_id=first.requester_id,
                    created_at=first.created_at,
                    run_ids=tuple(made.run.id for made in members),
                )
        return Listed(found, whole=True)


def _ended(run: Run) -> Run:
    return replace(run, status="completed", call_id=CallId(run.id + 100_000))


@dataclass
class Schedule:
    """One order from its first session to its end."""

    seed: int
    now: float = 0.0
    sessions: int = 0
    crashes: int = 0

    def __post_init__(self) -> None:
        self.random = random = Random(self.seed)  # noqa: S311 - repeatable
        line = Line("agent", 12, "outbound", "bot", None, 0)
        self.jobs: dict[str, Job] = {}
        for number in range(random.randint(1, 4)):
            runs = random.randint(1, 3)
            job_line = line if random.random() < 0.8 else Line("agent", 14, "outbound", "bot", None, 0)
            self.jobs[f"p/{number}@t"] = Job(
                case_id=f"p/{number}@t",
                plan="p",
                line=job_line,
                prompt=f"You are {number}.",
                call_fingerprint=f"sha256:{number}",
                agent_revision=None,
                runs=runs,
                timeout_seconds=600.0,
                await_grade=False,
                reserve_cents=RESERVE_CENTS,
                expected_seconds=30.0,
            )
        wanted = Counter({job.prompt: job.runs for job in self.jobs.values()})
        ceiling = None
        if random.random() < 0.4:
            ceiling = random.randint(RESERVE_CENTS, RESERVE_CENTS * (wanted.total() + 2))
        self.settings = Settings(
            settle_seconds=100.0,
            linger_seconds=random.choice([0.0, 20.0, 120.0]),
            poll_floor_seconds=3.0,
            poll_ceiling_seconds=15.0,
        )
        self.model = Model(
            random,
            limit=random.randint(1, 8),
            lag_seconds=random.choice([0.0, 5.0, 30.0]),
            shows_names=random.random() < 0.5,
            shows_requesters=random.random() < 0.7,
            wanted=wanted,
            ceiling_cents=ceiling,
        )
        self.trouble = random.choice([0.02, 0.1, 0.3])
        self.events: list[Any] = []
        """What is durable in the journal."""
        self.evidence: dict[str, Evidence] = {}
        self.queue: list[tuple[float, int, int, Callable[[], None]]] = []
        """Time, sequence, session (0: the service) and what happens then."""
        self.sequence = 0
        self.launches = 0

    def run(self) -> None:
        """Raises `Violation`."""
        while self.sessions < MOST_SESSIONS:
            self.sessions += 1
            try:
                outcome = Session(self).run()
            except Crash:
                self.crashes += 1
                self._let_pass(self.random.choice([0.1, 5.0, 120.0]))
                continue
            if outcome.state.outcome.finished:
                self._check_finished(outcome)
                return
            if outcome.state.outcome.ceiling and not outcome.state.unconfirmed:
                return
            outcome.settle_by_person()
            self._let_pass(self.random.choice([1.0, 60.0, 120.0]))
        raise Violation(f"not finished after {MOST_SESSIONS} sessions")

    def _let_pass(self, seconds: float) -> None:
        """No process runs; the service goes on."""
        until = self.now + seconds
        while self.queue and self.queue[0][0] <= until:
            at, _, session, what = heapq.heappop(self.queue)
            if session == 0:
                self.now = max(self.now, at)
                what()
        self.now = until

    def _check_finished(self, last: Session) -> None:
        made = Counter(made.run.prompt or "" for made in self.model.made if made.launch_id)
        if made != self.model.wanted:
            raise Violation(f"{dict(made)} runs were made, {dict(self.model.wanted)} are wanted")
        judged = Counter(last.state.consented.jobs[case_id].prompt for case_id in last.judged)
        if judged != self.model.wanted:
            raise Violation(f"{dict(judged)} runs were judged, {dict(self.model.wanted)} are wanted")
        bills = {slot.run_id: slot.cost_cents for slot in last.journal.unconsumed_slots()}
        charged = {made.run.id: made.cents for made in self.model.made if made.launch_id}
        if bills != charged:
            raise Violation(f"the journal says {bills}, the service charged {charged}")

    def at(self, seconds: float, session: int, what: Callable[[], None]) -> None:
        self.sequence += 1
        heapq.heappush(self.queue, (self.now + seconds, self.sequence, session, what))

    def is_faulty(self, share: float = 1.0) -> bool:
        return self.sessions <= FAULTY_SESSIONS and self.random.random() < self.trouble * share


class Session:
    """One process."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.random = schedule.random
        self.journal = JournalState()
        for event in schedule.events:
            self.journal.record(event)
        self.judged: list[str] = []
        self.started: set[object] = set()
        self.number = schedule.sessions
        dies = schedule.sessions <= FAULTY_SESSIONS and self.random.random() < 0.6
        self.events_left = self.random.randint(1, 40) if dies else -1
        self._mark_interrupted()
        ceiling = schedule.model.ceiling_cents
        self.state = State(
            ConsentedJobs(
                jobs=schedule.jobs,
                settings=schedule.settings,
                invocation_id=f"i{self.number}",
                consent_id="sha256:d",
                credential="key",
                ledger=self._ledger(ceiling),
            ),
            self.journal,
            Transactions(None, str),  # pyright: ignore[reportArgumentType] - nothing is read
            lambda _: None,
            lambda _: None,
        )

    def _mark_interrupted(self) -> None:
        before = self.journal.record

        def record(event: Any) -> None:
            before(event)
            self.schedule.events.append(event)

        self.journal.record = record
        self.journal.mark_interrupted()
        self.journal.record = before

    def _ledger(self, ceiling: int | None) -> Ledger:
        ledger = Ledger([Ceiling("--max-cost", ceiling)] if ceiling is not None else [])
        for target, reserved_cents, billed_cents in self.journal.bills("sha256:d"):
            ledger.learn(target, reserved_cents=reserved_cents, billed_cents=billed_cents)
        for slot in self.journal.slots_of_consent("sha256:d"):
            ledger.reserve(slot.plan, slot.reserved_cents)
            if slot.cost_cents is not None:
                ledger.bill(slot.plan, reserved_cents=slot.reserved_cents, billed_cents=slot.cost_cents)
        return ledger

    @property
    def now(self) -> Now:
        moment = EPOCH + timedelta(seconds=self.schedule.now)
        return Now(self.schedule.now, moment, 5.0)

    def happen(self, event: Any) -> None:
        if type(event) in NAMES:
            self.journal.record(event)
            self.schedule.events.append(event)
        apply(self.state, event, self.now)
        while self.state.reported:
            ended = self.state.reported.pop(0)
            digest = ended.slot.evidence
            evidence = ended.evidence or (self.schedule.evidence.get(digest) if digest else None)
            self.judged += [ended.slot.case_id] if evidence else []
            apply(self.state, RunJudged(ended.slot, platform_failed=False, is_missing=evidence is None), self.now)
        self.events_left -= 1
        if not self.events_left:
            raise Crash

    def happen_all(self, events: Any) -> None:
        for event in events:
            self.happen(event)

    def run(self) -> Session:
        schedule, state = self.schedule, self.state
        if schedule.is_faulty(0.5):
            schedule.at(self.random.uniform(1, 120), self.number, lambda: self.happen(Interrupted()))
        slots = [slot for slot in self.journal.unconsumed_slots() if slot.case_id in schedule.jobs]
        self.happen_all(resume(state, slots, schedule.evidence.get, self.now))
        for _ in range(5000):
            wait: WaitUntil | None = None
            for action in decide(state, self.now):
                match action:
                    case SendLaunch():
                        self._begin(action)
                    case Poll():
                        self._start("poll", self._poll)
                    case ReadEvidence(run):
                        self._start(run.id, lambda run=run: self._read(run))
                    case Apply(event):
                        self.happen(event)
                    case WaitUntil():
                        wait = action
                    case Finish():
                        self._cancel()
                        outcome_of(self.state)
                        return self
            if wait is not None:
                self._advance(wait.seconds)
        raise Violation("a session does not end")

    def _advance(self, until: float) -> None:
        """To the next event of this process or the service."""
        schedule = self.schedule
        while schedule.queue:
            at, _, session, what = schedule.queue[0]
            if session not in (0, self.number):
                heapq.heappop(schedule.queue)  # of a dead process
                continue
            if at > until:
                break
            heapq.heappop(schedule.queue)
            schedule.now = max(schedule.now, at)
            what()
            return
        if until == float("inf"):
            raise Violation("nothing will ever happen")
        schedule.now = max(schedule.now, until)

    def _start(self, key: object, what: Callable[[], None]) -> None:
        if key not in self.started:
            self.started.add(key)
            what()

    def _cancel(self) -> None:
        for launch_id in list(self.state.posting):
            launch = self.state.launch(launch_id)
            if launch.state is LaunchState.SENT:
                self.happen(unconfirmed(self.state, launch_id, "interrupted", self.now))
            else:
                self.happen(Moved(launch_id, LaunchState.UNSENT))

    # Launches

    def _begin(self, action: SendLaunch) -> None:
        schedule = self.schedule
        schedule.launches += 1
        intent = intent_of(self.state, action, f"l{schedule.launches}", self.now)
        self.happen(Intended(intent))
        schedule.at(self.random.uniform(0, 0.2), self.number, lambda: self._send(intent))

    def _send(self, intent: LaunchIntent) -> None:
        schedule, launch_id = self.schedule, intent.launch_id
        if launch_id not in self.state.posting:
            return
        if schedule.is_faulty():
            self.happen(Moved(launch_id, LaunchState.UNSENT))
            self.happen(Unreachable("no network"))
            return
        self.happen(Moved(launch_id, LaunchState.SENT))
        if schedule.is_faulty():  # it never arrives, or the service fails before it does anything
            schedule.at(self.random.choice([0.1, 30.0]), self.number, lambda: self._lost(launch_id))
            return
        is_lost = schedule.is_faulty()
        arrives = self.random.choice([0.1, 0.1, 1.0, 25.0])

        def arrive() -> None:
            launched = schedule.model.launch(intent, schedule.now)
            if is_lost:
                schedule.at(self.random.choice([0.1, 5.0]), self.number, lambda: self._lost(launch_id))
            else:
                schedule.at(self.random.uniform(0, 1), self.number, lambda: self._answer(launch_id, launched))

        schedule.at(arrives, 0, arrive)
        if self.random.random() < 0.05 and self.state.requesters:  # otherwise they look alike
            case = self.random.choice([*schedule.jobs.values()])
            schedule.at(0.0, 0, lambda: schedule.model.launch_of_somebody_else(case.prompt, case.line, schedule.now))

    def _answer(self, launch_id: str, launched: Launched | None) -> None:
        if launch_id not in self.state.posting:
            return
        if launched is None:
            self.happen(Throttled(len(self.state.posting[launch_id].slots), None))
            self.happen(Moved(launch_id, LaunchState.REFUSED))
            return
        self.happen_all(answered(self.state, launch_id, launched))
        self.happen(ServiceAnswered())

    def _lost(self, launch_id: str) -> None:
        if launch_id in self.state.posting:
            self.happen(unconfirmed(self.state, launch_id, "no answer", self.now))

    # Reading

    def _poll(self) -> None:
        schedule, state = self.schedule, self.state
        began = schedule.now
        searched = searchable(state)
        runs, batches = schedule.model.runs(began), schedule.model.batches(began)
        members = {
            batch_id: batches.found[batch_id].run_ids for batch_id in wanted_batches(state) if batch_id in batches.found
        }
        lists = Lists(began, runs, batches, members, searched)
        fails = schedule.is_faulty()

        def done() -> None:
            if fails:
                self.happen(ServiceFailed("the list cannot be read"))
            elif state.is_asking():
                self.happen(ServiceAnswered())
                self.happen_all(listed(state, lists, self.now))
                self.happen(Polled(None))
            schedule_poll(state, began, self.now)
            self.started.discard("poll")

        schedule.at(self.random.uniform(0, 0.5), self.number, done)

    def _read(self, run: Run) -> None:
        schedule = self.schedule
        fails = schedule.is_faulty()

        def done() -> None:
            self.started.discard(run.id)
            if fails:
                self.happen(EvidenceFailed(run.id, "it cannot be read"))
                return
            _, watched = self.state.reading[run.id]
            made = next(made for made in schedule.model.made if made.run.id == run.id)
            if made.run.prompt != watched.slot.prompt:
                raise Violation(f"run {run.id} counts for {watched.slot.case_id}, whose prompt it does not have")
            cents = made.cents
            digest = f"{run.id:064x}"
            evidence = Evidence.model_construct(run_id=run.id, run_status="failed", cost_cents=cents)
            schedule.evidence[digest] = evidence
            slot = replace(watched.slot, evidence=digest, cost_cents=cents, completed_at=EPOCH)
            self.happen(evidence_stored([slot]))
            self.happen(EvidenceComplete(run, slot, evidence, is_final=True))

        schedule.at(self.random.uniform(0, 2), self.number, done)

    # A person

    def settle_by_person(self) -> None:
        """A person looks at the service, when nothing is on its way any more."""
        schedule = self.schedule
        for launch_id, search in self.state.unconfirmed.items():
            if not search.needs_person or schedule.now - search.since < 120:
                continue
            made = [made for made in schedule.model.made if made.launch_id == launch_id]
            launch = Moved(launch_id, LaunchState.ABSENT)
            if made:
                ids = tuple(sorted(each.run.id for each in made))
                runs: dict[int, Run] = {each.run.id: each.run for each in made}
                bindings = bind_slots(self.journal.slots_of(launch_id), runs, ids)
                launch = launch._replace(
                    state=LaunchState.ADOPTED, batch_id=made[0].run.batch_id, run_ids=ids, bindings=bindings
                )
            self.journal.record(launch)
            schedule.events.append(launch)
