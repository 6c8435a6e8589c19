"""Compare the pass rates of cases and suites with their baseline."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Final, NamedTuple, TypeAlias

from planner.results.model import CaseResult, Compared, JudgedRun, NotComparable, Sample, SuiteDocument
from planner.results.outcomes import CaseOutcome
from planner.statistics import Counts, could_differ, fisher_mid_p, holm, least_mid_p, stratified_p
from planner.values import frozen

SIGNIFICANCE = Fraction(1, 20)
"""The probability, over a whole suite, of reporting a difference that is due to chance."""

_SUITE_WORDS: Final[Mapping[str, Compared]] = {"worse": "regressed", "better": "improved"}
"""What a case is called that changed with the suite."""


class _Rate(NamedTuple):
    """One rate of a case, on one side of a comparison."""

    passed: int
    total: int
    not_made: int

    @property
    def completions(self) -> tuple[Counts, Counts]:
        """(passed, total) if all runs not made failed, and if all passed."""
        total = self.total + self.not_made
        return (self.passed, total), (self.passed + self.not_made, total)


_Pair = tuple[_Rate, _Rate]
"""Before, and now."""


@frozen
class StrongestRate:
    """The rate with the strongest evidence of a change: passed runs (None), or an expectation with its own rate."""

    expectation: str | None
    before: Counts
    now: Counts


def compare_suite(cases: Mapping[str, tuple[Sample | None, Sample | None]]) -> SuiteDocument:
    """Whether the suite as a whole got better or worse: many cases, each without enough evidence, may together show a
    change.

    Takes all cases: excluding cases by their results would bias the rest.
    """
    known = [(_clean(before), _clean(now)) for before, now in _known(cases).values()]
    seen = [(before[:2], now[:2]) for before, now in known]
    fewest, most = (_completed(known, now_passes=passes) for passes in (False, True))
    same_side = fewest == most or _shift(fewest) * _shift(most) > 0
    p_value = max(stratified_p(fewest), stratified_p(most)) if same_side else 1.0
    better = "worse" if _shift(seen) < 0 else "better"
    return SuiteDocument(
        cases=len(known),
        passed_before=sum(passed for (passed, _), _ in seen),
        runs_before=sum(total for (_, total), _ in seen),
        passed_now=sum(passed for _, (passed, _) in seen),
        runs_now=sum(total for _, (_, total) in seen),
        p_value=p_value,
        compared="not_enough_evidence" if p_value > SIGNIFICANCE else better,
    )


def suite_of(cases: Iterable[CaseResult]) -> SuiteDocument | None:
    """Compare all cases together that have runs on both sides; None if there are none. Quarantined cases do not count.

    Kept cases count with their last comparison: a suite that got worse stays so until it is called again.
    """
    suite = compare_suite(
        {
            case.case_id: (case.baseline, case.latest)
            for case in cases
            if case.baseline and case.latest and case.not_comparable is None and case.quarantine is None
        }
    )
    return suite if suite.cases else None


def case_p_value(before: Sample | None, now: Sample | None) -> float | None:
    """The p-value of one case: Fisher's exact test, two-sided mid-p, not corrected for the other cases.

    With runs not made, the largest that they could have led to. With several rates, the smallest times their number
    (Bonferroni). None if a side has no countable runs.
    """
    if before is None or now is None or not (before.is_known and now.is_known):
        return None
    return float(_of_all(_largest_p, _pairs(before, now)))


def strongest_rate(before: Sample, now: Sample) -> StrongestRate:
    name, pair = min(_pairs(before, now).items(), key=lambda named: _largest_p(named[1]))
    return StrongestRate(name, pair[0][:2], pair[1][:2])


def compare(
    cases: Mapping[str, tuple[Sample | None, Sample | None]], *, aside: Collection[str] = ()
) -> dict[str, Compared]:
    """Compare (before, now) of each case; None if there is none.

    A case regressed (improved) if the rate with the smallest p-value fell (rose), and differs by Fisher's exact test,
    mid-p, at 5 % with Holm's correction over all cases that could differ at all (`planner.statistics.could_differ`).
    If the suite as a whole got worse (better), a case regressed (improved) if it does so at 5 % on its own. Outcomes do
    not matter: a case that failed before and fails now may have regressed. If only the outcome changed,
    there is not enough evidence.

    The two sides must not share runs: results of the same runs differ because of the expectations, not by chance. Cases
    in `aside` (quarantined) are compared separately, so that they do not weaken the test of the others.
    """
    if aside and (counted := {case_id: both for case_id, both in cases.items() if case_id not in aside}):
        return {**compare(counted), **compare({case_id: cases[case_id] for case_id in cases if case_id in aside})}
    known = {case_id: _pairs(*both) for case_id, both in _known(cases).items()}
    family = could_differ({case_id: _of_all(_least_p, pairs) for case_id, pairs in known.items()}, SIGNIFICANCE)
    p_values = {case_id: _of_all(_largest_p, pairs) for case_id, pairs in known.items()}
    different = holm({case_id: p_values[case_id] for case_id in family}, SIGNIFICANCE)
    if suite := _SUITE_WORDS.get(compare_suite(cases).compared):
        # The suite changed, so its cases need not each prove it against all others.
        alone = {case_id for case_id, p_value in p_values.items() if p_value <= SIGNIFICANCE}
        different |= {case_id for case_id in alone if _compared(*cases[case_id], is_different=True) == suite}
    return {case_id: _compared(before, now, case_id in different) for case_id, (before, now) in cases.items()}


def _known(cases: Mapping[str, tuple[Sample | None, Sample | None]]) -> dict[str, tuple[Sample, Sample]]:
    """(before, now) of the cases with countable runs on both sides."""
    return {
        case_id: (before, now)
        for case_id, (before, now) in cases.items()
        if before is not None and now is not None and before.is_known and now.is_known
    }


def _pairs(before: Sample, now: Sample) -> dict[str | None, _Pair]:
    """The rates of both sides by expectation; the case's pass rate under None."""
    pairs: dict[str | None, _Pair] = {None: (_rate(before), _rate(now))}
    earlier = {own.expectation: own for own in before.own_rates if own.decided}
    for own in now.own_rates:
        if own.expectation in earlier and own.decided:
            was = earlier[own.expectation]
            pairs[own.expectation] = (
                _Rate(was.met, was.decided, before.runs_not_made),
                _Rate(own.met, own.decided, now.runs_not_made),
            )
    return pairs


