"""How well the model agrees with people, by rubric. A view of labels and stored votes; it asks nobody.

Sources: J. Cohen, Educ. Psychol. Meas. 20 (1960) 37-46; its variance: J. L. Fleiss, J. Cohen and B. S. Everitt,
Psychol. Bull. 72 (1969) 323-327.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum
from math import sqrt
from statistics import NormalDist
from typing import Final, TypeAlias

from planner.checks.opinions import Ask, Verdict, checked
from planner.judge.labels import Labelled
from planner.values import frozen

_EACH_CELL: Final = 0.5

Table: TypeAlias = tuple[int, int, int, int]
"""Labels by (people, model): (holds, holds), (holds, does not hold), (does not hold, holds), both do not hold."""


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
    """The model that answers now was not asked."""
    CONTRADICTORY = "contradictory"
    """People contradict each other."""
    UNCLEAR = "unclear"
    """People say that the transcript does not show it."""


@frozen
class Calibration:
    """The model compared with people, on one rubric or on all ("")."""

    rubric: str
    counts: Counter[Comparison]

    @property
    def table(self) -> Table:
        number = self.counts
        return (
            number[Comparison.BOTH_HOLD],
            number[Comparison.FALSE_ALARM],
            number[Comparison.MISSED],
            number[Comparison.FOUND],
        )

    @property
    def accuracy(self) -> tuple[int, int]:
        """(right, of all)."""
        both_hold, _, _, found = self.table
        return both_hold + found, sum(self.table)

    @property
    def kappa(self) -> float | None:
        """Agreement beyond chance: 1 is perfect, 0 is chance. None without labels of both kinds."""
        both_hold, false_alarms, missed, found = self.table
        return kappa(self.table) if both_hold + false_alarms and missed + found else None

    @property
    def kappa_interval(self) -> tuple[float, float] | None:
        """95 %."""
        return None if self.kappa is None else kappa_interval(self.table)


def kappa(table: Sequence[float]) -> float:
    """Cohen's kappa of a table with both verdicts of people."""
    both_hold, false_alarms, missed, found = table
    total = sum(table)
    people, model = (both_hold + false_alarms) / total, (both_hold + missed) / total
    by_chance = people * model + (1 - people) * (1 - model)
    return ((both_hold + found) / total - by_chance) / (1 - by_chance)


def kappa_interval(table: Table) -> tuple[float, float]:
    """The 95 % interval of kappa by its large-sample variance, with half a label more in each cell: without it, few
    labels without a mistake would prove perfect agreement."""
    smooth = [count + _EACH_CELL for count in table]
    total = sum(smooth)
    both_hold, false_alarm, missed, found = (count / total for count in smooth)
    people, model = both_hold + false_alarm, both_hold + missed
    agreed = both_hold + found
    by_chance = people * model + (1 - people) * (1 - model)
    right = both_hold * ((1 - by_chance) - (people + model) * (1 - agreed)) ** 2
    right += found * ((1 - by_chance) - (2 - people - model) * (1 - agreed)) ** 2
    wrong = false_alarm * (model + 1 - people) ** 2 + missed * (1 - model + people) ** 2
    rest = (agreed * by_chance - 2 * by_chance + agreed) ** 2
    variance = (right + (1 - agreed) ** 2 * wrong - rest) / (total * (1 - by_chance) ** 4)
    spread = NormalDist().inv_cdf(0.975) * sqrt(max(0.0, variance))
    known, centre = kappa(table), kappa(smooth)
    return max(-1.0, min(known, centre - spread)), min(1.0, max(known, centre + spread))


def calibrations(labelled: Sequence[Labelled], ask: Ask) -> list[Calibration]:
    """One for each rubric, in the order of the labels."""
    counts: dict[str, Counter[Comparison]] = {}
    for each in labelled:
        counts.setdefault(each.question.rubric, Counter())[_compared(each, ask)] += 1
    return [Calibration(rubric, mine) for rubric, mine in counts.items()]


def over_all(parts: Sequence[Calibration]) -> Calibration:
    """All rubrics together."""
    return Calibration("", sum((part.counts for part in parts), Counter[Comparison]()))


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
