"""A scripted language model behind a real socket: it reads prompts as a model would, and answers as a test wants it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import forked
import pytest
from patience import PATIENCE_SECONDS
from scripted_model import Asked, completion, honest
from worlds import ANY_PROMPT

from tests.commands.conftest import Served, project  # pyright: ignore[reportMissingImports]

__all__ = ["Asked", "completion", "honest", "model", "project", "service"]


@dataclass
class Reply:
    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    """Before it answers."""


@dataclass
class Model:
    """`script` answers a request; requests are kept in the order they came."""

    url: str = ""
    script: Callable[[Asked], Reply | str] = honest
    asked: list[Asked] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    refuses_key: bool = False
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Shared(Served):
    """A sandbox that several tests call, one after the other: each sees what it launched itself."""

    before: frozenset[int] = frozenset()

    def own_runs(self) -> list[Any]:
        return [run for run in super().own_runs() if run["run_id"] not in self.before]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    world = tmp_path_factory.mktemp("worlds") / "fast.yaml"
    world.write_text(f"extends: {ANY_PROMPT}\nversion: 1\nworld: fast\ntime_scale: 600\n")
    options = ("--port", "0", "--world", str(world))
    program = forked.planner("sandbox", *options, cwd=tmp_path_factory.mktemp("service"))
    url = next(word for word in program.output.readline().split() if word.startswith("http://"))
    yield Served(url, program)
    program.kill()


@pytest.fixture
def service(shared: Served, monkeypatch: pytest.MonkeyPatch) -> Shared:
    """A served demo world, and the environment that points to it."""
    monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", shared.url)
    monkeypatch.setenv("THUNDERPHONE_API_KEY", "sk_test_judging")
    return Shared(shared.url, shared.program, frozenset(run["run_id"] for run in shared.own_runs()))


@pytest.fixture
def model() -> Iterator[Model]:
    """It listens on loopback until the test ends."""
    scripted = Model()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            scripted.reads.append(self.path)
            self._send(Reply({"error": {"message": "bad key"}}, 401) if scripted.refuses_key else Reply({"data": []}))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked = Asked(body, {key.lower(): value for key, value in self.headers.items()}, self.path)
            with scripted.lock:
                scripted.asked.append(asked)
                scripted.at_once += 1
                scripted.most_at_once = max(scripted.most_at_once, scripted.at_once)
            try:
                reply = scripted.script(asked)
                reply = reply if isinstance(reply, Reply) else Reply(completion(reply))
                if reply.seconds:
                    scripted.closing.wait(reply.seconds)
            finally:  # before the answer, which another request may follow sooner than this thread goes on
                with scripted.lock:
                    scripted.at_once -= 1
            self._send(reply)

        def _send(self, reply: Reply) -> None:
            data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            try:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                pass  # the client went away

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    scripted.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    yield scripted
    scripted.closing.set()
    server.shutdown()
    server.server_close()
    thread.join(timeout=PATIENCE_SECONDS)
