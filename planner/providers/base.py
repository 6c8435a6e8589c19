"""What the rest of the program knows of a service that makes test calls: the `Provider` protocol and its types.

Ids are opaque: they are compared, stored and shown, never computed with. Every method that asks the service raises the
errors of `planner.errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, NewType, Protocol, TypeAlias, TypeVar

from planner.bounds import ServiceId
from planner.errors import NotFoundError
from planner.evidence import Evidence, RunStatus
from planner.providers.requests import RequestStats
from planner.values import frozen

RunId = NewType("RunId", int)
BatchId = NewType("BatchId", int)
CallId = NewType("CallId", int)
"""Integers, as the service and JSON show them."""

PAGE_LIMIT: Final = 200
"""Most rows of one page of a list."""
MAX_PAGES: Final = 100
"""Of one list. A service that ignores the page returns the same one for ever."""


Target: TypeAlias = tuple[str, int]
"""What is called: kind (`agent` or `phone_number`) and id."""


class UnknownTargetError(NotFoundError):
    def __init__(self, target: Target, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.target = target


VARIANTS: Final = "(variants)"
"""The field of a configuration with the agent's variants, if it has any. No field of a service has this name."""


@frozen
class AgentState:
    """An agent as the service describes it now."""

    id: int
    name: str
    edited_at: str | None
    """The time of the last edit, as the service writes it (`if_updated_at` of a deployment)."""
    configuration: Mapping[str, Any]
    """The deployed fields that can affect a call, as JSON values: no id, name, label, times, counters, drafts or signed
    addresses."""
    draft: Mapping[str, Any]
    """The fields of an undeployed draft that differ from what is deployed; empty: no draft, or none is shown."""
    variants: int = 0
    """How many variants answer calls instead of it (split testing)."""
    is_drafted: bool = False
    """Whether it has an undeployed draft."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAgent:
    id: int
    name: str = ""
    created_at: datetime | None = None


@frozen
class TargetState:
    """What answers at a target.

    `revision` is `<time of the last edit> <digest>`; None if it cannot be read. `drafts` are ids of agents with an
    undeployed draft. `recorded_at` is when it was read; None: now. `agent` is None for a phone number, and where the
    agent's configuration is unknown. `behind` are all agents that answer; empty in a record.
    """

    revision: str | None
    product: str | None
    drafts: tuple[int, ...] = ()
    recorded_at: datetime | None = None
    agent: AgentState | None = None
    behind: tuple[AgentState, ...] = ()


@frozen
class Balance:
    """The organization's money. None where the service does not say or nothing is set."""

    cents: int | None = None
    test_budget_left_cents: int | None = None
    limit_reached: bool = False
    """Its monthly spending limit."""
    monthly_limit_cents: int | None = None


@frozen
class Line:
    """What all runs of one batch share."""

    target_type: str
    target_id: ServiceId
    direction: str
    mode: str
    target_number: str | None

    @property
    def target(self) -> Target:
        return self.target_type, self.target_id


