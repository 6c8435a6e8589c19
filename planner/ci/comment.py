"""The one comment on a pull request and the one issue about edited agents: found by marker and author, edited, never
repeated; and the commit status."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, cast

from planner.ci.client import GitHub
from planner.ci.publish import cut_to_characters
from planner.errors import IncompleteError, NotFoundError
from planner.values import frozen

BOT: Final = "github-actions[bot]"
"""The author of what a job's own token writes."""
MAX_CHARACTERS: Final = 60_000
"""GitHub allows 65,536."""
CONTEXT: Final = "phone-plans"
DEFAULT_NAME: Final = "default"
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_DIGEST: Final = re.compile(r"<!-- digest:(sha256:[0-9a-f]{64}) -->")
_MARKER: Final = re.compile(r"<!-- phone-plans:([A-Za-z0-9_.-]{1,40}) -->")
_DECIDED: Final = re.compile(r"<!-- decided:([0-9a-f]{40,64}) (\S+) -->")
_PERMISSION: Final = "pull-requests: write"
_ISSUES: Final = "issues: write"
_NOTHING: Final = "The default branch needs no calls, and no agent was edited."


@frozen
class CommentPlace:
    """A pull request, and which of its comments: found by `name`, which separates two uses in one repository."""

    number: int
    name: str = DEFAULT_NAME


def marker(name: str) -> str:
    """The first line of the comment."""
    return f"<!-- phone-plans:{name if _is_name(name) else DEFAULT_NAME} -->"


def context_of(name: str, base: str = "") -> str:
    """The name of the commit status. A status belongs to a commit, which two pull requests may share: those into a
    branch `base` that is not the default branch have their own."""
    context = f"{CONTEXT}/{name}" if name != DEFAULT_NAME and _is_name(name) else CONTEXT
    return f"{context} ({base})" if base else context


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None and "--" not in text


def is_superseded(github: GitHub, number: int, commit: str) -> bool:
    """Whether the pull request has a newer commit. Raises `PlannerError`."""
    try:
        pull = github.get(f"pulls/{number}", "pull-requests: read")
    except NotFoundError:
        return False  # writing the comment fails too, and says why
    head = pull.get("head")
    newest = cast("dict[str, Any]", head).get("sha") if isinstance(head, dict) else None
    return newest is not None and newest != commit


def decided(commit: str, at: datetime | None) -> str:
    """A line of the comment: which commit the answer is about, and when it was found."""
    return f"<!-- decided:{commit} {at.isoformat()} -->\n" if at is not None else ""


def is_outdated(github: GitHub, place: CommentPlace, commit: str, at: datetime, now: datetime) -> bool:
    """Whether the comment has a newer answer about this commit than that of `at`: another job was faster, or an older
    job was run again. A time after `now` is ignored. Raises `PlannerError`."""
    old = _comment(github, place)
    found = _DECIDED.search(str(old["body"])) if old is not None else None
    if found is None or found[1] != commit:
        return False
    try:
        return at < datetime.fromisoformat(found[2]) <= now
    except (TypeError, ValueError):
        return False


def upsert_comment(
    github: GitHub, place: CommentPlace, markdown: str, digest: str = "", *, worth_saying: bool = True
) -> str:
    """Write or edit the comment; return its address, "" if there is none or GitHub did not say. `digest` names the
    change set, "" if nothing is to be called. Without `worth_saying`, only an existing comment is edited. Raises
    `PlannerError`."""
    old = _comment(github, place)
    body = _body(markdown, digest, place)
    if old is not None:
        if old["body"] != body:
            path = f"issues/comments/{old['id']}"
            github.send("PATCH", path, _PERMISSION, {"body": body}, repeatable=True)
        return _url(old)
    if not worth_saying:
        return ""
    try:
        made = github.send("POST", f"issues/{place.number}/comments", _PERMISSION, {"body": body})
    except IncompleteError:
        made = _comment(github, place)
        if made is None:  # otherwise the failed request has done its work
            raise
    return _url(made)


def add_reply(github: GitHub, number: int, markdown: str) -> None:
    """Write a new comment, which notifies the person whom it mentions: GitHub sends nothing for an edited one. Raises
    `PlannerError`."""
    github.send("POST", f"issues/{number}/comments", _PERMISSION, {"body": markdown})


def newest_digest(github: GitHub, place: CommentPlace) -> str | None:
    """The digest of the calls that the comment offers; "" if it offers none, None if there is no comment. Raises
    `PlannerError`."""
    found = _comment(github, place)
    if found is None:
        return None
    digest = _DIGEST.search(str(found["body"]))
    return digest[1] if digest is not None else ""


def offered_commands(github: GitHub, number: int) -> list[str]:
    """The command of each project's comment on a pull request, by the projects' names. Raises `PlannerError`."""
    commands: dict[str, str] = {}
    for each in github.pages(f"issues/{number}/comments", "pull-requests: read"):
        user, body = cast("dict[str, Any]", each.get("user") or {}), str(each.get("body") or "")
        name, digest = _MARKER.match(body), _DIGEST.search(body)
        if user.get("login") != BOT or name is None or digest is None:
            continue
        command = re.search(rf"^/planner run (?:\S+ )?{re.escape(digest[1])} .*$", body, re.MULTILINE)
        if command is not None:
            commands[name[1]] = command[0]
    return [commands[name] for name in sorted(commands)]


def _url(comment: object) -> str:
    found = cast("dict[str, Any]", comment).get("html_url") if isinstance(comment, dict) else None
    return found if isinstance(found, str) else ""


def _comment(github: GitHub, place: CommentPlace) -> dict[str, Any] | None:
    comments = github.pages(f"issues/{place.number}/comments", "pull-requests: read")
    return _ours(comments, marker(place.name))


def _ours(found: Iterable[dict[str, Any]], first: str) -> dict[str, Any] | None:
    for each in found:
        user = cast("dict[str, Any]", each.get("user") or {})
        if user.get("login") == BOT and str(each.get("body") or "").startswith(first):
            return each
    return None


def _body(markdown: str, digest: str, place: CommentPlace) -> str:
    lines = [marker(place.name)]
    if digest:
        lines.append(f"<!-- digest:{digest} -->")
    lines.append(markdown.strip())
    return cut_to_characters("\n".join(lines), limit=MAX_CHARACTERS)


@frozen
class Status:
    """A commit status. `url` is where its link leads; "" for no link."""

    state: str
    description: str
    url: str = ""
    context: str = CONTEXT


def set_status(github: GitHub, commit: str, status: Status) -> None:
    """Set the required check of a commit. Raises `PlannerError`."""
    content = {"state": status.state, "description": status.description[:140], "context": status.context}
    if status.url:
        content["target_url"] = status.url
    github.send("POST", f"statuses/{commit}", "statuses: write", content, repeatable=True)


def upsert_issue(github: GitHub, title: str, body: str, *, name: str = DEFAULT_NAME) -> None:
    """Write or edit the issue; an empty body closes it, and a new one opens it again. Raises `PlannerError`."""
    issues = github.pages("issues", "issues: read", state="all", creator=BOT)
    old = _ours((issue for issue in issues if "pull_request" not in issue), marker(name))
    if old is None and not body:
        return
    text = cut_to_characters(f"{marker(name)}\n{body or _NOTHING}", limit=MAX_CHARACTERS)
    if old is None:
        github.send("POST", "issues", _ISSUES, {"title": title, "body": text})
        return
    wanted = {"body": text, "state": "open" if body else "closed"}
    if any(old.get(field) != value for field, value in wanted.items()):
        github.send("PATCH", f"issues/{old['number']}", _ISSUES, wanted)
