"""Outcomes of runs and cases. They are ordered, so that merging is `max`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

from planner.checks.base import CheckSeverity
from planner.checks.judgement import FindingOutcome, Quote
from planner.results.model import CaseOutcomeName, RunOutcomeName


class RunOutcome(IntEnum):
    PASSED = 0
    ERRORED = 1
    """A check could not be decided, or the platform failed."""
    FAILED = 2

    @property
    def word(self) -> RunOutcomeName:
        """The name in results and reports."""
        names: tuple[RunOutcomeName, ...] = ("passed", "errored", "failed")
        return names[self]


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
    def word(self) -> CaseOutcomeName:
        """The name in results and reports."""
        names: tuple[CaseOutcomeName, ...] = ("passed", "flaky", "unknown", "failed")
        return names[self]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one expectation (its id) found in one run."""

    expectation: str
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
    """The turn that shows the caller's fault."""

    @property
    def countable(self) -> bool:
        """Whether the run says something about the agent."""
        return self.fault in (None, Fault.AGENT, Fault.AUTHOR)


@dataclass(frozen=True, slots=True)
class CaseVerdict:
    """The rate and its interval (Wilson, 95 %) are None without countable runs; `reason` says in one line why it did not pass."""

    outcome: CaseOutcome
    runs_passed: int
    runs_countable: int
    pass_rate: float | None
    interval: tuple[float, float] | None
    reason: str = ""
    more_runs: int | None = None
    """With `confidence`, how many more runs would probably decide; None if it is decided, or they are more than a thousand."""
