"""A service that fails before any call is made."""

from __future__ import annotations

import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class _Failing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Print nothing."""


@pytest.fixture
def failing() -> Generator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Failing)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_service_that_answers_500(project: Any, failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what failed and what to do."""
    monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", failing)
    monkeypatch.setenv("THUNDERPHONE_API_KEY", "sk_test_commands")
    ran = project.planner("run", "--consent-to-charge")
    assert ran.code == 4
    assert "the service failed (500" in ran.err
    assert "Run the same command again later" in ran.err
