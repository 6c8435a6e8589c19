"""Serving a sandbox on a port."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

from planner.sandbox.sandbox import Sandbox

_KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep a connection, httpx 5 seconds: where both close it at one moment, a request may be lost in
between."""


class _Server(uvicorn.Server):
    def __init__(self, config: Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def serve(sandbox: Sandbox, host: str, port: int, *, on_ready: Callable[[str], None]) -> None:
    """Serve until interrupted. Port 0 takes any free one; `on_ready` receives the base URL once clients can connect.

    Raises OSError when the address cannot be had.
    """
    with _listen(host, port) as listener:
        bound = int(listener.getsockname()[1])
        shown = f"[{host}]" if ":" in host else host
        config = Config(
            sandbox.app,
            http=H11Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=1,
        )
        server = _Server(config, lambda: on_ready(f"http://{shown}:{bound}"))
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:  # uvicorn raises the signal again after a clean shutdown
            return


def _listen(host: str, port: int) -> socket.socket:
    """A bound TCP socket. Its protocol is named, or asyncio would not turn Nagle's algorithm off: 40 ms a request."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener
