"""How well the judge agrees with people, in words."""

from __future__ import annotations

from planner.quantities import count
from planner.results.judge_documents import CalibrationDocument, JudgeDocument


def judge_facts(document: JudgeDocument | None) -> str:
    """`tiny-1: found 8 of 10 failures; 1 of 30 false alarms`, or empty without labels."""
    if document is None or document.calibration is None:
        return ""
    known = document.calibration
    return f"{document.model}: {_counts(known) if known.compared else 'not compared with labels of people yet'}"


def rubric_lines(document: JudgeDocument | None) -> list[str]:
    """`The agent stays polite: found 8 of 10 failures; 1 of 30 false alarms · 2 undecided`."""
    return [] if document is None else [_rubric_line(each) for each in document.rubrics]


def _rubric_line(document: CalibrationDocument) -> str:
    others = (
        (document.undecided, "undecided"),
        (document.missing, "not asked yet"),
        (document.contradictory, "contradictory"),
        (document.unclear, "unclear to people"),
    )
    parts = [_counts(document), *(f"{number:,} {what}" for number, what in others if number)]
    return f"{document.rubric.rstrip('.')}: {' · '.join(parts)}"


def _counts(document: CalibrationDocument) -> str:
    failures = document.found + document.missed
    alarms = f"{document.false_alarms:,} of {document.compared - failures:,} false alarms"
    return f"found {document.found:,} of {count(failures, 'failure')}; {alarms}"
