"""A service that speaks as much of S3 as a results store needs, conditional writes among it."""

from __future__ import annotations

import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape


class BucketServer(ThreadingHTTPServer):
    """`objects` by `/bucket/key`; `listed` are the prefixes that were asked for; while `closed`, everything is forbidden, else only reading those of `refused`.

    `requests` counts all requests, `transferred` the bytes of all bodies. `ignores_conditions`: as services that know none.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        """Of uploads that are not complete."""
        self.writes: list[str] = []
        self.listed: list[str] = []
        self.lock = Lock()
        self.closed = False
        self.refused: set[str] = set()
        self.ignores_conditions = False
        self.failing: tuple[int, frozenset[str]] | None = None
        """Answer these methods with this status."""
        self.requests = 0
        self.transferred = 0
        self.received = 0
        """Bytes of the bodies of requests."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no error of the server."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: BucketServer  # pyright: ignore[reportIncompatibleVariableOverride] - no other makes it
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    """Or each answer waits 40 ms for a confirmation of its headers."""

    def _answer(self, code: int, body: bytes = b"", tag: str = "") -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Wed, 25 Nov 2026 12:00:00 GMT")
        if tag:
            self.send_header("ETag", tag)
        self.end_headers()
        if self.command != "HEAD":
            self.server.transferred += len(body)
            self.wfile.write(body)

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = urlsplit(self.path)
        path, objects = unquote(address.path), self.server.objects
        with self.server.lock:
            self.server.requests += 1
            self.server.transferred += len(body)
            self.server.received += len(body)
            if self.server.failing is not None and self.command in self.server.failing[1]:
                return self._answer(self.server.failing[0], b"<Error><Code>Failing</Code></Error>")
            if self.server.closed or (self.command == "GET" and path in self.server.refused):
                return self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
            if self.command == "GET" and "list-type" in address.query:
                asked = parse_qs(address.query)
                prefix, after = asked.get("prefix", [""])[0], asked.get("start-after", [""])[0]
                self.server.listed.append(prefix)
                return self._answer(200, _listed(objects, path, prefix, after))
            asked = parse_qs(address.query, keep_blank_values=True)
            if "uploads" in asked or "uploadId" in asked:
                return self._upload(path, asked, body)
            now = objects.get(path)
            if self.command == "PUT":
                wanted = self.headers.get("If-Match")
                if not self.server.ignores_conditions and (
                    (self.headers.get("If-None-Match") == "*" and now is not None)
                    or (wanted is not None and (now is None or _tag(now) != wanted))
                ):
                    return self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
                objects[path] = body
                self.server.writes.append(path)
                return self._answer(200, tag=_tag(body))
            if self.command == "POST" and address.query == "delete":
                keys = [unescape(key) for key in re.findall(r"<Key>(.*?)</Key>", body.decode())]
                for key in keys:
                    objects.pop(f"{path}/{key}", None)
                gone = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
                return self._answer(200, f"<DeleteResult>{gone}</DeleteResult>".encode())
            if now is None:
                return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return self._answer(200, now, _tag(now))

    def _upload(self, path: str, asked: dict[str, list[str]], body: bytes) -> None:
        """Large objects arrive in parts."""
        parts = self.server.parts.setdefault(path, {})
        if self.command == "PUT":
            parts[int(asked["partNumber"][0])] = body
            return self._answer(200, tag=_tag(body))
        if "uploadId" in asked:
            self.server.objects[path] = b"".join(parts[number] for number in sorted(parts))
            self.server.writes.append(path)
            del self.server.parts[path]
            tag = _tag(self.server.objects[path])
            return self._answer(
                200,
                f"<CompleteMultipartUploadResult><ETag>{escape(tag)}</ETag></CompleteMultipartUploadResult>".encode(),
            )
        return self._answer(
            200, b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
        )

    do_GET = do_HEAD = do_PUT = do_POST = _do  # noqa: N815 - the names that the base class asks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        del format, args


@lru_cache(maxsize=300_000)
def _tag(data: bytes) -> str:
    return f'"{md5(data, usedforsecurity=False).hexdigest()}"'


def _listed(objects: dict[str, bytes], bucket: str, prefix: str, after: str) -> bytes:
    start = f"/{bucket.strip('/')}/"
    found = sorted(key.removeprefix(start) for key in objects if key.startswith(start + prefix) and key > start + after)
    entries = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{len(objects[start + key])}</Size><ETag>{escape(_tag(objects[start + key]))}</ETag>"
        "<LastModified>2026-11-25T12:00:00.000Z</LastModified></Contents>"
        for key in found
    )
    return f"<ListBucketResult><KeyCount>{len(found)}</KeyCount><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>".encode()


@contextmanager
def bucket_server() -> Generator[BucketServer]:
    server = BucketServer()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
