"""Opening the world that the sandbox plays, whether it is served or embedded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from planner.diagnostics import Diagnostics, Span
from planner.errors import PlanInvalidError, UsageError
from planner.invocation.shell import Shell
from planner.spec.faults import RULES
from planner.spec.faults.wording import explain, shorten

if TYPE_CHECKING:
    from planner.sandbox import World, WorldFault

DEFAULT_WORLD: Final = "demo"

_CODES = {"value": "bad-value", "syntax": "yaml-syntax", "duplicate": "duplicate-key", "unreadable": "file-unreadable"}
"""Kind of a world's fault → code of the diagnostic."""


def open_world(shell: Shell, name: str) -> World:
    """A world by its name, or by its path from the working directory.

    Raises:
        PlanInvalidError: with everything that is wrong with its files, each at its place.
        UsageError: there is no such world.
    """
    from planner.sandbox import WorldError, builtin_worlds, load_world

    try:
        return load_world(name if name in builtin_worlds() else shell.cwd / name)
    except WorldError as error:
        if not error.faults:
            known = f"built in are {', '.join(builtin_worlds())}"
            missing = not (shell.cwd / name).exists()
            what = f"there is no world {shorten(name)!r}" if missing else str(error)
            raise UsageError(f"--world: {what}", f"Give the path of a YAML file, or a name: {known}.") from error
        diagnostics = Diagnostics()
        for fault in error.faults:
            _tell(shell, fault, diagnostics)
        raise PlanInvalidError("the world cannot be used, so nothing is started", diagnostics) from error


def _tell(shell: Shell, fault: WorldFault, diagnostics: Diagnostics) -> None:
    """The fault as a diagnostic, a value that does not fit in the words that plans have for it."""
    from planner.sandbox import World

    code, detail = _CODES[fault.kind], fault.message
    if fault.error is not None:
        code, detail = explain(fault.error, World)
    path = fault.path.relative_to(shell.cwd) if fault.path.is_relative_to(shell.cwd) else fault.path
    span = Span(path.as_posix(), fault.line, fault.column, fault.line, max(fault.end_column, fault.column + 1))
    diagnostics.error(code, RULES[code].summary, detail, span)
