"""Outcomes of runs, cases and plans. They are ordered, so that merging is `max`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, Literal, TypeAlias

from planner.checks.base import CheckSeverity, FindingOutcome, Quote

RunWord: TypeAlias = Literal["passed", "errored", "failed"]
CaseWord: TypeAlias = Literal["passed", "flaky", "unknown", "failed"]
PlanWord: TypeAlias = Literal["passed", "unknown", "failed", "refused", "interrupted"]


class RunOutcome(IntEnum):
    PASSED = 0
    ERRORED = 1
    """A check could not be decided, or the platform failed."""
    FAILED = 2

    @property
    def word(self) -> RunWord:
        """The name in results and reports."""
        return _RUN_WORDS[self]


class Fault(Enum):
    """Why a run did not pass. Only `AGENT` and `AUTHOR` count against the pass rate."""

    AGENT = "agent"
    CALLER = "caller"
    PLATFORM = "platform"
    JUDGE = "judge"
    AUTHOR = "author"


class CaseOutcome(IntEnum):
    PASSED = 0
    FLAKY = 1
    """Some runs failed, but the required rate was met."""
    UNKNOWN = 2
    """Too few countable runs to decide."""
    FAILED = 3

    @property
    def word(self) -> CaseWord:
        """The name in results and reports."""
        return _CASE_WORDS[self]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one expectation found in one run."""

    expectation: str
    """The expectation's id."""
    check: str
    outcome: FindingOutcome
    severity: CheckSeverity
    message: str
    quote: Quote | None = None


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """`fault` is None if and only if the run passed; `reason` says in one line why it did not."""

    outcome: RunOutcome
    fault: Fault | None
    findings: tuple[Finding, ...]
    reason: str = ""
    quote: Quote | None = None
    """The turn that shows the test bot's mistake."""

    @property
    def countable(self) -> bool:
        """Whether the run says something about the agent."""
        return self.fault in (None, Fault.AGENT, Fault.AUTHOR)


@dataclass(frozen=True, slots=True)
class CaseVerdict:
    outcome: CaseOutcome
    runs_passed: int
    runs_countable: int
    pass_rate: float | None
    """Of countable runs; None without any."""
    interval: tuple[float, float] | None
    """Wilson, 95 %; None without countable runs."""
    reason: str = ""
    """Why it did not pass, in one line."""
    more_runs: int | None = None
    """With `confidence`, how many more runs would probably decide; None if it is decided, or they are more than a thousand."""


class PlanOutcome(IntEnum):
    """In increasing order of precedence."""

    PASSED = 0
    UNKNOWN = 1
    FAILED = 2
    REFUSED = 3
    INTERRUPTED = 4

    @property
    def word(self) -> PlanWord:
        return _PLAN_WORDS[self]


_RUN_WORDS: Final[Mapping[RunOutcome, RunWord]] = {
    RunOutcome.PASSED: "passed",
    RunOutcome.ERRORED: "errored",
    RunOutcome.FAILED: "failed",
}
_CASE_WORDS: Final[Mapping[CaseOutcome, CaseWord]] = {
    CaseOutcome.PASSED: "passed",
    CaseOutcome.FLAKY: "flaky",
    CaseOutcome.UNKNOWN: "unknown",
    CaseOutcome.FAILED: "failed",
}
_PLAN_WORDS: Final[Mapping[PlanOutcome, PlanWord]] = {
    PlanOutcome.PASSED: "passed",
    PlanOutcome.UNKNOWN: "unknown",
    PlanOutcome.FAILED: "failed",
    PlanOutcome.REFUSED: "refused",
    PlanOutcome.INTERRUPTED: "interrupted",
}
