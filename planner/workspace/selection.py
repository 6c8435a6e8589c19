"""Selects plans and cases by the options that `plan`, `run` and other commands share."""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from planner.ci.event import is_command, namespace_of
from planner.ci.policy import BaseCommit, PolicySource, policy_source, work_tree_source
from planner.diagnostics import Diagnostic, Diagnostics, Severity
from planner.errors import PlanInvalidError, UsageError
from planner.planfile.files import PROJECT_FILE, has_plan_files, misplaced_projects, plan_files, root_of
from planner.planfile.load import load_files
from planner.planfile.model import Case, Plan, Policy, Project
from planner.planfile.project import load_project
from planner.quantities import count
from planner.shell import Shell
from planner.values import frozen
from planner.workspace.private_files import refuse_private

if TYPE_CHECKING:
    from planner.changes.request import Rerun
    from planner.results.model import JudgedRun


DEFAULT_PATH = Path("plans")
_SUGGESTED = 3
_OF_CI = ("plan", "run")
"""Commands that `planner ci` has, too."""
_COMPARED = 2_000
"""Maximum number of case ids to compare, which takes quadratic time."""


@frozen
class Selection:
    """Options as typed. `world` names the sandbox's world; None for that of planner.yaml."""

    paths: tuple[Path, ...] = ()
    select: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    environment: str | None = None
    store: str | None = None
    rerun: Rerun = "needed"
    sandbox: bool = False
    world: str | None = None
    start_over: str | None = None
    """Reason to ignore earlier runs of the cases that are called."""
    digest: str | None = None
    """The set of calls that was agreed to (`--digest`)."""
    offline: bool = False
    """Use no network."""
    base: str | None = None
    """The tip of the base branch, from which planner.yaml is read; `none`: every failure counts (`planner ci`)."""
    namespace: str | None = None
    """Where results are kept, such as `branches/42/`; None: as GitHub's event says (`planner ci`)."""

    @property
    def partial(self) -> bool:
        """Only some cases are selected, so the results are not a baseline."""
        return bool(self.select or self.tags)

    def reconcile_command(self) -> str:
        """The command that shows the open launches of this store."""
        kept = Selection(store=self.store, sandbox=self.sandbox, world=self.world)
        return kept.command("reconcile")

    def transcript_command(self) -> str:
        """The command that shows conversations of this store, without the case."""
        kept = Selection(store=self.store, sandbox=self.sandbox, environment=self.environment)
        return kept.command("transcript")

    def command(self, name: str, *more: str) -> str:
        """The command line that repeats this selection for the command of this name."""
        own = [("--base", self.base), ("--namespace", self.namespace)] if name in _OF_CI else []
        ci = [word for option, value in own if value is not None for word in (option, value)]
        return shlex.join(["planner", *(["ci"] if ci else []), name, *self.words(), *ci, *more])

    def words(self) -> list[str]:
        """The options as command-line words, for a command that may use the network."""
        options: list[tuple[str, str | None]] = [
            ("--world", self.world),
            *(("--select", glob) for glob in self.select),
            *(("--tag", tag) for tag in self.tags),
            ("--environment", self.environment),
            ("--store", self.store),
            ("--rerun", self.rerun if self.rerun != "needed" else None),
            ("--start-over", self.start_over),
        ]
        words = [str(path) for path in self.paths] + (["--sandbox"] if self.sandbox else [])
        return words + [word for name, value in options if value is not None for word in (name, value)]


@frozen
class Loaded:
    """`cases` are the selected cases of `plans`. `diagnostics` are only warnings."""

    root: Path
    project: Project
    plans: tuple[Plan, ...]
    cases: tuple[Case, ...]
    diagnostics: Diagnostics
    base: BaseCommit | None = None
    """The commit that planner.yaml was read from; None for the trusted work tree."""
    limits_note: str = ""
    """Says that strict built-in limits apply, because that commit has no planner.yaml."""

    @property
    def plan_names(self) -> list[str]:
        return [plan.name for plan in self.plans]


@frozen
class Files:
    """The project's config, valid plans, the number of libraries, and all diagnostics."""

    project: Project
    plans: tuple[Plan, ...]
    libraries: int
    diagnostics: Diagnostics


