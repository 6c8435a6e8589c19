"""Between a client and a service: every request is carried out there, and some of the answers arrive spoilt."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import socket
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from patience import PATIENCE_SECONDS

KEPT_HEADERS = ("content-type", "date", "retry-after")


@dataclass(frozen=True)
class Whole:
    """An answer as the service gave it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    authorization: str

    @property
    def route(self) -> str:
        """`POST /v1/test-calls`, `GET /v1/calls/{id}/transcript`."""
        return f"{self.method} {re.sub(r'[0-9]+', '{id}', urlsplit(self.path).path)}".replace("/v{id}/", "/v1/")


Spoil = Callable[[Whole], bytes]
"""What arrives instead, from the status line on; then the connection is cut."""


def answer(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    if "Content_Length" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def instead(body: bytes, status: str = "200 OK", **headers: str) -> Spoil:
    return lambda _: answer(body, status, **{"Content_Type": "application/json", **headers})


def _retyped(whole: Whole) -> bytes:
    """Every number a string, every text a number, every list an object."""

    def other(value: Any) -> Any:
        match value:
            case bool() | None:
                return {"is": value}
            case int() | float():
                return f"number {value}"
            case str():
                return 7
            case list():
                return {"items": value}
            case _:
                return {name: other(inner) for name, inner in value.items()}

    document = json.loads(whole.body)
    return answer(json.dumps([*map(other, document)] if isinstance(document, list) else other(document)).encode())


def _huge_ids(whole: Whole) -> bytes:
    return answer(re.sub(rb'"(id|run_ids|call_id)":\s*\[?\d+', rb'"\1":' + b"9" * 40, whole.body))


SPOILS: Mapping[str, Spoil] = {
    "a page of HTML": instead(b"<!doctype html><h1>It works!</h1>", Content_Type="text/html"),
    "nothing": instead(b""),
    "no content": instead(b"", "204 No Content"),
    "null": instead(b"null"),
    "a text": instead(b'"ok"'),
    "another kind of list": instead(b'[1, "two", null]'),
    "an empty object": instead(b"{}"),
    "other types": _retyped,
    "ids over 64 bits": _huge_ids,
    "half of it, as if whole": lambda whole: answer(whole.body[: len(whole.body) // 2]),
    "half of it, then silence": lambda whole: answer(
        whole.body[: len(whole.body) // 2], Content_Length=str(len(whole.body))
    ),
    "what is no UTF-8": instead(b'{"id": 7, "status": "\xff\xfe"}'),
    "nesting without end": instead(b"[" * 200_000),
    "no gzip that says it is": instead(b"\x1f\x8bgarbage, no gzip", Content_Encoding="gzip"),
    "a gzip bomb": instead(gzip.compress(bytes(80 * 1024 * 1024)), Content_Encoding="gzip"),
    "a number that is none": instead(b'{"id": NaN}'),
    "no status line": lambda _: b"SSH-2.0-OpenSSH_9.6\r\n",
    "a status line cut": lambda _: b"HTTP/1.1 2",
    "a reset": lambda _: b"",
    "endless headers": lambda _: b"HTTP/1.1 200 OK\r\n" + b"X-More: and more\r\n" * 20_000,
    "an empty 500": instead(b"", "500 Internal Server Error"),
    "terminal escapes in a 502": instead(b'{"detail": "\\u001b[2J\\u001b]0;mine\\u0007::error::x"}', "502 Bad Gateway"),
    "a lone surrogate": instead(b'{"detail": "\\ud800"}', "503 Service Unavailable"),
    "a redirect": instead(b"", "302 Found", Location="{elsewhere}/v1/login"),
    "a redirect that keeps the method": instead(b"", "307 Temporary Redirect", Location="{elsewhere}/v1/test-calls"),
    "a redirect that lasts": instead(b"", "308 Permanent Redirect", Location="//{elsewhere_host}/v1/x"),
}
ENDLESS: Spoil = lambda _: b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n["  # noqa: E731
"""Its body never ends: white space, as fast as it is read."""


@dataclass
class Spoiler:
    """`choose` says how the answer to a request is spoilt, or None. `elsewhere` is where redirects lead."""

    service: str
    choose: Callable[[Request], Spoil | None] = lambda _: None
    url: str = ""
    elsewhere: str = ""
    heard_elsewhere: list[Request] = field(default_factory=list[Request])
    requests: list[Request] = field(default_factory=list[Request])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def forward(self, request: Request, headers: Mapping[str, str], body: bytes) -> Whole:
        there = http.client.HTTPConnection(urlsplit(self.service).netloc, timeout=PATIENCE_SECONDS)
        try:
            there.request(request.method, request.path, body or None, dict(headers))
            answer = there.getresponse()
            kept = {name: value for name in KEPT_HEADERS if (value := answer.headers.get(name))}
            return Whole(answer.status, kept, answer.read())
        finally:
            there.close()


@contextmanager
def spoiling(service: str) -> Generator[Spoiler]:
    """In front of the service at that address."""
    spoiler = Spoiler(service)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _read(self) -> tuple[Request, bytes]:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return Request(self.command, self.path, self.headers.get("Authorization", "")), body

        def do_GET(self) -> None:
            request, body = self._read()
            passed_on = {
                name: value
                for name in ("Authorization", "Content-Type", "X-ThunderPhone-Client")
                if (value := self.headers.get(name))
            }
            whole = spoiler.forward(request, passed_on, body)
            with spoiler.lock:
                spoiler.requests.append(request)
                spoil = spoiler.choose(request)
            if spoil is None:
                self.send_response_only(whole.status)
                for name, value in whole.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(whole.body)))
                self.end_headers()
                self.wfile.write(whole.body)
                return
            self.close_connection = True
            data = spoil(whole).replace(b"{elsewhere}", spoiler.elsewhere.encode())
            try:
                self.wfile.write(data.replace(b"{elsewhere_host}", urlsplit(spoiler.elsewhere).netloc.encode()))
                while spoil is ENDLESS:
                    self.wfile.write(b" " * 1_000_000)
            except OSError:
                pass  # it has read enough
            if not data:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        do_POST = do_GET  # noqa: N815 - the name that the server calls

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    class Elsewhere(Handler):
        def do_GET(self) -> None:
            spoiler.heard_elsewhere.append(self._read()[0])
            self.send_error(404)

        do_POST = do_GET  # noqa: N815 - the name that the server calls

    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server,
        ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as other,
    ):
        servers = (server, other)
        spoiler.url, spoiler.elsewhere = (f"http://127.0.0.1:{one.server_port}" for one in servers)
        threads = [threading.Thread(target=one.serve_forever, args=(0.05,), daemon=True) for one in servers]
        for thread in threads:
            thread.start()
        try:
            yield spoiler
        finally:
            for one in servers:
                one.shutdown()
