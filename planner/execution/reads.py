"""What must be read from the service, and what was read: its lists, and the evidence of ended runs. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

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
class WaitPolicy:
    """How long to wait for late parts of a run's evidence, and for which."""

    seconds: float = 0.0
    """Total; 0 reads once."""
    grade: bool = False
    ended_seconds_ago: float = 0.0
