"""Selects plans and cases by the options that `plan`, `run` and other commands share."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from planner.diagnostics import Diagnostics
from planner.errors import PlanInvalidError, UsageError
from planner.planfile.files import PROJECT_FILE, plan_files
from planner.planfile.load import load_files
from planner.planfile.model import Case, Plan, Project
from planner.planfile.project.places import misplaced_projects
from planner.session.base_commit import BaseCommit
from planner.session.policy_source import PolicySource, policy_source, work_tree_source
from planner.session.shell import Shell
from planner.session.suggestions import suggest

if TYPE_CHECKING:
    from planner.changes.diff import Rerun


DEFAULT_PATH = Path("plans")


@dataclass(frozen=True, slots=True)
class Selection:
    """Options as typed. `world` names the sandbox's world; None for the default."""

    paths: tuple[Path, ...] = ()
    select: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    environment: str | None = None
    store: str | None = None
    rerun: Rerun = "changed"
    sandbox: bool = False
    world: str | None = None
    fresh: str | None = None
    """Reason to ignore earlier runs of the cases that are called."""
    policy_from: str | None = None
    """The commit to read planner.yaml from."""
    is_saved: bool = False
    """The selection comes from a saved plan."""

    @property
    def partial(self) -> bool:
        """Only some cases are selected, so the results are no baseline."""
        return bool(self.select or self.tags)

    def reconcile_command(self) -> str:
        """The command that shows the open launches of this store."""
        kept = Selection(store=self.store, sandbox=self.sandbox, world=self.world, policy_from=self.policy_from)
        return shlex.join(["planner", "reconcile", *kept.words()])

    def words(self) -> list[str]:
        """The options as command-line words."""
        words: list[str] = [str(path) for path in self.paths]
        if self.sandbox:
            words.append("--sandbox")
        if self.world is not None:
            words += ["--world", self.world]
        for glob in self.select:
            words += ["--select", glob]
        for tag in self.tags:
            words += ["--tag", tag]
        if self.environment is not None:
            words += ["--environment", self.environment]
        if self.store is not None:
            words += ["--store", self.store]
        if self.policy_from is not None:
            words += ["--policy-from", self.policy_from]
        if self.rerun != "changed":
            words += ["--rerun", self.rerun]
        if self.fresh is not None:
            words += ["--fresh", self.fresh]
        return words


@dataclass(frozen=True, slots=True)
class Loaded:
    """`cases` are the selected cases of `plans`. `diagnostics` are only warnings."""

    root: Path
    project: Project
    plans: tuple[Plan, ...]
    cases: tuple[Case, ...]
    diagnostics: Diagnostics
    base: BaseCommit | None = None
    """The commit that planner.yaml was read from; None for the trusted work tree."""

    @property
    def plan_names(self) -> list[str]:
        return [plan.name for plan in self.plans]


@dataclass(frozen=True, slots=True)
class Files:
    """The project's root and config, valid plans, the number of libraries, and all diagnostics."""

    root: Path
    project: Project
    plans: tuple[Plan, ...]
    libraries: int
    diagnostics: Diagnostics


def default_path(cwd: Path, root: Path) -> Path:
    """`plans/` in the working directory, or at the repository's root if only that exists."""
    return root / DEFAULT_PATH if not (cwd / DEFAULT_PATH).exists() and (root / DEFAULT_PATH).is_dir() else DEFAULT_PATH


@dataclass(frozen=True, slots=True)
class Found:
    """The project's root and config, the plan files (not read yet), and the diagnostics so far."""

    root: Path
    project: Project
    files: tuple[Path, ...]
    diagnostics: Diagnostics


def read_files(shell: Shell, paths: Sequence[Path], environment: str | None) -> Files:
    """Read plan files and folders, with the work tree's planner.yaml. Raises like `find_files`."""
    return load_found(shell, find_files(shell, paths, environment, work_tree_source(shell, paths)), environment)


