"""Whether a case differs from the baseline, or only seems to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from planner.outcome.model import CaseOutcome
from planner.statistics import Counts, could_differ, fisher_mid_p, holm, least_mid_p

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


def compare(cases: Mapping[str, tuple[Sample | None, Sample | None]]) -> dict[str, Compared]:
    """Each case's (before, now) by case id; None where there is none.

    A case regressed (was fixed) when its outcome is worse (better) than before and its rate differs by Fisher's exact
    test, mid-p, at 5 % by Holm over all cases of the suite that could differ at all (`planner.statistics.could_differ`).
    An outcome that changed without that is not enough evidence: of 1 or 2 runs before and as many now nothing can be
    told, 3 of 3 against 0 of 3 only suffices where no other case is in doubt. An outcome that holds as before is the same,
    flaky or not. To be given cases with runs of their own on both sides: one and the same runs judged twice differ by what
    is expected, never by chance.
    """
    pairs: dict[str, tuple[Counts, Counts]] = {}
    for case_id, (before, now) in cases.items():
        if before is not None and now is not None and _is_known(before) and _is_known(now):
            pairs[case_id] = (before.runs_passed, before.runs_countable), (now.runs_passed, now.runs_countable)
    family = could_differ({case_id: least_mid_p(*pair) for case_id, pair in pairs.items()}, SIGNIFICANCE)
    different = holm({case_id: fisher_mid_p(*pairs[case_id]) for case_id in family}, SIGNIFICANCE)
    return {case_id: _compared(before, now, case_id in different) for case_id, (before, now) in cases.items()}


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
