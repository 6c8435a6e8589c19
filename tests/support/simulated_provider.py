"""The service's model as one simulated process reaches it: answers that fail, come late, or get lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from planner.errors import LostAnswerError, NotFoundError, ServiceError, ThrottledError, UnreachableError
from planner.evidence import Evidence, RunStatus
from planner.execution.reconciling import NAME_PREFIX
from planner.providers.base import Balance, Batch, BatchId, CallId, Charged, Launched, LaunchRequest, Page, Run

if TYPE_CHECKING:
    from simulated_host import Host

CREDENTIAL = "key"


class SimulatedProvider:
    """The service as one process reaches it."""

    credential = CREDENTIAL
    clock_uncertainty_seconds = 0.5

    def __init__(self, host: Host) -> None:
        self.schedule = host.schedule
        self.host = host
        self.clock_known = False

    @property
    def clock_offset_seconds(self) -> float:
        return -self.host.clock_error.total_seconds() if self.clock_known else 0.0

    async def ask(self) -> None:
        """A request that reads. Its answer has the service's time."""
        schedule = self.schedule
        is_faulty = schedule.is_faulty() or schedule.service_is_away
        await schedule.wait(schedule.random.uniform(0.0, 0.5))
        self.host.boundary("a request")
        if is_faulty:
            raise ServiceError("500")
        self.clock_known = True

    async def balance(self) -> Balance:
        cents, schedule = self.schedule.model.balance_cents, self.schedule
        left = None if cents is None else cents - schedule.model.charged(schedule.now)
        await self.ask()
        return Balance(left)

    async def runs(self, *, offset: int, limit: int) -> Page[Run]:
        del limit
        found = list(self.schedule.model.runs(self.schedule.now).found.values())
        await self.ask()
        return Page(found[offset:])

    async def batches(self, *, offset: int, limit: int) -> Page[Batch]:
        del limit
        found = list(self.schedule.model.batches(self.schedule.now).found.values())
        await self.ask()
        return Page(found[offset:])

    async def batch(self, batch_id: BatchId) -> Batch:
        shown = self.schedule.model.shown_batches(self.schedule.now)
        await self.ask()
        if batch_id not in shown:
            raise NotFoundError("404")
        return shown[batch_id]

    async def charges(self, awaited: Mapping[CallId, datetime]) -> Charged:
        model, now = self.schedule.model, self.schedule.now
        cents = {CallId(made.run.id + 100_000): made.cents for made in model.made if made.ends_at <= now}
        return Charged({call_id: cents[call_id] for call_id in awaited if call_id in cents}, {})

    def reading(self, run: Run, charges: Any, **_: Any) -> Reading:
        return Reading(self, run, charges)

    async def launch(self, request: LaunchRequest, *, on_sending: Callable[[], None]) -> Launched:
        schedule = self.schedule
        if schedule.is_faulty(0.5):
            raise UnreachableError("no network")
        await schedule.wait(schedule.random.choice([0.0, 0.1, 40.0]) if schedule.is_faulty() else 0.05)
        self.host.boundary("connected")
        on_sending()
        self.clock_known = True
        never_arrives, loses_answer = schedule.is_faulty() or schedule.service_is_away, schedule.is_faulty()
        if never_arrives:
            await schedule.wait(schedule.random.choice([0.1, 30.0]))
            raise LostAnswerError("no answer")
        answers: list[Launched | None] = []
        arrives = schedule.random.choice([0.1, 0.1, 1.0, 25.0])

        def arrive() -> None:
            launch_id = request.name.removeprefix(NAME_PREFIX)
            asked: Any = SimpleNamespace(
                slots=[SimpleNamespace(prompt=prompt) for prompt in request.prompts],
                line=request.line,
                name=request.name,
                launch_id=launch_id,
            )
            answers.append(schedule.model.launch(asked, schedule.now))

        schedule.at(arrives, (0, 0), arrive)
        await schedule.wait(arrives + schedule.random.uniform(0.01, 1.0))
        if loses_answer or not answers:
            raise LostAnswerError("no answer")
        if answers[0] is None:
            raise ThrottledError("429")
        return answers[0]


class Reading:
    """Of the evidence of one run."""

    def __init__(self, provider: SimulatedProvider, run: Run, charges: Any) -> None:
        self._provider = provider
        self._run = run
        self._charges = charges

    async def look(self, *, last: bool) -> None:
        del last
        await self._provider.ask()

    def complete(self, waited_seconds: float) -> bool:
        del waited_seconds
        return self._charges.charged_cents(self._run.call_id) is not None

    async def finish(self) -> Evidence:
        cents = self._charges.charged_cents(self._run.call_id)
        basis = None if cents is None else "transaction"
        return Evidence(run_id=self._run.id, run_status=RunStatus.FAILED, cost_cents=cents, cost_basis=basis)
