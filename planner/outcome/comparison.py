"""Whether a case differs from the baseline, or only seems to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from planner.outcome.model import CaseOutcome
from planner.statistics import Counts, could_differ, fisher_mid_p, holm, least_mid_p, stratified_p

SIGNIFICANCE = Fraction(1, 20)
"""Chance, across a suite, of calling any difference real that is not."""

Compared = Literal["regressed", "fixed", "same", "new", "gone", "not_enough_evidence"]
"""A case against the baseline. Not enough evidence: its outcome changed, but chance alone may have done it; or one side is
unknown."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One side of a comparison."""

    outcome: CaseOutcome
    runs_passed: int
    runs_countable: int


@dataclass(frozen=True, slots=True)
class SuiteChange:
    """All cases of a suite together against the baseline.

    `p_value` is the chance, were no rate changed, of passed runs shifting at least so far in either direction (exact; see
    `planner.statistics.stratified_p`). Many cases that each tell too little may together leave no doubt.
    """

    cases: int
    """Cases with countable runs on both sides."""
    passed_before: int
    runs_before: int
    passed_now: int
    runs_now: int
    p_value: float
    shift: float
    """Passed runs more (fewer) now than they would be if the rates were equal, over all cases."""

    @property
    def word(self) -> Literal["worse", "better", "not_enough_evidence"]:
        if self.p_value > SIGNIFICANCE:
            return "not_enough_evidence"
        return "worse" if self.shift < 0 else "better"


def compare_suite(cases: Mapping[str, tuple[Sample | None, Sample | None]]) -> SuiteChange:
    """Whether the suite as a whole got better or worse; cases as for `compare`."""
    pairs = list(_pairs(cases).values())
    return SuiteChange(
        len(pairs),
        sum(passed for (passed, _), _ in pairs),
        sum(total for (_, total), _ in pairs),
        sum(passed for _, (passed, _) in pairs),
        sum(total for _, (_, total) in pairs),
        stratified_p(pairs),
        sum((now[0] * before[1] - before[0] * now[1]) / (before[1] + now[1]) for before, now in pairs),
    )


def chance_alone(before: Sample, now: Sample) -> float:
    """The p-value of one case on its own: Fisher's exact test, two-sided mid-p, not corrected for the other cases."""
    return float(fisher_mid_p((before.runs_passed, before.runs_countable), (now.runs_passed, now.runs_countable)))


def compare(cases: Mapping[str, tuple[Sample | None, Sample | None]]) -> dict[str, Compared]:
    """Each case's (before, now) by case id; None where there is none.

    A case regressed (was fixed) when its outcome is worse (better) than before and its rate differs by Fisher's exact
    test, mid-p, at 5 % by Holm over all cases of the suite that could differ at all (`planner.statistics.could_differ`).
    An outcome that changed without that is not enough evidence: of 1 or 2 runs before and as many now nothing can be
    told, 3 of 3 against 0 of 3 only suffices where no other case is in doubt. An outcome that holds as before is the same,
    flaky or not. To be given cases with runs of their own on both sides: one and the same runs judged twice differ by what
    is expected, never by chance.
    """
    pairs = _pairs(cases)
    family = could_differ({case_id: least_mid_p(*pair) for case_id, pair in pairs.items()}, SIGNIFICANCE)
    different = holm({case_id: fisher_mid_p(*pairs[case_id]) for case_id in family}, SIGNIFICANCE)
    return {case_id: _compared(before, now, case_id in different) for case_id, (before, now) in cases.items()}


def _pairs(cases: Mapping[str, tuple[Sample | None, Sample | None]]) -> dict[str, tuple[Counts, Counts]]:
    """(before, now) of the cases that are known on both sides."""
    return {
        case_id: ((before.runs_passed, before.runs_countable), (now.runs_passed, now.runs_countable))
        for case_id, (before, now) in cases.items()
        if before is not None and now is not None and _is_known(before) and _is_known(now)
    }


def _compared(before: Sample | None, now: Sample | None, is_different: bool) -> Compared:
    if before is None:
        return "new"
    if now is None:
        return "gone"
    if not _is_known(before) or not _is_known(now):
        return "not_enough_evidence"
    change = now.runs_passed * before.runs_countable - before.runs_passed * now.runs_countable
    if is_different and change < 0 and now.outcome > before.outcome:
        return "regressed"
    if is_different and change > 0 and now.outcome < before.outcome:
        return "fixed"
    held_before, holds_now = (sample.outcome is not CaseOutcome.FAILED for sample in (before, now))
    return "same" if held_before is holds_now else "not_enough_evidence"


def _is_known(sample: Sample) -> bool:
    return sample.outcome is not CaseOutcome.UNKNOWN and sample.runs_countable > 0
