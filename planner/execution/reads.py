"""What must be read from the service, and what was read: its lists, and the evidence of ended runs. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from planner.providers.base import Batch, BatchId, Run, RunId
from planner.values import frozen


class Row(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def created_at(self) -> datetime | None: ...


T = TypeVar("T", bound=Row)


@dataclass(slots=True)
class Listed(Generic[T]):
    """The rows read, by id. `whole`: nothing as new as requested is missing, so absence is meaningful."""

    found: dict[int, T] = field(default_factory=dict[int, T])
    whole: bool = False


@frozen
class PollRequest:
    """What one poll must read."""

    oldest: datetime | None
    """The list of runs is read back to this time."""
    wanted: AbstractSet[RunId] | None
    """Reading may end when all of these were seen; None: only at `oldest`."""
    first_page: int
    """Rows of that list that are expected to be enough."""
    batches_since: datetime | None
    """The list of batches is read back to this time; None: it is not needed."""
    members: Sequence[BatchId]
    """Batches whose runs are not known yet; each is read by its id."""
    searched: frozenset[str]
    """Ids of unconfirmed launches that can be searched for now."""


@dataclass(slots=True)
class Lists:
    """What one poll read. `began` is in monotonic seconds; `members` are the runs of those batches that the service
    shows."""

    began: float
    runs: Listed[Run]
    batches: Listed[Batch]
    members: Mapping[BatchId, Sequence[RunId]]
    searched: frozenset[str]
    """As in `PollRequest`."""


@frozen
class WaitPolicy:
    """How long to wait for late parts of a run's evidence, and for which."""

    seconds: float = 0.0
    """Total; 0 reads once."""
    grade: bool = False
    ended_seconds_ago: float = 0.0


@frozen
class StoredEvidence:
    """What the rules need of evidence that was read and stored."""

    run: Run
    digest: str
    cost_cents: int | None
    is_final: bool
    """No more will be charged."""
