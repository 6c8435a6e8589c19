"""A model of the service for simulated sessions: what it does with a launch, and what its lists show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from planner.errors import (
    LostAnswerError,
    NotFoundError,
    RefusedError,
    ServiceError,
    ThrottledError,
    UnreachableError,
    UsageError,
)
from planner.evidence import Call, Evidence, RunStatus
from planner.providers.base import (
    Balance,
    Batch,
    BatchId,
    CallId,
    Charged,
    Launched,
    LaunchRequest,
    Line,
    Page,
    Reading,
    Run,
    RunId,
)
from planner.providers.requests import RequestStats

EPOCH = datetime(2026, 11, 24, 12, tzinfo=UTC)
RESERVE_CENTS = 24
US, SOMEBODY_ELSE = 1, 2
HIDDEN_SECONDS = 900.0
HANGING_SECONDS = 3000.0
LATE_SECONDS = 300.0
"""Longer than anybody waits for a launch to be listed."""
REFUSALS = (
    RefusedError("402"),
    UsageError("400"),
    ServiceError("502", status=502),
    ServiceError("503", status=503),
    ServiceError("504", status=504),
)
"""Without any effect, though nobody can know that of the last three."""


class Violation(Exception):  # noqa: N818 - what a schedule found
    """A promise was broken."""


@dataclass
class Made:
    """A run that the service made."""

    run: Run
    name: str
    """Of its batch; "" for somebody else's."""
    ends_at: float
    shown_at: float
    charged_at: float
    cents: int
    has_failed: bool = False
    readable_at: float = 0.0
    transcript_at: float = 0.0


