"""Delivers rendered reports to files, the terminal and GitHub."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from planner.diagnostics import Diagnostics
from planner.errors import StoreError
from planner.github.publish import Publisher, publisher
from planner.planfile.files import FileFault, Neighbours
from planner.planfile.yaml.reader import MAX_BYTES
from planner.reports import FORMATS
from planner.session.shell import Shell

if TYPE_CHECKING:
    from planner.planfile.model import Project
    from planner.reports.redaction import Pattern, Redactor
    from planner.results.model import RunResult
    from planner.results.repository import ResultsRepository

REPORT_FILES = {"report.md": "markdown", "results.json": "json", "junit.xml": "junit", "report.html": "html"}
"""File name → format; the slowest comes last."""


def print_diagnostics(shell: Shell, diagnostics: Diagnostics) -> None:
    """Print diagnostics with source excerpts to standard error."""
    if not len(diagnostics):
        return

    from planner.reports.diagnostics import advice, render_text

    neighbours = Neighbours(shell.cwd)

    def read_source(file: str) -> str | None:
        try:  # with the same limits as on the first read, or an excerpt could show forbidden content
            return neighbours.plan(shell.cwd / file, file, MAX_BYTES).decode(errors="replace")
        except FileFault:
            return None  # the diagnostic says why it cannot be read

    shown = render_text(diagnostics, read_source=read_source, width=shell.width, color=shell.err_color)
    shell.log(f"{shown}{advice(diagnostics)}")


def publisher_of(shell: Shell) -> Publisher | None:
    return publisher(
        shell.environ,
        working_directory=shell.cwd,
        write_line=shell.log,
        new_delimiter=lambda: f"end-{shell.new_id()}",
        redact=shell.keys.text,
    )


def redactor_of(project: Project) -> Redactor:
    from planner.reports.redaction import Redactor

    return Redactor(redactor_patterns(project))


def redactor_patterns(project: Project) -> tuple[Pattern, ...]:
    if not project.redact:
        return ()
    from planner.checks.patterns import compile_pattern

    return tuple(map(compile_pattern, project.redact))


def rendered(
    result: RunResult,
    shown: RunResult,
    output_format: str,
    repository: ResultsRepository | None,
    patterns: tuple[Pattern, ...],
) -> Iterable[str]:
    """The report in pieces. `shown` is the redacted `result`. Only the HTML page reads more from the `repository`."""
    if output_format == "html" and repository is not None:
        from planner.session.html_page import page

        return page(result, shown, repository, patterns)
    return [FORMATS[output_format](shown)]


def write_reports(
    shell: Shell, result: RunResult, report_dir: Path, project: Project, repository: ResultsRepository | None
) -> None:
    """Write the redacted report files and GitHub's summary.

    Raises:
        StoreError: a file cannot be written. The results are stored anyway.
    """
    try:
        shown = replace_reports(shell, result, report_dir, project, repository)
    except OSError as error:
        raise StoreError(
            f"the reports cannot be written to {report_dir}: {error.strerror}",
            "The results are stored. Fix the folder or choose another --report-dir, then run the same command again.",
        ) from error
    publish_result(shell, shown, report_dir)


def replace_reports(
    shell: Shell, result: RunResult, report_dir: Path, project: Project, repository: ResultsRepository | None
) -> RunResult:
    """Write only the report files; return what they show. Raises `OSError`."""
    from planner.reports.redaction import redact

    patterns = redactor_patterns(project)
    shown = redact(result, patterns)
    directory = shell.cwd / report_dir
    directory.mkdir(parents=True, exist_ok=True)
    for name, output_format in REPORT_FILES.items():
        pieces = rendered(result, shown, output_format, repository, patterns)
        _replace(directory / name, map(shell.keys.text, pieces))
    return shown


def publish_result(shell: Shell, shown: RunResult, report_dir: Path, *, in_summary: bool = True) -> None:
    """Publish the redacted result on GitHub: outputs, annotations and (`in_summary`) the job summary."""
    if to_github := publisher_of(shell):
        markdown = FORMATS["markdown"](shown) if in_summary else ""
        to_github.result(shown, markdown, report_dir=report_dir.as_posix())


def show_result(shell: Shell, result: RunResult, report_dir: Path, project: Project) -> None:
    from planner.reports.redaction import redact
    from planner.reports.summary import render_text

    paths = [str(report_dir / name) for name in REPORT_FILES]
    shown = redact(result, redactor_patterns(project))
    shell.print(render_text(shown, report_paths=paths, width=shell.width, color=shell.color))


def _replace(path: Path, pieces: Iterable[str]) -> None:
    """Replace a file atomically."""
    from planner.reports.neutral import printable

    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)  # a leftover or a link, which must not be followed
    with temporary.open("x", encoding="utf-8", errors="replace", newline="\n") as file:
        file.writelines(map(printable, pieces))
    temporary.replace(path)
