"""The execution core against a model of the service: one seeded schedule of faults, lost answers and crashes at a time.

The process may die after any event. What is durable survives (the journal's events and stored evidence), and so do
requests that have left: they may reach the service after the process is dead. With a shared store, the machine may be
lost with its journal, and two machines may make the same calls at once. A person settles what only a person can.

Every schedule must end with each wanted run made once, or stopped at a ceiling that the bills keep.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from random import Random
from typing import Any, cast

from simulated_service import EPOCH, RESERVE_CENTS, Model, Violation, job_of

from planner.errors import LostAnswerError, ServiceError, StoreError, ThrottledError, UnreachableError
from planner.evidence import Evidence, RunStatus, missing_parts
from planner.execution.charges import AwaitedCharges
from planner.execution.core import (
    Apply,
    Finish,
    Poll,
    ReadEvidence,
    SendLaunch,
    WaitUntil,
    decide,
    outcome_of,
)
from planner.execution.engine import EngineSettings, Job, Now, SessionTerms
from planner.execution.events import (
    NAMES,
    Consumed,
    EvidenceFailed,
    Intended,
    Interrupted,
    Moved,
    RequesterLearned,
    RunJudged,
    SlotsResumed,
)
from planner.execution.fold import apply
from planner.execution.journal_state import JournalState
from planner.execution.launches import LIVE, UNSETTLED, LaunchIntent, LaunchState, SlotKey
from planner.execution.launching import Cancelled, LaunchResult, intent_of, is_late, launch_result, share_result
from planner.execution.ledger import Ceiling, Ledger, Purpose
from planner.execution.observing import evidence_result, poll_request, poll_result
from planner.execution.poll_times import schedule_poll
from planner.execution.reads import Lists, StoredEvidence
from planner.execution.reconciling import bind_slots, prompt_key
from planner.execution.resuming import resume_slot
from planner.execution.sharing import IntentSharing, KnownCall, OvertakenError
from planner.execution.state import State
from planner.execution.wanted import resumable_slots
from planner.providers.base import Run
from planner.stores.store import Change

CONSENT = "sha256:d"
MOST_SESSIONS = 40
MOST_STEPS = 50_000
FAULTY_SESSIONS = 6


class Crash(Exception):  # noqa: N818 - the process is dead
    pass


class MemoryStore:
    """A results store that all machines see. Each update is one step."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self._contents.get(key)

    def has(self, key: str) -> bool:
        return key in self._contents

    def keys(self, prefix: str) -> Iterator[str]:
        return iter(sorted(key for key in self._contents if key.startswith(prefix)))

    def prepare(self, keys: Sequence[str]) -> None:
        pass

    def refresh(self) -> None:
        """Every read is of what is there now."""

    def list_ahead(self, folders: Sequence[str]) -> None:
        pass

    def locate(self, key: str) -> str:
        return key

    def versions(self, prefix: str) -> dict[str, str]:
        return {key: sha256(data).hexdigest() for key, data in self._contents.items() if key.startswith(prefix)}

    def erase(self, change: Change) -> None:
        self.update(change)

    def update(self, change: Change) -> None:
        for key, data in change(self).items():
            if data is None:
                self._contents.pop(key, None)
            else:
                self._contents[key] = data


@dataclass
class Machine:
    """What survives the death of a process on it."""

    events: list[Any] = field(default_factory=list[Any])
    """What is durable in the journal."""
    evidence: dict[str, Evidence] = field(default_factory=dict[str, Evidence])

    def knows_us(self) -> bool:
        """Whether it can tell our runs from those of somebody else."""
        return any(isinstance(event, RequesterLearned) for event in self.events)


class DurableJournal(JournalState):
    def __init__(self, machine: Machine) -> None:
        super().__init__()
        for event in machine.events:
            super().record(event)
        self._machine = machine

    def record(self, event: Any) -> None:
        super().record(event)
        self._machine.events.append(event)


