"""Renders results in every format and replaces the report files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from planner.changes.history import timeline
from planner.errors import StoreError, UsageError
from planner.evidence import Evidence
from planner.planfile.model import Project
from planner.reports import FORMATS
from planner.reports.neutral import printable
from planner.reports.redaction import Pattern, redact, redact_evidence
from planner.results.model import RunResult
from planner.results.repository import ResultsRepository
from planner.shell import Shell, redactor_patterns
from planner.values import frozen

REPORT_FILES: Final = {
    "report.md": "markdown",
    "results.json": "json",
    "junit.xml": "junit",
    "report.html": "html",
}
"""File name → format; the slowest comes last."""
_SHOWN_SESSIONS: Final = 12
"""Number of sessions whose pass rates are shown in `report.html`."""


@frozen
class Written:
    """`shown` is the redacted result. `broken` are the formats that could not be rendered, by file name."""

    shown: RunResult
    broken: Mapping[str, Exception]


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
) -> Written:
    """Replace the report files. A format that breaks costs only its own file, of which no older one remains. Raises
    `OSError`."""
    patterns = redactor_patterns(project)
    shown = redact(result, patterns)
    directory = shell.cwd / report_dir
    is_new = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    if is_new:
        (directory / ".gitignore").write_text("*\n", encoding="utf-8")
    broken: dict[str, Exception] = {}
    for name, output_format in REPORT_FILES.items():
        try:
            pieces = rendered(result, shown, output_format, repository, patterns)
            _replace(directory / name, map(shell.keys.text, pieces))
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug in one format must not hide what was paid
            broken[name] = error
            (directory / name).unlink(missing_ok=True)
    return Written(shown, broken)


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
    try:
        with temporary.open("x", encoding="utf-8", errors="replace", newline="\n") as file:
            file.writelines(map(printable, pieces))
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
