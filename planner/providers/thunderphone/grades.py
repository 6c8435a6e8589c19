"""Grades: the scale of their scores, and the counts of their issues.

One dialect writes scores from 0.0 to 1.0, the other from 0 to 100. Only a score of 1 is ambiguous.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from planner.evidence import Evidence, Grade, Issue
from planner.providers.thunderphone.wire import WireCall, WireGrade

_PERCENT: Final = frozenset({"collected_values", "extracted_data", "prompt_snapshot", "steps_trace", "tool_snapshot"})
"""Fields of the call object that exist only in the dialect with scores in percent."""
_LESS_THAN_CRITICAL: Final = frozenset(
    {"minor", "major", "low", "medium", "moderate", "high", "warning", "info", "informational", "notice", "trivial"}
)
_TITLES: Final = ("title", "description", "message", "summary", "name", "type")
_NAMES: Final = ("name", "criterion", "title")
_REASONS: Final = ("reason", "reasoning", "explanation", "description")
_FULL: Final = 1.0
_ONE_PERCENT: Final = 0.01
_GOOD: Final = frozenset({"success", "achieved"})
_BAD: Final = frozenset({"failure", "missed", "no_conversation"})
"""Outcomes and goals."""


@dataclass(slots=True)
class ScoreScale:
    """The scale of an account's scores, found from all that were read."""

    _has_fractions: bool = False
    _has_percents: bool = False

    def note(self, score: float | None) -> None:
        if score is not None:
            self._has_fractions |= 0 < score < 1
            self._has_percents |= 1 < score <= 100

    @property
    def of_one(self) -> float | None:
        """What a score of 1 means, from 0 to 1; None if the scores show no scale, or both."""
        if self._has_fractions is self._has_percents:
            return None
        return _FULL if self._has_fractions else _ONE_PERCENT

    def completed(self, evidence: Evidence, call: WireCall | None, grade: WireGrade | None) -> Evidence:
        """The evidence, with the meaning of a score of 1 by the scale of the other scores."""
        scores = _scores(call, grade)
        for score in scores:
            self.note(score)
        if evidence.grade is None or scores != [1] * len(scores) or not scores or self.of_one is None:
            return evidence
        return evidence.model_copy(update={"grade": evidence.grade.model_copy(update={"score": self.of_one})})


def grade_from_wire(call: WireCall | None, grade: WireGrade | None, fields: Mapping[str, Any]) -> Grade | None:
    """The grade, completed from the call object, which has these fields."""
    if grade is None and (call is None or call.grade_status is None):
        return None
    status = (grade and grade.status) or (call and call.grade_status) or "unknown"
    if status == "pending":  # not final: no issues so far does not mean no issues
        return Grade(status=status)
    detected: object = grade.detected_issues if grade else None
    issues = cast("list[Any]", detected) if isinstance(detected, list) else None
    outcome = (grade and grade.call_outcome) or (call and call.call_outcome) or None
    goal = (grade and grade.goal_achievement) or (call and call.goal_achievement) or None
    in_percent = not _PERCENT.isdisjoint(fields)
    return Grade(
        status=status,
        score=_score(_scores(call, grade), _by_outcome(outcome, goal), in_percent=in_percent),
        outcome=outcome,
        goal=goal,
        issues=_agreed(None if issues is None else len(issues), call and call.issue_count),
        critical_issues=_agreed(None if issues is None else _critical(issues), call and call.critical_issue_count),
        summary=(grade and grade.summary) or None,
        outcome_reasoning=_text(grade.outcome_reasoning if grade else None),
        goal_reasoning=_text(grade.goal_reasoning if grade else None),
        rubric=tuple(_rubric(grade.rubric_breakdown if grade else None)),
        titles=tuple(_titles(issues or ())),
        grader_model=name_of(grade.grader_model if grade else None),
        grader_version=name_of(grade.grader_version if grade else None),
    )


