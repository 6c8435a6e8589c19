"""Keeps the report folder current during a session, so that a CI job never passes on an older report.

The first report is written before anything else. So an unwritable folder is found before any call, and a killed session
leaves a report that says so.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from planner import __version__
from planner.diagnostics import Severity
from planner.errors import PlanInvalidError, PlannerError, StoreError, UsageError
from planner.evidence import Evidence
from planner.planfile.model import Project
from planner.providers.base import RequestStats
from planner.reports import FORMATS
from planner.reports.neutral import printable
from planner.reports.redaction import Pattern, redact, redact_evidence
from planner.reports.summary import render_text
from planner.results.model import CaseResult, Consent, CostDocument, RunResult, StatsDocument
from planner.results.repository import ResultsRepository
from planner.session.selection import Selection, load
from planner.session.shell import Shell, print_diagnostics, publisher_of, redactor_patterns
from planner.session.stores import Workspace, check_folder, place_of
from planner.verdicts.ending import WORDS, Ending
from planner.verdicts.gate import Gate

REPORT_FILES = {"report.md": "markdown", "results.json": "json", "junit.xml": "junit", "report.html": "html"}
"""File name → format; the slowest comes last."""
_SHOWN_SESSIONS: Final = 12
"""Number of sessions whose pass rates are shown in `report.html`."""
NO_COST: Final = CostDocument(estimated_cents=None, actual_cents=0, this_invocation_cents=0, ambiguous_cents=0)
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

    def open(self) -> Workspace:
        """Load the selected plans and open their store, which the reports name from now on. Raises like `load` and
        `place_of`."""
        loaded = load(self.shell, self.selection)
        self.project, self.plans = loaded.project, loaded.plan_names
        print_diagnostics(self.shell, loaded.diagnostics)
        place = place_of(self.shell, loaded.root, self.selection, loaded.project)
        self.repository = place.repository
        return Workspace(self.shell, self.selection, loaded, place)

    def write(self, result: RunResult) -> None:
        """Write the final result. Raises `StoreError` if it cannot be written."""
        try:
            shown = self._replace_files(result)
        except OSError as error:
            raise StoreError(
                f"the reports cannot be written to {self.report_dir}: {error.strerror}",
                "The results are stored. Fix the folder or choose another --report-dir, then run the same command "
                "again.",
            ) from error
        self._publish(shown, FORMATS["markdown"](shown))
        self.is_final = True

    def show(self, result: RunResult) -> None:
        """Print the result."""
        shell, paths = self.shell, [str(self.report_dir / name) for name in REPORT_FILES]
        shell.print(render_text(self._shown(result), report_paths=paths, width=shell.width, color=shell.color))

    def _shown(self, result: RunResult) -> RunResult:
        return redact(result, redactor_patterns(self.project))

    def _replace_files(self, result: RunResult) -> RunResult:
        return replace_reports(self.shell, result, self.report_dir, self.project, self.repository)

    def _publish(self, shown: RunResult, markdown: str) -> None:
        """Publish the redacted result on GitHub: outputs, annotations and the job summary (if not empty)."""
        if to_github := publisher_of(self.shell):
            to_github.result(shown, markdown, report_dir=self.report_dir.as_posix())

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
        problem = "the session had not ended when this was written"
        result = self._without_results(4, [problem], self._resume_hint(), under_way=True)
        try:
            self._replace_files(result)
        except OSError as error:
            kind = StoreError if error.errno in _FULL_DISK else UsageError
            raise kind(
                f"the reports cannot be written to {self.report_dir}: {error.strerror}",
                "No call was made. Fix the folder, or choose another --report-dir.",
            ) from error

    def end_early(self, error: BaseException) -> None:
        """Report why the session ended without results. If that cannot be written, the first report stays."""
        exit_code, problems = 5, [f"a bug in planner ({type(error).__name__}); see standard error"]
        if isinstance(error, PlannerError):
            exit_code, problems = error.exit_code, [str(error)]
            if isinstance(error, PlanInvalidError):
                problems += _diagnostics(error)
        elif isinstance(error, KeyboardInterrupt):
            exit_code, problems = 130, ["interrupted before there was anything to report"]
        elif isinstance(error, OSError) and error.errno in _FULL_DISK:
            exit_code, problems = 4, ["the disk is full"]
        correct = f"Correct this, then run the same command: {self.again}"
        general = correct if exit_code == 2 else self._resume_hint()
        step = (error.hint if isinstance(error, PlannerError) else "") or general
        result = self._without_results(exit_code, problems, step, under_way=False)
        try:
            self._replace_files(result)
        except OSError as failure:
            self.shell.log(f"the reports in {self.report_dir} could not be updated: {failure.strerror}")
        shown = self._shown(result)
        # GitHub's summary already has the diagnostics.
        self._publish(shown, "" if isinstance(error, PlanInvalidError) else FORMATS["markdown"](shown))

    def _resume_hint(self) -> str:
        return f"Run the same command to resume; nothing is charged twice: {self.again}"

    def result(
        self, ending: Ending, cases: Sequence[CaseResult] = (), gate: Gate | None = None, **facts: Any
    ) -> RunResult:
        """The results of this session. `facts` are other fields of the document."""
        common: dict[str, Any] = {"consent": Consent(given=False), "cost": NO_COST, "stats": self.stats()}
        if gate is not None:
            common |= {"suite": gate.suite, "fail_on": gate.names}
        common |= {"partial": self.selection.partial, "change_set_digest": ""}
        return RunResult(
            tool_version=__version__,
            outcome=ending.outcome,
            exit_code=ending.exit_code,
            problems=list(ending.problems),
            next_steps=list(ending.next_steps),
            finished=ending.finished,
            invocation_id=self.invocation_id,
            environment=self.selection.environment or "",
            sandbox=self.selection.sandbox,
            workflow=self.shell.environ.get("GITHUB_WORKFLOW_REF", ""),
            started_at=self.started_at,
            ended_at=self.shell.clock.now(),
            plans=list(self.plans),
            cases=list(cases),
            **(common | facts),
        )

    def _without_results(self, exit_code: int, problems: Sequence[str], step: str, *, under_way: bool) -> RunResult:
        ending = Ending(WORDS[exit_code], exit_code, tuple(problems), (step,), finished=False)
        return self.result(ending, under_way=under_way)


@contextmanager
def report_session(
    shell: Shell, report_dir: Path, selection: Selection, *, again: str, prefix: str = ""
) -> Generator[ReportSession]:
    """Keep reports current while the body runs. `again` is what was typed; the session's id begins with `prefix` and
    the time. Raises `UsageError`, `StoreError` if `report_dir` cannot be written, or came with the checkout."""
    check_folder(shell, shell.cwd / report_dir, "--report-dir", tuple(REPORT_FILES))
    started_at = shell.clock.now()
    reports = ReportSession(
        shell,
        report_dir,
        invocation_id=f"{prefix}{started_at:%Y%m%dT%H%M%S}{started_at.microsecond // 1000:03}-{shell.new_id()[:8]}",
        started_at=started_at,
        started=shell.clock.monotonic(),
        selection=selection,
        again=again,
    )
    reports.begin()
    try:
        yield reports
    except BaseException as error:
        if not reports.is_final:
            reports.end_early(error)
        raise


def _diagnostics(error: PlanInvalidError) -> list[str]:
    errors = [item for item in error.diagnostics if item.severity is Severity.ERROR]
    lines = [
        f"{item.span.file}:{item.span.line}:{item.span.column}: {item.summary} [{item.code}]: {item.detail}"
        for item in errors[:_SHOWN_DIAGNOSTICS]
    ]
    more = len(errors) - len(lines)
    return [*lines, f"and {more} more"] if more else lines


# The files


def rendered(
    result: RunResult,
    shown: RunResult,
    output_format: str,
    repository: ResultsRepository | None,
    patterns: tuple[Pattern, ...],
) -> Iterable[str]:
    """The report in pieces. `shown` is the redacted `result`. Only the HTML page reads more from the `repository`."""
    if output_format != "html" or repository is None:
        return [FORMATS[output_format](shown)]
    from planner.reports.html import pieces

    names = {case.case_id: redacted.case_id for case, redacted in zip(result.cases, shown.cases, strict=True)}
    rates = _pass_rates(result, repository)
    trends = {names[case_id]: before for case_id, before in rates.items() if case_id in names}
    return pieces(shown, _conversations(repository, patterns), trends)


def replace_reports(
    shell: Shell, result: RunResult, report_dir: Path, project: Project, repository: ResultsRepository | None
) -> RunResult:
    """Write only the report files; return what they show. Raises `OSError`."""
    patterns = redactor_patterns(project)
    shown = redact(result, patterns)
    directory = shell.cwd / report_dir
    directory.mkdir(parents=True, exist_ok=True)
    for name, output_format in REPORT_FILES.items():
        pieces = rendered(result, shown, output_format, repository, patterns)
        _replace(directory / name, map(shell.keys.text, pieces))
    return shown


def _conversations(repository: ResultsRepository, patterns: Sequence[Pattern]) -> Callable[[str], Evidence | None]:
    """What was said, by digest. Unreadable stored data does not fail the page."""

    def of(digest: str) -> Evidence | None:
        try:
            found = repository.load_evidence(digest)
        except (StoreError, UsageError):
            return None
        return None if found is None else redact_evidence(found, patterns)

    return of


def _pass_rates(result: RunResult, repository: ResultsRepository) -> Mapping[str, Sequence[float]]:
    """Pass rates by case in the newest sessions up to this one, oldest first."""
    from planner.changes.history import timeline

    alike = repository.sessions_of(result.environment, sandbox=result.sandbox)
    try:
        up_to = (outline for outline in alike if outline.started_at <= result.started_at)
        cases = timeline(islice(up_to, _SHOWN_SESSIONS)).cases
    except (StoreError, UsageError):
        return {}
    rates = {case.case_id: [point.figures.pass_rate for point in case.points] for case in cases}
    return {case_id: [rate for rate in known if rate is not None] for case_id, known in rates.items()}


def _replace(path: Path, pieces: Iterable[str]) -> None:
    """Replace a file atomically."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)  # a leftover or a link, which must not be followed
    with temporary.open("x", encoding="utf-8", errors="replace", newline="\n") as file:
        file.writelines(map(printable, pieces))
    temporary.replace(path)
