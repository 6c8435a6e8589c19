"""The engine needs nothing but the `Provider` protocol: here it uses a service that is not ThunderPhone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import anyio
from virtual_time import VirtualLoop

from planner.clock import Clock
from planner.errors import LostAnswerError
from planner.evidence import Call, Evidence, Role, RunStatus, Turn
from planner.execution.engine import ConsentedJobs, EngineSettings, Job, SessionTerms
from planner.execution.journal import IN_MEMORY, Journal
from planner.execution.ledger import Ceiling, Ledger
from planner.execution.local import LocalEngine
from planner.execution.observer import EndedRun, Observer, RunResponse
from planner.execution.reading import Transactions
from planner.providers.base import (
    PAGE_LIMIT,
    Balance,
    Batch,
    BatchId,
    CallId,
    Charged,
    Charges,
    Launched,
    LaunchRequest,
    Page,
    Provider,
    Run,
    RunId,
    Target,
    TargetState,
)
from planner.providers.requests import RequestStats

CALL_SECONDS = 30


@dataclass(slots=True)
class Conversation:
    """A reading that is complete at once."""

    run: Run
    charges: Charges

    async def look(self, *, last: bool) -> None: ...

    def complete(self, waited_seconds: float) -> bool:
        del waited_seconds
        return not self.charges.is_awaited(CallId(self.run.id))

    async def finish(self) -> Evidence:
        call_id = CallId(self.run.id)
        return Evidence(
            run_id=self.run.id,
            run_status=self.run.status,
            call=Call(call_id=call_id, status="completed", duration_seconds=CALL_SECONDS),
            turns=(Turn(number=1, role=Role.CALLER, text=self.run.prompt or ""),),
            tools=(),
            cost_cents=self.charges.charged_cents(call_id),
            cost_basis="transaction",
        )


@dataclass(slots=True)
class Carrier:
    """Keeps its runs in memory. The answer to its first launch gets lost."""

    now: Callable[[], datetime]
    credential: str = "carrier"
    stats: RequestStats = field(default_factory=RequestStats)
    clock_known: bool = True
    clock_offset_seconds: float = 0.0
    clock_uncertainty_seconds: float = 0.0
    made: list[Run] = field(default_factory=list[Run])
    made_batches: list[Batch] = field(default_factory=list[Batch])

    async def target_states(self, wanted: Mapping[Target, AbstractSet[str]]) -> dict[Target, TargetState]:
        return {target: TargetState("r1", None) for target in wanted}

    async def balance(self) -> Balance | None:
        return None

    async def launch(self, request: LaunchRequest, *, on_sending: Callable[[], None]) -> Launched:
        on_sending()
        line = request.line
        shared: dict[str, Any] = {
            "target_type": line.target_type,
            "target_id": line.target_id,
            "direction": line.direction,
            "created_at": self.now(),
        }
        batch_id = BatchId(len(self.made_batches) + 1) if len(request.prompts) > 1 else None
        runs = [
            Run(
                id=RunId(len(self.made) + number),
                status=RunStatus.UNDER_WAY,
                prompt=prompt,
                batch_id=batch_id,
                **shared,
            )
            for number, prompt in enumerate(request.prompts, start=1)
        ]
        is_first = not self.made
        self.made += runs
        run_ids = tuple(run.id for run in runs)
        if batch_id is not None:
            prompts = request.prompts
            self.made_batches.append(Batch(id=batch_id, prompts=prompts, size=len(prompts), run_ids=run_ids, **shared))
        if is_first:
            raise LostAnswerError("the line went dead")
        return Launched(batch_id, run_ids, runs[0] if batch_id is None else None)

    async def runs(self, *, offset: int = 0, limit: int = PAGE_LIMIT) -> Page[Run]:
        return Page([self._as_of_now(run) for run in reversed(self.made)][offset : offset + limit])

    def _as_of_now(self, run: Run) -> Run:
        assert run.created_at is not None
        end = run.created_at + timedelta(seconds=CALL_SECONDS)
        if self.now() < end:
            return run
        return replace(run, status=RunStatus.COMPLETED, completed_at=end, call_id=CallId(run.id))

    async def batches(self, *, offset: int = 0, limit: int = PAGE_LIMIT) -> Page[Batch]:
        return Page(self.made_batches[::-1][offset : offset + limit])

    async def batch(self, batch_id: BatchId) -> Batch:
        return self.made_batches[batch_id - 1]

    def reading(self, run: Run, charges: Charges, *, await_grade: bool, is_fresh: bool) -> Conversation:
        del await_grade, is_fresh
        return Conversation(run, charges)

    async def bill_cents(self, run: Run, charged_cents: int | None) -> int | None:
        del run
        return charged_cents

    async def charges(self, calls: Mapping[CallId, datetime]) -> Charged:
        return Charged(dict.fromkeys(calls, 7), {})


async def test_a_job_runs_from_launch_to_bill(make_service: Any, job: Callable[..., Job]) -> None:
    """A batch whose answer is lost is adopted, a single run follows, and each run is made, read and billed once."""
    service = make_service()
    clock = Clock(service.now, anyio.current_time, anyio.sleep)
    provider = Carrier(service.now)
    as_provider: Provider = provider
    jobs = {each.case_id: each for each in (job("ana", runs=2), job("bob"), job("cleo", target=17))}
    journal, records = Journal(IN_MEMORY), list[EndedRun]()

    def note(record: EndedRun) -> RunResponse:
        records.append(record)
        return RunResponse()

    ledger = Ledger([Ceiling("ceiling", 1_000, None)])
    engine = LocalEngine(
        provider=as_provider,
        transactions=Transactions(as_provider, lambda _: None),
        journal=journal,
        save_evidences=service.repository.save_evidences,
        load_evidence=service.repository.load_evidence,
        clock=clock,
        new_id=service.new_id,
    )
    terms = SessionTerms(session_id="i1", credential=as_provider.credential, ledger=ledger, settings=EngineSettings())
    consented = ConsentedJobs(consent_id="sha256:1", jobs=jobs)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.mind_threads()
    observer = Observer(note, lambda _: None, lambda _: None)
    outcome = await engine.execute(terms, consented, [], observer=observer, interrupted=anyio.Event())
    assert outcome.finished, outcome
    assert Counter(run.prompt for run in provider.made) == {each.prompt: each.runs for each in jobs.values()}
    assert {record.run_id: record.slot.cost_cents for record in records} == {run.id: 7 for run in provider.made}
    assert {record.slot.case_id for record in records if record.adopted} == {
        "p/ana@t",
        "p/bob@t",
    }
    assert ledger.spent_cents == 28
    journal.close()
