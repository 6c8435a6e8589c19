"""What the service remembers, as events, and what follows from them at a moment: statuses and money.

Times are seconds since the epoch by the sandbox's clock. An event contains everything that was decided with it, so that
neither a restart nor another world changes an earlier run. Nothing happens in the background: what a run shows follows
from the clock.

The state file has one JSON line per event, written before the answer is sent. A torn last line, as a killed process
leaves it, was never acknowledged: the next change cuts it off.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import JsonValue, TypeAdapter

from planner.sandbox.conversation import EMPTY, Conversation
from planner.sandbox.worlds.world import Snapshot, World
from planner.values import frozen

TargetType = Literal["agent", "phone_number"]
Direction = Literal["outbound", "inbound"]
Mode = Literal["bot", "sip"]
Status = Literal["queued", "in_progress", "completed", "failed"]

OWN_USER_ID = 1
"""The user of this organization's keys."""


@frozen
class LaunchRequest:
    """A valid POST. `prompts` rotates over the runs."""

    target_type: TargetType
    target_id: int
    direction: Direction
    target_number: str = ""
    prompts: tuple[str, ...] = ("",)
    mode: Mode = "bot"
    run_count: int = 1
    stagger_seconds: int = 0
    is_batch: bool = False


@frozen
class SimulatedRun:
    """One test call."""

    id: int
    batch_id: int | None
    target_type: TargetType
    target_id: int
    direction: Direction
    mode: Mode
    target_number: str
    prompt: str
    requested_by_id: int
    snapshot: Snapshot | None
    """The agent that answers; None: nobody does."""
    seed: int
    """Of the conversation."""
    time_scale: float
    created_at: float
    starts_at: float
    ends_at: float
    from_number: str
    to_number: str
    charge_multiplier: int
    estimated_cost_cents: int
    error_message: str = ""
    """Not empty: the run ends `failed`."""
    call_id: int | None = None
    sip_call_id: int | None = None
    grade_at: float = 0
    conversation: Conversation = EMPTY
    billable_minutes: int = 0
    call_cents: int = 0
    """The call's bill before the multiplier."""
    cost_cents: int = 0
    """The charge for the run once it ends."""

    def has_ended(self, now: float) -> bool:
        return now >= self.ends_at

    def status(self, now: float) -> Status:
        if self.has_ended(now):
            return "failed" if self.error_message else "completed"
        return "in_progress" if now >= self.starts_at else "queued"

    def updated_at(self, now: float) -> float:
        if now >= self.ends_at:
            return self.ends_at
        return self.starts_at if now >= self.starts_at else self.created_at

    def call_exists(self, now: float) -> bool:
        """A call can be read as soon as it rings."""
        return self.call_id is not None and now >= self.starts_at


@frozen
class Batch:
    id: int
    request: LaunchRequest
    requested_by_id: int
    created_at: float
    run_ids: tuple[int, ...]
    estimated_cost_cents: int
    estimated_minutes: int


@frozen
class AgentRecord:
    """All changes of an agent since the world was loaded."""

    copy_of: int | None
    """The agent of the world whose dialogues and tools it has; None: any dialogue may match."""
    fields: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """Deployed fields that differ from the world's."""
    deployments: tuple[float, ...] = ()
    draft: dict[str, JsonValue] | None = None
    draft_at: float | None = None
    is_deleted: bool = False


@frozen
class Charge:
    """A change of the prepaid balance, negative. The bills of runs are not stored as charges."""

    at: float
    kind: Literal["call_usage", "adjustment"]
    amount_cents: int
    call_id: int | None
    description: str
    grade_at: float = 0
    """For a call that is graded again: when its new grade is there."""


@frozen
class Event:
    """One change of the state."""

    at: float
    kind: Literal["launch", "change"] = "change"
    runs: tuple[SimulatedRun, ...] = ()
    """The new runs of a launch; otherwise the queued runs of a deleted agent."""
    batch: Batch | None = None
    agents: dict[int, AgentRecord] = field(default_factory=dict[int, AgentRecord])
    charge: Charge | None = None


@cache
def event_format() -> TypeAdapter[Event]:
    return TypeAdapter(Event)


