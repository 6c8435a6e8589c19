"""The one comment on a pull request: found by marker and author, edited, never repeated; and the commit status."""

from __future__ import annotations

import re
from typing import Any, Final, Protocol, cast

from planner.errors import IncompleteError, NotFoundError
from planner.github.client import GitHub
from planner.github.summary import cut_to_characters

BOT: Final = "github-actions[bot]"
"""The author of what a job's own token writes."""
MAX_CHARACTERS: Final = 60_000
"""GitHub allows 65,536."""
CONTEXT: Final = "phone-plans"
DEFAULT_NAME: Final = "default"
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_DIGEST: Final = re.compile(r"<!-- digest:(sha256:[0-9a-f]{64}) -->")
_PERMISSION: Final = "pull-requests: write"


class Content(Protocol):
    """`comment` is Markdown. `digest` names the change set, "" if nothing is to be called; an older one is struck through.
    Without `worth_saying` only an existing comment is edited."""

    @property
    def comment(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def worth_saying(self) -> bool: ...


def marker(name: str) -> str:
    """The first line of the comment. `name` separates two uses in one repository."""
    return f"<!-- phone-plans:{name if is_name(name) else DEFAULT_NAME} -->"


def context_of(name: str) -> str:
    """The name of the commit status."""
    return f"{CONTEXT}/{name}" if name != DEFAULT_NAME and is_name(name) else CONTEXT


def is_name(text: str) -> bool:
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


def upsert_comment(
    github: GitHub, number: int, content: Content, *, name: str = DEFAULT_NAME, author: str = BOT
) -> bool:
    """Write or edit the comment; return whether anything was written. Raises `PlannerError`."""
    old = _find(github, number, name, author)
    superseded = _DIGEST.search(str(old["body"])) if old is not None else None
    body = _body(content.comment, content.digest, name, superseded[1] if superseded else "")
    if old is not None:
        if old["body"] != body:
            github.send("PATCH", f"issues/comments/{old['id']}", _PERMISSION, {"body": body})
        return old["body"] != body
    if not content.worth_saying:
        return False
    _create(github, number, body, name, author)
    return True


def _create(github: GitHub, number: int, body: str, name: str, author: str) -> None:
    try:
        github.send("POST", f"issues/{number}/comments", _PERMISSION, {"body": body})
    except IncompleteError:
        if _find(github, number, name, author) is None:  # the failed request may have done its work
            raise


def _find(github: GitHub, number: int, name: str, author: str) -> dict[str, Any] | None:
    first = marker(name)
    for comment in github.pages(f"issues/{number}/comments", "pull-requests: read"):
        user = cast("dict[str, Any]", comment.get("user") or {})
        if user.get("login") == author and str(comment.get("body") or "").startswith(first):
            return comment
    return None


def _body(markdown: str, digest: str, name: str, old: str) -> str:
    lines = [marker(name)]
    if digest:
        lines.append(f"<!-- digest:{digest} -->")
    lines.append(markdown.strip())
    if old and old != digest:
        lines.append(f"\nReplaces change set ~~`{short(old)}`~~{', which will be refused' if digest else ''}.")
    return cut_to_characters("\n".join(lines), limit=MAX_CHARACTERS)


def short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def set_status(github: GitHub, commit: str, state: str, description: str, *, context: str = CONTEXT) -> None:
    """Set the required check of a commit. Raises `PlannerError`."""
    content = {"state": state, "description": description[:140], "context": context}
    github.send("POST", f"statuses/{commit}", "statuses: write", content)
