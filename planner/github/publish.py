"""Publishes results on GitHub: annotations, job summary and outputs.

Failures to write are logged and do not change the exit code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from planner.diagnostics import Diagnostics, Severity
from planner.errors import PlannerError
from planner.github import annotations
from planner.github.annotations import Annotation
from planner.github.outputs import append_outputs, change_set_outputs, required_check_outputs, run_outputs
from planner.github.summary import append_summary
from planner.quantities import count
from planner.reports.neutral import for_markdown, markdown_code, markdown_prose
from planner.values import frozen

if TYPE_CHECKING:
    from planner.changes.model import ChangeSet
    from planner.results.model import RunResult
    from planner.results.outcomes import RequiredCheck


def publisher(
    env: Mapping[str, str],
    *,
    working_directory: Path,
    write_line: Callable[[str], None],
    new_delimiter: Callable[[], str],
    redact: Callable[[str], str] = str,
) -> Publisher | None:
    """The publisher of this step; None outside of GitHub Actions (GITHUB_ACTIONS=true).

    `write_line` writes to the job's log (standard error, so that redirected documents stay clean). `new_delimiter`
    returns an unguessable token. `redact` replaces API keys.
    """
    if env.get("GITHUB_ACTIONS") != "true":
        return None
    return Publisher(
        _path(env, "GITHUB_STEP_SUMMARY"),
        _path(env, "GITHUB_OUTPUT"),
        _prefix(_path(env, "GITHUB_WORKSPACE"), working_directory),
        write_line,
        new_delimiter,
        redact,
    )


@frozen
class Publisher:
    """Files that GitHub does not name are not written."""

    summary_file: Path | None
    output_file: Path | None
    path_prefix: str
    """From the repository's root to the working directory, ending with `/` unless empty."""
    write_line: Callable[[str], None]
    new_delimiter: Callable[[], str]
    redact: Callable[[str], str] = str

    def diagnostics(self, diagnostics: Diagnostics) -> None:
        """Diagnostics of plans: annotations for the worst nine, all of them in the summary."""
        if len(diagnostics):
            self._annotate(annotations.of_diagnostics(diagnostics, path_prefix=self.path_prefix))
            self._summarise(_diagnostics_markdown(diagnostics))

    def change_set(self, change_set: ChangeSet, markdown: str) -> None:
        """A change set: `markdown` in the summary; digest and price as outputs."""
        self._summarise(markdown)
        self._output(change_set_outputs(change_set))

    def result(self, result: RunResult, markdown: str, *, report_dir: str) -> None:
        """Results: annotations for failed expectations, `markdown` (unless empty) in the summary; outcome and cost as
        outputs."""
        self._annotate(annotations.of_result(result, path_prefix=self.path_prefix))
        if markdown:
            self._summarise(markdown)
        self._output(run_outputs(result, report_dir=report_dir))

    def required_check(self, check: RequiredCheck) -> None:
        """The answer of `planner gate`, as outputs."""
        self._output(required_check_outputs(check))

    def error(self, error: PlannerError) -> None:
        """Why the command failed and how to fix it, as an annotation without a place."""
        message = f"{error}\n{error.hint}" if error.hint else str(error)
        self._annotate([Annotation("error", "", message)])

    def exit_code(self, exit_code: int) -> None:
        """The exit code of every command, written last."""
        self._output({"exit-code": str(exit_code)})

    def _annotate(self, found: Iterable[Annotation]) -> None:
        for command in annotations.commands(found):
            self.write_line(self.redact(command))

    def _summarise(self, markdown: str) -> None:
        try:
            if self.summary_file and not append_summary(self.summary_file, self.redact(markdown)):
                self._complain("the job summary of this step is full (1 MiB): see the report files for the rest")
        except OSError as error:
            self._complain(f"the job summary could not be written: {error.strerror}")

    def _output(self, outputs: Mapping[str, str]) -> None:
        shown = {name: self.redact(value) for name, value in outputs.items()}
        try:
            if self.output_file:
                append_outputs(self.output_file, shown, new_delimiter=self.new_delimiter)
        except OSError as error:
            self._complain(f"the step's outputs could not be written: {error.strerror}")

    def _complain(self, message: str) -> None:
        self.write_line(Annotation("warning", "", message).command())


def _path(env: Mapping[str, str], name: str) -> Path | None:
    return Path(env[name]) if env.get(name) else None


def _prefix(workspace: Path | None, working_directory: Path) -> str:
    here = working_directory.resolve()
    if workspace is None or here == workspace.resolve() or not here.is_relative_to(workspace.resolve()):
        return ""
    return here.relative_to(workspace.resolve()).as_posix() + "/"


def _diagnostics_markdown(diagnostics: Diagnostics) -> str:
    """All diagnostics as a list. They quote plans, which a stranger may have written."""
    errors = sum(item.severity is Severity.ERROR for item in diagnostics)
    counts = ((errors, "error"), (len(diagnostics) - errors, "warning"))
    headline = " and ".join(count(number, word) for number, word in counts if number)
    verdict = "Nothing was called: the plans have" if errors else "The plans have"
    lines = [f"## {verdict} {headline}", ""]
    for item in diagnostics:
        place = markdown_code(f"{item.span.file}:{item.span.line}:{item.span.column}")
        lines.append(f"- {place} **{item.severity.value}** {for_markdown(item.summary)} ({markdown_code(item.code)})  ")
        lines.append(f"  {markdown_prose(item.detail)}")
    return "\n".join(lines) + "\n"
