"""`planner sandbox`: the embedded API on a port, for any client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from planner.commands.shell import Shell
from planner.errors import UsageError


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """Port 0 is any that is free. Without `state` it forgets everything when it ends."""

    host: str = "127.0.0.1"
    port: int = 8080
    world: str = "demo"
    dialect: Literal["page", "client"] = "page"
    api_keys: Sequence[str] = ()
    state: Path | None = None


def sandbox(shell: Shell, options: SandboxOptions) -> int:
    from planner.sandbox import Sandbox, StateFileError, WorldError, load_world
    from planner.sandbox.server import serve

    try:
        world = load_world(options.world)
    except WorldError as error:
        raise UsageError(f"--world: {error}") from error
    try:
        service = Sandbox(
            world,
            dialect=options.dialect,
            api_keys=frozenset(options.api_keys) or None,
            now=lambda: shell.clock.now().timestamp(),
            state_path=shell.cwd / options.state if options.state else None,
        )
    except (StateFileError, OSError) as error:
        raise UsageError(
            f"--state {options.state}: {error}", "Name another file, or one that a sandbox wrote."
        ) from error
    try:
        serve(service, options.host, options.port, on_ready=lambda url: _ready(shell, url))
    except OSError as error:
        raise UsageError(
            f"port {options.port} of {options.host} cannot be used: {error.strerror}",
            "Choose another --port, 0 for any that is free.",
        ) from error
    return 0


def _ready(shell: Shell, url: str) -> None:
    shell.print(f"The sandbox listens on {url} (Ctrl-C ends it). To call it:")
    shell.print(f"  export THUNDERPHONE_API_BASE_URL={url} THUNDERPHONE_API_KEY=sk_test_sandbox")
