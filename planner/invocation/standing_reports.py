"""What stands in the report folder while an invocation goes on, and when it ends before it has results: never an older
report, which a CI job would hand on as today's.

The first report is written before anything else is done. So a folder that cannot be written is found before anybody is
called, and an invocation that is killed leaves a report that says so.
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
from planner.invocation.deferred_signals import release
from planner.invocation.folder_checks import check_folder
from planner.invocation.reporting import REPORT_FILES, publish_result, redactor_patterns, replace_reports, write_reports
from planner.invocation.selection import Selection
from planner.invocation.shell import Shell
from planner.planfile.model import Project
from planner.reports.redaction import redact
from planner.results.costs import CostDocument
from planner.results.model import ConsentDocument, RunResult, StatsDocument
from planner.results.repository import ResultsRepository
from planner.verdicts.ending import WORDS

DEFAULT_REPORT_DIR = Path("reports")
_SHOWN_DIAGNOSTICS = 20
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


@dataclass(slots=True)
class Standing:
    """One invocation as its reports know it before it has results. What is learnt on the way is set here."""

    shell: Shell
    report_dir: Path
    invocation_id: str
    started_at: datetime
    started: float
    """Monotonic seconds."""
    selection: Selection
    again: str
    """What to type to go on."""
    project: Project = field(default_factory=Project)
    plans: Sequence[str] = ()
    repository: ResultsRepository | None = None
    requests: RequestStats = field(default_factory=RequestStats)
    is_final: bool = False
    """What stands is the result."""

    def write(self, result: RunResult) -> None:
        """The result, in the place of what stood there. Raises `StoreError` where it cannot be written."""
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
        """Raises `UsageError` where nothing can be written there, `StoreError` where the disk is full."""
        result = self._without_cases(4, ["it had not ended when this was written"], [self._go_on()], under_way=True)
        try:
            replace_reports(self.shell, result, self.report_dir, self.project, self.repository)
        except OSError as error:
            kind = StoreError if error.errno in _FULL_DISK else UsageError
            raise kind(
                f"the reports cannot be written to {self.report_dir}: {error.strerror}",
                "Nobody was called. Mend the folder, or choose another --report-dir.",
            ) from error

    def end_early(self, error: BaseException) -> None:
        """There are no results: the reports say why. Where even that cannot be written, the first report stands."""
        exit_code, problems, steps = self._told(error)
        result = self._without_cases(exit_code, problems, steps, under_way=False)
        try:
            replace_reports(self.shell, result, self.report_dir, self.project, self.repository)
        except OSError as failure:
            self.shell.tell(f"the reports in {self.report_dir} could not be brought up to date: {failure.strerror}")
        publish_result(
            self.shell,
            redact(result, redactor_patterns(self.project)),
            self.report_dir,
            in_summary=not isinstance(error, PlanInvalidError),  # its diagnostics go there
        )

    def _told(self, error: BaseException) -> tuple[int, list[str], list[str]]:
        """Exit code, what was wrong, how to go on."""
        if isinstance(error, PlannerError):
            problems = [str(error)]
            if isinstance(error, PlanInvalidError):
                problems += _diagnostics(error)
            return error.exit_code, problems, [error.hint or self._go_on()]
        if isinstance(error, KeyboardInterrupt):
            return 130, ["interrupted before there was anything to report"], [self._go_on()]
        if isinstance(error, OSError) and error.errno in _FULL_DISK:
            return 4, ["the disk is full, or what the output goes to is"], [self._go_on()]
        return 5, [f"planner stumbled over itself ({type(error).__name__}); standard error says more"], [self._go_on()]

    def _go_on(self) -> str:
        return f"Go on, without paying for anything twice: {self.again}"

    def _without_cases(
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
def standing_reports(
    shell: Shell, report_dir: Path, selection: Selection, *, again: str, prefix: str = ""
) -> Generator[Standing]:
    """From the first moment to the last. `again` is what was typed; the invocation's id begins with `prefix` and the time.

    Raises:
        UsageError, StoreError: nothing can be written to `report_dir`, or it came with the checkout.
    """
    check_folder(shell, shell.cwd / report_dir, "--report-dir", tuple(REPORT_FILES))
    standing = _standing(shell, report_dir, selection, again=again, prefix=prefix)
    standing.begin()
    try:
        release()
        yield standing
    except BaseException as error:
        if not standing.is_final:
            standing.end_early(error)
        raise


def stand_for_mistyped(shell: Shell, arguments: Sequence[str], error: UsageError) -> None:
    """A command line that means nothing, so that nothing was done: an older report does not stand as what it gave, and a CI
    job's outputs say so. Where no report stands, none is made."""
    command = next((word for word in arguments if not word.startswith("-")), "")
    report_dir = _typed_report_dir(arguments)
    older = any((shell.cwd / report_dir / name).exists() for name in REPORT_FILES)
    if command in REPORTING and (older or shell.environ.get("GITHUB_ACTIONS") == "true"):
        prefix = REPORTING[command]
        _standing(shell, report_dir, Selection(), again=f"planner {command} --help", prefix=prefix).end_early(error)


REPORTING = {"run": "", "recheck": "recheck-"}
"""The commands that leave reports, and what their invocations' ids begin with."""


def _standing(shell: Shell, report_dir: Path, selection: Selection, *, again: str, prefix: str) -> Standing:
    started_at = shell.clock.now()
    return Standing(
        shell,
        report_dir,
        invocation_id=f"{prefix}{started_at:%Y%m%dT%H%M%S}{started_at.microsecond // 1000:03}-{shell.new_id()[:8]}",
        started_at=started_at,
        started=shell.clock.monotonic(),
        selection=selection,
        again=again,
    )


def _typed_report_dir(arguments: Sequence[str]) -> Path:
    """As well as it can be told, since the whole was not understood."""
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
