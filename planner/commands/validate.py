"""`planner validate`: everything that is wrong with the plans, at its place. Offline, needs no key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from planner import __version__
from planner.diagnostics import Diagnostics
from planner.invocation.policy_source import work_tree_source
from planner.invocation.reporting import publisher_of, tell_diagnostics
from planner.invocation.selection import Files, Found, find_files, load_found
from planner.invocation.shell import Shell
from planner.reports.quantities import count
from planner.spec.files import PROJECT_FILE
from planner.spec.plans.at_once import AtOnce, Totals
from planner.spec.project.environments import in_environments


def validate(
    shell: Shell,
    paths: Sequence[Path],
    *,
    environment: str | None,
    output_format: Literal["text", "json", "github", "sarif"],
) -> int:
    """0 when no plan has an error, else 2."""
    found = find_files(shell, paths, environment, work_tree_source(shell, paths))  # what a merge would leave
    diagnostics, totals = found.diagnostics, _at_once(shell, found, environment)
    if totals is None:
        files = _read(shell, found, environment)
        diagnostics, totals = files.diagnostics, _totals(files)
    if output_format != "text":
        shell.print(_document(diagnostics, output_format))
    else:
        tell_diagnostics(shell, diagnostics)
        if not diagnostics.has_errors:
            shell.print(_summary(totals))
    to_github = publisher_of(shell)
    if to_github and output_format != "github":
        to_github.diagnostics(diagnostics)
    return 2 if diagnostics.has_errors else 0


def _document(diagnostics: Diagnostics, output_format: Literal["json", "github", "sarif"]) -> str:
    from planner.reports.diagnostic_documents import render_github, render_json, render_sarif

    match output_format:
        case "json":
            return render_json(diagnostics)
        case "github":
            return render_github(diagnostics)
        case "sarif":
            return render_sarif(diagnostics, tool_version=__version__)


def _at_once(shell: Shell, found: Found, environment: str | None) -> Totals | None:
    """What very many files come to that are all sound; None where they are to be read one by one."""
    if len(found.diagnostics) or shell.processors <= 1:
        return None
    today = shell.clock.now().date()
    return AtOnce(shell.cwd, found.project, environment, today, shell.processors).totals(found.files)


def _read(shell: Shell, found: Found, environment: str | None) -> Files:
    """Plans that list aliases mean something in an environment only: where none is named, they must be right in each."""
    files = load_found(shell, found, environment)
    names = [name for name, _ in files.project.environments]
    if environment is not None or not names or all(item.code != "environment-needed" for item in files.diagnostics):
        return files
    in_each = {name: load_found(shell, found, name) for name in names}
    told = in_environments({name: files.diagnostics for name, files in in_each.items()})
    return replace(in_each[names[0]], diagnostics=told)


def _totals(files: Files) -> Totals:
    cases = [case for plan in files.plans for case in plan.cases]
    return Totals(len(files.plans), len(cases), sum(case.runs for case in cases), files.libraries)


def _summary(totals: Totals) -> str:
    """`3 plans valid · 24 cases · 72 runs · 1 library valid`."""
    libraries = [f"{count(totals.libraries, 'library', 'libraries')} valid"] if totals.libraries else []
    if not totals.plans:
        return libraries[0] if libraries else f"{PROJECT_FILE} valid"
    plans = [f"{count(totals.plans, 'plan')} valid", count(totals.cases, "case"), count(totals.runs, "run")]
    return " · ".join([*plans, *libraries])
