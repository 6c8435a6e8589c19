"""Sessions over one log against a model of the service: one seeded schedule of faults, lost answers and crashes at a
time, in virtual time.

The sessions are real (`planner.calls.driver`). A process may die at any step, and its requests that have left arrive all
the same; a machine may be lost with its journal; several machines make the same calls at once, under one consent or two;
a process may stand still between its append and its request; a failed append may arrive later. A person settles what
only a person can. Every schedule must end with each wanted run made once, or stopped at a ceiling that the bills keep.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, cast

import anyio
from log_service import EPOCH, LATE_SECONDS, RESERVE_CENTS, Client, Made, Service, Violation
from memory_log import Machine, MemoryLog, SharedLines
from virtual_time import VirtualLoop

from planner.calls.driver import Driver, Terms, Tools
from planner.calls.model import Limit, Outcomes, Settings, Stop, StopReason, Want
from planner.calls.month import read_month
from planner.clock import Clock
from planner.errors import PlannerError, StoreError
from planner.log.facts import Ceiling, Consent, Goal, Outcome, Result, Scope
from planner.log.fold import State
from planner.providers.base import Line

ACCOUNT = "account"
MAX_ROUNDS = 40
FAULTY_ROUNDS = 6
SETTLE_SECONDS = 100.0
SECONDS_BEFORE_MONTH_END = 600.0
NEXT_MONTH = datetime(2026, 12, 1, tzinfo=EPOCH.tzinfo)


class Crash(BaseException):
    """The process is dead."""


@dataclass
class Schedule:
    """The calls of one or two consents, from the first session to the end."""

    seed: int
    rounds: int = 0
    sessions: int = 0
    crashes: int = 0
    lost: int = 0
    persons: int = 0
    checks_time: bool = True
    clocks_differ: bool = False
    consent_of: dict[str, str] = field(default_factory=dict[str, str])
    """By launch id."""
    at_ceiling: dict[str, bool] = field(default_factory=dict[str, bool])
    """By consent id: whether its calls ended at a ceiling."""

    def __post_init__(self) -> None:
        self.random = random = Random(self.seed)  # noqa: S311 - it repeats, and keeps no secret
        shares_prompt = random.random() < 0.2
        self.wants = [
            Want(
                key=f"k{number}",
                prompt=f"You are {0 if shares_prompt and number == 1 else number}.",
                line=Line("agent", 12 if random.random() < 0.8 else 14, "outbound", "bot", None),
                reserve_cents=RESERVE_CENTS,
                expected_seconds=30.0,
                timeout_seconds=600.0,
            )
            for number in range(random.randint(1, 4))
        ]
        self.prompt_of = {want.key: want.prompt for want in self.wants}
        self.consents = {f"c{number}": self._consent(number) for number in range(random.choice([1, 1, 1, 2]))}
        self.shared = SharedLines() if random.random() < 0.7 else None
        self.settings = Settings(
            settle_seconds=SETTLE_SECONDS,
            linger_seconds=random.choice([0.0, 20.0, 150.0]),
            evidence_wait_seconds=20.0,
            outage_give_up_seconds=60.0,
            throttled_give_up_seconds=120.0,
            poll_floor_seconds=3.0,
            poll_ceiling_seconds=15.0,
        )
        self.month_cents = random.randint(RESERVE_CENTS, RESERVE_CENTS * 12) if random.random() < 0.2 else None
        self.trouble = random.choice([0.02, 0.1, 0.3])
        self.service = Service(
            random,
            lambda: asyncio.get_running_loop().time(),
            limit=random.randint(2, 8),
            lag_seconds=random.choice([0.0, 5.0, 30.0]),
            shows_names=random.random() < 0.4,
            shows_requesters=random.random() < 0.6,
            shows_run_ids=random.random() < 0.8,
            lists_batches=random.random() < 0.85,
            page_rows=random.choice([200, 3]),
            hanging=random.choice([0.0, 0.0, 0.0, 0.1]),
            failing=random.choice([0.0, 0.0, 0.1]),
            hiding=random.choice([0.0, 0.0, 0.0, 0.2]),
            is_faulty=self.is_faulty,
            on_made=self.check,
        )
        if random.random() < 0.25:
            self.service.shows_batch_ids = not self.service.shows_run_ids or random.random() < 0.3
            self.service.hides_batches_seconds = random.choice([0.0, 20.0, LATE_SECONDS])
            self.service.late_rows = random.choice([0.0, 0.3])
        # Where the rows of our batch may be hidden and somebody else's are not, nobody can tell them apart.
        is_clear = self.service.is_clear and not self.service.shows_requesters and self.month_cents is None
        self.service.has_twins = is_clear and random.random() < 0.2
        self.machines = [Machine() for _ in range(3)]
        self.edit()

    def edit(self) -> None:
        """To be replaced by what breaks a rule."""

    def _consent(self, number: int) -> Consent:
        random = self.random
        goals = tuple(
            Goal(want.key, random.randint(1, 3), f"p{number}", random.choice([0, 0, 1])) for want in self.wants
        )
        total = sum(goal.calls for goal in goals)
        ceilings: tuple[Ceiling, ...] = ()
        if random.random() < 0.4:
            ceilings = (
                Ceiling(Scope.CONSENT, random.randint(RESERVE_CENTS, RESERVE_CENTS * (total + 2)), "--max-cost"),
            )
        return Consent(EPOCH, ACCOUNT, f"c{number}", "d", goals, ceilings)

    def is_faulty(self, weight: float = 1.0) -> bool:
        return self.rounds <= FAULTY_ROUNDS and self.random.random() < self.trouble * weight

    @property
    def launches(self) -> int:
        return len(self.consent_of)

    def run(self) -> None:
        """Raises `Violation`."""
        begins_at = 0.0
        if self.month_cents is not None:
            begins_at = (NEXT_MONTH - EPOCH).total_seconds() - SECONDS_BEFORE_MONTH_END
        loop = VirtualLoop(begins_at)
        loop.ends_at = begins_at + 1_000_000.0
        # A process that died leaves tasks behind: what they raise is no news.
        loop.set_exception_handler(lambda *news: None)  # noqa: ARG005
        try:
            asyncio.set_event_loop(loop)
            loop.run_until_complete(self._play())
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    async def _play(self) -> None:
        while self.rounds < MAX_ROUNDS:
            self.rounds += 1
            self._lose_machines()
            count = self.random.choice([1, 2, 3]) if self.rounds <= FAULTY_ROUNDS else 1
            machines = (
                self.random.choices(self.machines, k=count) if self.shared is not None else self.machines[:1] * count
            )
            try:
                async with asyncio.TaskGroup() as group:
                    for machine in machines:
                        group.create_task(self._session(machine))
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from None
            self.check()
            if self.at_ceiling.keys() == self.consents.keys():
                await asyncio.sleep(60.0)
                self.rounds = MAX_ROUNDS
                await self._read_late_bills(machines[0])
                self.check()
                self._check_end()
                return
            self._settle_by_person()
            await asyncio.sleep(self.random.choice([0.0, 20.0, 150.0]) if not self.service.hanging else 150.0)
        raise Violation(f"not finished after {MAX_ROUNDS} rounds")

    async def _read_late_bills(self, machine: Machine) -> None:
        """Last sessions, without faults. At a ceiling, late bills may allow more calls."""
        was_complete = False
        for _ in range(MAX_ROUNDS):
            await self._session(machine)
            await asyncio.sleep(60.0 if not self.service.hanging else 600.0)
            self._settle_by_person()
            is_complete = not any(self.state().stages.values())
            if was_complete and is_complete:
                return
            was_complete = is_complete
        raise Violation("bills or evidence are never complete")

    def state(self) -> State:
        """What the log says in the end."""
        state = State()
        state.add_all(self.shared.facts if self.shared is not None else self.machines[0].facts)
        return state

    def _lose_machines(self) -> None:
        if self.shared is None:
            return
        for number, machine in enumerate(self.machines):
            if machine.facts and self.rounds <= FAULTY_ROUNDS and self.random.random() < 0.2:
                self.machines[number] = Machine()
                self.lost += 1

    # Sessions

    async def _session(self, machine: Machine) -> None:
        await asyncio.sleep(self.random.choice([0.0, 0.0, 0.1, 10.0, 60.0]))
        self.sessions += 1
        left = [consent for name, consent in self.consents.items() if name not in self.at_ceiling]
        consent = self.random.choice(left or list(self.consents.values()))
        process = Process(self, machine, consent, f"s{self.sessions}")
        try:
            outcomes = await process.run()
        except BaseException as error:
            if not _is_crash(error):
                raise
            self.crashes += 1
        else:
            self._note_end(consent.consent_id, outcomes)
        finally:
            process.is_dead = True

    def _note_end(self, consent_id: str, outcomes: Outcomes) -> None:
        stop = outcomes.stop
        if stop is not None and stop.error is not None and stop.reason is StopReason.FAILED:
            raise stop.error
        if self.service.is_clear and any(each.needs_person for each in outcomes.unsettled):
            raise Violation(f"a person is asked without need: {outcomes.unsettled[0].why}")
        is_at_ceiling = stop is not None and stop.reason is StopReason.CEILING
        if outcomes.is_finished or (is_at_ceiling and not outcomes.unsettled and not outcomes.under_way):
            self.at_ceiling[consent_id] = is_at_ceiling

    # What must be true

    def check(self) -> None:
        """At any time: nothing was paid twice, no ceiling is broken. Raises `Violation`."""
        ours = self.service.ours
        made = Counter(each.run.prompt or "" for each in ours)
        failed = Counter(each.run.prompt or "" for each in ours if each.has_failed)
        for prompt, most in self._wanted(failed).items():
            if made[prompt] > most:
                raise Violation(f"{made[prompt]} runs of {prompt!r} were paid for, {most} are wanted")
        spent = Counter[str]()
        for each in ours:
            spent[self._consent_of(each)] += each.cents
            spent[f"{each.run.created_at:%Y-%m}"] += each.cents
        limits = {name: ceiling.cents for name, consent in self.consents.items() for ceiling in consent.ceilings}
        if self.month_cents is not None:
            limits |= {name: self.month_cents for name in spent if name not in self.consents}
        for name, cents in limits.items():
            if spent[name] > cents:
                raise Violation(f"{spent[name]} cents were spent under {name}, the ceiling is {cents}")

    def _consent_of(self, made: Made) -> str:
        return self.consent_of[made.name.removeprefix("planner ")]

    def _wanted(self, failed: Counter[str]) -> Counter[str]:
        """By prompt, how many runs there may be if so many failed."""
        wanted = Counter[str]()
        for want in self.wants:
            goals = [goal for consent in self.consents.values() for goal in consent.goals if goal.key == want.key]
            wanted[want.prompt] += max(goal.calls + min(goal.retries, failed[want.prompt]) for goal in goals)
        return wanted

    def _check_end(self) -> None:
        ours = self.service.ours
        if any(self.at_ceiling.values()):
            if self.month_cents is None and len(self.consents) == 1:
                (ceiling,) = self.consents["c0"].ceilings
                left = ceiling.cents - sum(each.cents for each in ours)
                if left >= RESERVE_CENTS:
                    raise Violation(f"stopped at the ceiling with {left} cents left")
        else:
            made = Counter(each.run.prompt or "" for each in ours)
            least = self._wanted(Counter[str]())
            if any(made[prompt] < calls for prompt, calls in least.items()):
                raise Violation(f"finished with {dict(made)}, wanted {dict(least)}")
        state = self.state()
        claimed = {run_id for launch in state.launches.values() for run_id in launch.run_ids}
        missing = {each.run.id for each in ours} - claimed
        foreign = claimed - {each.run.id for each in ours}
        if missing or foreign:
            raise Violation(f"runs {missing} are lost to the log, runs {foreign} are somebody else's")
        spent, charged = sum(state.tallies.spent.values()), sum(each.cents for each in ours)
        if spent != charged or state.tallies.reserved:
            raise Violation(f"{spent} cents are in the log, {charged} were charged; {state.tallies.reserved} reserved")
        live = Counter[str]()
        for key, calls in state.tallies.live.items():
            live[self.prompt_of[key]] += calls
        if live != Counter(each.run.prompt or "" for each in ours):
            raise Violation(f"the log has {dict(live)} calls")

    # A person

    def _settle_by_person(self) -> None:
        """A person looks at the service, when nothing is on its way any more."""
        state = self.state()
        now = EPOCH + timedelta(seconds=asyncio.get_running_loop().time())
        settled: list[Outcome] = []
        for intent in state.open_launches():
            if now - intent.at < timedelta(seconds=4 * SETTLE_SECONDS):
                continue
            self.persons += 1
            made = [each.run for each in self.service.ours if each.name == f"planner {intent.launch_id}"]
            if made:
                runs = tuple(run.id for run in made)
                settled.append(Outcome(now, intent.launch_id, Result.ASSIGNED, made[0].batch_id, runs))
            else:
                settled.append(Outcome(now, intent.launch_id, Result.ABANDONED))
        if self.shared is not None:
            self.shared.facts += settled
        elif settled:
            self.machines[0].facts.update(dict.fromkeys(settled))


def _is_crash(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_is_crash(each) for each in error.exceptions)
    return isinstance(error, Crash)


@dataclass
class Process:
    """One session on one machine, which may die at any step."""

    schedule: Schedule
    machine: Machine
    consent: Consent
    session_id: str
    is_dead: bool = False
    steps_left: int = -1

    def __post_init__(self) -> None:
        random = self.schedule.random
        dies = self.schedule.rounds <= FAULTY_ROUNDS and random.random() < 0.5
        self.steps_left = random.randint(1, 60) if dies else -1

    def step(self) -> None:
        """The process may die here; a dead one does nothing."""
        self.steps_left -= 1
        if self.steps_left == 0:
            self.is_dead = True
        if self.is_dead:
            raise Crash

    async def _pause(self, what: str) -> None:
        schedule = self.schedule
        self.step()
        if schedule.is_faulty(0.3):
            await asyncio.sleep(schedule.random.choice([10.0, 40.0, 70.0, 200.0]))
            if schedule.random.random() < 0.5 and what != "read":
                raise StoreError("the store failed")
        else:
            await asyncio.sleep(schedule.random.uniform(0, 0.2))
        self.step()

    def _lost(self, append: Callable[[], object]) -> None:
        """A failed append may arrive all the same."""
        random = self.schedule.random
        if random.random() < 0.5:
            asyncio.get_running_loop().call_later(random.choice([0.1, 5.0, 60.0]), append)

    async def run(self) -> Outcomes:
        schedule, loop = self.schedule, asyncio.get_running_loop()
        log = MemoryLog(self.machine, schedule.shared, self._pause, self.step, self._lost)
        client = Client(schedule.service, self.step, has_company=self._has_company, checks_time=schedule.checks_time)
        wrong_seconds = schedule.random.choice([0.0, 40_000.0, -40_000.0])
        if not schedule.clocks_differ:
            client.clock_offset_seconds = -wrong_seconds + schedule.random.uniform(-1, 1)
        clock = Clock(lambda: EPOCH + timedelta(seconds=loop.time() + wrong_seconds), loop.time, asyncio.sleep)
        limit = Limit()

        def new_id() -> str:
            launch_id = f"l{schedule.launches}"
            schedule.consent_of[launch_id] = self.consent.consent_id
            return launch_id

        async def save(evidence: Any) -> list[str]:
            self.step()
            return [f"e{each.run_id}" for each in evidence]

        terms = Terms(self.session_id, ACCOUNT, schedule.settings, self.consent, tuple(schedule.wants))
        driver = Driver(cast(Any, client), log, Tools(clock, new_id, save), terms, limit)
        try:
            await log.refresh()
            while self.consent.consent_id not in log.state.consents:
                await log.append([self.consent])
            if schedule.month_cents is not None:
                limit.month = await read_month(
                    cast(Any, client), log.state, schedule.month_cents, RESERVE_CENTS, driver.now()
                )
        except PlannerError as error:
            return Outcomes(stop=Stop(StopReason.UNAVAILABLE, str(error)))
        interrupted = anyio.Event()
        if schedule.is_faulty(0.5):
            loop.call_later(schedule.random.uniform(1, 120), interrupted.set)
        return await driver.run(interrupted)

    def _has_company(self) -> bool:
        """Where the log knows us among those who ask the service for calls."""
        schedule = self.schedule
        if schedule.month_cents is not None or not schedule.service.shows_requesters or schedule.random.random() < 0.5:
            return False
        return bool(schedule.state().tallies.requesters)
