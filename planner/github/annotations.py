"""Annotations: workflow commands that show problems on lines of the diff.

GitHub shows ten per step and silently drops the rest, so the worst nine are shown and a tenth counts the others.
Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from planner.diagnostics import Diagnostics, Severity
from planner.reports.neutral import for_workflow_command
from planner.reports.quantities import count

if TYPE_CHECKING:
    from planner.results.model import CaseDocument, FindingDocument, RunDocument, RunResult


SHOWN_AT_MOST = 9
_MESSAGE_LIMIT = 4000
"""GitHub cuts messages at 4 KiB; this limit is in characters, nearly all of which take one byte."""

_HELD_BACK = (3, 130)
"""Exit codes of refused and interrupted sessions."""

Level = Literal["error", "warning", "notice"]


@dataclass(frozen=True, slots=True)
class Annotation:
    """`file` is relative to the repository's root; "" for no place. Lines and columns count from 1, 0 for none;
    `end_column` is exclusive."""

    level: Level
    title: str
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0

    def command(self) -> str:
        """The workflow command on one line."""
        places = [
            ("file", self.file),
            ("line", self.line if self.file else 0),
            ("endLine", self.end_line if self.file else 0),
            # GitHub rejects columns across several lines; its end column is inclusive.
            ("col", self.column if self._on_one_line else 0),
            ("endColumn", max(self.end_column - 1, self.column) if self._on_one_line and self.end_column else 0),
            ("title", self.title),
        ]
        properties = ",".join(
            f"{name}={for_workflow_command(str(value), is_property=True)}" for name, value in places if value
        )
        head = f"{self.level} {properties}" if properties else self.level
        return f"::{head}::{for_workflow_command(_shortened(self.message))}"

    @property
    def _on_one_line(self) -> bool:
        return bool(self.file) and self.line > 0 and self.end_line in (0, self.line)


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
    """One per failed expectation, on its YAML line, and one per unknown case, on its scenario.

    Cases and runs of one line share an annotation. Worst first: critical failures, failures, unknown cases, then flaky
    cases and warnings.
    """
    held_back = result.exit_code in _HELD_BACK
    groups: dict[tuple[str, int, str], list[_Found]] = {}
    for case in result.cases:
        for found in _of_case(case):
            # A refused or interrupted call is not caused by a line of the plan: one annotation without a place covers
            # all.
            file, line = ("", 0) if held_back and not case.runs and not case.runs_under_way else (case.file, found.line)
            groups.setdefault((file, line, found.expectation), []).append(found)
    ranked = sorted(groups.items(), key=lambda item: (min(found.rank for found in item[1]), item[0]))
    return [_merged(path_prefix + file if file else "", line, founds) for (file, line, _), founds in ranked]


@dataclass(frozen=True, slots=True)
class _Found:
    """A failed expectation in `runs` of a case, or (`expectation` empty) an unknown case."""

    rank: int
    case: CaseDocument
    expectation: str
    line: int
    runs: int
    message: str


def _of_case(case: CaseDocument) -> list[_Found]:
    failed: dict[str, list[tuple[RunDocument, FindingDocument]]] = {}
    for run in case.runs:
        for finding in run.findings if run.countable else ():  # other runs say nothing about the agent
            if finding.outcome == "failed":
                failed.setdefault(finding.expectation, []).append((run, finding))
    found = [
        _Found(
            rank=_rank(case, pairs[0][1]),
            case=case,
            expectation=expectation,
            line=case.finding_lines.get(expectation, case.line),
            runs=len(pairs),
            message=_first_words(*pairs[0]),
        )
        for expectation, pairs in failed.items()
    ]
    if case.outcome == "unknown" and not case.quarantine:
        found.append(
            _Found(2, case, "", case.line, 0, case.outcome_reason or "too few runs say anything about the agent")
        )
    return found


def _rank(case: CaseDocument, finding: FindingDocument) -> int:
    if finding.severity == "warning" or case.quarantine or case.outcome in ("passed", "flaky"):
        return 3
    return 0 if finding.severity == "critical" else 1


def _first_words(run: RunDocument, finding: FindingDocument) -> str:
    quote = f' {finding.quote.role}, turn {finding.quote.turn}: "{finding.quote.text}"' if finding.quote else ""
    return f"{finding.message} (run {run.run_id}){quote}"


def _merged(file: str, line: int, founds: list[_Found]) -> Annotation:
    worst = min(founds, key=lambda found: found.rank)
    cases = [found.case.case_id for found in founds]
    where = f"{cases[0]} and {count(len(cases) - 1, 'other case')}" if len(cases) > 1 else cases[0]
    if worst.expectation:
        runs, of = (
            sum(found.runs for found in founds),
            sum(run.countable for found in founds for run in found.case.runs),
        )
        title = f"{worst.expectation} failed in {runs} of {count(of, 'run')}: {where}"
    else:
        title = f"outcome unknown: {where}"
    listed = "\n".join(f"also {case_id}" for case_id in cases[1:])
    message = f"{worst.message}\n{listed}" if listed else worst.message
    return Annotation("warning" if worst.rank == 3 else "error", title, message, file, line)


def _shortened(message: str) -> str:
    return message if len(message) <= _MESSAGE_LIMIT else message[: _MESSAGE_LIMIT - 1] + "…"
