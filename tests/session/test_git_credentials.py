"""The job's token reaches git for this job's GitHub server, and for no other host."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from repositories import git

from planner.ci.git import Git

Served = tuple[str, list[str]]


@pytest.fixture
def served() -> Iterator[Served]:
    """A server that wants a password, and the passwords it was given."""
    given: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it
            """Print nothing."""

        def do_GET(self) -> None:
            if found := self.headers.get("Authorization"):
                given.append(base64.b64decode(found.removeprefix("Basic ")).decode())
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", given
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fetch(folder: Path, url: str, **environ: str) -> None:
    git(folder, "init", "-q")
    git(folder, "remote", "add", "origin", f"{url}/acme/plans")
    known = {"PATH": os.environ["PATH"], "HOME": str(folder), "GITHUB_TOKEN": "token", "GITHUB_ACTIONS": "true"}
    assert Git(folder, known | environ)("fetch", "origin").code != 0


def test_the_job_of_this_server(tmp_path: Path, served: Served) -> None:
    url, given = served
    fetch(tmp_path, url, GITHUB_SERVER_URL=url)
    assert given[:1] == ["x-access-token:token"]


@pytest.mark.parametrize(
    "environ", [{"GITHUB_SERVER_URL": "https://github.com"}, {"GITHUB_ACTIONS": "false"}, {"GITHUB_TOKEN": ""}]
)
def test_another_host_or_no_job(tmp_path: Path, served: Served, environ: dict[str, str]) -> None:
    url, given = served
    fetch(tmp_path, url, **({"GITHUB_SERVER_URL": url} | environ))
    assert given == []
