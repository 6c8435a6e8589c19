"""Outcomes are ordered, so that merging is `max`; a verdict never hides an error as a failure or a failure as an error."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Literal

from planner.checks.base import CheckSeverity, FindingOutcome, Quote


class RunOutcome(IntEnum):
    PASSED = 0
    ERRORED = 1
    """Some check could not be decided, or the platform failed."""
    FAILED = 2

    @property
    def word(self) -> Literal["passed", "errored", "failed"]:
        """What results and reports say."""
        match self:
            case RunOutcome.PASSED:
                return "passed"
            case RunOutcome.ERRORED:
                return "errored"
            case RunOutcome.FAILED:
                return "failed"


class Fault(Enum):
    """Whose fault a run that did not pass is. Only `AGENT` and `AUTHOR` count against the pass rate."""

    AGENT = "agent"
    CALLER = "caller"
    PLATFORM = "platform"
    JUDGE = "judge"
    AUTHOR = "author"


class CaseOutcome(IntEnum):
    PASSED = 0
    FLAKY = 1
    """Some runs failed, the required rate holds."""
    UNKNOWN = 2
    """Too few countable runs to say; never passed."""
    FAILED = 3

    @property
    def word(self) -> Literal["passed", "flaky", "unknown", "failed"]:
        """What results and reports say."""
        match self:
            case CaseOutcome.PASSED:
                return "passed"
            case CaseOutcome.FLAKY:
                return "flaky"
            case CaseOutcome.UNKNOWN:
                return "unknown"
            case CaseOutcome.FAILED:
                return "failed"


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
    """`fault` is None exactly when the run passed; `reason` says in one line why it did not."""

    outcome: RunOutcome
    fault: Fault | None
    findings: tuple[Finding, ...]
    reason: str = ""
    quote: Quote | None = None
    """The turn that the fault rests on, where it is the test bot's."""

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
    """Of countable runs; None when there is none."""
    interval: tuple[float, float] | None
    """Wilson, 95 %; None when there is no countable run."""
    reason: str = ""
    """One line: why it is not simply passed."""
    more_runs: int | None = None
    """How many runs more would probably decide, where `confidence` is asked for and these leave it open. None: not so, or
    more than anyone would pay for."""


class PlanOutcome(IntEnum):
    """In the order of what an exit code tells first; `word` is what the results say."""

    PASSED = 0
    UNKNOWN = 1
    FAILED = 2
    REFUSED = 3
    INTERRUPTED = 4

    @property
    def word(self) -> Literal["passed", "unknown", "failed", "refused", "interrupted"]:
        match self:
            case PlanOutcome.PASSED:
                return "passed"
            case PlanOutcome.UNKNOWN:
                return "unknown"
            case PlanOutcome.FAILED:
                return "failed"
            case PlanOutcome.REFUSED:
                return "refused"
            case PlanOutcome.INTERRUPTED:
                return "interrupted"
