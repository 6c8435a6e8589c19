"""Outcomes, causes and actions: the closed sets of results."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class RunOutcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    """A check could not be decided, or the platform failed."""


class Fault(StrEnum):
    """Why a run did not pass. Only `AGENT` and `AUTHOR` count against the pass rate."""

    AGENT = "agent"
    CALLER = "caller"
    PLATFORM = "platform"
    JUDGE = "judge"
    AUTHOR = "author"


class CaseOutcome(StrEnum):
    """Best first."""

    PASSED = "passed"
    FLAKY = "flaky"
    """Some runs failed, but the required rate was met."""
    UNKNOWN = "unknown"
    """Too few countable runs to decide."""
    FAILED = "failed"

    @classmethod
    def worst(cls, outcomes: Iterable[CaseOutcome]) -> CaseOutcome:
        return max(outcomes, key=_RANKS.__getitem__)

    def is_better_than(self, other: CaseOutcome) -> bool:
        return _RANKS[self] < _RANKS[other]


_RANKS: Final = {outcome: rank for rank, outcome in enumerate(CaseOutcome)}


class Action(StrEnum):
    CALL = "call"
    RECHECK = "recheck"
    KEEP = "keep"
    DROP = "drop"

    @property
    def done(self) -> str:
        """`called`"""
        return {"keep": "kept", "drop": "dropped"}.get(self, f"{self}ed")


class FailOn(StrEnum):
    FAILURE = "failure"
    REGRESSION = "regression"