def read_files(
    shell: Shell,
    paths: Sequence[Path],
    environment: str | None,
    source: PolicySource | None = None,
    *,
    read_agents: bool = True,
    may_be_empty: bool = False,
) -> Files:
    """Read the named plan files, and those in named folders. Without `source`, planner.yaml is the work tree's.
    `may_be_empty`: there need be no plans. Raises `UsageError` if a path does not exist, there is no plan or
    no such environment, or `source` cannot be read."""
    named = [shell.cwd / path for path in paths]
    source = source or work_tree_source(shell, paths)
    project, diagnostics = source.project(shell.cwd)
    names = [name for name, _ in project.environments]
    if environment is not None and not diagnostics.has_errors and environment not in names:
        raise UsageError(
            f"there is no environment {environment!r}",
            f"planner.yaml declares: {', '.join(names)}." if names else "planner.yaml declares no `environments`.",
        )
    plans = [path for path in named if path.name != PROJECT_FILE or not path.is_file()]
    default = _default_path(shell.cwd, source.root)
    wanted = plans if named else [default]
    is_empty = may_be_empty and not any(path.is_file() or has_plan_files(path) for path in wanted)
    files = [] if is_empty else plan_files(wanted, cwd=shell.cwd)
    folders = {path if path.is_dir() else path.parent for path in [*named, *files]}
    if source.base is None:
        diagnostics.items.extend(misplaced_projects(source.root, folders, cwd=shell.cwd).items)
    else:
        diagnostics.items.extend(_wrong_after_the_merge(shell, source.base, folders))
    today = shell.clock.now().date()
    loaded = load_files(
        files, cwd=shell.cwd, project=project, environment=environment, today=today, read_agents=read_agents
    )
    if loaded.named_files:
        refuse_private(shell, source, loaded.named_files)
    diagnostics = Diagnostics([*diagnostics.items, *loaded.diagnostics.items])
    return Files(project, loaded.plans, len(loaded.libraries), diagnostics)


def _wrong_after_the_merge(shell: Shell, base: BaseCommit, folders: set[Path]) -> list[Diagnostic]:
    """Errors in project files of the work tree, which are not read before the merge. Misplaced files that the base
    commit has, too, are wrong already."""
    root = root_of(shell.cwd, list(folders))
    found = load_project(root, cwd=shell.cwd)[1].items
    found += misplaced_projects(root, folders, cwd=shell.cwd, known=base.has).items
    return [item for item in found if item.severity is Severity.ERROR]


def load(shell: Shell, selection: Selection, *, may_be_empty: bool = False) -> Loaded:
    """Load valid plans and select cases. Raises `PlanInvalidError`: with all diagnostics; `UsageError` if no plan or
    case, unless it `may_be_empty`, or the base commit cannot be read."""
    source = policy_source(shell, selection.base, selection.paths)
    if source.note:
        shell.log(source.note)
    _check_paths(shell, selection, source)
    files = read_files(shell, selection.paths, selection.environment, source, may_be_empty=may_be_empty)
    if files.diagnostics.has_errors:
        raise PlanInvalidError("the plans are not valid, so no call is made", files.diagnostics)
    if not files.plans and not files.libraries and not may_be_empty:
        raise UsageError("planner.yaml is not a plan", "Name plan files or folders.")
    if not files.plans and not may_be_empty:
        raise UsageError("there are only libraries and no plan", "Name the plans that use them, or their folder.")
    cases = tuple(case for plan in files.plans for case in plan.cases)
    diagnostics = files.diagnostics
    project = files.project
    if selection.sandbox:  # nothing is charged there but a judge, and undecided checks say why
        idle = {"judge-not-configured"}
        if project.judge is None or project.judge.price.is_free:
            idle.add("too-many-calls")
            calls = Policy().max_calls
            policy = replace(project.policy, max_cost_cents=None, max_cost_cents_per_month=None, max_calls=calls)
            project = replace(project, policy=policy)
        diagnostics = Diagnostics([item for item in diagnostics.items if item.code not in idle])
    limits_note = source.note if source.base is not None and not source.base.has_project else ""
    chosen = _selected(cases, selection, is_comment=is_command(shell.environ)) if files.plans else ()
    return Loaded(source.root, project, files.plans, chosen, diagnostics, source.base, limits_note)


def _check_paths(shell: Shell, selection: Selection, source: PolicySource) -> None:
    """Raises `UsageError` for a path that does not exist but matches cases, which is what people type at first."""
    missing = [path.as_posix() for path in selection.paths if not (shell.cwd / path).exists()]
    if not missing:
        return
    try:
        plans = read_files(shell, (), selection.environment, source).plans
    except UsageError:  # there are no plans in the default folder either
        return
    if any(matches(glob, case.case_id) for glob in missing for plan in plans for case in plan.cases):
        others = tuple(path for path in selection.paths if path.as_posix() not in missing)
        meant = replace(selection, paths=others, select=(*selection.select, *missing))
        raise UsageError(f"{missing[0]} is not a file, but matches cases", f"To select them: {meant.command('plan')}")


def job_namespace(shell: Shell, selection: Selection) -> str:
    """The namespace of this job's results: as named on the command line, or by GitHub's event."""
    return selection.namespace if selection.namespace is not None else namespace_of(shell.environ)


def require_default_branch(shell: Shell, selection: Selection, what: str) -> None:
    """Raises `UsageError` in a job of a pull request, branch or tag."""
    if job_namespace(shell, selection):
        raise UsageError(f"only the default branch {what}", "Run this in a workflow of the default branch.")


