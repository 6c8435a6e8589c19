"""Sessions over one log against a model of the service: one seeded schedule of faults, lost answers and crashes at a
time, in virtual time.

The sessions are real (`planner.calls.driver`). A process may die at any step, and its requests that have left arrive all
the same; a machine may be lost with its journal; several machines make the same calls at once; a process may stand still
between its append and its request. A person settles what only a person can. Every schedule must end with each wanted run
made once, or stopped at a ceiling that the bills keep.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any, cast

import anyio
from log_service import EPOCH, RESERVE_CENTS, US, Client, Service, Violation
from memory_log import Machine, MemoryLog, SharedLines
from virtual_time import VirtualLoop

from planner.calls.driver import Driver, Terms, Tools
from planner.calls.model import Limit, Outcomes, Settings, StopReason, Want
from planner.clock import Clock
from planner.errors import StoreError
from planner.log.facts import Ceiling, Consent, Goal, Outcome, Result, Scope
from planner.providers.base import LaunchRequest, Line

ACCOUNT = "account"
CONSENT = "c1"
MAX_ROUNDS = 30
FAULTY_ROUNDS = 6
SETTLE_SECONDS = 100.0


class Crash(BaseException):
    """The process is dead."""


@dataclass
class Schedule:
    """The calls of one consent, from the first session to the end. `edit` may break a rule."""

    seed: int
    edit: Callable[[Schedule], None] = lambda schedule: None
    rounds: int = 0
    sessions: int = 0
    crashes: int = 0
    lost: int = 0
    launches: int = 0
    persons: int = 0
    is_over: bool = False
    compares: bool = True
    checks_time: bool = True

    def __post_init__(self) -> None:
        self.random = random = Random(self.seed)
        keys = random.randint(1, 4)
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
            for number in range(keys)
        ]
        self.goals = {want.key: random.randint(1, 3) for want in self.wants}
        wanted = Counter[str]()
        for want in self.wants:
            wanted[want.prompt] += self.goals[want.key]
        total = wanted.total()
        ceiling = random.randint(RESERVE_CENTS, RESERVE_CENTS * (total + 2)) if random.random() < 0.4 else None
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
        self.consent = Consent(
            EPOCH,
            ACCOUNT,
            CONSENT,
            "d",
            tuple(Goal(key, calls, "plan") for key, calls in self.goals.items()),
            () if ceiling is None else (Ceiling(Scope.CONSENT, ceiling, "--max-cost"),),
        )
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
            wanted=wanted,
            ceiling_cents=ceiling,
            is_faulty=self.is_faulty,
        )
        self.machines = [Machine() for _ in range(3)]
        self.edit(self)
        if self.shared is not None:
            self.shared.compares = self.compares

    def is_faulty(self, weight: float = 1.0) -> bool:
        return self.rounds <= FAULTY_ROUNDS and self.random.random() < self.trouble * weight

    def run(self) -> None:
        """Raises `Violation`."""
        loop = VirtualLoop()
        loop.ends_at = 1_000_000.0
        # A process that died leaves tasks behind: what they raise is no news.
        loop.set_exception_handler(lambda loop, context: None)
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
            count = 1
            if self.rounds <= FAULTY_ROUNDS:
                count = self.random.choice([1, 2, 3]) if self.shared is not None else self.random.choice([1, 1, 2])
            machines = self.random.sample(self.machines, count) if self.shared is not None else self.machines[:1] * count
            results: list[Outcomes | None] = [None] * count
            async with asyncio.TaskGroup() as group:
                for number, machine in enumerate(machines):
                    group.create_task(self._session(machine, results, number))
            self._check()
            if self._is_finished(results):
                await asyncio.sleep(60.0)
                self._check()
                self.rounds = MAX_ROUNDS  # a last session, without faults, reads late bills
                await self._session(machines[0], [None], 0)
                self._check_end(results)
                return
            self._settle_by_person()
            await asyncio.sleep(self.random.choice([0.0, 20.0, 150.0]))
        raise Violation(f"not finished after {MAX_ROUNDS} rounds")

    def _lose_machines(self) -> None:
        if self.shared is None:
            return
        for number, machine in enumerate(self.machines):
            if machine.facts and self.rounds <= FAULTY_ROUNDS and self.random.random() < 0.2:
                self.machines[number] = Machine()
                self.lost += 1

    def _check(self) -> None:
        self.service.check()
        if (violation := getattr(self.service, "violation", None)) is not None:
            raise violation

    # Sessions

    async def _session(self, machine: Machine, results: list[Outcomes | None], number: int) -> None:
        await asyncio.sleep(self.random.choice([0.0, 0.0, 0.1, 10.0, 60.0]))
        self.sessions += 1
        session_id = f"s{self.sessions}"
        process = Process(self, machine, session_id)
        try:
            results[number] = await process.run()
        except BaseException as error:
            if not _is_crash(error):
                raise
            self.crashes += 1
        finally:
            process.is_dead = True

    def _is_finished(self, results: list[Outcomes | None]) -> bool:
        for outcomes in results:
            if outcomes is None:
                continue
            if outcomes.is_finished:
                return True
            stop = outcomes.stop
            if stop is not None and stop.reason is StopReason.CEILING and not outcomes.unsettled and not outcomes.under_way:
                return True
            if stop is not None and stop.error is not None and stop.reason is StopReason.FAILED:
                raise stop.error
        return False

    def _check_end(self, results: list[Outcomes | None]) -> None:
        at_ceiling = not any(outcomes is not None and outcomes.is_finished for outcomes in results)
        made = Counter(each.run.prompt or "" for each in self.service.ours)
        if at_ceiling:
            left = (self.service.ceiling_cents or 0) - sum(each.cents for each in self.service.ours)
            if left >= RESERVE_CENTS:
                raise Violation(f"stopped at the ceiling with {left} cents left")
            return
        if made != self.service.wanted:
            raise Violation(f"finished with {dict(made)}, wanted {dict(self.service.wanted)}")
        log = MemoryLog(Machine(), self.shared) if self.shared else MemoryLog(self.machines[0])
        if self.shared is not None:
            log.state.add_all(self.shared.facts)
        claimed = {run_id for launch in log.state.launches.values() for run_id in launch.run_ids}
        missing = {each.run.id for each in self.service.ours} - claimed
        foreign = claimed - {each.run.id for each in self.service.ours}
        if missing or foreign:
            raise Violation(f"runs {missing} are lost to the log, runs {foreign} are somebody else's")
        spent = sum(log.state.tallies.spent.values())
        if spent != sum(each.cents for each in self.service.ours):
            raise Violation(f"{spent} cents are in the log, {sum(each.cents for each in self.service.ours)} were charged")

    # A person

    def _settle_by_person(self) -> None:
        """A person looks at the service, when nothing is on its way any more."""
        facts = self.shared.facts if self.shared is not None else list(self.machines[0].facts)
        log = MemoryLog(Machine())
        log.state.add_all(facts)
        now = EPOCH + timedelta(seconds=asyncio.get_running_loop().time())
        settled: list[Outcome] = []
        for intent in log.state.open_launches():
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

    async def run(self) -> Outcomes:
        schedule, loop = self.schedule, asyncio.get_running_loop()
        log = MemoryLog(self.machine, schedule.shared, self._pause, self.step)
        try:
            await log.refresh()
        except StoreError as error:
            return Outcomes(stop=None, left={"": 1}, anomalies=(str(error),))
        if schedule.consent.consent_id not in log.state.consents:
            while not await self._append_consent(log):
                if schedule.consent.consent_id in log.state.consents:
                    break
        client = Client(schedule.service, self.step, checks_time=schedule.checks_time)

        def new_id() -> str:
            schedule.launches += 1
            return f"l{schedule.launches}"

        async def save(evidence: Any) -> list[str]:
            self.step()
            return [f"e{each.run_id}" for each in evidence]

        clock = Clock(lambda: EPOCH + timedelta(seconds=loop.time()), loop.time, asyncio.sleep)
        driver = Driver(
            cast(Any, client),
            log,
            Tools(clock, new_id, save),
            Terms(self.session_id, ACCOUNT, schedule.settings, schedule.consent, tuple(schedule.wants)),
            Limit(),
        )
        interrupted = anyio.Event()
        if schedule.is_faulty(0.5):
            loop.call_later(schedule.random.uniform(1, 120), interrupted.set)
        self._perhaps_company(log)
        return await driver.run(interrupted)

    async def _append_consent(self, log: MemoryLog) -> bool:
        try:
            return await log.append([self.schedule.consent])
        except StoreError:
            await asyncio.sleep(1.0)
            await self._refresh(log)
            return self.schedule.consent.consent_id in log.state.consents

    async def _refresh(self, log: MemoryLog) -> None:
        try:
            await log.refresh()
        except StoreError:
            await asyncio.sleep(1.0)

    def _perhaps_company(self, log: MemoryLog) -> None:
        """Somebody else makes the same batch at the same time, where the service tells us apart."""
        schedule = self.schedule
        if not (schedule.service.shows_requesters and schedule.random.random() < 0.1):
            return
        if US not in log.state.requesters("key"):
            return
        want = schedule.random.choice(schedule.wants)
        request = LaunchRequest(want.line, (want.prompt,), "", is_batch=True)
        delay = schedule.random.uniform(0, 5)
        asyncio.get_running_loop().call_later(delay, schedule.service.launch_of_somebody_else, request)
