"""What the service knows, indexed: the events so far, and what follows from them at a moment."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from planner.sandbox.conversation import Conversation
from planner.sandbox.state.records import (
    AdvanceEvent,
    AgentEvent,
    Batch,
    Event,
    FaultEvent,
    Kind,
    LaunchEvent,
    RegradeEvent,
    Run,
    SnapshotEvent,
    TalkEvent,
    TopUpEvent,
    Transaction,
)
from planner.sandbox.worlds.dialogues import Snapshot

# The first ids are the reference page's, so that its examples read like answers of this sandbox.
_FIRST_RUN_ID = 7110
_FIRST_BATCH_ID = 201
_FIRST_CALL_ID = 987654321


@dataclass(slots=True)
class AgentRecord:
    """What was done to an agent since the world was loaded."""

    copy_of: int | None
    fields: dict[str, str] = field(default_factory=dict[str, str])
    """Deployed, beyond what the world declares."""
    deployments: list[float] = field(default_factory=list[float])
    draft: dict[str, str] | None = None
    draft_at: float | None = None
    is_deleted: bool = False

    def apply(self, event: AgentEvent) -> None:
        match event.change:
            case "create" | "deploy":
                self.fields = dict(event.fields)
                self.deployments.append(event.at)
                self.draft = self.draft_at = None
            case "draft":
                self.draft, self.draft_at = dict(event.fields), event.at
            case "discard":
                self.draft = self.draft_at = None
            case "delete":
                self.is_deleted = True


class State:
    """Built by `apply`, and by nothing else. The clock is taken to go forwards."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        """By id, ascending."""
        self.batches: list[Batch] = []
        self.launches: list[LaunchEvent] = []
        self.regrades: list[RegradeEvent] = []
        self.snapshots: dict[str, Snapshot] = {}
        self.agents: dict[int, AgentRecord] = {}
        self.faults: dict[str, FaultEvent] = {}
        self.topped_up_cents = 0
        self.transactions: list[Transaction] = []
        """Oldest first; complete up to the last `billed_cents`."""
        self.ahead_seconds = 0.0
        """Of the clock that it was given."""
        self.next_call_id = _FIRST_CALL_ID
        self.pending: dict[int, Run] = {}
        """By id: runs on whose calls models are talking."""
        self.talks: dict[int, Conversation] = {}
        """By run id: what was said on calls between models."""
        self._runs_by_id: dict[int, Run] = {}
        self._calls: dict[int, Run] = {}
        self._batches_by_id: dict[int, Batch] = {}
        self._occurrences: dict[tuple[object, ...], int] = {}
        self._live: list[tuple[float, int]] = []
        """A heap of (end, run id) of runs not seen ended yet."""
        self._live_reserved_cents = 0
        self._billed_cents = 0

    @property
    def next_run_id(self) -> int:
        return self.runs[-1].id + 1 if self.runs else _FIRST_RUN_ID

    @property
    def next_batch_id(self) -> int:
        return self.batches[-1].id + 1 if self.batches else _FIRST_BATCH_ID

    def apply(self, event: Event) -> None:
        match event:
            case SnapshotEvent():
                self.snapshots[event.digest] = event.snapshot
            case LaunchEvent():
                self.launches.append(event)
                if event.batch is not None:
                    self.batches.append(event.batch)
                    self._batches_by_id[event.batch.id] = event.batch
                for run in sorted(event.runs, key=lambda run: run.id):
                    self._add(run)
            case TalkEvent():
                self._talked(event)
            case RegradeEvent():
                self.regrades.append(event)
                self._billed_cents += event.cost_cents
                self._settle(event.at)
                self._transact(event.at, "adjustment", -event.cost_cents, event.call_id, "Call graded again")
            case AgentEvent():
                record = self.agents.setdefault(event.agent_id, AgentRecord(event.copy_of))
                record.apply(event)
            case TopUpEvent():
                self.topped_up_cents += event.amount_cents
                self._settle(event.at)
                self._transact(event.at, "manual_topup", event.amount_cents, None, "Top-up")
            case AdvanceEvent():
                self.ahead_seconds += event.seconds
            case FaultEvent():
                self.faults[event.key] = event

    def _add(self, run: Run) -> None:
        self.runs.append(run)
        self._runs_by_id[run.id] = run
        for call_id in (run.call_id, run.sip_call_id):
            if call_id is not None:
                self._calls[call_id] = run
                self.next_call_id = max(self.next_call_id, call_id + 1)
        key = _occurrence_key(run.target_type, run.target_id, run.direction, run.mode, run.prompt)
        self._occurrences[key] = self._occurrences.get(key, 0) + 1
        heapq.heappush(self._live, (math.inf if run.ends_at is None else run.ends_at, run.id))
        self._live_reserved_cents += run.estimated_cost_cents
        if run.is_pending:
            self.pending[run.id] = run

    def _talked(self, event: TalkEvent) -> None:
        """Two processes may run the same call after a restart: the first to end counts."""
        run = event.run
        if self.pending.pop(run.id, None) is None:
            return
        self.talks[run.id] = event.conversation
        self.runs[bisect_left(self.runs, run.id, key=lambda known: known.id)] = run
        self._runs_by_id[run.id] = run
        for call_id in (run.call_id, run.sip_call_id):
            if call_id is not None:
                self._calls[call_id] = run
        self._live.remove((math.inf, run.id))
        self._live.append((math.inf if run.ends_at is None else run.ends_at, run.id))
        heapq.heapify(self._live)

    def occurrences(self, target_type: str, target_id: int, direction: str, mode: str, prompt: str) -> int:
        """How many runs like this there have been: the next one's seed depends on it, not on ids or order."""
        return self._occurrences.get(_occurrence_key(target_type, target_id, direction, mode, prompt), 0)

    def run(self, run_id: int) -> Run:
        return self._runs_by_id[run_id]

    def call(self, call_id: int) -> Run | None:
        """The run whose call, or whose SIP leg, this is."""
        return self._calls.get(call_id)

    def batch(self, batch_id: int) -> Batch | None:
        return self._batches_by_id.get(batch_id)

    def newest_first(self) -> Iterator[Run]:
        return reversed(self.runs)

    def live_runs(self, now: float) -> int:
        """Runs not ended: what counts against the concurrency limit."""
        self._settle(now)
        return len(self._live)

    def reserved_cents(self, now: float) -> int:
        """The estimates of runs not ended."""
        self._settle(now)
        return self._live_reserved_cents

    def billed_cents(self, now: float) -> int:
        """Runs ended and calls graded again."""
        self._settle(now)
        return self._billed_cents

    def grade_at(self, run: Run) -> float:
        """When the newest grading of a run's call is through."""
        return max((event.grade_at for event in self.regrades if event.call_id == run.call_id), default=run.grade_at)

    def _settle(self, now: float) -> None:
        while self._live and self._live[0][0] <= now:
            run = self._runs_by_id[heapq.heappop(self._live)[1]]
            self._live_reserved_cents -= run.estimated_cost_cents
            self._billed_cents += run.cost_cents
            if run.cost_cents and run.ends_at is not None:
                self._transact(run.ends_at, "call_usage", -run.cost_cents, run.call_id, "Test call")

    def _transact(self, at: float, kind: Kind, amount_cents: int, call_id: int | None, description: str) -> None:
        number = len(self.transactions) + 1
        self.transactions.append(Transaction(number, at, kind, amount_cents, call_id, description))


def _occurrence_key(target_type: str, target_id: int, direction: str, mode: str, prompt: str) -> tuple[object, ...]:
    return (target_type, target_id, direction, mode, prompt)