def load_found(shell: Shell, found: Found, environment: str | None) -> Files:
    """Read the found files."""
    loaded = load_files(
        found.files,
        cwd=shell.cwd,
        project=found.project,
        environment=environment,
        today=shell.clock.now().date(),
    )
    diagnostics = Diagnostics([*found.diagnostics.items, *loaded.diagnostics.items])
    return Files(found.root, found.project, loaded.plans, len(loaded.libraries), diagnostics)


def find_files(shell: Shell, paths: Sequence[Path], environment: str | None, source: PolicySource) -> Found:
    """Find the named plan files, and those in named folders.

    Raises:
        UsageError: a path does not exist, there is no plan, or `source` cannot be read.
    """
    named = [shell.cwd / path for path in paths]
    root = source.root
    project, diagnostics = source.project(shell.cwd)
    if environment is not None and not diagnostics.has_errors:
        _check_environment(project, environment)
    plans = [path for path in named if path.name != PROJECT_FILE or not path.is_file()]
    files = plan_files(plans if named else [shell.cwd / default_path(shell.cwd, root)])
    if source.base is None:  # with a base commit, project files of the tree are ignored
        folders = {path if path.is_dir() else path.parent for path in [*named, *files]}
        diagnostics.items.extend(misplaced_projects(root, folders, cwd=shell.cwd).items)
    return Found(root, project, tuple(files), diagnostics)


def load(shell: Shell, selection: Selection) -> Loaded:
    """Load valid plans and select cases.

    Raises:
        PlanInvalidError: with all diagnostics.
        UsageError: no plan or case, or the base commit cannot be read.
    """
    source = policy_source(shell, selection.policy_from, selection.paths)
    if source.note:
        shell.log(source.note)
    found = find_files(shell, selection.paths, selection.environment, source)
    files = load_found(shell, found, selection.environment)
    if files.diagnostics.has_errors:
        raise PlanInvalidError("the plans are not valid, so no call is made", files.diagnostics)
    if not files.plans and not files.libraries:
        raise UsageError("planner.yaml is not a plan", "Name plan files or folders.")
    if not files.plans:
        raise UsageError("there are only libraries and no plan", "Name the plans that use them, or their folder.")
    cases = tuple(case for plan in files.plans for case in plan.cases)
    diagnostics = files.diagnostics
    if selection.sandbox:  # nothing is charged there, and undecided checks say why
        diagnostics = Diagnostics([item for item in diagnostics.items if item.code != "judge-not-configured"])
    return Loaded(files.root, files.project, files.plans, _selected(cases, selection), diagnostics, source.base)


def _check_environment(project: Project, environment: str) -> None:
    names = [name for name, _ in project.environments]
    if environment not in names:
        known = ", ".join(names) if names else "none"
        raise UsageError(
            f"there is no environment {environment!r}", f"planner.yaml declares under `environments`: {known}."
        )


def _selected(cases: tuple[Case, ...], selection: Selection) -> tuple[Case, ...]:
    wanted = picked("--select", selection.select, [case.case_id for case in cases])
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


def picked(option: str, globs: Sequence[str], case_ids: Sequence[str]) -> set[str]:
    """The case ids that match any glob. Raises `UsageError` with a suggestion for a glob without a match."""
    found: set[str] = set()
    for glob in globs:
        matching = [case_id for case_id in case_ids if matches(glob, case_id)]
        if not matching:
            near = suggest(glob, case_ids)
            raise UsageError(
                f"{option} {glob}: no case matches",
                (f"Did you mean {near[0]!r}? " if near else "") + "`*` and `?` are wildcards; brackets are literal.",
            )
        found.update(matching)
    return found


def matches(glob: str, case_id: str) -> bool:
    """`*` and `?` are wildcards as in a shell; brackets are literal, since they are part of case ids."""
    pattern = "".join(".*" if char == "*" else "." if char == "?" else re.escape(char) for char in glob)
    return re.fullmatch(pattern, case_id, re.DOTALL) is not None
