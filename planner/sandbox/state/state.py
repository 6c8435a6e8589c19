"""The state of the service: the events so far, and what follows from them at a moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from planner.sandbox.state.records import AgentRecord, Batch, Charge, Event, LaunchRequest, Run
from planner.sandbox.worlds.world import World

# The first ids are the reference page's, so that its examples read like answers of this sandbox.
_FIRST_RUN_ID = 7110
_FIRST_BATCH_ID = 201
_FIRST_CALL_ID = 987654321


class State:
    """Only `apply` changes it. The clock must never go back."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._runs: dict[int, Run] = {}
        """By id, ascending."""
        self.batches: dict[int, Batch] = {}
        self.launches: list[Event] = []
        self.charges: list[Charge] = []
        self.agents: dict[int, AgentRecord] = {}
        self.faults: dict[str, tuple[int, int]] = {}
        self.ahead_seconds = 0.0
        """How far the clock was moved forward."""
        self.next_call_id = _FIRST_CALL_ID
        self._run_ids_by_call: dict[int, int] = {}
        self._occurrences: Counter[tuple[object, ...]] = Counter()

    def apply(self, event: Event) -> None:
        if event.kind == "launch":
            self.launches.append(event)
            for run in sorted(event.runs, key=lambda run: run.id):
                self._add(run)
        for run in event.runs:
            # Two processes may play the same call: the first result counts.
            if event.agents or self._runs[run.id].is_pending:
                self._runs[run.id] = run
        if event.batch is not None:
            self.batches[event.batch.id] = event.batch
        if event.charge is not None:
            self.charges.append(event.charge)
        self.agents |= event.agents
        self.faults |= event.faults
        self.ahead_seconds += event.advance_seconds

    def _add(self, run: Run) -> None:
        self._runs[run.id] = run
        for call_id in (run.call_id, run.sip_call_id):
            if call_id is not None:
                self._run_ids_by_call[call_id] = run.id
                self.next_call_id = max(self.next_call_id, call_id + 1)
        self._occurrences[_similarity(run, run.prompt)] += 1

    @property
    def runs(self) -> list[Run]:
        """By id, ascending."""
        return list(self._runs.values())

    def run(self, run_id: int) -> Run:
        return self._runs[run_id]

    def newest_first(self) -> Iterator[Run]:
        return reversed(self._runs.values())

    def run_of_call(self, call_id: int) -> Run | None:
        """The run of this call, or of this SIP leg."""
        run_id = self._run_ids_by_call.get(call_id)
        return None if run_id is None else self._runs[run_id]

    @property
    def next_run_id(self) -> int:
        return next(reversed(self._runs), _FIRST_RUN_ID - 1) + 1

    @property
    def next_batch_id(self) -> int:
        return next(reversed(self.batches), _FIRST_BATCH_ID - 1) + 1

    def occurrences(self, request: LaunchRequest, prompt: str) -> int:
        """The number of similar runs so far: the seed of the next one depends on it, not on ids or order."""
        return self._occurrences[_similarity(request, prompt)]

    def live_runs(self, now: float) -> list[Run]:
        """Runs that have not ended, which count against the concurrency limit."""
        return [run for run in self._runs.values() if not run.has_ended(now)]

    def grade_at(self, run: Run) -> float:
        """The time of the newest grade of a run's call."""
        again = (charge.grade_at for charge in self.charges if charge.call_id == run.call_id)
        return max((run.grade_at, *again))

    # Money, in whole cents

    def transactions(self, now: float) -> list[Charge]:
        """Oldest first."""
        usage = [
            Charge(run.ends_at, "call_usage", -run.cost_cents, run.call_id, "Test call")
            for run in self._runs.values()
            if run.cost_cents and run.ends_at is not None and now >= run.ends_at
        ]
        return sorted(self.charges + usage, key=lambda charge: charge.at)

    def billed_cents(self, now: float) -> int:
        """The bills of ended runs and of calls graded again."""
        return -sum(each.amount_cents for each in self.transactions(now) if each.kind != "manual_topup")

    def reserved_cents(self, now: float) -> int:
        """The estimates of runs that have not ended."""
        return sum(run.estimated_cost_cents for run in self.live_runs(now))

    def balance_cents(self, now: float) -> int:
        """The rest of the prepaid balance, reservations not subtracted."""
        return self._world.balance_cents + sum(each.amount_cents for each in self.transactions(now))

    def budget_left_cents(self, now: float) -> int | None:
        """The rest of the test-call budget; None if none is set."""
        budget = self._world.test_call_budget_cents
        return max(0, budget - self.billed_cents(now)) if budget else None

    def can_cover(self, cents: int, now: float) -> bool:
        """Whether balance and test-call budget cover `cents` on top of the reservations."""
        reserved, budget = self.reserved_cents(now), self.budget_left_cents(now)
        balance = self.balance_cents(now) - reserved
        return balance > 0 and balance >= cents and (budget is None or budget - reserved >= cents)


def _similarity(target: Run | LaunchRequest, prompt: str) -> tuple[object, ...]:
    return target.target_type, target.target_id, target.direction, target.mode, prompt
