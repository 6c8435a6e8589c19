"""How far the judge can be relied on, in words: its canaries, and its agreement with people."""

from __future__ import annotations

from planner.quantities import chance, count
from planner.results.judge_documents import CalibrationDocument, CanaryDocument, JudgeDocument


def judge_facts(document: JudgeDocument | None) -> str:
    """`tiny-1: 20 canaries answered as before · compared with people: kappa 0.71 (0.52–0.85), agrees with 55 of 60
    labels`, or empty."""
    if document is None:
        return ""
    parts = [_canaries(document.canaries), _agreement(document.calibration)]
    known = " · ".join(filter(None, parts))
    return f"{document.model}: {known}" if known else ""


def _canaries(document: CanaryDocument | None) -> str:
    if document is None or not document.asked:
        return ""
    asked = count(document.asked, "canary", "canaries")
    if not document.compared:
        return f"{asked} asked for the first time"
    if document.has_drifted:
        how_many = f"{document.different} of {asked} answered differently than before"
        return f"{how_many}: another model ({chance(document.p_value)})"
    return f"{asked} answered as before" + (f", {document.different} differently" if document.different else "")


def _agreement(document: CalibrationDocument | None) -> str:
    """How well the judge agrees with people."""
    if document is None:
        return ""
    if not document.compared:
        return "not compared with labels of people yet"
    agreement = f"agrees with {document.right:,} of {count(document.compared, 'label')}"
    return f"compared with people: {_kappa(document)}, {agreement}"


def _kappa(document: CalibrationDocument) -> str:
    if document.kappa is None or document.kappa_interval is None:
        return "kappa unknown (label calls of both kinds)"
    low, high = document.kappa_interval
    return f"kappa {document.kappa:.2f} ({low:.2f}–{high:.2f})"


def rubric_lines(document: JudgeDocument | None) -> list[str]:
    """`The agent stays polite: kappa 0.71 (0.52–0.85) · 55 of 60 labels · finds 9 of 11 failures · 2 false alarms`."""
    return [] if document is None else [_rubric_line(each) for each in document.rubrics]


def _rubric_line(document: CalibrationDocument) -> str:
    others = (
        (document.undecided, "undecided"),
        (document.missing, "not asked yet"),
        (document.contradictory, "contradictory"),
        (document.unclear, "unclear to people"),
    )
    parts = [
        _kappa(document) if document.compared else "",
        f"{document.right:,} of {count(document.compared, 'label')}",
        f"finds {document.found:,} of {count(document.found + document.missed, 'failure')}",
        count(document.false_alarms, "false alarm"),
        *(f"{number:,} {what}" for number, what in others if number),
        "only warns" if document.only_warns else "",
    ]
    return f"{document.rubric.rstrip('.')}: {' · '.join(filter(None, parts))}"
