"""Processes that end at a boundary of one's choosing, with no effect of anything that comes after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from planner.log.journal import Journal


class Killed(BaseException):
    """Stands for kill -9: nothing that comes after it has any effect."""


@dataclass(slots=True)
class Life:
    """Counts the boundaries a process crosses, and ends it at one of them."""

    dies_at: int | str | None = None
    """A number, or how the boundary's name begins."""
    crossed: list[str] = field(default_factory=list[str])
    dead: bool = False

    def boundary(self, name: str) -> None:
        if self.dead:
            raise Killed
        self.crossed.append(name)
        if isinstance(self.dies_at, str):
            self.dead = name.startswith(self.dies_at)
        else:
            self.dead = len(self.crossed) == self.dies_at
        if self.dead:
            raise Killed


def effects(crossed: Sequence[str]) -> list[int]:
    """The numbers of the boundaries by which something more has become durable, here or at the service: between two of them
    a death leaves the same behind."""
    return [number for number, name in enumerate(crossed, 1) if name.startswith("after") and " GET " not in name]


class MortalJournal(Journal):
    """A journal whose process may die just before and just after each of its transactions."""

    life: Life

    def _transaction(self, kind: str = "IMMEDIATE") -> Any:
        transaction = super()._transaction(kind)
        return _MortalTransaction(transaction, self.life) if kind == "IMMEDIATE" else transaction


class _MortalTransaction:
    def __init__(self, transaction: Any, life: Life) -> None:
        self._transaction = transaction
        self._life = life

    def __enter__(self) -> Any:
        self._life.boundary("before a journal write")
        return self._transaction.__enter__()

    def __exit__(self, *error: object) -> Any:
        suppressed = self._transaction.__exit__(*error)
        self._life.boundary("after a journal write")
        return suppressed


def is_only_killed(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(is_only_killed(part) for part in error.exceptions)
    return isinstance(error, Killed)
