"""Keeps the report folder current during a session, so that a CI job never passes on an older report.

The first report is written before anything else. So an unwritable folder is found before any call, and a killed session
leaves a report that says so.
"""

from __future__ import annotations

import errno
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from planner import __version__
from planner.api.client import RequestStats
from planner.diagnostics import Severity
from planner.errors import PlanInvalidError, PlannerError, StoreError, UsageError
from planner.planfile.model import Project
from planner.reports.redaction import redact
from planner.results.model import ConsentDocument, CostDocument, RunResult, StatsDocument
from planner.results.repository import ResultsRepository
from planner.session.deferred_signals import release
from planner.session.folder_checks import check_folder
from planner.session.reporting import REPORT_FILES, publish_result, redactor_patterns, replace_reports, write_reports
from planner.session.selection import Selection
from planner.session.shell import Shell
from planner.verdicts.ending import WORDS

DEFAULT_REPORT_DIR = Path("reports")
_SHOWN_DIAGNOSTICS = 20
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


@dataclass(slots=True)
class ReportSession:
    """The reports of a session before it has results. Later facts are set here."""

    shell: Shell
    report_dir: Path
    invocation_id: str
    started_at: datetime
    started: float
    """Monotonic seconds."""
    selection: Selection
    again: str
    """The command that resumes the session."""
    project: Project = field(default_factory=Project)
    plans: Sequence[str] = ()
    repository: ResultsRepository | None = None
    requests: RequestStats = field(default_factory=RequestStats)
    is_final: bool = False
    """The final result is written."""

    def write(self, result: RunResult) -> None:
        """Write the final result. Raises `StoreError` if it cannot be written."""
        write_reports(self.shell, result, self.report_dir, self.project, self.repository)
        self.is_final = True

    def stats(self, *, launches: int = 0) -> StatsDocument:
        return StatsDocument(
            requests=self.requests.requests,
            launches=launches,
            refused=self.requests.refused,
            wall_seconds=round(self.shell.clock.monotonic() - self.started, 3),
        )

    def begin(self) -> None:
        """Write the first report. Raises `UsageError` if the folder cannot be written, `StoreError` if the disk is
        full."""
        result = self._empty_result(
            4, ["the session had not ended when this was written"], [self._resume_hint()], under_way=True
        )
        try:
            replace_reports(self.shell, result, self.report_dir, self.project, self.repository)
        except OSError as error:
            kind = StoreError if error.errno in _FULL_DISK else UsageError
            raise kind(
                f"the reports cannot be written to {self.report_dir}: {error.strerror}",
                "No call was made. Fix the folder, or choose another --report-dir.",
            ) from error

    def end_early(self, error: BaseException) -> None:
        """Report why the session ended without results. If that cannot be written, the first report stays."""
        exit_code, problems, steps = self._summary(error)
        result = self._empty_result(exit_code, problems, steps, under_way=False)
        try:
            replace_reports(self.shell, result, self.report_dir, self.project, self.repository)
        except OSError as failure:
            self.shell.log(f"the reports in {self.report_dir} could not be updated: {failure.strerror}")
        publish_result(
            self.shell,
            redact(result, redactor_patterns(self.project)),
            self.report_dir,
            in_summary=not isinstance(error, PlanInvalidError),  # the summary already has its diagnostics
        )

    def _summary(self, error: BaseException) -> tuple[int, list[str], list[str]]:
        if isinstance(error, PlannerError):
            problems = [str(error)]
            if isinstance(error, PlanInvalidError):
                problems += _diagnostics(error)
            return error.exit_code, problems, [error.hint or self._resume_hint()]
        if isinstance(error, KeyboardInterrupt):
            return 130, ["interrupted before there was anything to report"], [self._resume_hint()]
        if isinstance(error, OSError) and error.errno in _FULL_DISK:
            return 4, ["the disk is full"], [self._resume_hint()]
        return (
            5,
            [f"a bug in planner ({type(error).__name__}); see standard error"],
            [self._resume_hint()],
        )

    def _resume_hint(self) -> str:
        return f"Run the same command to resume; nothing is charged twice: {self.again}"

    def _empty_result(
        self, exit_code: int, problems: Sequence[str], steps: Sequence[str], *, under_way: bool
    ) -> RunResult:
        return RunResult(
            tool_version=__version__,
            outcome=WORDS[exit_code],
            exit_code=exit_code,
            problems=list(problems),
            next_steps=list(steps),
            invocation_id=self.invocation_id,
            change_set_digest="",
            environment=self.selection.environment or "",
            sandbox=self.selection.sandbox,
            partial=self.selection.partial,
            finished=False,
            under_way=under_way,
            started_at=self.started_at,
            ended_at=self.shell.clock.now(),
            consent=ConsentDocument(given=False),
            plans=list(self.plans),
            cases=[],
            cost=CostDocument(estimated_cents=None, actual_cents=0, this_invocation_cents=0, ambiguous_cents=0),
            stats=self.stats(),
        )