@dataclass
class Service:
    """The service, for everybody. `seconds` is the virtual time."""

    random: Random
    seconds: Callable[[], float]
    limit: int = 8
    lag_seconds: float = 0.0
    shows_names: bool = False
    shows_requesters: bool = False
    shows_run_ids: bool = True
    lists_batches: bool = True
    shows_batch_ids: bool = True
    """Whether its list of runs says of which batch each is."""
    hides_batches_seconds: float = 0.0
    """How much later a batch is shown than its runs, while the list looks whole."""
    late_rows: float = 0.0
    """The share of runs that are listed as much later as batches may be, while others of their batch are shown."""
    page_rows: int = 200
    """Most rows of a page."""
    hanging: float = 0.0
    """The share of runs that last longer than anybody waits."""
    failing: float = 0.0
    """The share of runs that the platform fails."""
    is_faulty: Callable[..., bool] = lambda: False
    on_made: Callable[[], None] = lambda: None
    has_twins: bool = False
    """Somebody else makes the same batch after some launches whose answer is lost."""
    hiding: float = 0.0
    """The share of batches whose rows cannot be read for some time."""
    made: list[Made] = field(default_factory=list[Made])
    requests: int = 0

    # What it does

    def launch(self, request: LaunchRequest) -> Launched | None:
        """None if it is refused with 429."""
        now = self.seconds()
        active = sum(1 for made in self.made if made.ends_at > now)
        if active + len(request.prompts) > self.limit:
            return None
        runs = self._make(request.line, request.prompts, request.name, US)
        self.on_made()
        ids = [run.id for run in runs]
        self.random.shuffle(ids)
        batch_id = runs[0].batch_id
        is_listed = self.random.random() < 0.8
        return Launched(batch_id, tuple(ids) if is_listed else (), None, US if self.shows_requesters else None)

    def launch_of_somebody_else(self, request: LaunchRequest) -> None:
        self._make(request.line, request.prompts, "", SOMEBODY_ELSE)

    def twin(self, request: LaunchRequest) -> None:
        """Somebody else makes the same batch at once, which is listed together with ours."""
        shown_at = self.made[-1].shown_at
        self.launch_of_somebody_else(request)
        for made in self.made[-len(request.prompts) :]:
            made.shown_at = shown_at

    @property
    def is_clear(self) -> bool:
        """Whether its lists show of every batch what became of it."""
        names_batches = self.shows_batch_ids or self.lists_batches
        return names_batches and not (self.has_twins or self.hiding or self.hides_batches_seconds or self.late_rows)

    def _make(self, line: Line, prompts: Sequence[str], name: str, requester: int) -> list[Run]:
        now = self.seconds()
        batch_id = BatchId(1000 + len(self.made))
        shown_at = now + self.random.uniform(0, self.lag_seconds)
        readable_at = now + HIDDEN_SECONDS if self.random.random() < self.hiding else 0.0
        runs: list[Run] = []
        for prompt in prompts:
            run = Run(
                id=RunId(7000 + len(self.made)),
                status=RunStatus.UNDER_WAY,
                target_type=line.target_type,
                target_id=line.target_id,
                direction=line.direction,
                mode=line.mode,
                prompt=prompt,
                created_at=EPOCH + timedelta(seconds=now),
                batch_id=batch_id,
                requester_id=requester if self.shows_requesters else None,
            )
            ends_at = now + (self.random.uniform(5, 90) if self.random.random() >= self.hanging else HANGING_SECONDS)
            charged_at = ends_at + self.random.choice([0.0, 3.0])
            cents = self.random.randint(1, RESERVE_CENTS)
            has_failed = self.random.random() < self.failing
            transcript_at = ends_at + self.random.choice([0.0, 0.0, 0.0, 300.0])
            # A batch none of whose runs is shown for so long would be taken for absent.
            late_seconds = LATE_SECONDS if runs and self.random.random() < self.late_rows else 0.0
            made = Made(
                run, name, ends_at, shown_at + late_seconds, charged_at, cents, has_failed, readable_at, transcript_at
            )
            self.made.append(made)
            runs.append(run)
        return runs

    @property
    def ours(self) -> list[Made]:
        return [made for made in self.made if made.name]

    # What it shows

    def listed(self, offset: int, limit: int) -> Page[Run]:
        """Newest first."""
        now = self.seconds()
        rows = [made for made in reversed(self.made) if made.shown_at <= now]
        page = rows[offset : offset + min(limit, self.page_rows)]
        readable = [made for made in page if made.readable_at <= now]
        return Page([self._shown(made, now) for made in readable], dropped=len(page) - len(readable))

    def _shown(self, made: Made, now: float) -> Run:
        run = made.run if self.shows_batch_ids else replace(made.run, batch_id=None)
        if made.ends_at > now:
            return run
        ended_at = EPOCH + timedelta(seconds=made.ends_at)
        return replace(
            run,
            status=RunStatus.FAILED if made.has_failed else RunStatus.COMPLETED,
            call_id=CallId(made.run.id + 100_000),
            started_at=made.run.created_at,
            completed_at=ended_at,
        )

    def listed_batches(self, offset: int, limit: int) -> Page[Batch]:
        if not self.lists_batches:
            return Page((), dropped=0 if offset else 1)
        now, found = self.seconds(), dict[BatchId, list[Made]]()
        for made in self.made:
            if made.run.batch_id is not None:
                found.setdefault(made.run.batch_id, []).append(made)
        found = {
            batch_id: members
            for batch_id, members in found.items()
            if members[0].shown_at + self.hides_batches_seconds <= now
        }
        page = list(reversed(found.items()))[offset : offset + min(limit, self.page_rows)]
        readable = [(batch_id, members) for batch_id, members in page if members[0].readable_at <= now]
        batches = [self._batch(batch_id, members) for batch_id, members in readable]
        return Page(batches, dropped=len(page) - len(readable))

    def batch(self, batch_id: BatchId) -> Batch | None:
        now = self.seconds()
        members = [made for made in self.made if made.run.batch_id == batch_id]
        return self._batch(batch_id, members) if members and members[0].shown_at <= now else None

    def _batch(self, batch_id: BatchId, members: Sequence[Made]) -> Batch:
        first = members[0].run
        return Batch(
            id=batch_id,
            name=(members[0].name if self.shows_names else None) or "a name of its own",
            target_type=first.target_type,
            target_id=first.target_id,
            direction=first.direction,
            prompts=tuple(made.run.prompt or "" for made in members),
            size=len(members),
            requester_id=first.requester_id,
            created_at=first.created_at,
            run_ids=tuple(made.run.id for made in members) if self.shows_run_ids else (),
        )


