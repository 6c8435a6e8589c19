"""`planner report`: render stored results in any format, or compare two."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from planner.errors import UsageError
from planner.planfile.model import Project
from planner.reports import comparison
from planner.reports.neutral import printable
from planner.reports.redaction import redact
from planner.results.documents import read_result
from planner.results.model import RunResult
from planner.session.current_project import load_current_project
from planner.session.reporting import redactor_patterns, rendered
from planner.session.selection import Selection
from planner.session.shell import Shell
from planner.session.stores import place_of
from planner.statistics import RandomSource
from planner.verdicts.result_comparison import compare_results

MAX_BYTES = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """`results` and `older` are files, or ids of stored sessions."""

    results: str
    older: str | None = None
    output_format: str = "markdown"
    out: Path | None = None
    store: str | None = None
    sandbox: bool = False
    policy_from: str | None = None


def report(shell: Shell, options: ReportOptions, random: RandomSource) -> int:
    """Write the report; return 0 for any outcome.

    Raises:
        UsageError: a file cannot be read or written.
    """
    root, project = load_current_project(shell, options.policy_from)
    patterns = redactor_patterns(project)
    result = _result(shell, options, root, project, options.results)
    if options.older is None:
        in_sandbox = options.sandbox or result.sandbox
        place = place_of(shell, root, Selection(store=options.store, sandbox=in_sandbox), project)
        text = "".join(rendered(result, redact(result, patterns), options.output_format, place.repository, patterns))
    else:
        older = redact(_result(shell, options, root, project, options.older), patterns)
        render = comparison.FORMATS.get(options.output_format)
        if render is None:
            known = ", ".join(comparison.FORMATS)
            raise UsageError(f"a comparison cannot be written as {options.output_format}", f"Choose one of: {known}.")
        text = render(compare_results(older, redact(result, patterns), random))
    if options.out is None:
        shell.print(text)
        return 0
    path = shell.cwd / options.out
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(printable(shell.keys.text(text)), encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        raise UsageError(
            f"{options.out} cannot be written: {error.strerror}", "Name another file after --out."
        ) from error
    return 0


def _result(shell: Shell, options: ReportOptions, root: Path, project: Project, named: str) -> RunResult:
    """The results in a file, or of a stored session."""
    path = shell.cwd / named
    if path.is_file():
        try:
            return read_result(path.read_bytes(), named)
        except OSError as error:
            raise UsageError(f"{named} cannot be read: {error.strerror}", "Check its permissions.") from error
    place = place_of(shell, root, Selection(store=options.store, sandbox=options.sandbox), project)
    found = place.repository.load_invocation(named) if "/" not in named and not named.startswith(".") else None
    if found is None:
        newest = next(place.repository.invocations(), None)
        known = f" The newest stored session is {newest.invocation_id}." if newest else ""
        raise UsageError(
            f"there is neither a file nor a stored session named {named}",
            f"Name a results.json, such as reports/results.json, or the id of a session.{known}",
        )
    return found