# The first ids are the reference page's, so that its examples read like answers of this sandbox.
_FIRST_RUN_ID = 7110
_FIRST_BATCH_ID = 201
_FIRST_CALL_ID = 987654321


class StateFileError(ValueError):
    """The state file does not contain a sandbox's events."""


class ServiceState:
    """Only `record` changes it. With a `path` it outlives the process; one process at a time may write it. The clock
    must never go back."""

    def __init__(self, world: World, path: Path | None = None) -> None:
        self._world = world
        self._runs: dict[int, SimulatedRun] = {}
        """By id, ascending."""
        self.batches: dict[int, Batch] = {}
        self.launches: list[Event] = []
        self.charges: list[Charge] = []
        self.agents: dict[int, AgentRecord] = {}
        self.next_call_id = _FIRST_CALL_ID
        self._run_ids_by_call: dict[int, int] = {}
        self._occurrences: Counter[tuple[object, ...]] = Counter()
        self._path = path
        self._size = 0
        """Of the file, without a torn line."""
        if path is not None:
            self._load(path)

    def _load(self, path: Path) -> None:
        path.touch(mode=0o600)
        whole, newline, _ = path.read_bytes().rpartition(b"\n")
        for number, line in enumerate(whole.split(b"\n") if newline else (), 1):
            try:
                self._apply(event_format().validate_json(line))
            except ValueError as error:
                raise StateFileError(f"line {number} of {path} is not an event of a sandbox") from error
        self._size = len(whole) + len(newline)

    def record(self, event: Event) -> None:
        """Write the event, then apply it."""
        if self._path is not None:
            line = event_format().dump_json(event) + b"\n"
            with self._path.open("r+b") as file:
                file.truncate(self._size)
                file.seek(self._size)
                file.write(line)
            self._size += len(line)
        self._apply(event)

    def _apply(self, event: Event) -> None:
        if event.kind == "launch":
            self.launches.append(event)
            for run in sorted(event.runs, key=lambda run: run.id):
                self._add(run)
        else:
            self._runs |= {run.id: run for run in event.runs}
        if event.batch is not None:
            self.batches[event.batch.id] = event.batch
        if event.charge is not None:
            self.charges.append(event.charge)
        self.agents |= event.agents

    def _add(self, run: SimulatedRun) -> None:
        self._runs[run.id] = run
        for call_id in (run.call_id, run.sip_call_id):
            if call_id is not None:
                self._run_ids_by_call[call_id] = run.id
                self.next_call_id = max(self.next_call_id, call_id + 1)
        self._occurrences[_similarity(run, run.prompt)] += 1

    @property
    def runs(self) -> list[SimulatedRun]:
        """By id, ascending."""
        return list(self._runs.values())

    def run(self, run_id: int) -> SimulatedRun:
        return self._runs[run_id]

    def newest_first(self) -> Iterator[SimulatedRun]:
        return reversed(self._runs.values())

    def run_of_call(self, call_id: int) -> SimulatedRun | None:
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

    def live_runs(self, now: float) -> list[SimulatedRun]:
        """Runs that have not ended, which count against the concurrency limit."""
        return [run for run in self._runs.values() if not run.has_ended(now)]

    def grade_at(self, run: SimulatedRun) -> float:
        """The time of the newest grade of a run's call."""
        again = (charge.grade_at for charge in self.charges if charge.call_id == run.call_id)
        return max((run.grade_at, *again))

    # Money, in whole cents

    def transactions(self, now: float) -> list[Charge]:
        """Oldest first."""
        usage = [
            Charge(run.ends_at, "call_usage", -run.cost_cents, run.call_id, "Test call")
            for run in self._runs.values()
            if run.cost_cents and now >= run.ends_at
        ]
        return sorted(self.charges + usage, key=lambda charge: charge.at)

    def billed_cents(self, now: float) -> int:
        """The bills of ended runs and of calls graded again."""
        return -sum(each.amount_cents for each in self.transactions(now))

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


def _similarity(target: SimulatedRun | LaunchRequest, prompt: str) -> tuple[object, ...]:
    return target.target_type, target.target_id, target.direction, target.mode, prompt
