"""Whether a case differs from the baseline, or only seems to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    runs_not_made: int = 0
    """Runs that its plan asks for and that were not needed for its outcome. Where to stop was decided by what had been seen, so
    what was seen is no fair sample: it is compared as if the runs not made had spoken against a difference."""

    @property
    def completions(self) -> tuple[Counts, Counts]:
        """(passed, countable), were all runs not made to fail, and were all to pass."""
        countable = self.runs_countable + self.runs_not_made
        return (self.runs_passed, countable), (self.runs_passed + self.runs_not_made, countable)


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
    known = list(_known(cases).values())
    seen = [_counts(before, now) for before, now in known]
    fewest, most = (_completed(known, now_passes=passes) for passes in (False, True))
    same_side = fewest == most or _shift(fewest) * _shift(most) > 0
    return SuiteChange(
        len(known),
        sum(passed for (passed, _), _ in seen),
        sum(total for (_, total), _ in seen),
        sum(passed for _, (passed, _) in seen),
        sum(total for _, (_, total) in seen),
        max(stratified_p(fewest), stratified_p(most)) if same_side else 1.0,
        _shift(seen),
    )


def chance_alone(before: Sample, now: Sample) -> float:
    """The p-value of one case on its own: Fisher's exact test, two-sided mid-p, not corrected for the other cases.

    Where runs were not needed it is the largest that they could have led to.
    """
    return float(_largest_p(before, now))


def could_be_told(before: Sample, now: Sample) -> bool:
    """Whether runs not made (`now.runs_not_made`, or fewer) could show that the case differs from what it was.

    False where its outcome says no difference, whatever they do, or where no runs could make one that chance alone would not.
    """
    if not (_is_known(before) and _is_known(now)) or before.outcome is now.outcome:
        return False
    made = (now.runs_passed, now.runs_countable)
    ways = [
        (made[0] + passes, made[1] + made_more) for made_more in {0, now.runs_not_made} for passes in {0, made_more}
    ]
    return any(
        fisher_mid_p(earlier, way) <= SIGNIFICANCE for earlier in before.completions for way in ways if way[1] > 0
    )


def compare(cases: Mapping[str, tuple[Sample | None, Sample | None]]) -> dict[str, Compared]:
    """Each case's (before, now) by case id; None where there is none.

    A case regressed (was fixed) when its outcome is worse (better) than before and its rate differs by Fisher's exact
    test, mid-p, at 5 % by Holm over all cases of the suite that could differ at all (`planner.statistics.could_differ`).
    An outcome that changed without that is not enough evidence: of 1 or 2 runs before and as many now nothing can be
    told, 3 of 3 against 0 of 3 only suffices where no other case is in doubt. An outcome that holds as before is the same,
    flaky or not. To be given cases with runs of their own on both sides: one and the same runs judged twice differ by what
    is expected, never by chance.
    """
    known = _known(cases)
    family = could_differ({case_id: _least_p(*pair) for case_id, pair in known.items()}, SIGNIFICANCE)
    different = holm({case_id: _largest_p(*known[case_id]) for case_id in family}, SIGNIFICANCE)
    return {case_id: _compared(before, now, case_id in different) for case_id, (before, now) in cases.items()}


def _known(cases: Mapping[str, tuple[Sample | None, Sample | None]]) -> dict[str, tuple[Sample, Sample]]:
    """(before, now) of the cases that are known on both sides."""
    return {
        case_id: (before, now)
        for case_id, (before, now) in cases.items()
        if before is not None and now is not None and _is_known(before) and _is_known(now)
    }


def _counts(before: Sample, now: Sample) -> tuple[Counts, Counts]:
    return (before.runs_passed, before.runs_countable), (now.runs_passed, now.runs_countable)


def _completed(pairs: Sequence[tuple[Sample, Sample]], *, now_passes: bool) -> list[tuple[Counts, Counts]]:
    """As the runs not made would shift them most: all of now's pass and before's fail, or the other way round."""
    return [(before.completions[not now_passes], now.completions[now_passes]) for before, now in pairs]


def _shift(pairs: Sequence[tuple[Counts, Counts]]) -> float:
    """Passed runs more (fewer) now than if the rates were equal."""
    return sum((now[0] * before[1] - before[0] * now[1]) / (before[1] + now[1]) for before, now in pairs)


def _largest_p(before: Sample, now: Sample) -> Fraction:
    fewest, most = (_completed([(before, now)], now_passes=passes)[0] for passes in (False, True))
    if fewest != most and _shift([fewest]) * _shift([most]) <= 0:
        return Fraction(1)
    return max(fisher_mid_p(*fewest), fisher_mid_p(*most))


def _least_p(before: Sample, now: Sample) -> Fraction:
    fewest, most = (_completed([(before, now)], now_passes=passes)[0] for passes in (False, True))
    return min(least_mid_p(*fewest), least_mid_p(*most))


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
