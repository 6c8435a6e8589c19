"""Keeps the report folder current during a session, so that a CI job never passes on an older report.

The first report is written before anything else. So an unwritable folder is found before any call, and a killed session
leaves a report that says so.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from planner import __version__
from planner.ci.step import publisher_of
from planner.diagnostics import Severity
from planner.errors import FULL_DISK, PlanInvalidError, PlannerError, StoreError, UsageError, leading_error
from planner.planfile.model import Project
from planner.providers.requests import RequestStats
from planner.reports import FORMATS
from planner.reports.diagnostics import as_documents
from planner.reports.neutral import error_document, json_document
from planner.reports.redaction import redact
from planner.reports.summary import render_text
from planner.results.model import CaseResult, RunResult, StatsDocument
from planner.results.money_documents import ConsentDocument, CostDocument
from planner.results.next_steps import NextStep, NextStepCode
from planner.results.repository import ResultsRepository
from planner.shell import Shell, print_diagnostics, redactor_of, redactor_patterns
from planner.verdicts.ending import WORDS, Ending, first_of
from planner.verdicts.gate import Gate
from planner.verdicts.next_steps import steps_of
from planner.workspace.bug_report import is_bug, show_bug
from planner.workspace.report_files import REPORT_FILES, replace_reports
from planner.workspace.selection import Selection
from planner.workspace.stores import Workspace, check_folder, load_selected, place_of

NO_COST: Final = CostDocument(estimated_cents=None, actual_cents=0, this_session_cents=0, unconfirmed_cents=0)
_SHOWN_DIAGNOSTICS = 20


@dataclass(slots=True)
class ReportSession:
    """The reports of a session before it has results. Later facts are set here."""

    shell: Shell
    report_dir: Path
    session_id: str
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
    is_json: bool = False
    """Standard output is the results as JSON."""
    last: RunResult | None = None
    """The newest result that ends the session."""
    expected_cents: int | None = None
    """The expected cost, once it is known."""
    consent: ConsentDocument = field(default_factory=lambda: ConsentDocument(given=False))
    """What was agreed to so far."""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Fields of results that the journal shows of a session without results: what was agreed to, made and paid."""

    def open(self) -> Workspace:
        """Load the selected plans and open their store, which the reports name from now on. Raises like `load` and
        `place_of`."""
        loaded = load_selected(self.shell, self.selection)
        self.project, self.plans = loaded.project, loaded.plan_names
        print_diagnostics(self.shell, loaded.diagnostics)
        place = place_of(self.shell, loaded.root, self.selection, loaded.project)
        self.repository = place.repository
        return Workspace(self.shell, self.selection, loaded, place)

    def note_bug(self, error: Exception) -> PlannerError:
        """Print an unexpected exception and annotate it in CI; return the error to show in the results."""
        shown = error if isinstance(error, PlannerError) else show_bug(self.shell, error, redactor_of(self.project))
        if to_github := publisher_of(self.shell):
            to_github.error(shown)
        return shown

    def write(self, result: RunResult) -> RunResult:
        """Write the final result; return it as it was written, which names formats that could not be rendered. Raises
        `StoreError` if it cannot be written."""
        try:
            shown, broken = self._replace_files(result)
            if broken:
                result = self._with_broken(result, broken)
                shown, _ = self._replace_files(result)
            if unpublished := self._publish(shown, self._markdown(shown)):
                result = self._with_broken(result, {"the step's summary": unpublished})
                self._replace_files(result)
        except OSError as error:
            raise StoreError(
                f"the reports cannot be written to {self.report_dir}: {error.strerror}",
                "The results are stored. Fix the folder or choose another --report-dir, then run the same command "
                "again.",
            ) from error
        self.is_final = True
        self.last = result
        return result

    def print_json(self, error: BaseException | None) -> None:
        """Print the newest result as the one document of the command."""
        if not self.is_json or self.last is None:
            return
        known = error if isinstance(error, PlannerError) else None
        shown = None if known is None else error_document(known.code, str(known), known.hint)
        found = as_documents(error.diagnostics) if isinstance(error, PlanInvalidError) else ()
        result = self._shown(self.last).model_dump(mode="json")
        self.shell.print(json_document(result, error=shown, diagnostics=found))

    def show(self, result: RunResult) -> None:
        """Print the result. `--format json` prints it at the very end."""
        self.last = result
        if self.is_json:
            return
        try:
            text = self._text(self._shown(result))
        except Exception:  # noqa: BLE001 - `write` has reported it
            text = f"The result could not be printed; it is in {self.report_dir}"
        self.shell.print(text)

    def _text(self, shown: RunResult) -> str:
        paths = [str(self.report_dir / name) for name in REPORT_FILES]
        return render_text(shown, report_paths=paths, width=self.shell.width, color=self.shell.color)

    def _shown(self, result: RunResult) -> RunResult:
        return redact(result, redactor_patterns(self.project))

    def _replace_files(self, result: RunResult) -> tuple[RunResult, dict[str, Exception]]:
        """What is shown, and what could not be rendered."""
        written = replace_reports(self.shell, result, self.report_dir, self.project, self.repository)
        broken = dict(written.broken)
        try:
            self._text(written.shown)
        except Exception as error:  # noqa: BLE001 - as in `replace_reports`
            broken["the summary"] = error
        return written.shown, broken

    def _with_broken(self, result: RunResult, broken: Mapping[str, Exception]) -> RunResult:
        """The result with what could not be rendered as problems."""
        errors = {what: self.note_bug(error) for what, error in broken.items()}
        code = first_of((result.exit_code, *(error.exit_code for error in errors.values())))
        problems = [f"{what} could not be rendered: {error.with_hint}" for what, error in errors.items()]
        update = {"exit_code": code, "outcome": WORDS[code], "problems": [*result.problems, *problems]}
        return result.model_copy(update=update)

    def _markdown(self, shown: RunResult) -> str:
        try:
            return FORMATS["markdown"](shown)
        except Exception:  # noqa: BLE001 - `replace_reports` has reported it
            return ""

    def _publish(self, shown: RunResult, markdown: str) -> Exception | None:
        """Publish the redacted result on GitHub: outputs and the job summary (if not empty). Returns the
        bug that prevented it."""
        try:
            if to_github := publisher_of(self.shell):
                to_github.result(shown, markdown)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - the reports are written
            return error
        return None

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
        result = self._without_results(4, [problem], [self._resume_step()], under_way=True)
        try:
            self._replace_files(result)
        except OSError as error:
            kind = StoreError if error.errno in FULL_DISK else UsageError
            raise kind(
                f"the reports cannot be written to {self.report_dir}: {error.strerror}",
                "No call was made. Fix the folder, or choose another --report-dir.",
            ) from error

    def end_early(self, error: BaseException) -> None:
        """Report why the session ended without results, and what the journal shows of it. If that cannot be written,
        the first report stays."""
        problems, exit_code = ["interrupted"], 130
        if isinstance(error, PlannerError):
            exit_code, problems = error.exit_code, [str(error)]
            if isinstance(error, PlanInvalidError):
                problems += _diagnostics(error)
        elif isinstance(error, OSError):
            exit_code, problems = 4, ["the disk is full"]
        if not self.facts:
            problems[0] += " before there was anything to report" if exit_code == 130 else ""
        steps = list(steps_of(error)) if isinstance(error, PlannerError) else []
        if not steps or exit_code == 5:  # a bug may not come again
            steps.append(self._fixed_step() if exit_code == 2 else self._resume_step())
        result = self._without_results(exit_code, problems, steps, under_way=False, **self.facts)
        try:
            shown, _ = self._replace_files(result)
        except OSError as failure:
            self.shell.log(f"the reports in {self.report_dir} could not be updated: {failure.strerror}")
            shown = self._shown(result)
        self.last = result
        # GitHub's summary already has the diagnostics.
        self._publish(shown, "" if isinstance(error, PlanInvalidError) else self._markdown(shown))

    def _resume_step(self) -> NextStep:
        text = "Run the same command to resume; nothing is charged twice"
        return NextStep(code=NextStepCode.RESUME, text=text, command=self.again, charged=True)

    def _fixed_step(self) -> NextStep:
        text = "Correct this, then run the same command"
        return NextStep(code=NextStepCode.FIX, text=text, command=self.again, charged=True)

    def result(
        self, ending: Ending, cases: Sequence[CaseResult] = (), gate: Gate | None = None, **facts: Any
    ) -> RunResult:
        """The results of this session. `facts` are other fields of the document."""
        common: dict[str, Any] = {"consent": ConsentDocument(given=False), "cost": NO_COST, "stats": self.stats()}
        if gate is not None:
            common |= {"suite": gate.suite}
        common |= {"partial": self.selection.partial, "change_set_digest": ""}
        return RunResult(
            tool_version=__version__,
            outcome=ending.outcome,
            exit_code=ending.exit_code,
            problems=list(ending.problems),
            next_steps=list(ending.next_steps),
            finished=ending.finished,
            session_id=self.session_id,
            environment=self.selection.environment or "",
            sandbox=self.selection.sandbox,
            workflow=self.shell.environ.get("GITHUB_WORKFLOW_REF", ""),
            started_at=self.started_at,
            ended_at=self.shell.clock.now(),
            plans=list(self.plans),
            cases=list(cases),
            **(common | facts),
        )

    def _without_results(
        self, exit_code: int, problems: Sequence[str], steps: Sequence[NextStep], *, under_way: bool, **facts: Any
    ) -> RunResult:
        ending = Ending(WORDS[exit_code], exit_code, tuple(problems), tuple(steps), finished=False)
        return self.result(ending, under_way=under_way, **facts)


