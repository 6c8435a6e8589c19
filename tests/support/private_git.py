"""A git server over HTTP on a loopback port, as a private repository has it: without a token, nothing can be read.

The tokens are those of the fake GitHub: `writer` may push, `reader` may only fetch.
"""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from fake_github import TOKENS

_BACKEND = ["git", "http-backend"]


@contextmanager
def private_git(root: Path) -> Generator[str]:
    """Serve the bare repositories in a folder; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it
            """Print nothing."""

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self._body()
            allowed = self._permissions()
            needed = "write" if "git-receive-pack" in self.path else "read"
            if needed not in allowed:
                self._answer(403 if allowed else 401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
                return
            ran = subprocess.run(
                _BACKEND,
                input=body,
                capture_output=True,
                check=True,
                env={
                    "PATH": os.environ["PATH"],
                    "GIT_PROJECT_ROOT": str(root),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "PATH_INFO": parts.path,
                    "QUERY_STRING": parts.query,
                    "REQUEST_METHOD": self.command,
                    "REMOTE_USER": "job",
                    "REMOTE_ADDR": "127.0.0.1",
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                    "CONTENT_LENGTH": str(len(body)),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                },
            )
            head, _, content = ran.stdout.partition(b"\r\n\r\n")
            lines = (line.partition(": ") for line in head.decode().split("\r\n"))
            headers = {name: value for name, _, value in lines}
            self._answer(int(headers.pop("Status", "200").split()[0]), headers, content)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = b""
            while size := int(self.rfile.readline(), 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found

        def _permissions(self) -> set[str]:
            given = self.headers.get("Authorization", "").removeprefix("Basic ")
            return TOKENS.get(base64.b64decode(given).decode().removeprefix("x-access-token:"), set())

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve  # noqa: N815 - the base class names them

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
