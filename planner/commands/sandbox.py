"""`planner sandbox`: serve the embedded API on a port."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from planner.errors import UsageError
from planner.planfile.addresses import is_this_machine
from planner.shell import Shell
from planner.values import frozen
from planner.workspace.service import ADDRESS, IN_CLEAR, open_world


@frozen
class SandboxOptions:
    """Port 0 picks a free port."""

    host: str = "127.0.0.1"
    port: int = 8080
    world: str = "demo"
    api_keys: Sequence[str] = ()


def sandbox(shell: Shell, options: SandboxOptions) -> int:
    from planner.sandbox import Sandbox
    from planner.sandbox.service.server import serve

    world = open_world(shell, options.world)
    service = Sandbox(world, api_keys=frozenset(options.api_keys) or None, now=lambda: shell.clock.now().timestamp())
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


def _ready(shell: Shell, url: str) -> None:
    shell.print(f"The sandbox listens on {url} (Ctrl-C stops it). To use it:")
    host = urlsplit(url).hostname or ""
    allowed = "" if is_this_machine(host) else f" {IN_CLEAR}={host}"  # the sandbox's key is not secret
    shell.print(f"  export {ADDRESS}={url}{allowed} THUNDERPHONE_API_KEY=sk_test_sandbox")