@dataclass
class Schedule:
    """The calls of one consent, from the first session to the end."""

    seed: int
    has_equal_calls: bool = False
    """Cases make the same call, which each session then names after any of the cases."""
    now: float = 0.0
    sessions: int = 0
    crashes: int = 0
    lost: int = 0

    def __post_init__(self) -> None:
        self.random = random = Random(self.seed)  # noqa: S311 - repeatable
        jobs = [
            job_of(str(number), random.randint(1, 3), 12 if random.random() < 0.8 else 14)
            for number in range(random.randint(1, 4))
        ]
        self.jobs: dict[str, Job] = {job.case_id: job for job in jobs}
        wanted = Counter({job.prompt: job.runs for job in self.jobs.values()})
        self.store = MemoryStore() if random.random() < 0.6 else None
        self.has_company = self.store is not None and random.random() < 0.5
        """Two sessions may make the same calls at once."""
        ceiling = None
        if random.random() < 0.4 and not self.has_company:
            ceiling = random.randint(RESERVE_CENTS, RESERVE_CENTS * (wanted.total() + 2))
        self.settings = EngineSettings(
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
            lists_batches=random.random() < 0.8,
            wanted=wanted,
            ceiling_cents=ceiling,
        )
        self.trouble = random.choice([0.02, 0.1, 0.3])
        self.queue: list[tuple[float, int, int, Callable[[], None]]] = []
        """Time, sequence, session (0: the service) and what happens then."""
        self.sequence = 0
        self.launches = 0
        self.alive: dict[int, Session] = {}
        self.ended: list[Session] = []
        self.beside: Machine | None = None
        """Where another session is to begin."""
        self.has_strangers = False
        """Somebody else has made the same calls. From then on, all machines know who we are."""

    def run(self) -> None:
        """Raises `Violation`."""
        machine, other = Machine(), Machine()
        while self.sessions < MOST_SESSIONS:
            machine, other = self._perhaps_lost(machine), self._perhaps_lost(other)
            self.ended, self.beside = [], None
            self._begin(machine)
            if self.has_company and self.random.random() < 0.5:
                self.beside = other
                self.at(self.random.choice([0.1, 10.0, 60.0]), 0, self._begin_beside)
            self._play()
            if self._is_over():
                return
            is_replaced = self.store is not None and self.random.random() < 0.3
            if is_replaced and self._may_begin(other):
                machine, other = other, machine
        raise Violation(f"not finished after {MOST_SESSIONS} sessions")

    def _perhaps_lost(self, machine: Machine) -> Machine:
        if self.store is None or not machine.events or self.random.random() < 0.7 or self.has_strangers:
            return machine
        self.lost += 1
        return Machine()

    def _may_begin(self, machine: Machine) -> bool:
        return machine.knows_us() or not self.has_strangers

    def _begin(self, machine: Machine) -> None:
        self.sessions += 1
        session = Session(self, machine, self.sessions)
        self.alive[session.number] = session
        self._step(session, session.begin)

    def _begin_beside(self) -> None:
        machine, self.beside = self.beside, None
        if machine is None or not self._may_begin(machine):
            return
        if self.alive and not any(session.is_finished for session in self.ended):
            self._begin(machine)

    def _play(self) -> None:
        """Until every process has ended. Some time passes then."""
        for _ in range(MOST_STEPS):
            if not self.alive:
                break
            sleeper = min(self.alive.values(), key=lambda session: session.wakes_at)
            if self.queue and self.queue[0][0] <= sleeper.wakes_at:
                self._next_event()
            elif sleeper.wakes_at == float("inf"):
                raise Violation("nothing will ever happen")
            else:
                self.now = max(self.now, sleeper.wakes_at)
                self._step(sleeper, lambda: None)
        else:
            raise Violation("a session does not end")
        until = self.now + self.random.choice([0.1, 5.0, 60.0, 120.0])
        while self.queue and self.queue[0][0] <= until:
            self._next_event()
        self.now = until

    def _next_event(self) -> None:
        at, _, number, what = heapq.heappop(self.queue)
        if number == 0:
            self.now = max(self.now, at)
            what()
        elif number in self.alive:
            self.now = max(self.now, at)
            self._step(self.alive[number], what)

    def _step(self, session: Session, what: Callable[[], None]) -> None:
        try:
            what()
            session.go_on()
        except Crash:
            self.crashes += 1
            del self.alive[session.number]
            return
        except StoreError as error:
            raise Violation(str(error)) from error
        if session.has_ended:
            del self.alive[session.number]
            self.ended.append(session)

    def _is_over(self) -> bool:
        for session in self.ended:
            if session.is_finished:
                self._check_finished(session)
                return True
        for session in self.ended:
            if session.is_at_ceiling() and not session.state.unconfirmed:
                return True
            session.settle_by_person()
        return False

    def jobs_of(self, session: int) -> Mapping[str, Job]:
        """As a session names them."""
        if not self.has_equal_calls:
            return self.jobs
        named = [replace(job, case_id=f"{job.case_id} {(session + n) % 2}") for n, job in enumerate(self.jobs.values())]
        return {job.case_id: job for job in named}

    def _check_finished(self, last: Session) -> None:
        made = Counter(made.run.prompt or "" for made in self.model.made if made.launch_id)
        if made != self.model.wanted:
            raise Violation(f"{dict(made)} runs were made, {dict(self.model.wanted)} are wanted")
        judged = Counter(last.judged.values())
        wanted = {job.call_fingerprint: job.runs for job in self.jobs.values()}
        if judged != wanted:
            raise Violation(f"{dict(judged)} runs were judged, {wanted} are wanted")
        charged = {made.run.id: made.cents for made in self.model.made if made.launch_id}
        if last.bills != charged:
            raise Violation(f"the journal says {last.bills}, the service charged {charged}")

    def at(self, seconds: float, session: int, what: Callable[[], None]) -> None:
        self.sequence += 1
        heapq.heappush(self.queue, (self.now + seconds, self.sequence, session, what))

    def is_faulty(self, share: float = 1.0) -> bool:
        return self.sessions <= FAULTY_SESSIONS and self.random.random() < self.trouble * share


