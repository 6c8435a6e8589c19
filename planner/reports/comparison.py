"""Report the comparison of two results: what regressed or was fixed, by how much, and with what certainty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pydantic_core import to_json

from planner.reports.case_phrasing import COMPARED, NOT_COMPARABLE, compared_word, shortened
from planner.reports.neutral import for_json_text, for_markdown, markdown_code
from planner.reports.phrasing import moment, suite
from planner.reports.quantities import chance, count, duration, money
from planner.reports.verdict_phrasing import verdict
from planner.results.model import Compared, NotComparable, RunResult, SuiteDocument

SCHEMA_VERSION = "1.0"

_ORDER: Final[tuple[Compared, ...]] = ("regressed", "fixed", "not_enough_evidence", "new", "gone", "same")
_MARKS: Final = {"regressed": "❌", "fixed": "✅", "not_enough_evidence": "❔", "new": "➕", "gone": "➖", "same": "="}
_LISTED = 200
_FOLDED = 1_000
_CHARACTERS = 240


@dataclass(frozen=True, slots=True)
class Side:
    """One case in one of the results. `rate` and its 95 % interval cover countable runs; None without any."""

    outcome: str
    runs_passed: int
    runs_countable: int
    rate: float | None
    interval: tuple[float, float] | None
    reason: str


@dataclass(frozen=True, slots=True)
class Difference:
    """The change of the rate with the strongest evidence: passed runs, or runs in which `expectation` was met.

    `before` and `now` are (passed, total). `points` is now minus before, from -1 to 1, with its 95 % interval.
    """

    expectation: str | None
    before: tuple[int, int]
    now: tuple[int, int]
    points: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ComparedCase:
    """`difference` is None if a side has no rate, or both have the same runs."""

    case_id: str
    compared: Compared
    before: Side | None
    now: Side | None
    difference: Difference | None
    same_runs: bool
    p_value: float | None = None
    """Not corrected for the other cases."""
    not_comparable: NotComparable | None = None
    """What changed other than the agent."""
    quarantined: bool = False
    """In the newer result. Quarantined cases are not counted in the suite."""
    shared_runs: int = 0
    """Runs of both results, which the difference excludes."""

    @property
    def is_apart(self) -> bool:
        """Whether the outcome changed, but the case is not comparable."""
        return self.not_comparable is not None and self.compared == "not_enough_evidence"

    @property
    def is_failing(self) -> bool:
        """Whether it fails now and is not quarantined."""
        return self.now is not None and self.now.outcome == "failed" and not self.quarantined


@dataclass(frozen=True, slots=True)
class Metric:
    """Medians over the runs of cases in both results, and the 95 % interval of their difference."""

    name: str
    unit: str
    before: float
    now: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`older` and `newer` are redacted; `cases` are in the order of the newer one, then those that are gone."""

    older: RunResult
    newer: RunResult
    cases: tuple[ComparedCase, ...]
    metrics: tuple[Metric, ...]
    suite: SuiteDocument | None = None


def render_markdown(comparison: Comparison) -> str:
    """Headline, changed cases with reasons, metrics, and a table of all cases."""
    blocks = [
        f"# {headline(comparison)}",
        "\n".join(
            [
                f"- before: {_result(comparison.older)}",
                f"- now: {_result(comparison.newer)}",
                *_backwards(comparison),
            ]
        ),
        *filter(None, [for_markdown(suite(comparison.suite))]),
        *_changed(comparison, "regressed", "Regressed"),
        *_changed(comparison, "fixed", "Fixed"),
        *_changed(comparison, "not_enough_evidence", "Not enough evidence of a change"),
        *_changed(comparison, "not_enough_evidence", "Not comparable", apart=True),
        *_still_failing(comparison),
        *_metrics(comparison.metrics),
        *_table(comparison),
    ]
    return "\n\n".join(blocks) + "\n"


