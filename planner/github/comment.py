"""The one comment on a pull request and the one issue about edited agents: found by marker and author, edited, never
repeated; and the commit status."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, cast

from planner.errors import IncompleteError, NotFoundError
from planner.github.client import GitHub
from planner.github.publish import cut_to_characters
from planner.values import frozen

BOT: Final = "github-actions[bot]"
"""The author of what a job's own token writes."""
MAX_CHARACTERS: Final = 60_000
"""GitHub allows 65,536."""
CONTEXT: Final = "phone-plans"
DEFAULT_NAME: Final = "default"
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_DIGEST: Final = re.compile(r"<!-- digest:(sha256:[0-9a-f]{64}) -->")
_DECIDED: Final = re.compile(r"<!-- decided:([0-9a-f]{40,64}) (\S+) -->")
_PERMISSION: Final = "pull-requests: write"
_ISSUES: Final = "issues: write"
_NOTHING: Final = "No agent was edited since the results of its cases."


@frozen
class CommentPlace:
    """A pull request, and which of its comments: found by `name`, which separates two uses in one repository, and
    `author`."""

    number: int
    name: str = DEFAULT_NAME
    author: str = BOT


def marker(name: str) -> str:
    """The first line of the comment."""
    return f"<!-- phone-plans:{name if _is_name(name) else DEFAULT_NAME} -->"


def context_of(name: str) -> str:
    """The name of the commit status."""
    return f"{CONTEXT}/{name}" if name != DEFAULT_NAME and _is_name(name) else CONTEXT


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None and "--" not in text


def is_superseded(github: GitHub, number: int, commit: str) -> bool:
    """Whether the pull request has a newer commit. Raises `PlannerError`."""
    try:
        pull = github.get(f"pulls/{number}", "pull-requests: read")
    except NotFoundError:
        return False  # writing the comment fails too, and says why
    head = cast("dict[str, Any]", pull).get("head") if isinstance(pull, dict) else None
    newest = cast("dict[str, Any]", head).get("sha") if isinstance(head, dict) else None
    return newest is not None and newest != commit


def decided(commit: str, at: datetime | None) -> str:
    """A line of the comment: which commit the answer is about, and when it was found."""
    return f"<!-- decided:{commit} {at.isoformat()} -->\n" if at is not None else ""


def is_outdated(github: GitHub, place: CommentPlace, commit: str, at: datetime, now: datetime) -> bool:
    """Whether the comment has a newer answer about this commit than that of `at`: another job was faster, or an older
    job was run again. A time after `now` is not believed. Raises `PlannerError`."""
    old = _comment(github, place)
    found = _DECIDED.search(str(old["body"])) if old is not None else None
    if found is None or found[1] != commit:
        return False
    try:
        return at < datetime.fromisoformat(found[2]) <= now
    except (TypeError, ValueError):
        return False


def upsert_comment(
    github: GitHub, place: CommentPlace, markdown: str, digest: str, *, worth_saying: bool = True
) -> bool:
    """Write or edit the comment; return whether anything was written. `digest` names the change set, "" if nothing is
    to be called; an older one is struck through. Without `worth_saying`, only an existing comment is edited. Raises
    `PlannerError`."""
    old = _comment(github, place)
    superseded = _DIGEST.search(str(old["body"])) if old is not None else None
    body = _body(markdown, digest, place.name, superseded[1] if superseded else "")
    if old is not None:
        if old["body"] != body:
            path = f"issues/comments/{old['id']}"
            github.send("PATCH", path, _PERMISSION, {"body": body}, repeatable=True)
        return old["body"] != body
    if not worth_saying:
        return False
    try:
        github.send("POST", f"issues/{place.number}/comments", _PERMISSION, {"body": body})
    except IncompleteError:
        if _comment(github, place) is None:  # the failed request may have done its work
            raise
    return True


def _comment(github: GitHub, place: CommentPlace) -> dict[str, Any] | None:
    comments = github.pages(f"issues/{place.number}/comments", "pull-requests: read")
    return _ours(comments, place.name, place.author)


def _ours(found: Iterable[dict[str, Any]], name: str, author: str) -> dict[str, Any] | None:
    first = marker(name)
    for each in found:
        user = cast("dict[str, Any]", each.get("user") or {})
        if user.get("login") == author and str(each.get("body") or "").startswith(first):
            return each
    return None


def _body(markdown: str, digest: str, name: str, old: str) -> str:
    lines = [marker(name)]
    if digest:
        lines.append(f"<!-- digest:{digest} -->")
    lines.append(markdown.strip())
    if old and old != digest:
        short = old.removeprefix("sha256:")[:12]
        lines.append(f"\nReplaces change set ~~`{short}`~~{', which will be refused' if digest else ''}.")
    return cut_to_characters("\n".join(lines), limit=MAX_CHARACTERS)


def set_status(github: GitHub, commit: str, state: str, description: str, *, context: str = CONTEXT) -> None:
    """Set the required check of a commit. Raises `PlannerError`."""
    content = {"state": state, "description": description[:140], "context": context}
    github.send("POST", f"statuses/{commit}", "statuses: write", content, repeatable=True)


def upsert_issue(github: GitHub, title: str, body: str, *, name: str = DEFAULT_NAME) -> None:
    """Write or edit the issue; an empty body closes it, and a new one opens it again. Raises `PlannerError`."""
    issues = github.pages("issues", "issues: read", state="all", creator=BOT)
    old = _ours((issue for issue in issues if "pull_request" not in issue), name, BOT)
    if old is None and not body:
        return
    text = cut_to_characters(f"{marker(name)}\n{body or _NOTHING}", limit=MAX_CHARACTERS)
    if old is None:
        github.send("POST", "issues", _ISSUES, {"title": title, "body": text})
        return
    wanted = {"body": text, "state": "open" if body else "closed"}
    if any(old.get(field) != value for field, value in wanted.items()):
        github.send("PATCH", f"issues/{old['number']}", _ISSUES, wanted)