def _scores(call: WireCall | None, grade: WireGrade | None) -> list[float]:
    """The score as the service writes it; the grade's own first."""
    written = (grade.score if grade else None, call.grade_score if call else None)
    return [score for score in written if score is not None]


def _score(scores: Sequence[float], by_outcome: float | None, *, in_percent: bool) -> float | None:
    """A score from 0 to 1. The grade wins, except if it is 1 and the call object has the same score in percent."""
    if not scores:
        return None
    score = scores[-1] if scores[0] == 1 and scores[-1] in (100, _ONE_PERCENT) else scores[0]
    if score == 1:
        return _of_one(score, by_outcome, in_percent=in_percent)
    if 0 <= score < 1:
        return float(score)
    return score / 100 if 2 <= score <= 100 else None


def _of_one(score: float, by_outcome: float | None, *, in_percent: bool) -> float | None:
    """The meaning of a single score of 1: by the dialect if the type of the number agrees, otherwise by the outcome.
    None if they contradict each other, or none shows it."""
    if isinstance(score, int) is not in_percent:
        return by_outcome
    if not in_percent:
        return _FULL
    return None if by_outcome == _FULL else _ONE_PERCENT


def _by_outcome(outcome: str | None, goal: str | None) -> float | None:
    """What a score of 1 means for a call with this outcome; None if it does not say, or contradicts itself."""
    words = {word.strip().lower() for word in (outcome, goal) if word is not None}
    is_good, is_bad = not words.isdisjoint(_GOOD), not words.isdisjoint(_BAD)
    if is_good is is_bad:
        return None
    return _FULL if is_good else _ONE_PERCENT


def _agreed(listed: int | None, counted: int | None) -> int | None:
    """A count; None if two sources differ or it is negative."""
    numbers = {number for number in (listed, counted) if number is not None}
    return numbers.pop() if len(numbers) == 1 and min(numbers) >= 0 else None


def _critical(issues: Sequence[object]) -> int | None:
    """The number of critical issues; None if any severity is missing or unknown."""
    values = [
        cast("Mapping[str, object]", issue).get("severity") if isinstance(issue, Mapping) else None for issue in issues
    ]
    severities = [severity.strip().lower() if isinstance(severity, str) else "" for severity in values]
    if not all(severity == "critical" or severity in _LESS_THAN_CRITICAL for severity in severities):
        return None
    return severities.count("critical")


def _titles(issues: Iterable[object]) -> Iterator[Issue]:
    """The issues that have words. Their fields are not documented."""
    for issue in issues:
        fields: Mapping[str, object] = cast("Any", issue) if isinstance(issue, Mapping) else {"title": issue}
        title = next(filter(None, (_text(fields.get(name)) for name in _TITLES)), None)
        if title is not None:
            yield Issue(title=title, severity=_text(fields.get("severity")))


def _rubric(breakdown: object) -> Iterator[str]:
    """The points of a rubric, by name or in a list, each a value or an object. Their fields are not documented."""
    points: list[tuple[object, object]] = []
    if isinstance(breakdown, Mapping):
        points = list(cast("Mapping[object, object]", breakdown).items())
    elif isinstance(breakdown, list):
        points = [("", point) for point in cast("list[object]", breakdown)]
    for name, point in points:
        fields: Mapping[str, object] = cast("Any", point) if isinstance(point, Mapping) else {"score": point}
        named = _text(name) or next(filter(None, (_text(fields.get(key)) for key in _NAMES)), None)
        score = name_of(fields.get("score"))
        reason = next(filter(None, (_text(fields.get(key)) for key in _REASONS)), None)
        said = " ".join(filter(None, (named, score)))
        if said or reason:
            yield ": ".join(filter(None, (said, reason)))


def _text(value: object) -> str | None:
    """Words on one line."""
    return " ".join(value.split()) or None if isinstance(value, str) else None


def name_of(value: object) -> str | None:
    """A version or label as text: `7` and `"7"` are the same version."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    return str(value) or None
