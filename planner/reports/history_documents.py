"""`planner history` as JSON and CSV. No CSV cell is a formula to a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Final

from pydantic_core import to_json

from planner.changes.timeline import CaseHistory, Figures, InvocationHistory, Point
from planner.reports.history import HistoryPage
from planner.reports.neutral import for_json_text, one_line
from planner.reports.redaction import Redactor

SCHEMA_VERSION: Final = "1.0"

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""The start of a formula in a spreadsheet (OWASP, CSV injection), including full-width forms."""

_COLUMNS: Final = (
    "case_id",
    "plan",
    "scenario",
    "invocation_id",
    "at",
    "calls",
    "countable",
    "passed",
    "pass_rate",
    "interval_low",
    "interval_high",
    "duration_seconds",
    "latency_ms",
    "grade",
    "cents_per_call",
    "total_cents",
    "unbilled",
)


def render_json(page: HistoryPage, *, environment: str, redactor: Redactor) -> str:
    """Sessions newest first, points oldest first; unknown values are null."""
    timeline = page.timeline
    names = redactor.names(case.case_id for case in timeline.cases)
    accuracy = timeline.accuracy
    document = {
        "schema_version": SCHEMA_VERSION,
        "environment": redactor.name(environment),
        "sandbox": page.sandbox,
        "suite": _figures(timeline.figures)
        | {"flips": timeline.flips, "neighbours": timeline.neighbours, "flip_rate": timeline.flip_rate},
        "estimates": {
            "estimates": accuracy.estimates,
            "mean_error": accuracy.mean_error,
            "within": accuracy.within,
            "ranged": accuracy.ranged,
        },
        "invocations": [_invocation(entry) for entry in timeline.invocations],
        "cases": [_case(case, names[case.case_id], redactor) for case in shown(page)],
    }
    return for_json_text(to_json(document, indent=2).decode())


def render_csv(page: HistoryPage, *, redactor: Redactor) -> str:
    """One line per case and session that called it, oldest first within a case; unknown values are empty."""
    names = redactor.names(case.case_id for case in page.timeline.cases)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for case in shown(page):
        texts = (names[case.case_id], redactor.name(case.plan), redactor.name(case.scenario))
        for point in case.points:
            values = _figures(point.figures)
            low, high = values.pop("interval") or (None, None)
            writer.writerow(
                [
                    *map(_cell, (*texts, point.invocation_id)),
                    f"{point.at:%Y-%m-%dT%H:%M:%SZ}",
                    *(values[name] for name in ("calls", "countable", "passed", "pass_rate")),
                    low,
                    high,
                    *(values[name] for name in _COLUMNS[11:]),
                ]
            )
    return out.getvalue()


def shown(page: HistoryPage) -> Sequence[CaseHistory]:
    return page.timeline.cases if page.wanted is None else page.wanted


def _cell(text: str) -> str:
    """On one line; an apostrophe makes spreadsheets show a formula as text."""
    line = one_line(text)
    return f"'{line}" if line.startswith(_FORMULA) else line


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "calls": figures.calls,
        "countable": figures.countable,
        "passed": figures.passed,
        "pass_rate": figures.pass_rate,
        "interval": figures.interval,
        "duration_seconds": figures.duration_seconds,
        "latency_ms": figures.latency_ms,
        "grade": figures.grade,
        "cents_per_call": figures.cents_per_call,
        "total_cents": figures.total_cents,
        "unbilled": figures.unbilled,
    }


def _case(case: CaseHistory, name: str, redactor: Redactor) -> dict[str, Any]:
    return {
        "case_id": name,
        "plan": redactor.name(case.plan),
        "scenario": redactor.name(case.scenario),
        "outcome": case.outcome,
        **_figures(case.figures),
        "flips": case.flips,
        "neighbours": case.neighbours,
        "flip_rate": case.flip_rate,
        "points": [_point(point) for point in case.points],
    }


def _point(point: Point) -> dict[str, Any]:
    return {"invocation_id": point.invocation_id, "at": point.at, **_figures(point.figures)}


def _invocation(entry: InvocationHistory) -> dict[str, Any]:
    priced = entry.priced
    return {
        "invocation_id": entry.invocation_id,
        "at": entry.at,
        "outcome": entry.outcome,
        "finished": entry.finished,
        "partial": entry.partial,
        **_figures(entry.figures),
        "estimated_cents": entry.estimated_cents,
        "actual_cents": priced.actual_cents if priced else None,
        "estimate_error": priced.error if priced else None,
        "within_range": priced.within if priced else None,
    }
