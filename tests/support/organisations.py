"""An organisation in virtual time: consents of several repositories, and coordinators that end at any boundary."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import anyio
from mortality import Life, is_only_killed
from virtual_time import EPOCH, VirtualLoop

from planner.clock import Clock
from planner.execution.consents import Consent, ConsentedCall, ConsentWay
from planner.execution.engine import EngineSettings, Job, Outcome
from planner.organisation.coordinator import coordinate, engine_settings
from planner.organisation.documents import ENDED, SUBMISSION, Submission, parsed, written
from planner.organisation.journal import TablesJournal
from planner.organisation.policy import WorkerPolicy
from planner.organisation.states import AT_WORK, ConsentState
from planner.organisation.tables import FencedError, Tables
from planner.organisation.worker import Worker
from planner.providers.thunderphone.client import ApiClient

SERVICE = "http://sandbox"
PERSON = "ana@example.org"
POLICY = WorkerPolicy(frozenset({PERSON}))


class MortalTables(Tables):
    """The process may die just before and just after each event, and each other write."""

    life: Life

    def add_event(self, epoch: int, values: Any) -> None:
        self.life.boundary(f"before event {values['kind']}")
        Tables.add_event(self, epoch, values)
        self.life.boundary(f"after event {values['kind']}")

    def change(self, epoch: int | None, consent_id: str, **values: Any) -> None:
        self.life.boundary("before a change of a consent")
        Tables.change(self, epoch, consent_id, **values)
        self.life.boundary("after a change of a consent")

    def save_evidence(self, epoch: int, rows: Any) -> None:
        self.life.boundary("before evidence")
        Tables.save_evidence(self, epoch, rows)
        self.life.boundary("after evidence")


@dataclass
class Organisation:
    """`service` is the sandbox with its ledger."""

    service: Any
    tables: Tables
    faults: list[Any] = field(default_factory=list[Any])
    policy: WorkerPolicy = POLICY
    settings: EngineSettings = field(default_factory=lambda: engine_settings(settle_seconds=30.0, max_concurrent=None))
    log: list[str] = field(default_factory=list[str])
    clock_error_seconds: float = 0.0
    wanted: list[Job] = field(default_factory=list[Job])

    def submit(
        self, number: int, *jobs: Job, repository: str = "shop", max_cost_cents: int = 10_000, **more: Any
    ) -> str:
        """A consent to these calls. Each number is another set."""
        digest = f"sha256:{number:064x}"
        consent_id = f"{digest.removeprefix('sha256:')[:16]}-{number:016x}"
        calls = tuple(ConsentedCall(job.call_fingerprint, job.runs * (1 + job.retries)) for job in jobs)
        consent = Consent(consent_id, digest, more.pop("by", PERSON), ConsentWay.TERMINAL, EPOCH, max_cost_cents, calls)
        submission = Submission(
            consent=consent,
            jobs=jobs,
            session_id=f"client-{number}",
            repository=repository,
            service=SERVICE,
            credential=self.client(Life()).credential,
        )
        submission = replace(submission, **more)
        if consent_id not in {row["consent_id"] for row in self.tables.consents()}:
            self.wanted.extend(jobs)
        self.tables.submit(consent_id, repository, written(SUBMISSION, submission))
        return consent_id

    def client(self, life: Life, **transport: Any) -> ApiClient:
        made = self.service.transport(self.service, life, transport.get("intercept"), transport.get("amend"))
        return ApiClient(made, clock=self.clock())

    def clock(self) -> Clock:
        error = timedelta(seconds=self.clock_error_seconds)
        return Clock(lambda: self.service.now() + error, asyncio.get_running_loop().time, anyio.sleep)

    def worker(self, life: Life, **transport: Any) -> Worker:
        tables = MortalTables(self.tables.engine, self.tables.shown)
        object.__setattr__(tables, "life", life)
        return Worker(
            tables,
            self.client(life, **transport),
            SERVICE,
            self.policy,
            self.settings,
            self.clock(),
            self.service.new_id,
            self.log.append,
        )

    async def work(
        self, life: Life | None = None, *, until: Callable[[], bool] | None = None, **transport: Any
    ) -> bool:
        """One coordinator, until nothing is left to do; whether it died."""
        await self.begin()
        life = life or Life()
        epoch = await self.take()
        stop = anyio.Event()
        client = self.client(life, **transport)
        worker = replace(self.worker(life), provider=client)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._beat, epoch)
                tasks.start_soon(self._stop_when, until or self.is_idle, stop)
                await coordinate(worker, epoch, stop)
                tasks.cancel_scope.cancel()
        except BaseException as error:
            if not life.dead or not is_only_killed(error):
                raise
        finally:
            await client.close()
        return life.dead

    async def begin(self) -> None:
        """Let the clock wait for threads, and tell the sandbox its faults."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.mind_threads()
        faults, self.faults = self.faults, []
        if faults:
            await self.service.control(faults=faults)

    async def take(self) -> int:
        for _ in range(120):  # at most the time of a lease
            if (epoch := self.tables.take("host", "0")) is not None:
                return epoch
            await anyio.sleep(1.0)
        raise AssertionError("nobody gave the tables up")

    async def _beat(self, epoch: int) -> None:
        while True:
            await anyio.sleep(5.0)
            try:
                self.tables.heartbeat(epoch)
            except FencedError:
                return

    async def _stop_when(self, until: Callable[[], bool], stop: anyio.Event) -> None:
        while True:
            await anyio.sleep(1.0)
            if until():
                stop.set()
                return

    def is_idle(self) -> bool:
        return not self.tables.consents(*AT_WORK)

    def outcome(self, consent_id: str) -> Outcome:
        row = self.tables.consent(consent_id)
        assert row is not None
        return parsed(ENDED, row["outcome"], consent_id).outcome()

    def state(self, consent_id: str) -> ConsentState:
        row = self.tables.consent(consent_id)
        assert row is not None
        return ConsentState(row["state"])

    async def check_exact(self) -> None:
        """Each wanted run was made exactly once, and the tables and the service agree to the cent."""
        runs = await self.service.own_runs()
        made = Counter(run["prompt"].strip() for run in runs)
        wanted = Counter[str]()
        for job in self.wanted:
            wanted[job.prompt.strip()] += job.runs
        assert made == wanted
        journal = self.journal()
        billed = {slot.run_id: slot.cost_cents for slot in journal.unconsumed_slots() if slot.run_id is not None}
        assert billed == {run["run_id"]: run["cost_cents"] for run in runs}

    def journal(self) -> TablesJournal:
        return TablesJournal(self.tables, 0)


class WithMethods:
    """A provider with other methods."""

    def __init__(self, provider: Any, **methods: Any) -> None:
        self._provider = provider
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._provider, name)