@dataclass
class Client:
    """One process's connection to the service. `step` is called at each of its requests, and may raise."""

    service: Service
    step: Callable[[], None] = lambda: None
    sleep: Callable[[float], object] = asyncio.sleep
    credential: str = "key"
    stats: RequestStats = field(default_factory=RequestStats)
    clock_known: bool = True
    clock_offset_seconds: float = 0.0
    clock_uncertainty_seconds: float = 0.0
    has_company: Callable[[], bool] = lambda: False
    """Whether somebody else makes the same batch in place of a launch that is lost on its way."""
    checks_time: bool = True
    """If not, a launch leaves however late it is."""
    has_balance: bool = True
    writes_ahead: bool = True

    async def launch(self, request: LaunchRequest, *, on_sending: Callable[[], None]) -> Launched:
        service, random = self.service, self.service.random
        self.step()
        if service.is_faulty():
            raise UnreachableError("no network")
        # The process may stand still before the last check, not after it.
        await asyncio.sleep(random.choice([30.0, 60.0, 200.0]) if service.is_faulty() else random.uniform(0, 0.2))
        self.step()
        if self.checks_time:
            on_sending()
        if service.is_faulty() and random.random() < 0.3:
            if self.has_company():
                service.launch_of_somebody_else(request)
            raise random.choice(REFUSALS)
        is_lost = service.is_faulty()
        answer: asyncio.Future[Launched | None] = asyncio.get_running_loop().create_future()

        def arrive() -> None:
            try:
                launched = service.launch(request)
            except Violation as violation:
                if not answer.done():
                    answer.set_exception(violation)
                return
            if launched is not None and is_lost and service.has_twins and random.random() < 0.5:
                service.twin(request)
            if not answer.done():
                answer.set_result(launched)

        asyncio.get_running_loop().call_later(random.choice([0.1, 0.1, 1.0, 25.0]), arrive)
        self.step()
        if is_lost:
            await asyncio.sleep(random.choice([0.05, 30.0]))
            raise LostAnswerError("no answer")
        launched = await answer
        await asyncio.sleep(random.uniform(0, 1))
        self.step()
        if launched is None:
            raise ThrottledError("429")
        return launched

    async def _read(self) -> None:
        service = self.service
        self.step()
        service.requests += 1
        if service.is_faulty():
            raise ServiceError("it cannot be read", status=503)
        await asyncio.sleep(150.0 if service.is_faulty(0.1) else service.random.uniform(0, 0.5))

    async def runs(self, *, offset: int = 0, limit: int = 200) -> Page[Run]:
        page = self.service.listed(offset, limit)
        await self._read()
        return page

    async def batches(self, *, offset: int = 0, limit: int = 200) -> Page[Batch]:
        page = self.service.listed_batches(offset, limit)
        await self._read()
        return page

    async def batch(self, batch_id: BatchId) -> Batch:
        await self._read()
        batch = self.service.batch(batch_id)
        if batch is None:
            raise NotFoundError("not visible yet")
        return batch

    async def charges(self, calls: Mapping[CallId, datetime]) -> Charged:
        await self._read()
        now = self.service.seconds()
        by_call = {made.run.id + 100_000: made for made in self.service.made if made.charged_at <= now}
        return Charged({call: by_call[call].cents for call in calls if call in by_call}, {})

    def reading(self, run: Run, charges: object, *, await_grade: bool, is_fresh: bool) -> Reading:
        del charges, await_grade, is_fresh
        return _Reading(self, run)

    async def bill_cents(self, run: Run, charged_cents: int | None) -> int | None:
        del run
        return charged_cents

    async def balance(self) -> Balance | None:
        return None

    async def target_states(self, wanted: object) -> dict[object, object]:
        del wanted
        return {}


@dataclass
class _Reading:
    client: Client
    run: Run

    async def look(self, *, last: bool) -> None:
        del last
        await self.client._read()

    def complete(self, waited_seconds: float) -> bool:
        del waited_seconds
        return True

    async def finish(self) -> Evidence:
        call = Call.model_construct(call_id=self.run.call_id or 0, status="completed", duration_seconds=10.0)
        service = self.client.service
        made = next(made for made in service.made if made.run.id == self.run.id)
        turns = () if made.transcript_at <= service.seconds() else None
        return Evidence.model_construct(
            run_id=self.run.id, run_status=self.run.status, call=call, turns=turns, tools=()
        )
