"""The answer of `planner gate`: the required check of a pull request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum


class State(Enum):
    """The states of a commit status."""

    SUCCESS = "success"
    FAILURE = "failure"
    PENDING = "pending"


class CaseState(Enum):
    """What a case means for the check."""

    TO_CALL = "to_call"
    REGRESSED = "regressed"
    FAILED = "failed"
    TO_COLLECT = "to_collect"
    TO_JUDGE = "to_judge"
    UNDECIDED = "undecided"
    KNOWN_FAILING = "known_failing"
    """The same call already fails on the base branch."""
    QUARANTINED = "quarantined"
    GREEN = "green"


@dataclass(frozen=True, slots=True)
class RequiredCheck:
    """`cases` are case ids by state. `description` fits a commit status and says what is missing."""

    exit_code: int
    state: State
    description: str
    digest: str
    cases: Mapping[CaseState, Sequence[str]] = field(default_factory=dict[CaseState, "Sequence[str]"])
    calls: int = 0
    """To make."""
    open_calls: int = 0
    """Launched, and not in the results of a finished session."""
    suite_regressed: bool = False
    unbilled: Sequence[str] = ()
    """Cases with a call that has had no bill for a day."""

    @property
    def needs_run(self) -> bool:
        """Whether `planner run` has something to call, collect or judge."""
        waiting = (CaseState.TO_CALL, CaseState.TO_COLLECT, CaseState.TO_JUDGE)
        return bool(self.calls) or any(map(self.cases.get, waiting))
