"""Sessions of the engine against a sandbox, in virtual time: hours pass in milliseconds, and in the same order every
time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pydantic_core
import pytest
from client_shape import RUNS, client_runs
from faulty_sandbox import FaultySandbox
from mortality import Life, MortalJournal, effects, is_only_killed
from virtual_time import EPOCH, VirtualLoop
from worlds import any_prompt

from planner.clock import Clock
from planner.errors import LostAnswerError
from planner.evidence import Evidence
from planner.execution.engine import (
    EngineSettings,
    Job,
    Outcome,
    SessionTerms,
    Snapshot,
)
from planner.execution.journal import Journal
from planner.execution.launches import UNSETTLED, Slot
from planner.execution.ledger import Ceiling, Ledger, Purpose
from planner.execution.local import LocalEngine
from planner.execution.observer import EndedRun, Observer, RunResponse
from planner.execution.reading import Transactions
from planner.execution.wanted import resumable_slots
from planner.network.transport import Answer, InProcessTransport
from planner.providers.base import Line
from planner.providers.thunderphone.client import ApiClient
from planner.results.repository import ResultsRepository
from planner.stores.directory import DirectoryStore


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


Intercept = Callable[[str, str, bytes | None], Answer | Exception | None]
"""(method, path, body) → an answer given instead of sending the request."""


Amend = Callable[[str, str, Answer], Answer | Awaitable[Answer]]
"""(method, path, answer) → what the engine receives instead, possibly later."""


class TestTransport:
    """The sandbox in this process. Every request is counted, may be where the process dies, and may be intercepted."""

    __test__ = False

    def __init__(self, service: Service, life: Life, intercept: Intercept | None, amend: Amend | None) -> None:
        self._real = InProcessTransport(service.sandbox.app, {"Authorization": f"Bearer {service.key}"})
        self._service = service
        self._life = life
        self._intercept = intercept
        self._amend = amend

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any],
        body: bytes | None,
        on_sending: Callable[[], None] | None = None,
    ) -> Answer:
        instead = self._intercept(method, path, body) if self._intercept else None
        self._life.boundary(f"before {method} {path}")
        self._service.requests.append((method, path))
        if isinstance(instead, Exception):
            if on_sending is not None and isinstance(instead, LostAnswerError):
                on_sending()
            raise instead
        if instead is not None:
            if on_sending is not None:
                on_sending()
            return instead
        try:
            answer = await self._real.send(method, path, query=query, body=body, on_sending=on_sending)
            amended = self._amend(method, path, answer) if self._amend else answer
            return amended if isinstance(amended, Answer) else await amended
        finally:
            self._life.boundary(f"after {method} {path}")

    async def close(self) -> None:
        await self._real.close()


@dataclass(slots=True)
class Invoked:
    """What one session of the engine left behind."""

    outcome: Outcome
    records: list[EndedRun]
    narration: list[str]
    snapshots: list[Snapshot]
    seconds: float
    stats: Any


class Service:
    """A sandbox, and the store that the sessions against it share."""

    key = "sk_test_engine"
    transport: Callable[..., Any] = TestTransport

    def __init__(
        self,
        folder: Path,
        faults: Sequence[Mapping[str, Any]] = (),
        world: Mapping[str, Any] | None = None,
    ) -> None:
        world = world or {}
        demo = any_prompt()
        dearer = demo.agents[17].model_copy(update={"product": "bolt"})
        settings = {
            "time_scale": 1.0,
            "concurrency_limit": 20,
            "rates": {"spark": 8, "bolt": 12},
            "agents": {**demo.agents, 17: dearer},
            **world,
            "delays": demo.delays.model_copy(update=world.get("delays", {})),
        }
        self.folder = folder
        self.sandbox = FaultySandbox(demo.model_copy(update=settings), now=self.now_seconds)
        self.requests: list[tuple[str, str]] = []
        self.repository = ResultsRepository(DirectoryStore(folder))
        self.sessions = 0
        self._faults = list(faults)
        self._ids = 0

    @staticmethod
    def now_seconds() -> float:
        return EPOCH.timestamp() + asyncio.get_running_loop().time()

    @staticmethod
    def now() -> datetime:
        return EPOCH + timedelta(seconds=asyncio.get_running_loop().time())

    def journal(self) -> Journal:
        return Journal(self.folder / "journal.sqlite")

    async def control(self, **wanted: Any) -> None:
        answer = await self._ask("POST", "/_sandbox/control", pydantic_core.to_json(wanted))
        assert answer.status == 200, answer.body

    async def ledger(self) -> dict[str, Any]:
        return pydantic_core.from_json((await self._ask("GET", "/_sandbox/ledger", None)).body)

    async def own_runs(self) -> list[dict[str, Any]]:
        return [run for run in (await self.ledger())["runs"] if run["requested_by_id"] == 1]

    async def post(self, path: str, **body: Any) -> None:
        """Launch something else with the same key, without the engine."""
        line = {"target_type": "agent", "target_id": 12, "direction": "outbound", "consent_to_charge": True}
        answer = await self._ask("POST", path, pydantic_core.to_json({**line, **body}))
        assert answer.status in (200, 201), answer.body

    async def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        transport = InProcessTransport(self.sandbox.app, {"Authorization": f"Bearer {self.key}"})
        try:
            return await transport.send(method, path, query={}, body=body)
        finally:
            await transport.close()

    def as_in_the_client(self, method: str, path: str, answer: Answer) -> Answer:
        """An `Amend`: runs with their requester and without their batch."""
        del method
        if path != RUNS or answer.status >= 300:
            return answer
        return replace(answer, body=client_runs(self.sandbox, answer.body))

    def new_id(self) -> str:
        self._ids += 1
        return f"l{self._ids:04d}"

    async def invoke(
        self,
        jobs: Iterable[Job],
        *,
        settings: EngineSettings | None = None,
        ceilings: Sequence[tuple[int, str | None]] = (),
        interrupted: anyio.Event | None = None,
        life: Life | None = None,
        intercept: Intercept | None = None,
        amend: Amend | None = None,
        digest: str = "sha256:1",
        on_run: Callable[[EndedRun], object] | None = None,
        on_engine: Callable[[LocalEngine], None] | None = None,
        warn: Callable[[str], None] | None = None,
        clock_error_seconds: float | Callable[[], float] = 0.0,
    ) -> Invoked:
        """One session as `planner run` does it: mark interrupted launches, resume, execute. Raises Killed where
        `life` ends."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.mind_threads()
        if self._faults:
            await self.control(faults=self._faults)
            self._faults = []
        self.sessions += 1
        life = life or Life()
        wanted = {job.case_id: job for job in jobs}
        records: list[EndedRun] = []
        narration: list[str] = []
        snapshots: list[Snapshot] = []

        def note(record: EndedRun) -> RunResponse:
            records.append(record)
            judged = on_run(record) if on_run is not None else None
            return judged if isinstance(judged, RunResponse) else RunResponse(platform_failed=bool(judged))

        def save(evidences: Sequence[Evidence]) -> list[str]:
            life.boundary("before saving evidence")
            stored = self.repository.save_evidences(evidences)
            life.boundary("after saving evidence")
            return stored

        def now() -> datetime:
            error = clock_error_seconds() if callable(clock_error_seconds) else clock_error_seconds
            return self.now() + timedelta(seconds=error)

        client = ApiClient(self.transport(self, life, intercept, amend), clock=Clock(now, loop.time, anyio.sleep))
        MortalJournal.life = Life()
        journal = MortalJournal(self.folder / "journal.sqlite")
        MortalJournal.life = life
        began = loop.time()
        try:
            journal.mark_interrupted()
            await client.billing()
            engine = LocalEngine(
                provider=client,
                transactions=Transactions(client, narration.append),
                journal=journal,
                save_evidences=save,
                load_evidence=self.repository.load_evidence,
                clock=Clock(now, loop.time, anyio.sleep),
                new_id=self.new_id,
            )
            if on_engine is not None:
                on_engine(engine)
            terms = SessionTerms(
                session_id=f"i{self.sessions}",
                credential=client.credential,
                ledger=ledger_of(journal, digest, ceilings),
                settings=settings or EngineSettings(),
                consent_id=digest,
                jobs=wanted,
            )
            outcome = await engine.execute(
                terms,
                resumable(journal, wanted),
                observer=Observer(note, snapshots.append, narration.append, warn or narration.append),
                interrupted=interrupted or anyio.Event(),
            )
        finally:
            journal.close()
            await client.close()
        return Invoked(outcome, records, narration, snapshots, loop.time() - began, client.stats)

    async def invoke_interrupted(self, jobs: Iterable[Job], after: float, **options: Any) -> Invoked:
        """A session that is interrupted this many seconds after its start."""
        interrupted = anyio.Event()

        async def interrupt() -> None:
            await anyio.sleep(after)
            interrupted.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(interrupt)
            try:
                return await self.invoke(jobs, interrupted=interrupted, **options)
            finally:
                tasks.cancel_scope.cancel()
        raise AssertionError("the group ends with its body")

    async def check_exact(self, jobs: Iterable[Job]) -> None:
        """Assert that each wanted run was made exactly once, and that the journal and the service agree to the cent."""
        runs = await self.own_runs()
        made = Counter((run["target_type"], run["target_id"], run["prompt"].strip()) for run in runs)
        wanted = Counter[tuple[str, int, str]]()
        for job in jobs:
            wanted[job.line.target_type, job.line.target_id, job.prompt.strip()] += job.runs
        assert made == wanted
        journal = self.journal()
        slots = journal.unconsumed_slots()
        journal.close()
        assert {slot.run_id: slot.cost_cents for slot in slots} == {run["run_id"]: run["cost_cents"] for run in runs}


