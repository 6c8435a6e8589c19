"""`planner report`: render stored results in any format, or compare two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from planner.errors import UsageError
from planner.reports.comparison import COMPARISON_FORMATS
from planner.reports.neutral import printable
from planner.reports.redaction import redact
from planner.results.documents import read_result
from planner.results.model import RunResult
from planner.shell import Shell, redactor_patterns, write_output
from planner.values import frozen
from planner.verdicts.baseline import compare_results
from planner.workspace.report_files import rendered
from planner.workspace.selection import Selection
from planner.workspace.stores import OpenedStore, open_results


@frozen
class ReportOptions:
    """`results` and `older` are files, or ids of stored sessions."""

    selection: Selection
    results: str
    older: str | None = None
    output_format: str = "markdown"
    out: Path | None = None


def report(shell: Shell, options: ReportOptions) -> int:
    """Write the report; return 0 for any outcome."""
    project, place = open_results(shell, options.selection)
    patterns = redactor_patterns(project)
    result = _result(shell, place, options.results)
    if options.older is None:
        if result.sandbox and not options.selection.sandbox:
            _, place = open_results(shell, replace(options.selection, sandbox=True))
        text = "".join(rendered(result, redact(result, patterns), options.output_format, place.repository, patterns))
    else:
        older = redact(_result(shell, place, options.older), patterns)
        render = COMPARISON_FORMATS.get(options.output_format)
        if render is None:
            known = ", ".join(COMPARISON_FORMATS)
            raise UsageError(f"a comparison cannot be written as {options.output_format}", f"Choose one of: {known}.")
        text = render(compare_results(older, redact(result, patterns)))
    if options.out is None:
        shell.print(text)
    else:
        write_output(shell, options.out, printable(shell.keys.text(text)))
    return 0


def _result(shell: Shell, place: OpenedStore, named: str) -> RunResult:
    path = shell.cwd / named
    if path.is_file():
        try:
            return read_result(path.read_bytes(), named)
        except OSError as error:
            raise UsageError(f"{named} cannot be read: {error.strerror}", "Check its permissions.") from error
    found = place.repository.load_session(named) if "/" not in named and not named.startswith(".") else None
    if found is None:
        newest = next(place.repository.sessions(), None)
        known = f" The newest stored session is {newest.session_id}." if newest else ""
        raise UsageError(
            f"there is neither a file nor a stored session named {named}",
            f"Name a results.json, such as reports/results.json, or the id of a session.{known}",
        )
    return found
