"""Annotations: workflow commands that show problems on lines of the diff.

GitHub shows ten per step and silently drops the rest, so the worst nine are shown and a tenth counts the others.
Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from planner.diagnostics import Diagnostics, Severity
from planner.quantities import count
from planner.reports.case_phrasing import is_red, reason
from planner.reports.neutral import for_workflow_command
from planner.values import frozen

if TYPE_CHECKING:
    from planner.results.model import CaseResult, Finding, JudgedRun, RunResult


SHOWN_AT_MOST = 9
_MESSAGE_LIMIT = 4000
"""GitHub cuts messages at 4 KiB; this limit is in characters, nearly all of which take one byte."""

_NOT_THE_PLAN = (3, 130)
"""Exit codes of refused and interrupted sessions."""


@frozen
class Annotation:
    """`file` is relative to the repository's root; "" for no place. Lines and columns count from 1, 0 for none;
    `end_column` is exclusive."""

    level: Literal["error", "warning", "notice"]
    title: str
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0

    def command(self) -> str:
        """The workflow command on one line."""
        places: dict[str, object] = {"file": self.file}
        if self.file:
            places |= {"line": self.line, "endLine": self.end_line}
        if self.file and self.line and self.end_line in (0, self.line):  # GitHub rejects columns across several lines
            # GitHub's end column is inclusive.
            end_column = max(self.end_column - 1, self.column) if self.end_column else 0
            places |= {"col": self.column, "endColumn": end_column}
        properties = ",".join(
            f"{name}={for_workflow_command(str(value), is_property=True)}"
            for name, value in (places | {"title": self.title}).items()
            if value
        )
        head = f"{self.level} {properties}" if properties else self.level
        long = len(self.message) > _MESSAGE_LIMIT
        message = self.message[: _MESSAGE_LIMIT - 1] + "…" if long else self.message
        return f"::{head}::{for_workflow_command(message)}"


def commands(annotations: Iterable[Annotation]) -> list[str]:
    """Workflow commands for the first nine annotations (worst first), and one that counts the others."""
    every = list(annotations)
    lines = [annotation.command() for annotation in every[:SHOWN_AT_MOST]]
    if len(every) > SHOWN_AT_MOST:
        more = f"{len(every) - SHOWN_AT_MOST} more in the summary"
        lines.append(Annotation("notice", "", more).command())
    return lines


def of_diagnostics(diagnostics: Diagnostics, *, path_prefix: str = "") -> list[Annotation]:
    """One per diagnostic, errors first. `path_prefix` leads from the repository's root to the working directory, ending
    with `/` unless empty."""
    ordered = sorted(diagnostics, key=lambda item: item.severity is not Severity.ERROR)
    return [
        Annotation(
            level="error" if item.severity is Severity.ERROR else "warning",
            title=f"{item.summary} [{item.code}]",
            message=item.detail or item.summary,
            file=path_prefix + item.span.file,
            line=item.span.line,
            column=item.span.column,
            end_line=item.span.end_line,
            end_column=item.span.end_column,
        )
        for item in ordered
    ]


def of_result(result: RunResult, *, path_prefix: str = "") -> list[Annotation]:
    """One per failed expectation, on its YAML line, and one per case that is unknown or failed otherwise, on its
    scenario.

    Cases and runs of one line share an annotation. Worst first: critical failures, failures, unknown cases, then flaky
    cases and warnings.
    """
    not_called = result.exit_code in _NOT_THE_PLAN
    groups: dict[tuple[str, int, str], list[_Found]] = {}
    for case in result.cases:
        for found in _of_case(case, is_red(case)):
            # No line of the plan caused a refused or interrupted call: one annotation without a place covers all.
            has_place = not not_called or case.runs or case.runs_under_way
            file, line = (case.file, found.line) if has_place else ("", 0)
            groups.setdefault((file, line, found.expectation), []).append(found)
    ranked = sorted(groups.items(), key=lambda item: (min(found.rank for found in item[1]), item[0]))
    return [_merged(path_prefix + file if file else "", line, founds) for (file, line, _), founds in ranked]


@frozen
class _Found:
    """A failed expectation in `runs` of a case, or (`expectation` empty) the case itself. Rank 0 is the worst."""

    rank: int
    case: CaseResult
    expectation: str
    line: int
    runs: int
    message: str


def _of_case(case: CaseResult, red: bool) -> Iterator[_Found]:
    failed: dict[str, list[tuple[JudgedRun, Finding]]] = {}
    for run in case.runs:
        for finding in run.findings if run.countable else ():  # other runs say nothing about the agent
            if finding.outcome == "failed":
                failed.setdefault(finding.expectation, []).append((run, finding))
    for expectation, pairs in failed.items():
        run, finding = pairs[0]
        is_warning = finding.severity == "warning" or not (red or case.outcome == "unknown") or case.quarantine
        rank = 3 if is_warning else 0 if finding.severity == "critical" else 1
        quote = f' {finding.quote.role}, turn {finding.quote.turn}: "{finding.quote.text}"' if finding.quote else ""
        message = f"{finding.message} (run {run.run_id}){quote}"
        yield _Found(rank, case, expectation, case.finding_lines.get(expectation, case.line), len(pairs), message)
    if case.outcome == "unknown" and not case.quarantine:
        yield _Found(2, case, "", case.line, 0, case.outcome_reason or "too few runs say anything about the agent")
    elif red and not any(finding.severity != "warning" for pairs in failed.values() for _, finding in pairs[:1]):
        yield _Found(1, case, "", case.line, 0, reason(case))


def _merged(file: str, line: int, founds: list[_Found]) -> Annotation:
    worst = min(founds, key=lambda found: found.rank)
    cases = [found.case.case_id for found in founds]
    where = f"{cases[0]} and {count(len(cases) - 1, 'other case')}" if len(cases) > 1 else cases[0]
    title = f"{'outcome unknown' if worst.rank == 2 else 'failed'}: {where}"
    if worst.expectation:
        runs = sum(found.runs for found in founds)
        countable = sum(run.countable for found in founds for run in found.case.runs)
        title = f"{worst.expectation} failed in {runs} of {count(countable, 'run')}: {where}"
    message = "\n".join([worst.message, *(f"also {case_id}" for case_id in cases[1:])])
    return Annotation("warning" if worst.rank == 3 else "error", title, message, file, line)