@frozen
class LaunchRequest:
    """A request that may cost money: one run per prompt. Several prompts make a batch, which is called `name` where the
    service keeps names."""

    line: Line
    prompts: tuple[str, ...]
    name: str = ""
    is_batch: bool = False
    """Whether one prompt is a batch, too: a batch can be recognised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A test call. None where the service does not say."""

    id: RunId
    status: RunStatus
    target_type: str | None = None
    target_id: int | None = None
    direction: str | None = None
    mode: str | None = None
    target_number: str | None = None
    prompt: str | None = None
    estimated_cents: int | None = None
    """The service's estimate; not a bill."""
    call_id: CallId | None = None
    error_message: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    created_at: datetime | None = None
    batch_id: BatchId | None = None
    requester_id: int | None = None
    """Who asked for it."""
    listed: Mapping[str, Any] = field(default_factory=dict[str, Any], compare=False, repr=False)
    """What the list shows of the call of an ended run, for its `Reading`."""
    problem: str = ""
    """Why the service's row cannot be read as a whole. Fields that cannot be read are None."""

    @property
    def ended(self) -> bool:
        """An unreadable row never says so: a field that is None may be the one that matters."""
        return self.status.has_ended and not self.problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Runs that were launched together. `run_ids` is empty where the service does not list them."""

    id: BatchId
    name: str | None = None
    target_type: str | None = None
    target_id: int | None = None
    direction: str | None = None
    target_number: str | None = None
    prompts: tuple[str, ...] = ()
    size: int | None = None
    """The number of its runs."""
    requester_id: int | None = None
    created_at: datetime | None = None
    run_ids: tuple[RunId, ...] = ()


T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """One page of a list. Each row is read on its own, so that an unreadable one concerns itself only."""

    rows: Sequence[T_co]
    dropped: int = 0
    """Rows that cannot be identified. One of them may be what somebody searches for."""


@frozen
class Launched:
    """The answer to a launch. `run` is that of a single launch."""

    batch_id: BatchId | None
    run_ids: tuple[RunId, ...]
    run: Run | None
    requester_id: int | None = None
    """Our id at the service, if known."""


@frozen
class Charged:
    """What the account was charged for calls, by call: in cents, or why that cannot be read. Calls that are not charged
    yet are in neither."""

    cents: Mapping[CallId, int]
    unreadable: Mapping[CallId, str]


class Charges(Protocol):
    """The charges of calls that are known so far."""

    def charged_cents(self, call_id: CallId) -> int | None:
        """What the account was charged for a call; None if nothing yet."""
        ...

    def is_awaited(self, call_id: CallId) -> bool:
        """Whether its charge is still expected."""
        ...


class Reading(Protocol):
    """Reads the evidence of one ended run. The parts may come late; each is read until it is final."""

    async def look(self, *, last: bool) -> None:
        """Read what is not final yet. `last`: nobody will look again."""
        ...

    def complete(self, waited_seconds: float) -> bool:
        """Whether looking again is pointless, this long after the first look."""
        ...

    async def finish(self) -> Evidence:
        """The evidence, after the last look."""
        ...


class Provider(Protocol):
    """A service that makes test calls, and one account at it."""

    credential: str
    """A digest of the account's key."""
    stats: RequestStats
    clock_known: bool
    clock_offset_seconds: float
    """The service's clock minus ours; 0 and not `clock_known` before it has answered."""

    @property
    def clock_uncertainty_seconds(self) -> float:
        """Error bound of `clock_offset_seconds`."""
        ...

    async def target_states(self, wanted: Mapping[Target, AbstractSet[str]]) -> dict[Target, TargetState]:
        """The state of each target, which is called in these directions. Raises `UnknownTargetError`."""
        ...

    async def balance(self) -> Balance | None:
        """None if this key may not see it or the service does not have it."""
        ...

    async def launch(self, request: LaunchRequest, *, on_sending: Callable[[], None]) -> Launched:
        """Send a launch once. `on_sending` is called right before the first byte is sent, and may abort the launch by
        raising. It may be called again as long as nothing of the launch was sent.

        Raises:
            UnreachableError: it provably never left.
            ThrottledError: refused, not charged.
            LostAnswerError, ServiceError: it may have been carried out.
            UsageError (and subclasses), RefusedError: the service rejected it; nothing was started.
        """
        ...

    async def runs(self, *, offset: int = 0, limit: int = PAGE_LIMIT) -> Page[Run]:
        """One page of the organization's runs, newest first."""
        ...

    async def batches(self, *, offset: int = 0, limit: int = PAGE_LIMIT) -> Page[Batch]:
        """One page of the organization's batches, newest first; those that cannot be read are dropped. A service
        without pages returns the same list every time."""
        ...

    async def batch(self, batch_id: BatchId) -> Batch:
        """Raises `NotFoundError` where it is not visible yet."""
        ...

    def reading(self, run: Run, charges: Charges, *, await_grade: bool, is_fresh: bool) -> Reading:
        """Reads the evidence of an ended run; without a call, `finish` is all. `await_grade`: a check needs the
        platform's grade. `is_fresh`: it ended so recently that an empty transcript may still be filled."""
        ...

    async def bill_cents(self, run: Run, charged_cents: int | None) -> int | None:
        """The bill of an ended run: what the account was charged, or else what the call says; None if unknown."""
        ...

    async def charges(self, calls: Mapping[CallId, datetime]) -> Charged:
        """What the account was charged for these calls, each of them at the given time or later."""
        ...


class AgentProvider(Provider, Protocol):
    """A service that also lets its agents be read and changed."""

    async def agent(self, agent_id: int) -> AgentState:
        """Raises `NotFoundError` if the service does not have it."""
        ...

    async def agents(self) -> Sequence[ListedAgent]:
        """All agents of the account."""
        ...

    async def duplicate_agent(self, agent_id: int, name: str, *, on_sending: Callable[[], None]) -> int:
        """Make a copy; return its id. It and the following writes are sent once, and raise the errors of `launch`;
        `ConflictError` if there may be no more agents."""
        ...

    async def draft_agent(self, agent_id: int, fields: Mapping[str, Any]) -> None:
        """Change the draft of an agent, which no call reaches."""
        ...

    async def deploy_agent(self, agent_id: int, if_updated_at: str | None = None) -> None:
        """Deploy the draft; with `if_updated_at`, raises `ConflictError` if the agent was changed since."""
        ...

    async def discard_draft(self, agent_id: int) -> None: ...

    async def delete_agent(self, agent_id: int) -> None:
        """Raises `NotFoundError` if it no longer exists."""
        ...