def ledger_of(journal: Journal, digest: str, ceilings: Sequence[tuple[int, str | None]]) -> Ledger:
    """A ledger with what this change set has already spent or reserved, as `planner run` starts it."""
    ledger = Ledger([Ceiling(f"ceiling {plan or 'of all'}", cents, plan) for cents, plan in ceilings])
    for target, reserved_cents, billed_cents in journal.bills(digest):
        ledger.learn(target, reserved_cents=reserved_cents, billed_cents=billed_cents)
    for slot in journal.slots_of_consent(digest):
        if slot.consumed_by is None:
            ledger.reserve(Purpose(slot.plan), slot.reserved_cents)
            if slot.cost_cents is not None:
                ledger.bill(Purpose(slot.plan), reserved_cents=slot.reserved_cents, billed_cents=slot.cost_cents)
    return ledger


def resumable(journal: Journal, jobs: Mapping[str, Job]) -> list[Slot]:
    """Runs that earlier sessions launched for the same cases."""
    open_launches = {launch.launch_id for launch in journal.launches(UNSETTLED)}
    slots = [slot for slot in journal.unconsumed_slots() if slot.case_id in jobs]
    most_runs = {case_id: job.runs * (1 + job.retries) for case_id, job in jobs.items()}
    return [slot for mine in resumable_slots(slots, most_runs, open_launches).values() for slot in mine]


