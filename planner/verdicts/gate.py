"""Decide which results make the exit code 1: failed cases, significant regressions, or both (`--fail-on`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from planner.results.model import CaseResult, SuiteDocument
from planner.results.outcomes import CaseOutcome, FailOn
from planner.values import frozen

EVERYTHING: Final = frozenset(FailOn)


@frozen
class Gate:
    """`suite` compares all cases together; None if no case was compared."""

    fail_on: frozenset[FailOn] = EVERYTHING
    suite: SuiteDocument | None = None

    @property
    def names(self) -> list[FailOn]:
        """For the results document."""
        return [kind for kind in FailOn if kind in self.fail_on]

    def has_failure(self, cases: Iterable[CaseResult]) -> bool:
        """Whether a case failed, quarantined ones excepted."""
        return FailOn.FAILURE in self.fail_on and any(
            case.outcome is CaseOutcome.FAILED and case.quarantine is None for case in cases
        )

    def has_regression(self, cases: Iterable[CaseResult]) -> bool:
        """Whether a case or the whole suite got significantly worse, quarantined cases excepted."""
        if FailOn.REGRESSION not in self.fail_on:
            return False
        if self.suite is not None and self.suite.compared == "worse":
            return True
        return any(case.compared == "regressed" and case.quarantine is None for case in cases)


DEFAULT_GATE: Final = Gate()


def fail_on_written(text: str) -> frozenset[FailOn]:
    """`failure`, `regression` or both, separated by a comma. Raises `ValueError` for anything else."""
    known = {kind.value: kind for kind in FailOn}
    words = [word.strip() for word in text.split(",")]
    if unknown := [word for word in words if word not in known]:
        raise ValueError(f"{unknown[0]!r} is not one of {', '.join(known)}; for both write {','.join(known)}")
    return frozenset(known[word] for word in words)


def fail_on_words(fail_on: frozenset[FailOn]) -> list[str]:
    """The command-line option; empty for the default."""
    return [] if fail_on == EVERYTHING else ["--fail-on", ",".join(Gate(fail_on).names)]
