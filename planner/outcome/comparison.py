"""Whether a case differs from the baseline, or only seems to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

from planner.outcome.model import CaseOutcome
from planner.statistics import Counts, could_differ, fisher_mid_p, holm, least_mid_p, stratified_p

SIGNIFICANCE = Fraction(1, 20)
"""Chance, across a suite, of calling any difference real that is not."""

POOLING_LEVEL = Fraction(1, 100)
"""New runs that differ from earlier ones with a smaller p-value than this do not count together with them."""

Compared = Literal["regressed", "fixed", "same", "new", "gone", "not_enough_evidence"]
"""A case against the baseline, by the counts of both sides. Not enough evidence: its outcome changed, but chance may explain
that; or one side has no countable run."""


class OwnRate(NamedTuple):
    """An expectation with a `min_pass_rate` of its own: in how many of the runs in which it was decided it held."""

    expectation: str
    held: int
    decided: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One side of a comparison."""

    outcome: CaseOutcome
    runs_passed: int
    runs_countable: int
    runs_not_made: int = 0
    """Runs that its plan asks for and that were not needed for its outcome. Where to stop was decided by what had been seen, so
    what was seen is no fair sample: it is compared as if the runs not made had spoken against a difference."""
    own_rates: tuple[OwnRate, ...] = ()
    """What the case rests on besides its runs that passed."""
    runs_clean: int | None = None
    """Of the runs that passed, those in which every expectation with a rate of its own held, too. None: all of them."""

    def after(self, earlier: Sample) -> Sample:
        """Both together, with the outcome of this one."""
        tried = {own.expectation: own for own in earlier.own_rates}
        clean = None
        if self.runs_clean is not None or earlier.runs_clean is not None:
            clean = _clean(self).passed + _clean(earlier).passed
        return Sample(
            self.outcome,
            self.runs_passed + earlier.runs_passed,
            self.runs_countable + earlier.runs_countable,
            self.runs_not_made + earlier.runs_not_made,
            tuple(
                own
                if (was := tried.get(own.expectation)) is None
                else OwnRate(own.expectation, own.held + was.held, own.decided + was.decided)
                for own in self.own_rates
            ),
            clean,
        )


class _Rate(NamedTuple):
    """One of the rates that a case rests on, on one side."""

    passed: int
    total: int
    not_made: int

    @property
    def completions(self) -> tuple[Counts, Counts]:
        """(passed, total), were all runs not made to fail, and were all to pass."""
        total = self.total + self.not_made
        return (self.passed, total), (self.passed + self.not_made, total)


_Pair = tuple[_Rate, _Rate]
"""Before, and now."""


