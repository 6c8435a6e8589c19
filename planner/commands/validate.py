"""`planner validate`: report every diagnostic of the plans. Offline."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from planner.ci.annotations import commands, of_diagnostics, prefix_in_repository
from planner.ci.policy import work_tree_source
from planner.ci.step import publisher_of
from planner.diagnostics import Diagnostic, Diagnostics, Span
from planner.errors import PlannerError
from planner.planfile.files import PROJECT_FILE
from planner.quantities import count
from planner.reports.diagnostics import render_json
from planner.shell import Shell, print_diagnostics
from planner.workspace.selection import Files, Loaded, Selection, read_files


def validate(
    shell: Shell,
    paths: Sequence[Path],
    *,
    environment: str | None,
    output_format: Literal["text", "json", "github"],
) -> int:
    """Report all diagnostics; return 2 if there is an error, otherwise 0."""
    files = _read(shell, paths, environment)
    diagnostics = files.diagnostics
    if output_format != "text":
        shell.print(_document(shell, diagnostics, output_format))
    else:
        print_diagnostics(shell, diagnostics)
        if not diagnostics.has_errors:
            shell.print(_summary(files))
    to_github = publisher_of(shell)
    if to_github and output_format != "github":
        to_github.diagnostics(diagnostics)
    return 2 if diagnostics.has_errors else 0


def _document(shell: Shell, diagnostics: Diagnostics, output_format: Literal["json", "github"]) -> str:
    if output_format == "json":
        return render_json(diagnostics)
    prefix = prefix_in_repository(shell.environ, shell.cwd)
    return "".join(f"{line}\n" for line in commands(of_diagnostics(diagnostics, path_prefix=prefix)))


def _read(shell: Shell, paths: Sequence[Path], environment: str | None) -> Files:
    """Read the files, with the work tree's planner.yaml. If targets need an environment and none is named, validate
    the plans in each environment."""
    files = read_files(shell, paths, environment)
    names = [name for name, _ in files.project.environments]
    if environment is not None or not names or all(item.code != "environment-needed" for item in files.diagnostics):
        _check_tools(shell, paths, environment, files)
        return files
    in_each = {name: read_files(shell, paths, name) for name in names}
    first: dict[tuple[str, Span], Diagnostic] = {}
    for name, each in in_each.items():
        _check_tools(shell, paths, name, each)
        for item in each.diagnostics:
            first.setdefault((item.code, item.span), item)
    return replace(in_each[names[0]], diagnostics=Diagnostics(list(first.values())))


def _check_tools(shell: Shell, paths: Sequence[Path], environment: str | None, files: Files) -> None:
    """Report tools that expectations name and that nobody knows, where the store on this machine knows the agent's."""
    cases = tuple(case for plan in files.plans for case in plan.cases)
    if not any(each.named_tools for case in cases for each in case.expectations):
        return
    from planner.agents.known_service import known_service  # late: few plans need a store here
    from planner.agents.live_tools import AgentTools, unknown_tools
    from planner.agents.recorded import calls_of, effective_targets
    from planner.workspace.earlier_results import records_of
    from planner.workspace.stores import Workspace, place_of

    with suppress(PlannerError):
        root, selection = work_tree_source(shell, paths).root, Selection(environment=environment, offline=True)
        place = place_of(shell, root, selection, files.project)
        work = Workspace(shell, selection, Loaded(root, files.project, files.plans, cases, files.diagnostics), place)
        targets = known_service(work).targets
        calls = partial(calls_of, records_of(work), cases, place.repository)
        for each in unknown_tools(cases, AgentTools(effective_targets(cases, targets), targets, calls)):
            files.diagnostics.items.extend(each.diagnostics)


def _summary(files: Files) -> str:
    """`3 plans valid · 24 cases · 72 runs · 1 library valid`."""
    cases = [case for plan in files.plans for case in plan.cases]
    runs = sum(case.runs for case in cases)
    libraries = [f"{count(files.libraries, 'library', 'libraries')} valid"] if files.libraries else []
    if not files.plans:
        return libraries[0] if libraries else f"{PROJECT_FILE} valid"
    plans = [f"{count(len(files.plans), 'plan')} valid", count(len(cases), "case"), count(runs, "run")]
    return " · ".join([*plans, *libraries])