@pytest.fixture
def make_service(tmp_path: Path) -> Callable[..., Service]:
    """`make_service([{"kind": "lost_answer", "times": 1}], concurrency_limit=5)`."""

    def make(
        faults: Sequence[Mapping[str, Any]] = (),
        *,
        folder: Path | None = None,
        **world: Any,
    ) -> Service:
        folder = folder or tmp_path / f"store{len(list(tmp_path.iterdir()))}"
        return Service(folder, faults, world)

    return make


LINE = Line("agent", 12, "outbound", "bot", None)


def make_work(name: str, *, runs: int = 1, target: int = 12, prompt: str | None = None, **changes: Any) -> Job:
    """A job of the case `p/<name>@t`. Keywords are fields of Job or Line."""
    line_fields = {key: changes.pop(key) for key in ("target_type", "mode") if key in changes}
    job = Job(
        case_id=f"p/{name}@t",
        plan="p",
        line=replace(LINE, target_id=target, **line_fields),
        prompt=prompt or f"You are {name}. Ask for the opening hours.",
        call_fingerprint=f"sha256:{name}",
        agent_revision="r1",
        runs=runs,
        timeout_seconds=600.0,
        await_grade=False,
        reserve_cents=24,
        expected_seconds=30.0,
    )
    return replace(job, **changes)


@pytest.fixture(scope="session")
def job() -> Callable[..., Job]:
    return make_work


@pytest.fixture(scope="session")
def slot() -> Callable[..., Slot]:
    """The slot of an accepted run of a case."""

    def make(case_id: str, ordinal: int) -> Slot:
        return Slot("l0", ordinal, case_id, "p", "", "", None, 24, ordinal, None, None, None, None)

    return make


@pytest.fixture(scope="session")
def killable() -> Callable[..., Any]:
    """Start a session that dies at a boundary, by number or name; return whether it died."""

    async def invoke(service: Service, jobs: Iterable[Job], boundary: int | str, **options: Any) -> bool:
        life = Life(dies_at=boundary)
        try:
            await service.invoke(jobs, life=life, **options)
        except BaseException as error:
            if not life.dead or not is_only_killed(error):
                raise
        return life.dead

    return invoke


@pytest.fixture(scope="session")
def lethal(killable: Callable[..., Any]) -> Callable[..., AsyncIterator[Service]]:
    """`lethal(make, jobs, options)`: a service for each durable effect of a session, after a session that died right
    after it. `options` makes those of one session."""

    async def each(
        make: Callable[[], Service], jobs: Sequence[Job], options: Callable[[], dict[str, Any]]
    ) -> AsyncIterator[Service]:
        alive = Life()
        await make().invoke(jobs, life=alive, **options())
        for boundary in effects(alive.crossed):
            service = make()
            assert await killable(service, jobs, boundary, **options())
            yield service

    return each