@contextmanager
def report_session(
    shell: Shell, report_dir: Path, selection: Selection, *, again: str, prefix: str = ""
) -> Generator[ReportSession]:
    """Keep reports current while the body runs. `again` is what was typed; the session's id begins with `prefix` and
    the time.

    Raises:
        UsageError, StoreError: `report_dir` cannot be written, or came with the checkout.
    """
    check_folder(shell, shell.cwd / report_dir, "--report-dir", tuple(REPORT_FILES))
    reports = _standing(shell, report_dir, selection, again=again, prefix=prefix)
    reports.begin()
    try:
        release()
        yield reports
    except BaseException as error:
        if not reports.is_final:
            reports.end_early(error)
        raise


def report_usage_error(shell: Shell, arguments: Sequence[str], error: UsageError) -> None:
    """Report an invalid command line: it replaces an older report and sets a CI job's outputs. Without an older report,
    none is written."""
    command = next((word for word in arguments if not word.startswith("-")), "")
    report_dir = _typed_report_dir(arguments)
    older = any((shell.cwd / report_dir / name).exists() for name in REPORT_FILES)
    if command in REPORTING and (older or shell.environ.get("GITHUB_ACTIONS") == "true"):
        prefix = REPORTING[command]
        _standing(shell, report_dir, Selection(), again=f"planner {command} --help", prefix=prefix).end_early(error)


REPORTING = {"run": "", "recheck": "recheck-"}
"""The commands that write reports, and the prefixes of their session ids."""


def _standing(shell: Shell, report_dir: Path, selection: Selection, *, again: str, prefix: str) -> ReportSession:
    started_at = shell.clock.now()
    return ReportSession(
        shell,
        report_dir,
        invocation_id=f"{prefix}{started_at:%Y%m%dT%H%M%S}{started_at.microsecond // 1000:03}-{shell.new_id()[:8]}",
        started_at=started_at,
        started=shell.clock.monotonic(),
        selection=selection,
        again=again,
    )


def _typed_report_dir(arguments: Sequence[str]) -> Path:
    """A best guess, since the command line could not be parsed."""
    for number, word in enumerate(arguments):
        option, equals, value = word.partition("=")
        if option == "--report-dir" and (equals or number + 1 < len(arguments)):
            return Path(value if equals else arguments[number + 1])
    return DEFAULT_REPORT_DIR


def _diagnostics(error: PlanInvalidError) -> list[str]:
    errors = [item for item in error.diagnostics if item.severity is Severity.ERROR]
    lines = [
        f"{item.span.file}:{item.span.line}:{item.span.column}: {item.summary} [{item.code}]: {item.detail}"
        for item in errors[:_SHOWN_DIAGNOSTICS]
    ]
    more = len(errors) - len(lines)
    return [*lines, f"and {more} more"] if more else lines
