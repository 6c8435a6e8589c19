"""Report the comparison of two results: what regressed, what passes now, and by how much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, get_args

from planner.quantities import count, moment, shortened
from planner.reports.case_phrasing import NOT_COMPARABLE
from planner.reports.neutral import for_markdown, json_document, markdown_code, picked
from planner.reports.phrasing import VERDICTS, counted, suite
from planner.results.model import Changed, Compared, NotComparable, RunResult, SuiteDocument, outcome_change
from planner.values import frozen

_SECTIONS: Final = {
    "regressed": ("❌ ", "Regressed"),
    "now failing": ("❌ ", "Now failing"),
    "now passing": ("✅ ", "Now passing"),
    "unknown": ("❔ ", "Unknown"),
    "new": ("➕ ", "New and failing"),
    "gone": ("➖ ", "Gone"),
    "still failing": ("", "Still failing"),
}
"""The mark and the title by word, worst first. Unchanged cases are only counted."""
_LISTED = 200
_CHARACTERS = 240


@frozen
class Side:
    """One case in one of the results. `pass_rate` and its 95 % interval cover countable runs; None without any."""

    outcome: str
    runs_passed: int
    runs_countable: int
    pass_rate: float | None
    interval: tuple[float, float] | None
    reason: str


@frozen
class Difference:
    """The rate that changed most: passed runs, or runs in which `expectation` was met.

    `before` and `now` are (passed, total). `points` is now minus before, from -1 to 1, with its 95 % interval.
    """

    expectation: str | None
    before: tuple[int, int]
    now: tuple[int, int]
    points: float
    interval: tuple[float, float]


@frozen
class ComparedCase:
    """`difference` is None if a side has no rate, or both have the same runs."""

    case_id: str
    compared: Compared
    before: Side | None
    now: Side | None
    difference: Difference | None
    same_runs: bool
    not_comparable: NotComparable | None = None
    """What changed other than the agent."""
    quarantined: bool = False
    """In the newer result. Quarantined cases are not counted in the suite."""
    shared_runs: int = 0
    """Runs of both results, which the difference excludes."""

    @property
    def changed(self) -> Changed | None:
        """None if it is gone, or unknown now."""
        return None if self.now is None else outcome_change(self.before and self.before.outcome, self.now.outcome)

    @property
    def word(self) -> str:
        if self.compared == "regressed":
            return "regressed"
        return "gone" if self.now is None else (self.changed or "unknown").replace("_", " ")

    @property
    def is_failing(self) -> bool:
        """Whether it fails now and is not quarantined."""
        return self.now is not None and self.now.outcome == "failed" and not self.quarantined


@frozen
class Comparison:
    """`older` and `newer` are redacted; `cases` are in the order of the newer one, then those that are gone."""

    older: RunResult
    newer: RunResult
    cases: tuple[ComparedCase, ...]
    suite: SuiteDocument | None = None


def render_json(comparison: Comparison) -> str:
    """All cases with both sides and the difference."""
    numbers = Counter(case.compared for case in comparison.cases)
    return json_document(
        {
            "older": comparison.older.session_id,
            "newer": comparison.newer.session_id,
            "summary": {compared: numbers[compared] for compared in get_args(Compared) if numbers[compared]},
            "cases": list(map(_case_document, comparison.cases)),
            **picked(comparison, "suite"),
        }
    )


def _case_document(case: ComparedCase) -> dict[str, object]:
    difference = case.difference
    return {
        **picked(case, "case_id", "compared", "changed", "before", "now"),
        "difference": None if difference is None else difference.points,
        "interval": None if difference is None else difference.interval,
        "expectation": None if difference is None else difference.expectation,
        **picked(case, "same_runs", "shared_runs", "not_comparable", "quarantined"),
    }


def _word_and_note(case: ComparedCase) -> tuple[str, str]:
    if case.quarantined:
        return case.word, "in quarantine"
    return case.word, "failing" if case.word == "new" and case.is_failing else ""


def render_markdown(comparison: Comparison) -> str:
    """Headline, changed and failing cases with reasons."""
    return "\n\n".join(_blocks(comparison)) + "\n"


def _blocks(comparison: Comparison) -> Iterator[str]:
    # `2 regressed, 1 now failing, 1 now passing, 4 still failing, 49 unchanged`
    yield f"# {', '.join(counted(map(_word_and_note, comparison.cases))) or 'no cases'}"
    lines = [f"- before: {_result(comparison.older)}", f"- now: {_result(comparison.newer)}"]
    if comparison.older.started_at > comparison.newer.started_at:
        lines.append(
            "- ⚠️ “before” is newer than “now”: what is shown as passing now may be failing now. Name the newer result "
            "first."
        )
    yield "\n".join(lines)
    if whole := suite(comparison.suite):
        yield for_markdown(whole)
    for word, (mark, title) in _SECTIONS.items():
        cases = [
            case
            for case in comparison.cases
            if case.word == word and (case.is_failing or word not in ("new", "still failing"))
        ]
        if cases:
            yield from (f"## {title} ({len(cases):,})", _listed(cases, mark))


def _result(result: RunResult) -> str:
    where = f", environment {for_markdown(result.environment)}" if result.environment else ""
    where += ", only some cases were selected" if result.partial else ""
    verdict = f"{VERDICTS[result.outcome]}{' (sandbox)' if result.sandbox else ''}"
    return f"{markdown_code(result.session_id)}: {verdict}, {moment(result.started_at)}{where}"


def _listed(cases: Sequence[ComparedCase], mark: str) -> str:
    lines: list[str] = []
    for case in cases[:_LISTED]:
        lines.append(f"- {mark}{markdown_code(case.case_id)}: {for_markdown(_change(case))}")
        if case.now and case.now.reason:
            lines.append(f"  {for_markdown(shortened(case.now.reason, _CHARACTERS))}")
    if len(cases) > _LISTED:
        lines.append(f"- *{len(cases) - _LISTED:,} more*")
    return "\n".join(lines)


def _change(case: ComparedCase) -> str:
    """`3 of 3 → 0 of 3 runs passed, -100 points (-100 to -49 points, 95 % interval)`."""
    before, now, difference = case.before, case.now, case.difference
    if before is None or now is None:
        return f"{_passed(side)} runs passed" if (side := before or now) else ""
    parts = [f"{_passed(before)} → {_passed(now)} runs passed"]
    if difference is not None:
        counts = " → ".join(f"{passed} of {total}" for passed, total in (difference.before, difference.now))
        parts = [
            f"{difference.expectation} was met in {counts} runs" if difference.expectation else f"{counts} runs passed"
        ]
    if case.same_runs:
        parts.append("same runs")
    elif case.shared_runs and difference is not None:
        parts.append(f"not counting {count(case.shared_runs, 'shared run')}")
    if case.not_comparable is not None:
        parts.append(NOT_COMPARABLE[case.not_comparable])
    elif difference is not None and case.word not in ("unchanged", "still failing"):
        low, high = (round(bound * 100) for bound in difference.interval)
        parts.append(f"{round(difference.points * 100):+d} points ({low:+d} to {high:+d} points, 95 % interval)")
    if before.outcome != now.outcome:
        parts.append(f"{before.outcome} → {now.outcome}")
    return ", ".join([*parts, *(["in quarantine: not counted"] * case.quarantined)])


def _passed(side: Side) -> str:
    return f"{side.runs_passed} of {side.runs_countable}"


COMPARISON_FORMATS: Mapping[str, Callable[[Comparison], str]] = MappingProxyType(
    {"markdown": render_markdown, "json": render_json}
)
"""By the names of `planner report --format`: those in which `planner report RESULTS OLDER` is written."""
