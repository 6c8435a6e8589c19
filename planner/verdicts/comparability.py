"""Check that two sets of runs were measured in the same way: same agent variants, grader and judge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from planner.results.model import NotComparable, RunDocument
from planner.verdicts.comparison import Compared, Sample, compare
from planner.verdicts.outcomes import CaseOutcome

Pair: TypeAlias = tuple[Sample | None, Sample | None]
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
    return None if differs is None or _regressed_without(_MAY_REST_ON[differs], old, new) else differs


def _regressed_without(checks: frozenset[str], before: Sequence[RunDocument], latest: Sequence[RunDocument]) -> bool:
    """Whether the other checks alone show a significant regression."""
    old, new = _sample_without(checks, before), _sample_without(checks, latest)
    return compare({"": (old, new)})[""] == "regressed"


def _sample_without(checks: frozenset[str], runs: Sequence[RunDocument]) -> Sample:
    counted = [run for run in runs if run.countable]
    failed = sum(
        any(
            finding.outcome == "failed" and finding.severity != "warning" and finding.check not in checks
            for finding in run.findings
        )
        for run in counted
    )
    outcome = CaseOutcome.FAILED if failed else CaseOutcome.PASSED
    return Sample(outcome, len(counted) - failed, len(counted))


def differ_significantly(before: Sample, latest: Sample) -> bool:
    return compare({"": (before, latest)})[""] in ("regressed", "fixed")


def variants_of(runs: Iterable[RunDocument]) -> set[Variant]:
    """The agent variants that took these calls; empty if unknown."""
    return {run.agent_variant_id for run in runs if run.agent_variant_id is not None}


def shared_variants(before: Iterable[RunDocument], latest: Iterable[RunDocument]) -> list[Variant]:
    """The variants with runs on both sides, in a stable order."""
    return sorted(variants_of(before) & variants_of(latest), key=str)


def pair_key(case_id: str, number: int) -> str:
    """The key of one of several pairs of a case."""
    return f"{case_id}{_SEPARATOR}{number}"


def pairs_by_key(pairs: Mapping[str, Sequence[Pair]]) -> dict[str, Pair]:
    """One entry per pair: each is a separate hypothesis in the test across the suite."""
    return {pair_key(case_id, number): pair for case_id, own in pairs.items() for number, pair in enumerate(own)}


def worst_by_case(words: Mapping[str, Compared]) -> dict[str, Compared]:
    """The worst word of each case's pairs."""
    found: dict[str, list[Compared]] = {}
    for key, word in words.items():
        found.setdefault(key.partition(_SEPARATOR)[0], []).append(word)
    return {case_id: min(own, key=_WORST_FIRST.index) for case_id, own in found.items()}


def _grader(run: RunDocument) -> tuple[str | None, str | None] | None:
    known = run.grader_version is not None or run.grader_model is not None
    return (run.grader_version, run.grader_model) if known else None


def _differ(
    before: set[tuple[str | None, str | None] | None] | set[str | None],
    latest: set[tuple[str | None, str | None] | None] | set[str | None],
) -> bool:
    old, new = before - {None}, latest - {None}
    return bool(old) and bool(new) and old != new
