"""Saved plans: `planner plan --out FILE` writes one, `planner run FILE` carries out exactly that, once."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from planner import __version__
from planner.changes.consent import whole_high_cents
from planner.changes.model import ChangeSet
from planner.changes.saved import SCHEMA_VERSION, SavedPlan, SavedSelection, Show, moved_since, saved_changes
from planner.errors import RefusedError, UsageError
from planner.invocation.address import ADDRESS, base_url_of, shown_address
from planner.invocation.base_commit import named_by_ci
from planner.invocation.selection import Selection
from planner.invocation.shell import Shell
from planner.planfile.files import FileFault, find_root, read_authored
from planner.reports.neutral import for_json_text
from planner.results.repository import ResultsRepository

MAX_BYTES = 256 * 1024 * 1024
_SHOWN_MOVES = 10
SUFFIX: Final = ".json"
"""By this, and by nothing in the file, a saved plan is known: anybody can write a plan file that looks like one."""


def save_plan(shell: Shell, selection: Selection, change_set: ChangeSet, path: Path, show: Show) -> None:
    """Raises `UsageError` where the file cannot be written, or its name is none of a saved plan, or the environment names no service."""
    if path.suffix != SUFFIX:
        raise UsageError(
            f"{path} cannot be written as a saved plan: `planner run` knows one by its ending {SUFFIX}",
            f"Name it {path.name}{SUFFIX}.",
        )
    saved = SavedPlan(
        tool_version=__version__,
        plan_id=shell.new_id(),
        saved_at=shell.clock.now(),
        digest=change_set.digest,
        calls=change_set.estimate.calls,
        expected_cents=change_set.estimate.expected_cents,
        max_cost_cents=whole_high_cents(change_set),
        selection=SavedSelection(
            directory=_directory(shell),
            paths=[path.as_posix() for path in selection.paths],
            select=list(selection.select),
            tags=list(selection.tags),
            environment=selection.environment,
            store=selection.store,
            rerun=selection.rerun,
            sandbox=selection.sandbox,
            world=selection.world,
            policy_from=selection.policy_from,
        ),
        service=None if selection.sandbox else shown_address(base_url_of(shell.environ)),
        changes=saved_changes(change_set, show),
    )
    file = shell.cwd / path
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        document = for_json_text(shell.keys.text(saved.sealed().model_dump_json(indent=1)))
        file.write_text(document + "\n", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "Name another file after --out.") from error


def saved_plan_at(shell: Shell, paths: Sequence[Path]) -> SavedPlan | None:
    """The saved plan, where that is what the paths name; None where they name plan files or folders.

    Raises `UsageError` for a saved plan beside other paths, and for one that a newer planner wrote or that is damaged.
    """
    for path in paths:
        if path.suffix != SUFFIX:
            continue
        if len(paths) > 1:
            raise UsageError(
                f"{path} is a saved plan, and holds all that is to be run", f"Run it alone: planner run {path}"
            )
        try:
            return _parsed(read_authored(shell.cwd / path, path.as_posix(), MAX_BYTES), path)
        except FileFault as fault:
            raise UsageError(f"{path}: {fault.detail}", "Make it again with planner plan --out.") from fault
    return None


def selection_of(shell: Shell, saved: SavedPlan, path: Path, typed: Selection) -> Selection:
    """What the saved plan selects. Where policy is typed or comes from the CI system, the file has no say in it, in the store, or
    in files outside the repository.

    Raises `UsageError` for any selection typed beside it, and in another folder.
    """
    if typed != Selection(paths=(path,), store=typed.store, policy_from=typed.policy_from):
        raise UsageError(
            f"{path} is a saved plan: what it selects cannot be changed",
            "Leave the other options out, or make another with planner plan --out.",
        )
    chosen, root = saved.selection, find_root(shell.cwd)
    if chosen.directory != _directory(shell):
        raise UsageError(
            f"{path} was saved in the folder {chosen.directory!r} of its repository, this is {_directory(shell)!r}",
            "Run it in that folder.",
        )
    paths = tuple(map(Path, chosen.paths))
    is_trusted = typed.policy_from is None and named_by_ci(shell.environ) is None
    if not is_trusted and not all((shell.cwd / each).resolve().is_relative_to(root) for each in paths):
        raise UsageError(f"{path} names plans outside the repository", "Make another with planner plan --out.")
    if typed.store is None and chosen.store is not None and not is_trusted:
        raise UsageError(
            f"{path} names a store, which only the command line and planner.yaml may do on a pull request",
            f"If it is yours, name it: planner run {path} --store STORE",
        )
    return Selection(
        paths=paths,
        select=tuple(chosen.select),
        tags=tuple(chosen.tags),
        environment=chosen.environment,
        store=typed.store if typed.store is not None else chosen.store,
        rerun=chosen.rerun,
        sandbox=chosen.sandbox,
        world=chosen.world,
        policy_from=chosen.policy_from if is_trusted else typed.policy_from,
        is_saved=True,
    )


def check_service(shell: Shell, saved: SavedPlan) -> None:
    """Raises `RefusedError` where the plan was saved for another service than the environment names now: what was agreed to be
    called at one was not agreed to at the other. One that an older version saved does not say which it was."""
    if saved.service is None or saved.selection.sandbox:
        return
    now = shown_address(base_url_of(shell.environ))
    if saved.service != now:
        raise RefusedError(
            f"the plan was saved for the service at {saved.service}, and this would call the one at {now}",
            f"set {ADDRESS} as it was when it was saved, or make another plan with it as it is now",
        )


def check_unmoved(
    saved: SavedPlan, change_set: ChangeSet, repository: ResultsRepository, selection: Selection, show: Show
) -> None:
    """Raises `RefusedError` where the saved plan was carried out before, or is not what would be done today."""
    again = " ".join(["planner plan", *selection.words(), "--out FILE"])
    if user := repository.user_of_plan(saved.plan_id):
        raise RefusedError(
            f"this saved plan was carried out before, by invocation {user}; each is good for once",
            f"see what is left to do, and agree to that: {again}",
        )
    if not saved.is_intact:
        raise RefusedError("the saved plan was edited after it was saved", f"make and agree to another: {again}")
    moved = moved_since(saved, change_set, show)
    if saved.tool_version != __version__:
        moved.insert(0, f"planner {saved.tool_version} saved it, and this is {__version__}")
    if moved:
        more = f" and {len(moved) - _SHOWN_MOVES} more" if len(moved) > _SHOWN_MOVES else ""
        raise RefusedError(
            f"what was saved is not what would be done now: {' · '.join(moved[:_SHOWN_MOVES])}{more}",
            f"look at today's, and agree to that: {again}",
        )


def saved_command(path: Path) -> str:
    """What to type to consent to exactly what was saved, up to its high estimate."""
    return shlex.join(["planner", "run", str(path), "--consent-to-charge"])


def _parsed(data: bytes, path: Path) -> SavedPlan:
    try:
        saved = SavedPlan.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "".join(f"{part}." for part in first["loc"])[:-1]
        told = f"{where}: {first['msg']}" if where else first["msg"]
        raise UsageError(
            f"{path} is no saved plan that can be read: {told}",
            "Make it again with planner plan --out.",
        ) from error
    major = saved.schema_version.partition(".")[0]
    if not major.isdecimal() or (major != SCHEMA_VERSION.partition(".")[0] and saved.tool_version == __version__):
        raise UsageError(
            f"{path} was edited after it was saved: no planner {saved.tool_version} writes schema {saved.schema_version}",
            "Make it again with planner plan --out.",
        )
    if int(major) > int(SCHEMA_VERSION.partition(".")[0]):
        raise UsageError(
            f"{path} was saved by planner {saved.tool_version}, this one reads schema {SCHEMA_VERSION}",
            "Upgrade planner to at least that version.",
        )
    return saved


def _directory(shell: Shell) -> str:
    return shell.cwd.resolve().relative_to(find_root(shell.cwd).resolve()).as_posix()
