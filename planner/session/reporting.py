"""Delivers rendered reports to files, the terminal and GitHub."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from planner.diagnostics import Diagnostics
from planner.errors import StoreError, UsageError
from planner.planfile.files import FileFault, Neighbours
from planner.planfile.yaml.reader import MAX_BYTES
from planner.reports import FORMATS
from planner.session.shell import Shell

if TYPE_CHECKING:
    from planner.evidence import Evidence
    from planner.github.publish import Publisher
    from planner.planfile.model import Project
    from planner.reports.redaction import Pattern, Redactor
    from planner.results.model import RunResult
    from planner.results.repository import ResultsRepository

REPORT_FILES = {"report.md": "markdown", "results.json": "json", "junit.xml": "junit", "report.html": "html"}
"""File name → format; the slowest comes last."""
_SHOWN_SESSIONS: Final = 12
"""Number of sessions whose pass rates are shown in `report.html`."""


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


def write_output(shell: Shell, path: Path, text: str) -> None:
    """Write the file of `--out`. Raises `UsageError`."""
    file = shell.cwd / path
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "Name another file after --out.") from error


def publisher_of(shell: Shell) -> Publisher | None:
    """The publisher of this step; None outside of GitHub Actions."""
    if shell.environ.get("GITHUB_ACTIONS") != "true":
        return None
    from planner.github.publish import publisher

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
    from planner.reports.redaction import redact

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
    from planner.reports.redaction import redact_evidence

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
    from planner.reports.neutral import printable

    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)  # a leftover or a link, which must not be followed
    with temporary.open("x", encoding="utf-8", errors="replace", newline="\n") as file:
        file.writelines(map(printable, pieces))
    temporary.replace(path)
