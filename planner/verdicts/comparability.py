"""Compare cases whose runs were measured in the same way: same agent variants, grader and judge."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from planner.results.model import Compared, NotComparable, RunDocument
from planner.verdicts.comparison import Sample, compare
from planner.verdicts.outcomes import CaseOutcome

Pair: TypeAlias = tuple[Sample | None, Sample | None]
"""Before and now."""
Variant: TypeAlias = int | str

_WORST_FIRST: Final[tuple[Compared, ...]] = ("regressed", "fixed", "not_enough_evidence", "new", "gone", "same")
_SEPARATOR: Final = "\n"
"""Never part of a case id."""
_COMBINED: Final = frozenset({"all_of", "any_of", "not"})
_MAY_REST_ON: Final[Mapping[NotComparable, frozenset[str]]] = {
    "grader": _COMBINED | {"grade", "field", "expression"},
    "judge": _COMBINED | {"judge"},
}
"""The checks that may depend on the grader, or on the judge."""


def compare_pairs(pairs: Mapping[str, Sequence[Pair]], quarantined: Collection[str]) -> dict[str, Compared]:
    """The worst word of the pairs of each case. Each pair is a separate hypothesis in the test across the suite."""
    keyed = {
        f"{case_id}{_SEPARATOR}{number}": pair for case_id, own in pairs.items() for number, pair in enumerate(own)
    }
    aside = {key for key in keyed if key.partition(_SEPARATOR)[0] in quarantined}
    words: dict[str, list[Compared]] = {}
    for key, word in compare(keyed, aside=aside).items():
        words.setdefault(key.partition(_SEPARATOR)[0], []).append(word)
    return {case_id: min(own, key=_WORST_FIRST.index) for case_id, own in words.items()}


def measurement_change(
    before: Iterable[RunDocument], latest: Iterable[RunDocument], *, is_graded: bool
) -> NotComparable | None:
    """What differs in the measurement; None if nothing does, if one side is unknown, or if the checks that need no grader or judge
    show a regression anyway.

    Args:
        is_graded: whether the case uses the platform's grade.
    """
    old, new = list(before), list(latest)
    if variants_of(old) and variants_of(new) and not shared_variants(old, new):
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


def _sample_without(checks: frozenset[str], runs: Sequence[RunDocument]) -> Sample:
    """As if the expectations of these checks did not exist."""
    counted = [run for run in runs if run.countable]
    failed = sum(
        any(
            finding.outcome == "failed" and finding.severity != "warning" and finding.check not in checks
            for finding in run.findings
        )
        for run in counted
    )
    return Sample(CaseOutcome.FAILED if failed else CaseOutcome.PASSED, len(counted) - failed, len(counted))


def differ_significantly(before: Sample, latest: Sample) -> bool:
    return compare({"": (before, latest)})[""] in ("regressed", "fixed")


def variants_of(runs: Iterable[RunDocument]) -> set[Variant]:
    """The agent variants that took these calls; empty if unknown."""
    return {run.agent_variant_id for run in runs if run.agent_variant_id is not None}


def shared_variants(before: Iterable[RunDocument], latest: Iterable[RunDocument]) -> list[Variant]:
    """The variants with runs on both sides, in a stable order."""
    return sorted(variants_of(before) & variants_of(latest), key=str)


def variants_to_compare(before: Iterable[RunDocument], latest: Iterable[RunDocument]) -> list[Variant]:
    """The variants to compare one by one: those with runs on both sides, if the sides have several; else none."""
    shared, known = shared_variants(before, latest), variants_of(before) | variants_of(latest)
    return [] if known == set(shared[:1]) else shared


def _grader(run: RunDocument) -> tuple[str | None, str | None] | None:
    known = run.grader_version is not None or run.grader_model is not None
    return (run.grader_version, run.grader_model) if known else None


def _differ(before: set[object], latest: set[object]) -> bool:
    old, new = before - {None}, latest - {None}
    return bool(old) and bool(new) and old != new