def _rate(sample: Sample) -> _Rate:
    return _Rate(sample.runs_passed, sample.runs_countable, sample.runs_not_made)


def clean_counts(sample: Sample) -> Counts:
    """(runs in which every expectation was met, countable runs)."""
    passed = sample.runs_passed if sample.runs_clean is None else sample.runs_clean
    return passed, sample.runs_countable


def _clean(sample: Sample) -> _Rate:
    return _Rate(*clean_counts(sample), sample.runs_not_made)


def _completed(pairs: Sequence[_Pair], *, now_passes: bool) -> list[tuple[Counts, Counts]]:
    """With the runs not made shifting the result most: all of now's pass and before's fail, or the other way round."""
    return [(before.completions[not now_passes], now.completions[now_passes]) for before, now in pairs]


def _shift(pairs: Sequence[tuple[Counts, Counts]]) -> float:
    """How many more runs passed now than if the rates were equal; negative if fewer."""
    return sum((now[0] * before[1] - before[0] * now[1]) / (before[1] + now[1]) for before, now in pairs)


def _of_all(p_of: Callable[[_Pair], Fraction], pairs: Mapping[str | None, _Pair]) -> Fraction:
    return min(Fraction(1), len(pairs) * min(map(p_of, pairs.values())))


def _largest_p(pair: _Pair) -> Fraction:
    fewest, most = (_completed([pair], now_passes=passes)[0] for passes in (False, True))
    if fewest != most and _shift([fewest]) * _shift([most]) <= 0:
        return Fraction(1)
    return max(fisher_mid_p(*fewest), fisher_mid_p(*most))


def _least_p(pair: _Pair) -> Fraction:
    fewest, most = (_completed([pair], now_passes=passes)[0] for passes in (False, True))
    return min(least_mid_p(*fewest), least_mid_p(*most))


def _compared(before: Sample | None, now: Sample | None, is_different: bool) -> Compared:
    if before is None:
        return "new"
    if now is None:
        return "gone"
    if not (before.is_known and now.is_known):
        both_unknown = before.outcome is now.outcome is CaseOutcome.UNKNOWN
        return "same" if both_unknown else "not_comparable"
    if is_different:
        most = strongest_rate(before, now)
        return "regressed" if _shift([(most.before, most.now)]) < 0 else "improved"
    return "same"


Pair: TypeAlias = tuple[Sample | None, Sample | None]
"""Before and now."""

_COMBINED: Final = frozenset({"all_of", "any_of", "not"})
_MAY_REST_ON: Final[Mapping[NotComparable, frozenset[str]]] = {
    "grader": _COMBINED | {"grade", "expression"},
    "judge": _COMBINED | {"judge"},
}
"""The checks that may depend on the grader, or on the judge."""


def measurement_change(
    before: Iterable[JudgedRun], latest: Iterable[JudgedRun], *, is_graded: bool
) -> NotComparable | None:
    """What differs in the measurement; None if nothing does, if one side is unknown, or if the checks that need no
    grader or judge show a regression anyway.

    Args:
        is_graded: whether the case uses the platform's grade.
    """
    old, new = list(before), list(latest)
    if variants_of(old) and variants_of(new) and variants_of(old).isdisjoint(variants_of(new)):
        return "variant"
    differs: NotComparable | None = None
    if is_graded and _differ({_grader(run) for run in old}, {_grader(run) for run in new}):
        differs = "grader"
    elif _differ({run.judge_model for run in old}, {run.judge_model for run in new}):
        differs = "judge"
    if differs is None:
        return None
    without = [_sample_without(_MAY_REST_ON[differs], side) for side in (old, new)]
    return None if compare({"": (without[0], without[1])})[""] == "regressed" else differs


def _sample_without(checks: frozenset[str], runs: Sequence[JudgedRun]) -> Sample:
    """As if the expectations of these checks did not exist."""
    counted = [run for run in runs if run.countable]
    failed = sum(
        any(
            finding.outcome == "failed" and finding.severity != "warning" and finding.check not in checks
            for finding in run.findings
        )
        for run in counted
    )
    outcome = CaseOutcome.FAILED if failed else CaseOutcome.PASSED
    return Sample(outcome=outcome, runs_passed=len(counted) - failed, runs_countable=len(counted))


def differ_significantly(before: Sample, latest: Sample) -> bool:
    return compare({"": (before, latest)})[""] in ("regressed", "improved")


def variants_of(runs: Iterable[JudgedRun]) -> set[int | str]:
    """The agent variants that took these calls; empty if unknown."""
    return {run.agent_variant_id for run in runs if run.agent_variant_id is not None}


def _grader(run: JudgedRun) -> tuple[str | None, str | None] | None:
    known = run.grader_version is not None or run.grader_model is not None
    return (run.grader_version, run.grader_model) if known else None


def _differ(before: set[object], latest: set[object]) -> bool:
    old, new = before - {None}, latest - {None}
    return bool(old) and bool(new) and old != new
