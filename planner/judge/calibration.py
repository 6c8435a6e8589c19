"""How well the model agrees with people, by rubric. A view of labels and stored votes; it asks nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum

from planner.checks.opinions import Ask, Verdict, checked
from planner.judge.labels import Labelled
from planner.results.judge_documents import CalibrationDocument


class Comparison(Enum):
    """One label and the model's vote."""

    BOTH_HOLD = "both_hold"
    FALSE_ALARM = "false_alarm"
    """Only the model says that it does not hold."""
    MISSED = "missed"
    """Only people say that it does not hold."""
    FOUND = "found"
    """Both say that it does not hold."""
    UNDECIDED = "undecided"
    """The model could not decide, or its vote is void."""
    MISSING = "missing"
    """The model was not asked."""
    CONTRADICTORY = "contradictory"
    """People contradict each other."""
    UNCLEAR = "unclear"
    """People say that the transcript does not show it."""


def comparisons(labelled: Sequence[Labelled], ask: Ask) -> dict[str, Counter[Comparison]]:
    """How often the model and people said what, by rubric in the order of the labels."""
    counts: dict[str, Counter[Comparison]] = {}
    for each in labelled:
        counts.setdefault(each.question.rubric, Counter())[_compared(each, ask)] += 1
    return counts


def calibration(rubric: str, counts: Counter[Comparison]) -> CalibrationDocument:
    """The model compared with people, on one rubric or on all ("")."""
    both_hold, found = counts[Comparison.BOTH_HOLD], counts[Comparison.FOUND]
    false_alarms, missed = counts[Comparison.FALSE_ALARM], counts[Comparison.MISSED]
    return CalibrationDocument(
        rubric=rubric,
        compared=both_hold + found + false_alarms + missed,
        right=both_hold + found,
        found=found,
        missed=missed,
        false_alarms=false_alarms,
        undecided=counts[Comparison.UNDECIDED],
        missing=counts[Comparison.MISSING],
        contradictory=counts[Comparison.CONTRADICTORY],
        unclear=counts[Comparison.UNCLEAR],
    )


def _compared(each: Labelled, ask: Ask) -> Comparison:
    if each.verdict is None:
        return Comparison.CONTRADICTORY
    if each.verdict is Verdict.CANNOT_TELL:
        return Comparison.UNCLEAR
    votes = ask(each.question).votes
    if not votes:
        return Comparison.MISSING
    vote = checked(votes[0], each.question.turns)
    if vote.void or vote.verdict is Verdict.CANNOT_TELL:
        return Comparison.UNDECIDED
    if each.verdict is Verdict.HOLDS:
        return Comparison.BOTH_HOLD if vote.verdict is Verdict.HOLDS else Comparison.FALSE_ALARM
    return Comparison.FOUND if vote.verdict is Verdict.DOES_NOT_HOLD else Comparison.MISSED
