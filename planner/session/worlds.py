"""Opens the world that the sandbox simulates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from planner.diagnostics import Diagnostics, Span
from planner.errors import PlanInvalidError, UsageError
from planner.planfile.files import find_root
from planner.planfile.grammar.field_errors import explain
from planner.planfile.rules import RULES
from planner.planfile.text import shorten
from planner.session.ci import named_by_ci
from planner.session.selection import Selection
from planner.session.shell import Shell

if TYPE_CHECKING:
    from planner.sandbox import World

DEFAULT_WORLD: Final = "demo"


def world_of(shell: Shell, selection: Selection) -> World:
    """The world of a selection. It is not trusted if a stranger may have named or written it. Raises like
    `open_world`."""
    is_trusted = not selection.is_saved and selection.policy_from is None and named_by_ci(shell.environ) is None
    return open_world(shell, world_name(selection), is_trusted=is_trusted)


def world_name(selection: Selection) -> str:
    return selection.world or DEFAULT_WORLD


def open_world(shell: Shell, name: str, *, is_trusted: bool = True) -> World:
    """Load a world. An untrusted one may not name servers or environment variables, and must be in the repository.

    Raises `PlanInvalidError` with all diagnostics of its files; `UsageError` if the world does not exist or may not be
    used.
    """
    from planner.sandbox import World, WorldError, builtin_worlds, load_world

    within = None if is_trusted else find_root(shell.cwd)
    try:
        world = load_world(name if name in builtin_worlds() else shell.cwd / name, within=within)
    except WorldError as error:
        if not error.faults:
            known = f"built in are {', '.join(builtin_worlds())}"
            missing = not (shell.cwd / name).exists()
            what = f"there is no world {shorten(name)!r}" if missing else str(error)
            raise UsageError(f"--world: {what}", f"Give the path of a YAML file, or a name: {known}.") from error
        diagnostics = Diagnostics()
        for fault in error.faults:
            code, detail = fault.code, fault.message
            if fault.error is not None:  # invalid values are described as in plans
                code, detail = explain(fault.error, World)
            path = fault.path.relative_to(shell.cwd) if fault.path.is_relative_to(shell.cwd) else fault.path
            at = fault.span
            span = Span(path.as_posix(), at.line, at.column, at.end_line, max(at.end_column, at.column + 1))
            diagnostics.error(code, RULES[code].summary, detail, span)
        raise PlanInvalidError("the world is invalid, so nothing is started", diagnostics) from error
    if world.models and not is_trusted:
        raise UsageError(
            f"the world {shorten(name)} names a server that may receive a key, but comes from an untrusted file",
            "Remove its `models`. On your own machine, name it with --world, without a saved plan.",
        )
    return world