class Session:
    """One process."""

    def __init__(self, schedule: Schedule, machine: Machine, number: int) -> None:
        self.schedule = schedule
        self.machine = machine
        self.number = number
        self.random = schedule.random
        self.journal = DurableJournal(machine)
        self.judged: dict[SlotKey, str] = {}
        """The call for which each run was judged last."""
        self.started: set[object] = set()
        self.wakes_at = schedule.now
        self.has_ended = False
        self.is_finished = False
        self.bills: Mapping[int | None, int | None] = {}
        dies = schedule.sessions <= FAULTY_SESSIONS and self.random.random() < 0.6
        self.events_left = self.random.randint(1, 40) if dies else -1
        self.journal.mark_interrupted()
        self.sharing = None
        if schedule.store is not None:
            self.sharing = IntentSharing(schedule.store, cast(Any, self.journal), show_name=str)
            calls = {
                (job.case_id, job.call_fingerprint): KnownCall(job.case_id, job.plan, None)
                for job in schedule.jobs.values()
            }
            self.sharing.import_launches(calls)
        self.state = State(
            SessionTerms(
                session_id=f"i{self.number}",
                credential="key",
                ledger=self._ledger(),
                settings=schedule.settings,
                consent_id=CONSENT,
                jobs=schedule.jobs_of(number),
            ),
            self.journal,
            AwaitedCharges(),
            is_shared=self.sharing is not None,
        )

    def _ledger(self) -> Ledger:
        schedule = self.schedule
        ceiling = schedule.model.ceiling_cents
        ledger = Ledger([] if ceiling is None else [Ceiling("--max-cost", ceiling)])
        for target, reserved_cents, billed_cents in self.journal.bills(CONSENT):
            ledger.learn(target, reserved_cents=reserved_cents, billed_cents=billed_cents)
        for slot in self.journal.slots_of_consent(CONSENT):
            purpose, reserved_cents = Purpose(slot.plan), slot.reserved_cents
            ledger.reserve(purpose, reserved_cents)
            if slot.cost_cents is not None:
                ledger.bill(purpose, reserved_cents=reserved_cents, billed_cents=slot.cost_cents)
        return ledger

    @property
    def now(self) -> Now:
        return Now(self.schedule.now, EPOCH + timedelta(seconds=self.schedule.now), 5.0)

    def happen(self, event: Any) -> None:
        if type(event) in NAMES:
            self.journal.record(event)
        apply(self.state, event, self.now)
        while self.state.reported:
            reported = self.state.reported.pop(0)
            slot, case_id = reported.slot, self.state.case_of(reported.launch, reported.slot)
            is_missing = slot.evidence not in self.machine.evidence
            if case_id is not None and not is_missing:
                self.judged[slot.key] = slot.call_fingerprint
            apply(self.state, RunJudged(slot, platform_failed=False, is_missing=is_missing), self.now)
        self._perhaps_die()

    def _perhaps_die(self) -> None:
        self.events_left -= 1
        if not self.events_left:
            raise Crash

    def happen_all(self, events: Any) -> None:
        for event in events:
            self.happen(event)

    def begin(self) -> None:
        schedule = self.schedule
        if schedule.is_faulty(0.5):
            schedule.at(self.random.uniform(1, 120), self.number, lambda: self.happen(Interrupted()))
        jobs = self.state.jobs
        open_launches = {launch.launch_id for launch in self.journal.launches(UNSETTLED)}
        named = {job.call_fingerprint: job.case_id for job in jobs.values()}
        slots = [
            replace(slot, case_id=named[slot.call_fingerprint])
            for slot in self.journal.unconsumed_slots()
            if slot.call_fingerprint in named
        ]
        most_runs = {case_id: job.runs for case_id, job in jobs.items()}
        found = resumable_slots(slots, most_runs, open_launches).values()
        resumed = [slot for mine in found for slot in mine]
        self.happen(SlotsResumed(tuple(resumed)))
        for slot in resumed:
            evidence = self.machine.evidence.get(slot.evidence or "")
            missing = None if evidence is None else missing_parts(evidence, grade_wanted=False)
            self.happen_all(resume_slot(self.state, slot, missing, self.now))

    def is_at_ceiling(self) -> bool:
        """Whether nothing but a higher ceiling would allow more calls."""
        return bool(outcome_of(self.state).ceiling)

    def go_on(self) -> None:
        """Decide until there is something to wait for, or nothing left to do."""
        wait: WaitUntil | None = None
        while wait is None:
            for action in decide(self.state, self.now):
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
                        self._end()
                        return
        self.wakes_at = max(wait.seconds, self.schedule.now)

    def _start(self, key: object, what: Callable[[], None]) -> None:
        if key not in self.started:
            self.started.add(key)
            what()

    def _end(self) -> None:
        for intent in list(self.state.posting.values()):
            is_sent = self.state.launch(intent.launch_id).state is LaunchState.SENT
            self._end_launch(intent, Cancelled(is_sent))
        self.is_finished = outcome_of(self.state).finished
        slots = [slot for slot in self.journal.unconsumed_slots() if slot.run_id is not None]
        self.bills = {slot.run_id: slot.cost_cents for slot in slots}
        if self.is_finished:
            self.journal.record(Consumed(f"i{self.number}", tuple(slot.key for slot in slots)))
        self._publish()
        self.has_ended = True

    def _publish(self) -> None:
        """The results, if they are finished, and what became of the launches."""
        if self.schedule.store is None or self.sharing is None:
            return
        results: dict[str, bytes] = {}
        if self.is_finished:
            cases = [
                {"case_id": job.case_id, "call_fingerprint": job.call_fingerprint, "action": "call", "runs": [{}]}
                for job in self.schedule.jobs.values()
            ]
            results[f"runs/i{self.number}.json"] = json.dumps(
                {"session_id": f"i{self.number}", "cases": cases}
            ).encode()
        outcome = self.sharing.outcome
        self.schedule.store.update(lambda now: {**results, **outcome(now)})
        self._check_marks()

    def _check_marks(self) -> None:
        """What was just written shows which launches the service refused or never got, and how many runs were made."""
        assert self.schedule.store is not None
        stored = {key: json.loads(self.schedule.store.get(key) or b"") for key in self.schedule.store.keys("intents/")}
        for launch in self.journal.launches_of(f"i{self.number}"):
            document = stored.get(f"intents/{launch.launch_id}.json")
            is_certain = launch.state not in LIVE and launch.state is not LaunchState.ABSENT
            if is_certain and document and LaunchState(document["state"]) in UNSETTLED:
                raise Violation(f"launch {launch.launch_id} is {launch.state.value}, and open in the shared store")
        if not any(self.schedule.store.keys("runs/")):
            self._check_runs([slot for document in stored.values() for slot in document["slots"]])

    def _check_runs(self, stored: Sequence[Mapping[str, Any]]) -> None:
        """For each run that was made, there is a slot in the shared store, or the run might be made again."""
        slots = Counter[str](slot["prompt"] for slot in stored)
        made = {(slot["prompt"], slot["run_id"]) for slot in stored}
        made |= {(prompt_key(slot.prompt), slot.run_id) for slot in self.journal.unconsumed_slots()}
        for prompt, runs in Counter(prompt for prompt, run_id in made if run_id is not None).items():
            if runs > slots[prompt]:
                raise Violation(f"{runs} runs of {prompt} were made, and {slots[prompt]} are in the shared store")

    # Launches

    def _begin(self, action: SendLaunch) -> None:
        schedule = self.schedule
        schedule.launches += 1
        intent = intent_of(self.state, action, f"l{schedule.launches}", self.now)
        self.happen(Intended(intent))
        slowly = self.random.choice([40.0, 70.0, 200.0]) if schedule.is_faulty(0.3) else self.random.uniform(0, 0.2)
        schedule.at(slowly, self.number, lambda: self._share(intent))

    def _share(self, intent: LaunchIntent) -> None:
        """The write to the shared store arrives; its answer may come later."""
        if intent.launch_id not in self.state.posting:
            return
        error: OvertakenError | None = None
        if self.sharing is not None:
            try:
                self.sharing.put(self.sharing.prepare([intent]))
            except OvertakenError as overtaken:
                error = overtaken
            else:
                self._check_marks()
                self._perhaps_die()
        slowly = self.random.choice([10.0, 70.0]) if self.schedule.is_faulty(0.3) else self.random.uniform(0, 0.2)
        self.schedule.at(slowly, self.number, lambda: self._send(intent, error))

    def _send(self, intent: LaunchIntent, error: OvertakenError | None) -> None:
        schedule, launch_id = self.schedule, intent.launch_id
        if launch_id not in self.state.posting:
            return
        self.happen_all(share_result(self.state, intent, error, self.now))
        if launch_id not in self.state.posting:
            return
        if is_late(self.state, intent, self.now) or schedule.is_faulty():
            self._end_launch(intent, UnreachableError("no network"))
            return
        self.happen(Moved(launch_id, LaunchState.SENT))
        if schedule.is_faulty(0.5):  # the process stands still before the first byte
            seconds = self.random.choice([30.0, 200.0])
            schedule.at(seconds, self.number, lambda: self._leave(intent))
        else:
            self._leave(intent)

    def _end_launch(self, intent: LaunchIntent, result: LaunchResult) -> None:
        if intent.launch_id in self.state.posting:
            self.happen_all(launch_result(self.state, intent, result, self.now))

    def _leave(self, intent: LaunchIntent) -> None:
        schedule = self.schedule
        if intent.launch_id not in self.state.posting:
            return
        if is_late(self.state, intent, self.now):
            self._end_launch(intent, UnreachableError("too late"))
            return
        lost = LostAnswerError("no answer")
        if schedule.is_faulty():  # it never arrives, or the service fails before it does anything
            schedule.at(self.random.choice([0.1, 30.0]), self.number, lambda: self._end_launch(intent, lost))
            return
        is_lost = schedule.is_faulty()
        arrives = self.random.choice([0.1, 0.1, 1.0, 25.0])

        def arrive() -> None:
            result = schedule.model.launch(intent, schedule.now) or ThrottledError("429")
            if is_lost:
                schedule.at(self.random.choice([0.1, 5.0]), self.number, lambda: self._end_launch(intent, lost))
            else:
                schedule.at(self.random.uniform(0, 1), self.number, lambda: self._end_launch(intent, result))

        schedule.at(arrives, 0, arrive)
        if self.random.random() < 0.05 and all(other.machine.knows_us() for other in schedule.alive.values()):
            schedule.has_strangers = True
            case = self.random.choice([*schedule.jobs.values()])
            schedule.at(0.0, 0, lambda: schedule.model.launch_of_somebody_else(case.prompt, case.line, schedule.now))

    # Reading

    def _poll(self) -> None:
        schedule, state = self.schedule, self.state
        began = schedule.now
        request = poll_request(state)
        result = ServiceError("the list cannot be read") if schedule.is_faulty() else None
        if request is not None and result is None:
            shown = schedule.model.shown_batches(began)
            members = {batch_id: shown[batch_id].run_ids for batch_id in request.members if batch_id in shown}
            runs, batches = schedule.model.runs(began), schedule.model.batches(began)
            result = Lists(began, runs, batches, members, request.searched)

        def done() -> None:
            if request is not None and result is not None:
                self.happen_all(poll_result(state, request, result, self.now))
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
            if prompt_key(made.run.prompt) != prompt_key(watched.slot.prompt):
                raise Violation(f"run {run.id} counts for {watched.slot.case_id}, whose prompt it does not have")
            cents = made.cents
            digest = f"{run.id:064x}"
            evidence = Evidence.model_construct(run_id=run.id, run_status=RunStatus.FAILED, cost_cents=cents)
            self.machine.evidence[digest] = evidence
            self.happen_all(evidence_result(self.state, [StoredEvidence(run, digest, cents, is_final=True)]))

        schedule.at(self.random.uniform(0, 2), self.number, done)

    # A person

    def settle_by_person(self) -> None:
        """A person looks at the service, when nothing is on its way any more."""
        schedule = self.schedule
        for launch_id, search in self.state.unconfirmed.items():
            if not search.needs_person or schedule.now - search.since < 120:
                continue
            claimed = self.journal.claimed_run_ids()
            made = [made for made in schedule.model.made if made.launch_id == launch_id and made.run.id not in claimed]
            launch = Moved(launch_id, LaunchState.ABSENT)
            if made:
                ids = tuple(sorted(each.run.id for each in made))
                runs: dict[int, Run] = {each.run.id: each.run for each in made}
                bindings = bind_slots(self.journal.slots_of(launch_id), runs, ids)
                launch = launch._replace(
                    state=LaunchState.ADOPTED, batch_id=made[0].run.batch_id, run_ids=ids, bindings=bindings
                )
            self.journal.record(launch)
