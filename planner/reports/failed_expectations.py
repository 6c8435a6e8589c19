"""Summarise failed expectations over all cases: the cases of a matrix mostly fail in the same way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from planner.reports.case_phrasing import finding_label, open_findings, runs_to_show, standing
from planner.reports.quantities import count
from planner.results.model import CaseDocument, FindingDocument, RunDocument

_SEVERITIES = ("critical", "error")


@dataclass(frozen=True, slots=True)
class FailedExpectation:
    """An expectation that failed: its first finding and case, and the number of runs and cases."""

    finding: FindingDocument
    case: CaseDocument
    place: str
    """`plans/orders.yaml:22`, or empty."""
    cases: int
    runs_failed: int
    runs_decided: int


def failed_expectations(ranked: Sequence[CaseDocument]) -> list[FailedExpectation]:
    """Critical ones first, then by number of cases. Empty for fewer than two failed cases."""
    failed = [case for case in ranked if standing(case) == "failed"]
    groups: dict[tuple[str, str, str], list[tuple[CaseDocument, list[RunDocument]]]] = {}
    for case in failed if len(failed) > 1 else ():
        runs: dict[str, list[RunDocument]] = {}
        for run, finding in _failures(case):
            runs.setdefault(finding.expectation, []).append(run)
        for expectation, its_runs in runs.items():
            groups.setdefault((case.plan, _place(case, expectation), expectation), []).append((case, its_runs))
    summaries = [_summary(place, expectation, found) for (_, place, expectation), found in groups.items()]
    return sorted(summaries, key=lambda one: (_SEVERITIES.index(one.finding.severity), -one.cases))


def in_how_many(failed: FailedExpectation) -> str:
    """`failed in 20 of 20 runs of 4 cases`."""
    return f"failed in {failed.runs_failed:,} of {count(failed.runs_decided, 'run')} of {count(failed.cases, 'case')}"


def first_failed(case: CaseDocument) -> str:
    """`says (critical): never said "30 days" (and 1 more)`: the most severe failed expectation; empty if none failed."""
    found: dict[str, FindingDocument] = {}
    for _, finding in _failures(case):
        found.setdefault(finding.expectation, finding)
    if not found:
        return ""
    first = min(found.values(), key=lambda finding: _SEVERITIES.index(finding.severity))
    label = finding_label(first)
    more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
    return f"{first.expectation}{f' ({label})' if label else ''}: {first.message}{more}"


def _failures(case: CaseDocument) -> Iterator[tuple[RunDocument, FindingDocument]]:
    for run in runs_to_show(case):
        for finding in open_findings(run) if run.countable else ():
            if finding.outcome == "failed" and finding.severity in _SEVERITIES:
                yield run, finding


def _summary(place: str, expectation: str, found: list[tuple[CaseDocument, list[RunDocument]]]) -> FailedExpectation:
    first_case, first_runs = found[0]
    return FailedExpectation(
        finding=_of(first_runs[0], expectation),
        case=first_case,
        place=place,
        cases=len(found),
        runs_failed=sum(len(runs) for _, runs in found),
        runs_decided=sum(_decided(case, expectation) for case, _ in found),
    )


def _of(run: RunDocument, expectation: str) -> FindingDocument:
    return next(finding for finding in open_findings(run) if finding.expectation == expectation)


def _decided(case: CaseDocument, expectation: str) -> int:
    """Number of runs in which it was decided."""
    return sum(
        run.countable
        and any(finding.expectation == expectation and finding.outcome != "errored" for finding in run.findings)
        for run in case.runs
    )


def _place(case: CaseDocument, expectation: str) -> str:
    return f"{case.file}:{case.finding_lines.get(expectation, case.line)}" if case.file else ""
