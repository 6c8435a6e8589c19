"""A GitHub REST API on a loopback port: comments with paging, statuses, permissions and faults."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from repositories import git

MAX_COMMENT = 65_536
TOKENS = {"writer": {"read", "write"}, "reader": {"read"}, "nothing": set[str]()}
"""Tokens and what they may do."""


@dataclass
class Fault:
    """Answer the next `times` requests of `method` with `status`, `after_work` or instead of it. `path` is a pattern of
    paths in the repository; "" for any. `body` is the answer's, and `cut` what it announces more than it sends."""

    method: str
    status: int
    times: int = 1
    after_work: bool = False
    headers: dict[str, str] = field(default_factory=dict[str, str])
    path: str = ""
    body: bytes = b'{"message": "fault"}'
    cut: int = 0


@dataclass
class FakeGitHub:
    url: str = ""
    login: str = "github-actions[bot]"
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict[int, list[dict[str, Any]]])
    statuses: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    issues: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    pulls: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    faults: list[Fault] = field(default_factory=list[Fault])
    requests: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    repository: Path | None = None
    """The git repository, for comparisons of commits."""
    roles: dict[str, str] = field(default_factory=dict[str, str])
    """Permissions of people; who is not named may write."""
    written: list[str] = field(default_factory=list[str])
    """What comments and issues said, one after the other."""
    _ids: int = 0

    def add_comment(self, number: int, body: str, login: str | None = None) -> dict[str, Any]:
        self._ids += 1
        made = {
            "id": self._ids,
            "body": body,
            "user": {"login": login or self.login},
            "created_at": "2026-11-25T09:00:00Z",
            "updated_at": "2026-11-25T09:00:00Z",
            "html_url": f"https://github.test/acme/plans/pull/{number}#issuecomment-{self._ids}",
        }
        self.comments.setdefault(number, []).append(made)
        return made

    def fault(self, method: str, path: str) -> Fault | None:
        local = path.removeprefix("/repos/acme/plans/")
        for fault in self.faults:
            if fault.method == method and fault.times and (not fault.path or re.fullmatch(fault.path, local)):
                fault.times -= 1
                return fault
        return None

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if method != "GET" and isinstance(text := (body or {}).get("body"), str):
            self.written.append(text)
        local = path.removeprefix("/repos/acme/plans/")
        if found := re.fullmatch(r"issues/(\d+)/comments", local):
            number = int(found[1])
            if method == "GET":
                size, page = int(query["per_page"]), int(query["page"])
                return 200, self.comments.get(number, [])[size * (page - 1) : size * page]
            if len(body["body"]) > MAX_COMMENT:
                return 422, {"message": "Validation Failed"}
            return 201, self.add_comment(number, body["body"])
        if found := re.fullmatch(r"issues/comments/(\d+)", local):
            for comment in (each for listed in self.comments.values() for each in listed):
                if comment["id"] == int(found[1]):
                    comment.update(body or {})
                    return 200, comment
            return 404, {"message": "Not Found"}
        if found := re.fullmatch(r"statuses/([0-9a-f]{40})", local):
            self.statuses.append({"sha": found[1], **body})
            return 201, body
        if local == "pulls":
            size, page = int(query.get("per_page", "30")), int(query.get("page", "1"))
            head, state = query.get("head", "").rpartition(":")[2], query.get("state", "all")
            wanted = [
                pull
                for pull in self.pulls.values()
                if state in ("all", pull.get("state")) and (not head or pull.get("head", {}).get("ref") == head)
            ]
            found = wanted[size * (page - 1) : size * page]
            return (200, found) if self.pulls else (404, {"message": "Not Found"})
        if found := re.fullmatch(r"pulls/(\d+)", local):
            pull = self.pulls.get(int(found[1]))
            return (404, {"message": "Not Found"}) if pull is None else (200, pull)
        if found := re.fullmatch(r"compare/([0-9a-f]{40})\.\.\.([0-9a-f]{40})", local):
            if self.repository is None:
                return 404, {"message": "Not Found"}
            return 200, {"merge_base_commit": {"sha": git(self.repository, "merge-base", found[1], found[2])}}
        if found := re.fullmatch(r"collaborators/([\w\[\]-]+)/permission", local):
            return 200, {"permission": self.roles.get(found[1], "write")}
        if local == "contents/.github/workflows" and self.repository is not None:
            listed = git(self.repository, "ls-tree", "--name-only", "main:.github/workflows").splitlines()
            return 200, [{"name": name} for name in listed]
        if local == "issues" and method == "GET":
            return 200, self.issues if query["page"] == "1" else []
        if local == "issues":
            self._ids += 1
            self.issues.append({"number": self._ids, "user": {"login": self.login}, "state": "open", **body})
            return 201, self.issues[-1]
        if found := re.fullmatch(r"issues/(\d+)", local):
            issue = next(each for each in self.issues if each["number"] == int(found[1]))
            issue |= body
            return 200, issue
        return 404, {"message": "Not Found"}


@contextmanager
def fake_github() -> Generator[FakeGitHub]:
    state = FakeGitHub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class names it
            """Print nothing."""

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            state.requests.append((self.command, parts.path))
            may = TOKENS.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
            fault: Fault | None = None
            if may is None:
                status, answer = 401, {"message": "Bad credentials"}
            elif ("read" if self.command == "GET" else "write") not in may:
                status, answer = 403, {"message": "Resource not accessible by integration"}
            else:
                fault = state.fault(self.command, parts.path)
                is_done = fault is None or fault.after_work
                status, answer = state.answer(self.command, parts.path, query, body) if is_done else (0, None)
                status = fault.status if fault is not None else status
            data = json.dumps(answer).encode() if fault is None else fault.body
            cut, headers = (fault.cut, fault.headers) if fault is not None else (0, {})
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data) + cut), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = self.close_connection or cut > 0

        do_GET = do_POST = do_PATCH = _serve  # noqa: N815 - the base class names them

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
