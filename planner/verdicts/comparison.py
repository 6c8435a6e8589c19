"""Which results of a case are compared, and whether both sides were measured alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from planner.results.model import Compared, JudgedRun, NotComparable, Sample
from planner.results.outcomes import CaseOutcome
from planner.statistics import Counts
from planner.values import frozen

Pair: TypeAlias = tuple[Sample | None, Sample | None]
"""Before and now."""


@frozen
class ChangedRate:
    """The rate that changed most: passed runs (None), or an expectation with its own rate."""

    expectation: str | None
    before: Counts
    now: Counts

    @property
    def points(self) -> float:
        """Now minus before, from -1 to 1."""
        return self.now[0] / self.now[1] - self.before[0] / self.before[1]


def changed_rate(before: Sample, now: Sample) -> ChangedRate:
    """Both sides have countable runs."""
    rates = [ChangedRate(None, (before.runs_passed, before.runs_countable), (now.runs_passed, now.runs_countable))]
    earlier = {own.expectation: own for own in before.own_rates if own.decided}
    for own in now.own_rates:
        if own.expectation in earlier and own.decided:
            was = earlier[own.expectation]
            rates.append(ChangedRate(own.expectation, (was.met, was.decided), (own.met, own.decided)))
    return max(rates, key=lambda rate: abs(rate.points))


def has_other_rate(before: Sample, now: Sample) -> bool:
    return before.is_known and now.is_known and changed_rate(before, now).points != 0


def clean_counts(sample: Sample) -> Counts:
    """(runs in which every expectation was met, countable runs)."""
    passed = sample.runs_passed if sample.runs_clean is None else sample.runs_clean
    return passed, sample.runs_countable


def compared_by_sides(before: Sample | None, now: Sample | None) -> Compared:
    """What can be said without the regression rule."""
    if before is None:
        return "new"
    if now is None:
        return "gone"
    if before.is_known and now.is_known:
        return "same"
    both_unknown = before.outcome is now.outcome is CaseOutcome.UNKNOWN
    return "same" if both_unknown else "not_comparable"


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
    earlier, today = (_counts_without(_MAY_REST_ON[differs], side) for side in (old, new))
    if not (earlier[1] and today[1]):
        return differs
    from planner.verdicts.regression import got_worse  # imports numpy

    return None if got_worse(earlier, today) else differs


def _counts_without(checks: frozenset[str], runs: Sequence[JudgedRun]) -> Counts:
    """(passed, countable) as if the expectations of these checks did not exist."""
    counted = [run for run in runs if run.countable]
    failed = sum(
        any(
            finding.outcome == "failed" and finding.severity != "warning" and finding.check not in checks
            for finding in run.findings
        )
        for run in counted
    )
    return len(counted) - failed, len(counted)


def variants_of(runs: Iterable[JudgedRun]) -> set[int | str]:
    """The agent variants that took these calls; empty if unknown."""
    return {run.agent_variant_id for run in runs if run.agent_variant_id is not None}


def _grader(run: JudgedRun) -> tuple[str | None, str | None] | None:
    known = run.grader_version is not None or run.grader_model is not None
    return (run.grader_version, run.grader_model) if known else None


def _differ(before: set[object], latest: set[object]) -> bool:
    old, new = before - {None}, latest - {None}
    return bool(old) and bool(new) and old != new
