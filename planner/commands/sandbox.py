"""`planner sandbox`: serve the embedded API on a port."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import ValidationError

from planner.errors import UsageError
from planner.planfile.addresses import is_this_machine
from planner.planfile.fields import explain
from planner.shell import Shell
from planner.values import frozen
from planner.workspace.service import ADDRESS, IN_CLEAR, open_world

if TYPE_CHECKING:
    from planner.sandbox import FaultSpec

_SETTING = re.compile(r"(?P<key>[a-z_]+)=(?P<value>.*)")


@frozen
class SandboxOptions:
    """Port 0 picks a free port. Without `state`, everything is lost at the end. Each of `faults` is
    `KIND[,key=value…]`."""

    host: str = "127.0.0.1"
    port: int = 8080
    world: str = "demo"
    api_keys: Sequence[str] = ()
    state: Path | None = None
    faults: Sequence[str] = ()


def sandbox(shell: Shell, options: SandboxOptions) -> int:
    from planner.sandbox import Sandbox, StateFileError, WorldError
    from planner.sandbox.service.server import serve

    world = open_world(shell, options.world)
    specs = [read_fault(text) for text in options.faults]
    try:
        service = Sandbox(
            world,
            api_keys=frozenset(options.api_keys) or None,
            now=lambda: shell.clock.now().timestamp(),
            state_path=shell.cwd / options.state if options.state else None,
        )
        for spec in specs:
            service.check_fault(spec)
            service.faults.add(spec)
    except WorldError as error:
        raise UsageError(str(error)) from error
    except (StateFileError, OSError) as error:
        raise UsageError(
            f"--state {options.state}: {error}", "Name a file that a sandbox wrote, or a new file."
        ) from error
    try:
        serve(service, options.host, options.port, on_ready=lambda url: _ready(shell, url))
    except BrokenPipeError:  # the reader of standard output is gone; the port is fine
        raise
    except OSError as error:
        raise UsageError(
            f"port {options.port} of {options.host} cannot be used: {error.strerror}",
            "Choose another --port; 0 picks a free one.",
        ) from error
    return 0


def read_fault(text: str) -> FaultSpec:
    """Parse `lost_answer,times=2,route=launch`: a kind, then fields of a fault. Items of lists are separated by `+`."""
    from planner.sandbox import FaultSpec

    kind, *settings = (part.strip() for part in text.split(","))
    fields: dict[str, object] = {"kind": kind}
    for setting in settings:
        match = _SETTING.fullmatch(setting)
        if match is None:
            raise UsageError(f"--fault {text}: {setting!r} is not key=value", "Example: --fault lost_answer,times=2")
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
            "Examples: --fault lost_answer,times=2, --fault throttle,route=any,probability=0.1",
        ) from error


def _ready(shell: Shell, url: str) -> None:
    shell.print(f"The sandbox listens on {url} (Ctrl-C stops it). To use it:")
    host = urlsplit(url).hostname or ""
    allowed = "" if is_this_machine(host) else f" {IN_CLEAR}={host}"  # the sandbox's key is not secret
    shell.print(f"  export {ADDRESS}={url}{allowed} THUNDERPHONE_API_KEY=sk_test_sandbox")
