"""The sandbox on a socket: free ports, interruption."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from queue import Queue

import httpx
import pytest
import uvicorn
from patience import PATIENCE_SECONDS

from planner.sandbox import Sandbox, load_world
from planner.sandbox.service import server
from tests.sandbox.conftest import KEY, single  # pyright: ignore[reportMissingImports]


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Served from a thread, so that its coverage counts; signals belong to the main thread, hence the flag."""
    ready: Queue[str] = Queue()
    servers: list[uvicorn.Server] = []
    run = uvicorn.Server.run

    def noted(self: uvicorn.Server, sockets: list[socket.socket] | None = None) -> None:
        servers.append(self)
        run(self, sockets)

    monkeypatch.setattr(uvicorn.Server, "run", noted)  # the only way to get hold of it for stopping
    thread = threading.Thread(
        target=server.serve, args=(Sandbox(load_world("demo")), "127.0.0.1", 0), kwargs={"on_ready": ready.put}
    )
    thread.start()
    yield ready.get(timeout=PATIENCE_SECONDS)
    servers[0].should_exit = True
    thread.join(timeout=PATIENCE_SECONDS)
    assert not thread.is_alive()


def test_requests_over_a_socket(url: str) -> None:
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=PATIENCE_SECONDS) as http:
        assert http.get("/v1/healthz").json() == {"ok": True}
        http.post("/v1/test-calls", json=single())
        response = http.get("/v1/test-calls")
        assert [run["id"] for run in response.json()] == [7110]
        assert len(response.headers.get_list("date")) == 1
        assert "server" not in response.headers


def test_port_in_use() -> None:
    """An address that cannot be had is the caller's OSError, before anything is served."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        server.serve(Sandbox(load_world("demo")), "127.0.0.1", taken.getsockname()[1], on_ready=print)


PROGRAM = """\
import sys
from planner.sandbox import Sandbox, load_world
from planner.sandbox.service.server import serve
serve(Sandbox(load_world("demo")), sys.argv[1], 0, on_ready=lambda url: print(url, flush=True))
print("ended", flush=True)
"""


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "http://127.0.0.1:"), ("::1", "http://[::1]:")])
def test_interrupt_ends_it_quietly(host: str, shown: str) -> None:
    """Ctrl-C ends it with nothing but the program's own words."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, host], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    if not first and host == "::1":
        process.communicate()
        pytest.skip("this machine has no IPv6")
    assert first.startswith(shown)
    process.send_signal(2)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (out, err, process.returncode) == ("ended\n", "", 0)
