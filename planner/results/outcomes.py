"""Outcomes, causes and actions: the closed sets of results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from enum import Enum, StrEnum
from typing import Final

from planner.values import frozen


class RunOutcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"
    """A check could not be decided, or the platform failed."""


class Cause(StrEnum):
    """Why a run did not pass. Only `AGENT` and `PLAN` count against the pass rate."""

    AGENT = "agent"
    CALLER = "caller"
    PLATFORM = "platform"
    JUDGE = "judge"
    PLAN = "plan"


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


_RANKS: Final = {outcome: rank for rank, outcome in enumerate(CaseOutcome)}


class Action(StrEnum):
    CALL = "call"
    RECHECK = "recheck"
    REUSE = "reuse"
    DROP = "drop"

    @property
    def done(self) -> str:
        """`called`"""
        return {"reuse": "reused", "drop": "dropped"}.get(self, f"{self}ed")


class CheckState(Enum):
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
    BELOW_REQUIREMENT = "below_requirement"
    """It misses its required rate, but did not get worse."""
    QUARANTINED = "quarantined"
    LEFT_TO_BASE = "left_to_base"
    """The pull request does not touch it, and the base branch must call it."""
    GREEN = "green"

    @property
    def words(self) -> str:
        words = {
            "green": "passed",
            "known_failing": "already failing on the base branch",
            "below_requirement": "below the requirement as before",
            "left_to_base": "left to the base branch",
        }
        return words.get(self.value, self.value.replace("_", " "))


@frozen
class RequiredCheck:
    """`cases` are case ids by state. `description` fits a commit status and says what is missing."""

    exit_code: int
    state: CheckState
    description: str
    digest: str
    cases: Mapping[CaseState, Sequence[str]] = field(default_factory=dict[CaseState, "Sequence[str]"])
    calls: int = 0
    """To make."""
    open_calls: int = 0
    """Launched, and not in the results of a finished session."""
    suite_regressed: bool = False
    call_undecided: str = ""
    """The command that calls undecided cases again; "" if there are none."""
    flaky: Sequence[str] = ()
    """The green cases in which some runs failed."""
    unbilled: Sequence[str] = ()
    """Cases with a call that has had no bill for a day."""
    everything_worse: bool = False
    """All cases are worse alike: because of the agent or of the platform. Another session decides."""

    @property
    def needs_run(self) -> bool:
        """Whether `planner run` has something to call, collect or judge."""
        waiting = (CaseState.TO_CALL, CaseState.TO_COLLECT, CaseState.TO_JUDGE)
        return bool(self.calls) or any(map(self.cases.get, waiting))
