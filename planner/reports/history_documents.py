"""`planner history` as JSON and CSV. No CSV cell is a formula to a spreadsheet."""

from __future__ import annotations

import csv
import io
from operator import attrgetter
from typing import Any, Final

from planner.changes.timeline import CaseHistory, Figures, InvocationHistory
from planner.reports.documents import json_document, picked
from planner.reports.history import HistoryPage
from planner.reports.neutral import one_line
from planner.reports.redaction import Redactor

SCHEMA_VERSION: Final = "1.0"

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""The start of a formula in a spreadsheet (OWASP, CSV injection), including full-width forms."""
_COUNTS: Final = ("calls", "countable", "passed", "pass_rate")
_MEANS: Final = ("duration_seconds", "latency_ms", "grade", "cents_per_call", "total_cents", "unbilled")
_FIGURES: Final = (*_COUNTS, "interval", *_MEANS)
_CASE: Final = ("case_id", "plan", "scenario", "invocation_id", "at")
_FLIPS: Final = ("flips", "neighbours", "flip_rate")


def render_json(page: HistoryPage, *, environment: str, redactor: Redactor) -> str:
    """Sessions newest first, points oldest first; unknown values are null."""
    timeline = page.timeline
    names = redactor.names(case.case_id for case in timeline.cases)
    document = {
        "schema_version": SCHEMA_VERSION,
        "environment": redactor.name(environment),
        "sandbox": page.sandbox,
        "suite": _figures(timeline.figures) | picked(timeline, *_FLIPS),
        "estimates": timeline.accuracy,
        "invocations": [_session(entry) for entry in timeline.invocations],
        "cases": [_case(case, names[case.case_id], redactor) for case in page.cases],
    }
    return json_document(document)


def render_csv(page: HistoryPage, *, redactor: Redactor) -> str:
    """One line per case and session that called it, oldest first within a case; unknown values are empty."""
    names = redactor.names(case.case_id for case in page.timeline.cases)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*_CASE, *_COUNTS, "interval_low", "interval_high", *_MEANS))
    for case in page.cases:
        texts = (names[case.case_id], redactor.name(case.plan), redactor.name(case.scenario))
        for point in case.points:
            cells = [*map(_cell, (*texts, point.invocation_id)), f"{point.at:%Y-%m-%dT%H:%M:%SZ}"]
            low, high = point.figures.interval or (None, None)
            cells += [*attrgetter(*_COUNTS)(point.figures), low, high, *attrgetter(*_MEANS)(point.figures)]
            writer.writerow(cells)
    return out.getvalue()


def _cell(text: str) -> str:
    """On one line; an apostrophe makes spreadsheets show a formula as text."""
    line = one_line(text)
    return f"'{line}" if line.startswith(_FORMULA) else line


def _figures(figures: Figures) -> dict[str, Any]:
    return picked(figures, *_FIGURES)


def _case(case: CaseHistory, name: str, redactor: Redactor) -> dict[str, Any]:
    return {
        "case_id": name,
        "plan": redactor.name(case.plan),
        "scenario": redactor.name(case.scenario),
        "outcome": case.outcome,
        **_figures(case.figures),
        **picked(case, *_FLIPS),
        "points": [
            {"invocation_id": point.invocation_id, "at": point.at, **_figures(point.figures)} for point in case.points
        ],
    }


def _session(entry: InvocationHistory) -> dict[str, Any]:
    priced = entry.priced
    return {
        **picked(entry, "invocation_id", "at", "outcome", "finished", "partial"),
        **_figures(entry.figures),
        "estimated_cents": entry.estimated_cents,
        "actual_cents": priced.actual_cents if priced else None,
        "estimate_error": priced.error if priced else None,
        "within_range": priced.within if priced else None,
    }