@dataclass(frozen=True, slots=True)
class Telling:
    """The rate of a case that tells most of whether it changed: its runs that passed, or how often one expectation held."""

    expectation: str | None
    before: Counts
    now: Counts


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
    """Whether the suite as a whole got better or worse; cases as for `compare`, whatever they came to: who is left out by what
    was found biases what is left."""
    known = [(_clean(before), _clean(now)) for before, now in _known(cases).values()]
    seen = [(before[:2], now[:2]) for before, now in known]
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

    Where runs were not needed it is the largest that they could have led to; of several rates it is the least, times their
    number (Bonferroni's correction).
    """
    return float(_of_all(_largest_p, _pairs(before, now)))


def differ_too_much(earlier: Sample, new: Sample) -> bool:
    """Whether new runs of a case differ so much from its earlier ones that something must have changed: they are not pooled."""
    if not (_is_known(earlier) and _is_known(new)):
        return False
    return chance_alone(earlier, new) <= POOLING_LEVEL


def telling(before: Sample, now: Sample) -> Telling:
    """Which of its rates a case's p-value is of."""
    name, pair = min(_pairs(before, now).items(), key=lambda named: _largest_p(named[1]))
    return Telling(name, pair[0][:2], pair[1][:2])


def could_be_told(before: Sample, now: Sample) -> bool:
    """Whether runs not made (`now.runs_not_made`, or fewer) could show a regression, or that a better outcome is no chance.

    An improvement that leaves the outcome as it was is not worth a call.
    """
    if not _is_known(before):
        return False
    better = now.outcome < before.outcome and now.outcome is not CaseOutcome.UNKNOWN
    pairs = _pairs(before, now, even_none_now=True).values()
    return any(
        (better or _shift([ends]) < 0) and len(pairs) * fisher_mid_p(*ends) <= SIGNIFICANCE
        for pair in pairs
        for ends in _ends(*pair)
    )


def _ends(before: _Rate, now: _Rate) -> Iterator[tuple[Counts, Counts]]:
    """The furthest ways in which the runs not made could go."""
    for made_more in {0, now.not_made}:
        for passes in {0, made_more}:
            way = (now.passed + passes, now.total + made_more)
            yield from ((earlier, way) for earlier in before.completions)


def compare(
    cases: Mapping[str, tuple[Sample | None, Sample | None]], *, aside: Collection[str] = ()
) -> dict[str, Compared]:
    """Each case's (before, now) by case id; None where there is none.

    A case regressed (was fixed) when the rate with the smallest p-value fell (rose) and differs by Fisher's exact test, mid-p, at
    5 % by Holm over all cases of the suite that could differ at all (`planner.statistics.could_differ`). The outcomes play no
    part: a case that failed before and now may have regressed. An outcome that changed without that is not enough evidence:
    1 or 2 runs a side never suffice, 3 of 3 against 0 of 3 only where no other case is in question.

    Both sides must have runs of their own: the same runs judged twice differ by what is expected, never by chance. Cases in
    `aside` (quarantined) are compared among themselves: they raise no bar for the others.
    """
    if aside and (counted := {case_id: both for case_id, both in cases.items() if case_id not in aside}):
        return {**compare(counted), **compare({case_id: cases[case_id] for case_id in cases if case_id in aside})}
    known = {case_id: _pairs(*both) for case_id, both in _known(cases).items()}
    family = could_differ({case_id: _of_all(_least_p, pairs) for case_id, pairs in known.items()}, SIGNIFICANCE)
    different = holm({case_id: _of_all(_largest_p, known[case_id]) for case_id in family}, SIGNIFICANCE)
    return {case_id: _compared(before, now, case_id in different) for case_id, (before, now) in cases.items()}


def _known(cases: Mapping[str, tuple[Sample | None, Sample | None]]) -> dict[str, tuple[Sample, Sample]]:
    """(before, now) of the cases that are known on both sides."""
    return {
        case_id: (before, now)
        for case_id, (before, now) in cases.items()
        if before is not None and now is not None and _is_known(before) and _is_known(now)
    }


def _pairs(before: Sample, now: Sample, *, even_none_now: bool = False) -> dict[str | None, _Pair]:
    """The rates that both sides rest on: by expectation, the case's own under None."""
    pairs: dict[str | None, _Pair] = {None: (_rate(before), _rate(now))}
    earlier = {own.expectation: own for own in before.own_rates if own.decided}
    for own in now.own_rates:
        if own.expectation in earlier and (own.decided or even_none_now):
            was = earlier[own.expectation]
            pairs[own.expectation] = (
                _Rate(was.held, was.decided, before.runs_not_made),
                _Rate(own.held, own.decided, now.runs_not_made),
            )
    return pairs


def _rate(sample: Sample) -> _Rate:
    return _Rate(sample.runs_passed, sample.runs_countable, sample.runs_not_made)


def _clean(sample: Sample) -> _Rate:
    passed = sample.runs_passed if sample.runs_clean is None else sample.runs_clean
    return _Rate(passed, sample.runs_countable, sample.runs_not_made)


def _completed(pairs: Sequence[_Pair], *, now_passes: bool) -> list[tuple[Counts, Counts]]:
    """As the runs not made would shift them most: all of now's pass and before's fail, or the other way round."""
    return [(before.completions[not now_passes], now.completions[now_passes]) for before, now in pairs]


def _shift(pairs: Sequence[tuple[Counts, Counts]]) -> float:
    """Passed runs more (fewer) now than if the rates were equal."""
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
    if not (_is_known(before) and _is_known(now)):
        both_unknown = before.outcome is now.outcome is CaseOutcome.UNKNOWN
        return "same" if both_unknown else "not_enough_evidence"
    if is_different:
        most = telling(before, now)
        return "regressed" if _shift([(most.before, most.now)]) < 0 else "fixed"
    return "same" if before.outcome is now.outcome else "not_enough_evidence"


def _is_known(sample: Sample) -> bool:
    return sample.runs_countable > 0