@contextmanager
def report_session(
    shell: Shell, report_dir: Path, selection: Selection, *, again: str, prefix: str = "", is_json: bool = False
) -> Generator[ReportSession]:
    """Keep reports current while the body runs. `again` is what was typed; the session's id begins with `prefix` and
    the time. Raises `UsageError`, `StoreError` if `report_dir` cannot be written, or came with the checkout;
    `BugError` for an exception of the body that nobody expected."""
    check_folder(shell, shell.cwd / report_dir, "--report-dir", tuple(REPORT_FILES))
    started_at = shell.clock.now()
    reports = ReportSession(
        shell,
        report_dir,
        session_id=f"{prefix}{started_at:%Y%m%dT%H%M%S}{started_at.microsecond // 1000:03}-{shell.new_id()[:8]}",
        started_at=started_at,
        started=shell.clock.monotonic(),
        selection=selection,
        again=again,
        is_json=is_json,
    )
    reports.begin()
    try:
        yield reports
        reports.print_json(None)
    except BaseException as raised:
        error = leading_error(raised)
        error = show_bug(shell, error, redactor_of(reports.project)) if is_bug(error) else error
        if isinstance(error, PlannerError):
            error.session_id = reports.session_id
        if not reports.is_final:
            reports.end_early(error)
        reports.print_json(error)
        if error is raised:
            raise
        raise error from raised


def _diagnostics(error: PlanInvalidError) -> list[str]:
    errors = [item for item in error.diagnostics if item.severity is Severity.ERROR]
    lines = [
        f"{item.span.file}:{item.span.line}:{item.span.column}: {item.summary} [{item.code}]: {item.detail}"
        for item in errors[:_SHOWN_DIAGNOSTICS]
    ]
    more = len(errors) - len(lines)
    return [*lines, f"and {more} more"] if more else lines