def render_json(comparison: Comparison) -> str:
    """All cases with both sides and the difference, and the metrics."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "older": comparison.older.invocation_id,
        "newer": comparison.newer.invocation_id,
        "summary": {compared: number for compared in _ORDER if (number := _count(comparison, compared))},
        "cases": [
            {
                "case_id": case.case_id,
                "compared": case.compared,
                "before": _side_document(case.before),
                "now": _side_document(case.now),
                "difference": None if case.difference is None else case.difference.points,
                "interval": None if case.difference is None else case.difference.interval,
                "expectation": None if case.difference is None else case.difference.expectation,
                "same_runs": case.same_runs,
                "shared_runs": case.shared_runs,
                "p_value": case.p_value,
                "not_comparable": case.not_comparable,
                "quarantined": case.quarantined,
            }
            for case in comparison.cases
        ],
        "suite": None if comparison.suite is None else comparison.suite.model_dump(),
        "metrics": [
            {
                "name": metric.name,
                "unit": metric.unit,
                "before": metric.before,
                "now": metric.now,
                "interval": metric.interval,
            }
            for metric in comparison.metrics
        ],
    }
    return for_json_text(to_json(document, indent=2).decode()) + "\n"


FORMATS: Mapping[str, Callable[[Comparison], str]] = MappingProxyType(
    {"markdown": render_markdown, "json": render_json}
)
"""By the names of `planner report --format`."""


def headline(comparison: Comparison) -> str:
    """`2 regressed, 1 fixed, 1 failing (not enough evidence of a change), 1 not comparable, 53 same (4 failing)`."""
    parts: list[str] = []
    for compared in _ORDER:
        cases = [case for case in comparison.cases if case.compared == compared and not case.is_apart]
        word = COMPARED[compared]
        if compared == "not_enough_evidence":  # failing ones are listed as failing first
            word += " of a change"
            failing = [case for case in cases if case.is_failing]
            cases = [case for case in cases if not case.is_failing]
            parts += [f"{len(failing):,} failing ({word})"] if failing else []
        if cases:
            if compared in ("regressed", "fixed"):
                aside = sum(case.quarantined for case in cases)
                note = f" ({aside:,} in quarantine)" if aside else ""
            else:  # unlike a regression, these words do not imply a failure
                aside = sum(case.is_failing for case in cases)
                note = f" ({aside:,} failing)" if aside else ""
            parts.append(f"{len(cases):,} {word}{note}")
        if compared == "not_enough_evidence" and (apart := sum(case.is_apart for case in comparison.cases)):
            parts.append(f"{apart:,} not comparable")
    return ", ".join(parts) or "no cases"


def _count(comparison: Comparison, compared: Compared) -> int:
    return Counter(case.compared for case in comparison.cases)[compared]


def _result(result: RunResult) -> str:
    where = f", environment {for_markdown(result.environment)}" if result.environment else ""
    return f"{markdown_code(result.invocation_id)}: {verdict(result)}, {moment(result.started_at)}{where}"


def _backwards(comparison: Comparison) -> list[str]:
    if comparison.older.started_at <= comparison.newer.started_at:
        return []
    return ["- ⚠️ “before” is newer than “now”: what is shown as fixed may have regressed. Name the newer result first."]


def _changed(comparison: Comparison, compared: Compared, title: str, *, apart: bool = False) -> list[str]:
    cases = [case for case in comparison.cases if case.compared == compared and case.is_apart == apart]
    if not cases:
        return []
    lines: list[str] = []
    for case in cases[:_LISTED]:
        lines.append(f"- {_MARKS[compared]} {markdown_code(case.case_id)}: {_change(case)}")
        reason = case.now.reason if case.now else ""
        if reason:
            lines.append(f"  {for_markdown(shortened(reason, _CHARACTERS))}")
    if len(cases) > _LISTED:
        lines.append(f"- *{len(cases) - _LISTED:,} more*")
    return [f"## {title} ({len(cases):,})", "\n".join(lines)]


def _still_failing(comparison: Comparison) -> list[str]:
    """Cases that failed before and fail now."""
    cases = [case for case in comparison.cases if case.compared == "same" and case.is_failing]
    if not cases:
        return []
    lines: list[str] = []
    for case in cases[:_LISTED]:
        if case.before is not None and case.now is not None:
            same = " (same runs)" if case.same_runs else ""
            lines.append(
                f"- {markdown_code(case.case_id)}: {_passed(case.before)} → {_passed(case.now)} runs passed{same}"
            )
            lines += [f"  {for_markdown(shortened(reason, _CHARACTERS))}"] if (reason := case.now.reason) else []
    if len(cases) > _LISTED:
        lines.append(f"- *{len(cases) - _LISTED:,} more*")
    return [f"## Failing as before ({len(cases):,})", "\n".join(lines)]


def _change(case: ComparedCase) -> str:
    """`3 of 3 → 0 of 3 runs passed, 100 % less (49–100 % less)`."""
    if case.before is None or case.now is None:
        return ""
    runs = f"{_passed(case.before)} → {_passed(case.now)} runs passed"
    if case.same_runs:
        how = {"expectations": "by different expectations", "judge": "by a different model"}.get(
            case.not_comparable or "", "differently"
        )
        return f"{runs}: same runs, judged {how}"
    if case.not_comparable is not None:
        return f"{runs}, {case.before.outcome} → {case.now.outcome}: {NOT_COMPARABLE[case.not_comparable]}"
    if case.difference is None:
        return f"{runs}, {case.before.outcome} → {case.now.outcome}"
    difference = case.difference
    (passed, total), (passed_now, total_now) = difference.before, difference.now
    counts = f"{passed} of {total} → {passed_now} of {total_now}"
    without = f", not counting {count(case.shared_runs, 'shared run')}" if case.shared_runs else ""
    if difference.expectation is not None:
        runs = f"{for_markdown(difference.expectation)} was met in {counts} runs{without}"
    elif without:
        runs = f"{counts} runs passed{without}"
    low, high = difference.interval
    alone = "" if case.p_value is None else f"; {chance(case.p_value)} on its own"
    change = f"{_points(difference.points)} ({round(low * 100):+d} to {_points(high)}, 95 % interval{alone})"
    outcomes = f"{case.before.outcome} → {case.now.outcome}"
    unknown = f", {outcomes}" if "unknown" in (case.before.outcome, case.now.outcome) else ""
    return f"{runs}{unknown}, {change}{'; in quarantine: not counted' if case.quarantined else ''}"


def _points(share: float) -> str:
    """Signed percentage points."""
    return f"{round(share * 100):+d} points"


def _passed(side: Side) -> str:
    return f"{side.runs_passed} of {side.runs_countable}"


def _metrics(metrics: Sequence[Metric]) -> list[str]:
    if not metrics:
        return []
    lines = ["| Median of the runs | Before | Now | Change (95 % interval) |", "| --- | ---: | ---: | ---: |"]
    for metric in metrics:
        low, high = metric.interval
        shown = [_value(metric, value) for value in (metric.before, metric.now)]
        change = f"{_signed(metric, metric.now - metric.before)} ({_signed(metric, low)} to {_signed(metric, high)})"
        lines.append(f"| {metric.name} | {shown[0]} | {shown[1]} | {change} |")
    return ["## Metrics", "\n".join(lines)]


def _value(metric: Metric, value: float) -> str:
    return money(round(value)) if metric.unit == "cents" else duration(value)


def _signed(metric: Metric, value: float) -> str:
    shown = _value(metric, abs(value))
    if shown == _value(metric, 0):
        return shown
    return f"{'-' if value < 0 else '+'}{shown}"


def _table(comparison: Comparison) -> list[str]:
    ranked = sorted(comparison.cases, key=lambda case: _ORDER.index(case.compared))
    if not ranked:
        return []
    lines = ["| Case | Compared | Before | Now |", "| --- | --- | --- | --- |"]
    for case in ranked[:_FOLDED]:
        cells = [
            markdown_code(case.case_id, in_table=True),
            f"{_MARKS[case.compared]} {compared_word(case.compared, case.not_comparable)}",
            _cell(case.before, case, now=False),
            _cell(case.now, case, now=True),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    more = len(ranked) - _FOLDED
    return [
        f"<details><summary>All {count(len(ranked), 'case')}</summary>",
        "\n".join(lines),
        *([f"*{count(more, 'more case')}: see `--format json`.*"] if more > 0 else []),
        "</details>",
    ]


def _cell(side: Side | None, case: ComparedCase, *, now: bool) -> str:
    if side is None:
        return "–"
    quarantine = " (quarantine)" if now and case.quarantined else ""
    difference = case.difference
    if difference is not None and difference.expectation is not None:
        passed, total = difference.now if now else difference.before
        return f"{side.outcome}{quarantine}, {for_markdown(difference.expectation)} {passed} of {total}"
    rate = "" if side.interval is None else f" ({round(side.interval[0] * 100)}–{round(side.interval[1] * 100)} %)"
    return f"{side.outcome}{quarantine}, {_passed(side)}{rate}"


def _side_document(side: Side | None) -> dict[str, object] | None:
    if side is None:
        return None
    return {
        "outcome": side.outcome,
        "runs_passed": side.runs_passed,
        "runs_countable": side.runs_countable,
        "pass_rate": side.rate,
        "interval": side.interval,
        "reason": side.reason,
    }
