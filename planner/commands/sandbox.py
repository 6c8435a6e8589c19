"""`planner sandbox`: the embedded API on a port, for any client; and opening the world that it, or `--sandbox`, plays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from planner.commands.shell import Shell
from planner.diagnostics import Diagnostics, Span
from planner.errors import PlanInvalidError, UsageError
from planner.spec.faults import RULES
from planner.spec.wording import explain, shorten

if TYPE_CHECKING:
    from planner.sandbox import FaultSpec, World, WorldFault

_CODES = {"value": "bad-value", "syntax": "yaml-syntax", "duplicate": "duplicate-key", "unreadable": "file-unreadable"}
"""Kind of a world's fault → code of the diagnostic."""
_SETTING = re.compile(r"(?P<key>[a-z_]+)=(?P<value>.*)")


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """Port 0 is any that is free. Without `state` it forgets everything when it ends. Each of `faults` is `KIND[,key=value…]`."""

    host: str = "127.0.0.1"
    port: int = 8080
    world: str = "demo"
    dialect: Literal["page", "client"] = "page"
    api_keys: Sequence[str] = ()
    state: Path | None = None
    faults: Sequence[str] = ()


def sandbox(shell: Shell, options: SandboxOptions) -> int:
    from planner.sandbox import Sandbox, StateFileError, WorldError
    from planner.sandbox.server import serve

    world = open_world(shell, options.world)
    specs = [read_fault(text) for text in options.faults]
    try:
        service = Sandbox(
            world,
            dialect=options.dialect,
            api_keys=frozenset(options.api_keys) or None,
            now=lambda: shell.clock.now().timestamp(),
            state_path=shell.cwd / options.state if options.state else None,
            environ=shell.environ,
        )
        for spec in specs:
            service.check_fault(spec)
            service.faults.add(spec)
    except WorldError as error:
        raise UsageError(str(error)) from error
    except (StateFileError, OSError) as error:
        raise UsageError(
            f"--state {options.state}: {error}", "Name another file, or one that a sandbox wrote."
        ) from error
    try:
        serve(service, options.host, options.port, on_ready=lambda url: _ready(shell, url))
    except BrokenPipeError:  # nobody reads what is printed: nothing is wrong with the port
        raise
    except OSError as error:
        raise UsageError(
            f"port {options.port} of {options.host} cannot be used: {error.strerror}",
            "Choose another --port, 0 for any that is free.",
        ) from error
    return 0


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


def read_fault(text: str) -> FaultSpec:
    """`lost_answer,times=2,route=launch`: the kind, then any field of a fault; lists with `+` between their items.

    Raises:
        UsageError: it is none.
    """
    from pydantic import ValidationError

    from planner.sandbox import FaultSpec

    kind, *settings = (part.strip() for part in text.split(","))
    fields: dict[str, object] = {"kind": kind}
    for setting in settings:
        match = _SETTING.fullmatch(setting)
        if match is None:
            raise UsageError(f"--fault {text}: {setting!r} is not key=value", "Such as: --fault lost_answer,times=2")
        value = match["value"]
        fields[match["key"]] = value.split("+") if match["key"] == "what" else value
    try:
        return FaultSpec.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        _, detail = explain(first, FaultSpec)
        place = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"--fault {text}: {place + ': ' if place else ''}{detail}",
            "Such as: --fault lost_answer,times=2 or --fault throttle,route=any,probability=0.1",
        ) from error


def _ready(shell: Shell, url: str) -> None:
    shell.print(f"The sandbox listens on {url} (Ctrl-C ends it). To call it:")
    shell.print(f"  export THUNDERPHONE_API_BASE_URL={url} THUNDERPHONE_API_KEY=sk_test_sandbox")
