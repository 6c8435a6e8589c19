"""`planner report`: results that were written earlier, in any format; or two of them compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from planner.errors import UsageError
from planner.invocation.project_here import project_here
from planner.invocation.reporting import redactor_patterns, rendered
from planner.invocation.selection import Selection
from planner.invocation.shell import Shell
from planner.invocation.stores import place_of
from planner.planfile.model import Project
from planner.reports import comparison
from planner.reports.neutral import printable
from planner.reports.redaction import redact
from planner.results.model import RunResult
from planner.results.reading import read_result
from planner.statistics import RandomSource
from planner.verdicts.comparing import compare_results

MAX_BYTES = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """`results` and `older` are files, or ids of stored invocations."""

    results: str
    older: str | None = None
    output_format: str = "markdown"
    out: Path | None = None
    store: str | None = None
    sandbox: bool = False
    policy_from: str | None = None


def report(shell: Shell, options: ReportOptions, random: RandomSource) -> int:
    """0, whatever the results say: the report is what was asked for. `UsageError` for what cannot be read or written, and for a
    project file that nobody reads."""
    root, project = project_here(shell, options.policy_from)
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
    """A results.json, or an invocation of the store."""
    path = shell.cwd / named
    if path.is_file():
        try:
            return read_result(path.read_bytes(), named)
        except OSError as error:
            raise UsageError(f"{named} cannot be read: {error.strerror}", "Look at its permissions.") from error
    place = place_of(shell, root, Selection(store=options.store, sandbox=options.sandbox), project)
    found = place.repository.load_invocation(named) if "/" not in named and not named.startswith(".") else None
    if found is None:
        newest = next(place.repository.invocations(), None)
        known = f" The newest stored is {newest.invocation_id}." if newest else ""
        raise UsageError(
            f"there is no file {named}, and no stored invocation of that name",
            f"Name a results.json, such as reports/results.json, or an invocation.{known}",
        )
    return found
