"""Two results beside each other: what regressed, what was fixed, by how much, how sure that is, and what cannot be told."""

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
    """One case in one of the results. `rate` and its 95 % interval are of its countable runs; None where there are none."""

    outcome: str
    runs_passed: int
    runs_countable: int
    rate: float | None
    interval: tuple[float, float] | None
    reason: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Of the rate that tells most: of runs that passed, or of those in which one expectation held that has a rate of its own.

    `before` and `now` are (held, decided); `points` is now less before, from -1 to 1, with its 95 % interval.
    """

    expectation: str | None
    before: tuple[int, int]
    now: tuple[int, int]
    points: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ComparedCase:
    """`difference` is None where either side has no rate, or where the runs are the same ones."""

    case_id: str
    compared: Compared
    before: Side | None
    now: Side | None
    difference: Difference | None
    same_runs: bool
    p_value: float | None = None
    """Of the difference, on its own."""
    not_comparable: NotComparable | None = None
    """What was changed in between that is not the agent."""
    quarantined: bool = False
    """Now; then it is shown, and not counted in the suite's word."""
    shared_runs: int = 0
    """Runs that stand on both sides: the difference is that of the others."""

    @property
    def is_apart(self) -> bool:
        """Whether its outcome changed, and not by the agent."""
        return self.not_comparable is not None and self.compared == "not_enough_evidence"

    @property
    def is_failing(self) -> bool:
        """Now, and not in quarantine."""
        return self.now is not None and self.now.outcome == "failed" and not self.quarantined


@dataclass(frozen=True, slots=True)
class Metric:
    """A median over all runs of the cases that both results hold: before, now, and their difference's 95 % interval."""

    name: str
    unit: str
    before: float
    now: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`older` and `newer` as they were given, redacted; `cases` in the order of the newer one, then those that are gone."""

    older: RunResult
    newer: RunResult
    cases: tuple[ComparedCase, ...]
    metrics: tuple[Metric, ...]
    suite: SuiteDocument | None = None


def render_markdown(comparison: Comparison) -> str:
    """Headline, what regressed and what was fixed with its words, the metrics, then every case in a table."""
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
        *_told(comparison, "regressed", "Regressed"),
        *_told(comparison, "fixed", "Fixed"),
        *_told(comparison, "not_enough_evidence", "Not enough evidence of a change"),
        *_told(comparison, "not_enough_evidence", "Not comparable", apart=True),
        *_still_failing(comparison),
        *_metrics(comparison.metrics),
        *_table(comparison),
    ]
    return "\n\n".join(blocks) + "\n"


def render_json(comparison: Comparison) -> str:
    """Every case with both sides, the difference of the rates and its interval; the metrics."""
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
"""By the name that `planner report --format` takes."""


def headline(comparison: Comparison) -> str:
    """`2 regressed, 1 fixed, 1 failing (not enough evidence of a change), 1 not comparable, 53 same (4 failing)`."""
    parts: list[str] = []
    for compared in _ORDER:
        cases = [case for case in comparison.cases if case.compared == compared and not case.is_apart]
        word = COMPARED[compared]
        if compared == "not_enough_evidence":  # that they fail is what is known of them
            word += " of a change"
            failing = [case for case in cases if case.is_failing]
            cases = [case for case in cases if not case.is_failing]
            parts += [f"{len(failing):,} failing ({word})"] if failing else []
        if cases:
            if compared in ("regressed", "fixed"):
                aside = sum(case.quarantined for case in cases)
                held = f" ({aside:,} in quarantine)" if aside else ""
            else:  # that a case regressed says that it fails; that it is the same, or new, does not
                aside = sum(case.is_failing for case in cases)
                held = f" ({aside:,} failing)" if aside else ""
            parts.append(f"{len(cases):,} {word}{held}")
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
    return [
        "- ⚠️ “before” began later than “now”: what is fixed here may have regressed. The newer result is named first."
    ]


def _told(comparison: Comparison, compared: Compared, title: str, *, apart: bool = False) -> list[str]:
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
    """What failed before as it does now: it is no news, and no reason to merge either."""
    cases = [case for case in comparison.cases if case.compared == "same" and case.is_failing]
    if not cases:
        return []
    lines: list[str] = []
    for case in cases[:_LISTED]:
        if case.before is not None and case.now is not None:
            stand = ": the same runs" if case.same_runs else ""
            lines.append(
                f"- {markdown_code(case.case_id)}: {_passed(case.before)} → {_passed(case.now)} runs passed{stand}"
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
        why = {"expectations": "by other expectations", "judge": "by another model"}.get(
            case.not_comparable or "", "otherwise"
        )
        return f"{runs}: the same runs, judged {why}"
    if case.not_comparable is not None:
        return f"{runs}, {case.before.outcome} → {case.now.outcome}: {NOT_COMPARABLE[case.not_comparable]}"
    if case.difference is None:
        return f"{runs}, {case.before.outcome} → {case.now.outcome}"
    told = case.difference
    held = f"{told.before[0]} of {told.before[1]} → {told.now[0]} of {told.now[1]}"
    without = f" without the {case.shared_runs} that stand in both" if case.shared_runs else ""
    if told.expectation is not None:
        runs = f"{for_markdown(told.expectation)} held in {held} runs{without}"
    elif without:
        runs = f"{held} runs passed{without}"
    low, high = told.interval
    alone = "" if case.p_value is None else f"; {chance(case.p_value)} on its own"
    change = f"{_points(told.points)} ({round(low * 100):+d} to {_points(high)}, 95 % interval{alone})"
    outcomes = f"{case.before.outcome} → {case.now.outcome}"
    left_open = f", {outcomes}" if "unknown" in (case.before.outcome, case.now.outcome) else ""
    return f"{runs}{left_open}, {change}{_aside(case)}"


def _aside(case: ComparedCase) -> str:
    return "; in quarantine: not counted" if case.quarantined else ""


def _points(share: float) -> str:
    """Of rates: percentage points, signed."""
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
    told = case.difference
    if told is not None and told.expectation is not None:
        held, decided = told.now if now else told.before
        return f"{side.outcome}{quarantine}, {for_markdown(told.expectation)} {held} of {decided}"
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
