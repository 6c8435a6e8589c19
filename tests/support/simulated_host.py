"""A worker's process in a simulated organisation, with the product's coordinator in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from coroutines import Flag, Never, Tasks, Wait, Wake
from mortality import Killed
from simulated_provider import SimulatedProvider
from simulated_service import EPOCH, Violation
from simulated_tables import SENT, MemoryTables

from planner.clock import Clock
from planner.errors import PlannerError, StoreError, leading_error
from planner.execution.journal_state import TakenError
from planner.organisation.coordinator import begin_session
from planner.organisation.serving import CoordinatorSession
from planner.organisation.tables import FencedError
from planner.organisation.worker import Worker

if TYPE_CHECKING:
    from organisation_schedules import Schedule

SERVICE = "http://service"
DEEPEST = 3
"""How many processes may stand still at once, each while the one before does."""


class Host:
    """A worker's process, which is started again when it died. It dies or stands still at a step of its own."""

    def __init__(self, schedule: Schedule, number: int) -> None:
        self.schedule = schedule
        self.number = number
        self.lives = 0
        self.is_still = False
        self.delayed: list[Callable[[], None]] = []
        self.clock_error = timedelta(seconds=schedule.random.choice([0.0, 0.0, -3600.0, 3600.0]))
        self.tables = MemoryTables(schedule.database, self.boundary)
        self.tasks: Tasks | None = None
        self.epoch = 0

    @property
    def life(self) -> tuple[int, int]:
        return self.number, self.lives

    def begin(self) -> None:
        schedule, random = self.schedule, self.schedule.random
        self.steps_left = random.randint(1, 150) if schedule.is_faulty(3.0) else -1
        self.dies = random.random() < 0.5
        self.provider = SimulatedProvider(self)
        self._take()

    def end(self) -> None:
        """As kill -9."""
        self.lives += 1
        self.is_still = False
        self.delayed.clear()
        if self.tasks is not None:
            self.tasks.forget()
            self.tasks = None

    def step(self, life: tuple[int, int], what: Callable[[], None]) -> None:
        if life != self.life:
            return
        if self.is_still:
            self.delayed.append(what)
            return
        schedule = self.schedule
        before, schedule.at_work = schedule.at_work, self.number - 1
        try:
            what()
        except Killed:
            if life != self.life:
                return  # it was ended while it stood still
            schedule.crashes += 1
            self.end()
            schedule.at(schedule.random.choice([1.0, 5.0, 40.0]), self.life, self.begin)
        finally:
            schedule.at_work = before

    def boundary(self, name: str) -> None:
        """A step of the process: it may end or stand still here."""
        self.steps_left -= 1
        if name == f"after {SENT}" and self.schedule.is_faulty(0.3):
            self.steps_left, self.dies = 0, self.dies and self.schedule.random.random() < 0.3
        if self.steps_left:
            return
        if self.dies:
            self.schedule.show(f"host {self.number} dies {name}")
            raise Killed
        schedule, random = self.schedule, self.schedule.random
        if schedule.depth < DEEPEST:
            self.is_still, life = True, self.life
            schedule.show(f"host {self.number} stands still {name}")
            schedule.stand_still(random.choice([5.0, 40.0, 70.0, 200.0]))
            if life != self.life:
                raise Killed
            schedule.show(f"host {self.number} wakes")
            self.is_still = False
            delayed, self.delayed = self.delayed, []
            for what in delayed:
                schedule.at(0.0, self.life, what)
        self.steps_left = random.randint(1, 100) if schedule.is_faulty(3.0) else -1
        self.dies = random.random() < 0.3

    # The host, as in `lease`

    def _take(self) -> None:
        schedule = self.schedule
        try:
            epoch = self.tables.take(f"h{self.number}", "1")
        except StoreError:
            epoch = None
        if epoch is None:
            schedule.at(5.0, self.life, self._take)
            return
        schedule.takeovers += 1
        self.epoch, self.generation, self.pause_seconds = epoch, 0, 1.0
        schedule.at(6.0, self.life, lambda: self._beat(epoch))
        self._coordinate()

    def _beat(self, epoch: int) -> None:
        if epoch != self.epoch:
            return
        try:
            self.tables.heartbeat(epoch)
        except FencedError:
            self._over([])
            return
        except StoreError:
            pass
        self.schedule.at(6.0, self.life, lambda: self._beat(epoch))

    # The coordinator, as in `coordinate`

    def _coordinate(self) -> None:
        schedule = self.schedule
        self.generation += 1
        worker = Worker(
            self.tables,
            cast("Any", self.provider),
            SERVICE,
            schedule.policy,
            schedule.settings,
            self.clock(),
            self._new_id,
            lambda line: schedule.show(f"host {self.number}, epoch {self.epoch}: {line}"),
        )
        self.tasks = tasks = Tasks(lambda wake: schedule.at(0.0, self.life, lambda: wake(None, None)), self._failed)
        try:
            session = begin_session(worker, self.epoch, self.generation, SimulatedSession)
        except StoreError as error:
            self._over([error])
            return
        cast("SimulatedSession", session).schedule = schedule
        tasks.begin(_serve(session, tasks), lambda: self._over([]))

    def _failed(self, error: Exception) -> None:
        """Of a task: all others are cancelled."""
        self._over([error])

    def _over(self, errors: list[Exception]) -> None:
        schedule, epoch = self.schedule, self.epoch
        if self.tasks is None or self.tasks.is_over:
            return
        errors = [*errors, *self.tasks.cancel()]
        is_fenced = any(isinstance(error, FencedError) for error in errors)
        unexpected = [error for error in errors if not isinstance(error, PlannerError)]
        if unexpected:
            raise unexpected[0]
        if epoch != self.epoch:
            return
        if is_fenced or (errors and isinstance(leading_error(errors[0]), FencedError)):
            self.epoch = 0
            schedule.at(5.0, self.life, self._take)
            return
        pause, self.pause_seconds = (self.pause_seconds, min(60.0, 2 * self.pause_seconds)) if errors else (0.0, 1.0)
        schedule.at(pause, self.life, lambda: self._coordinate_again(epoch))

    def _coordinate_again(self, epoch: int) -> None:
        if epoch == self.epoch:
            self._coordinate()

    def _new_id(self) -> str:
        self.schedule.launched += 1
        return str(self.schedule.launched)

    def clock(self) -> Clock:
        schedule = self.schedule

        def now() -> datetime:
            return EPOCH + timedelta(seconds=schedule.now) + self.clock_error

        async def sleep(seconds: float) -> None:
            await schedule.wait(seconds)

        return Clock(now, lambda: schedule.now, sleep)


async def _serve(session: CoordinatorSession, tasks: Tasks) -> None:
    await session.begin()
    await session.make_calls(cast("Any", tasks), cast("Any", Never()))


class SimulatedSession(CoordinatorSession):
    """Waits without an event loop."""

    schedule: Schedule

    async def _wait(self, seconds: float) -> None:
        if not self._changed.is_set():
            flag: object = self._changed
            life, schedule = self.schedule.hosts[self.schedule.at_work].life, self.schedule

            def begin(wake: Wake) -> None:
                if isinstance(flag, Flag):
                    flag.wake = lambda: schedule.at(0.0, life, lambda: wake(None, None))
                schedule.at(seconds, life, lambda: wake(None, None))

            await Wait(begin)
        self._changed = cast("Any", Flag())

    def _failed(self, concerned: object, error: Exception) -> None:
        """What a consent survives, no schedule may show."""
        if not isinstance(error, TakenError):
            raise Violation(f"a task failed: {error!r}") from error
        CoordinatorSession._failed(self, concerned, error)
