"""The one comment on a pull request: found by marker and author, edited, never repeated; and the commit status."""

from __future__ import annotations

import re
from typing import Any, Final, Protocol, cast

from planner.errors import IncompleteError
from planner.github.client import GitHub
from planner.github.summary import cut_in_the_middle

BOT: Final = "github-actions[bot]"
"""The author of what a job's own token writes."""
MAX_CHARACTERS: Final = 60_000
"""GitHub allows 65,536."""
CONTEXT: Final = "phone-plans"
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
    return f"<!-- phone-plans:{name if _NAME.fullmatch(name) else 'default'} -->"


def upsert_comment(github: GitHub, number: int, content: Content, *, name: str = "default", author: str = BOT) -> bool:
    """Write or edit the comment; return whether anything was written. Raises `PlannerError`."""
    old = _find(github, number, name, author)
    superseded = _DIGEST.search(old["body"]) if old is not None else None
    body = _body(content.comment, content.digest, name, superseded[1] if superseded else "")
    if old is not None:
        if old["body"] != body:
            github.send("PATCH", f"issues/comments/{old['id']}", _PERMISSION, {"body": body})
        return old["body"] != body
    if not content.worth_saying:
        return False
    try:
        github.send("POST", f"issues/{number}/comments", _PERMISSION, {"body": body})
    except IncompleteError:
        if _find(github, number, name, author) is None:  # the failed request may have done its work
            raise
    return True


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
    return cut_in_the_middle("\n".join(lines), limit_bytes=MAX_CHARACTERS)


def short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def set_status(github: GitHub, commit: str, state: str, description: str, *, context: str = CONTEXT) -> None:
    """Set the required check of a commit. Raises `PlannerError`."""
    content = {"state": state, "description": description[:140], "context": context}
    github.send("POST", f"statuses/{commit}", "statuses: write", content)