def with_default_path(shell: Shell, selection: Selection) -> Selection:
    """The selection, plus the default folder if other paths are named and it exists."""
    source = policy_source(shell, selection.base, selection.paths)
    default = _default_path(shell.cwd, source.root)
    named = {(shell.cwd / path).resolve() for path in selection.paths}
    if not named or default.resolve() in named or not default.is_dir():
        return selection
    return replace(selection, paths=(*selection.paths, Path(os.path.relpath(default, shell.cwd))))


def load_current_project(shell: Shell, base: str | None = None) -> tuple[Path, Project]:
    """The project's root and planner.yaml, for commands that read no plans. Raises `PlanInvalidError` if planner.yaml
    is invalid, or a project file is in a folder where it is not read: its store and redaction would be ignored;
    `UsageError`: the commit that policy comes from cannot be read."""
    source = policy_source(shell, base)
    diagnostics = Diagnostics()
    if source.base is None:
        plans = _default_path(shell.cwd, source.root)
        folders = {plans} if plans.is_dir() else set[Path]()
        with suppress(UsageError):  # no plans, or unreadable
            folders.update(file.parent for file in plan_files([plans]))
        diagnostics = misplaced_projects(source.root, folders, cwd=shell.cwd)
    project, found = source.project(shell.cwd)
    diagnostics.items.extend(found.items)
    if diagnostics.has_errors:
        raise PlanInvalidError(f"{PROJECT_FILE} is invalid, so its store and redaction would be ignored", diagnostics)
    if source.note:
        shell.log(source.note)
    return source.root, project


def _default_path(cwd: Path, root: Path) -> Path:
    """`plans/` in the working directory, or at the project's root if only that exists."""
    here, there = cwd / DEFAULT_PATH, root / DEFAULT_PATH
    return there if not here.exists() and there.is_dir() else here


def _selected(cases: tuple[Case, ...], selection: Selection, *, is_comment: bool) -> tuple[Case, ...]:
    missing = "`only '{}'` matches no case" if is_comment else "--select: no case matches {}"
    wanted = picked(selection.select, [case.case_id for case in cases], missing)
    known_tags = {tag for case in cases for tag in case.tags}
    for tag in selection.tags:
        if tag not in known_tags:
            raise UsageError(
                f"--tag {tag}: no case has it", f"Tags of these plans: {', '.join(sorted(known_tags)) or 'none'}."
            )
    chosen = tuple(
        case
        for case in cases
        if (not selection.select or case.case_id in wanted)
        and (not selection.tags or case.tags.intersection(selection.tags))
    )
    if not chosen:
        raise UsageError("no case is selected", "--select and --tag each match cases, but no case matches both.")
    return chosen


def picked(globs: Sequence[str], case_ids: Sequence[str], missing: str) -> set[str]:
    """The case ids that match any glob. Raises `UsageError` for a glob without a match."""
    return {case_id for glob in globs for case_id in chosen_ids(glob, case_ids, missing.format(glob))}


def chosen_ids(wanted: str, case_ids: Sequence[str], missing: str) -> set[str]:
    """The case with this id, or all that match it. Raises `UsageError` with a suggestion if there is none."""
    if wanted in case_ids:
        return {wanted}
    found = {case_id for case_id in case_ids if matches(wanted, case_id)}
    if not found:
        hint = "`*` and `?` are wildcards; brackets are literal."
        raise UsageError(missing, f"{did_you_mean(wanted, case_ids)} {hint}".lstrip())
    return found


def matches(glob: str, case_id: str) -> bool:
    """`*` and `?` are wildcards as in a shell; brackets are literal, since they are part of case ids."""
    pattern = "".join(".*" if char == "*" else "." if char == "?" else re.escape(char) for char in glob)
    return re.fullmatch(pattern, case_id, re.DOTALL) is not None


def is_run(wanted: str, run: JudgedRun) -> bool:
    """Whether this is the id of the run, or of its call."""
    return wanted in (str(run.run_id), str(run.call_id))


def did_you_mean(wanted: str, case_ids: Sequence[str]) -> str:
    """`Did you mean …?` with similar case ids, or the pattern of all that begin so; "" if none is similar."""
    if (begin := sum(case_id.startswith(wanted) for case_id in case_ids)) >= _SUGGESTED:
        return f"Did you mean {shlex.quote(wanted + '*')} ({begin:,} cases)?"
    scenario, at, target = wanted.partition("@")
    if of_matrix := sum(re.sub(r"\[.*\]", "", case_id) == wanted for case_id in case_ids):
        pattern = shlex.quote(f"{scenario}[*]{at}{target}")
        return f"Did you mean {pattern} ({count(of_matrix, 'case')})?"
    near = [case_id for case_id in case_ids if wanted in case_id][:_SUGGESTED]
    if not near:
        # Also by the scenario's name alone, without plan, matrix point and target.
        names = {re.sub(r"^.*/|\[.*\]|@.*$", "", case_id): case_id for case_id in case_ids[:_COMPARED]}
        names |= {case_id: case_id for case_id in case_ids[:_COMPARED]}
        near = [names[name] for name in difflib.get_close_matches(wanted, list(names), n=1)]
    return f"Did you mean {' or '.join(near)}?" if near else ""
