"""`planner validate`: everything that is wrong with the plans, at its place. Offline, needs no key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from planner import __version__
from planner.commands.reporting import publisher_of, tell_diagnostics
from planner.commands.selection import read_files
from planner.commands.shell import Shell
from planner.reports.diagnostic_documents import render_github, render_json, render_sarif
from planner.reports.quantities import count


def validate(
    shell: Shell,
    paths: Sequence[Path],
    *,
    environment: str | None,
    output_format: Literal["text", "json", "github", "sarif"],
) -> int:
    """0 when no plan has an error, else 2."""
    _, _, plans, diagnostics = read_files(shell, paths, environment)
    if output_format == "json":
        shell.print(render_json(diagnostics))
    elif output_format == "github":
        shell.print(render_github(diagnostics))
    elif output_format == "sarif":
        shell.print(render_sarif(diagnostics, tool_version=__version__))
    else:
        tell_diagnostics(shell, diagnostics)
        if not diagnostics.has_errors:
            cases = [case for plan in plans for case in plan.cases]
            runs = sum(case.runs for case in cases)
            shell.print(f"{count(len(plans), 'plan')} valid · {count(len(cases), 'case')} · {count(runs, 'run')}")
    to_github = publisher_of(shell)
    if to_github and output_format != "github":
        to_github.diagnostics(diagnostics)
    return 2 if diagnostics.has_errors else 0
