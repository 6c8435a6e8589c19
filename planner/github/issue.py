"""The one issue that reports edited agents: found by marker and author, edited, never repeated."""

from __future__ import annotations

from typing import Any, Final, cast

from planner.github.client import GitHub
from planner.github.comment import BOT, MAX_CHARACTERS, marker
from planner.github.summary import cut_to_characters

_PERMISSION: Final = "issues: write"
_NOTHING: Final = "No agent was edited since the results of its cases."


def upsert_issue(github: GitHub, title: str, body: str, *, name: str = "default", author: str = BOT) -> None:
    """Write or edit the issue; an empty body closes it, and a new one opens it again. Raises `PlannerError`."""
    old = _find(github, name, author)
    if old is None and not body:
        return
    text = cut_to_characters(f"{marker(name)}\n{body or _NOTHING}", limit=MAX_CHARACTERS)
    if old is None:
        github.send("POST", "issues", _PERMISSION, {"title": title, "body": text})
        return
    wanted = {"body": text, "state": "open" if body else "closed"}
    if any(old.get(field) != value for field, value in wanted.items()):
        github.send("PATCH", f"issues/{old['number']}", _PERMISSION, wanted)


def _find(github: GitHub, name: str, author: str) -> dict[str, Any] | None:
    first = marker(name)
    for issue in github.pages("issues", "issues: read", state="all", creator=author):
        user = cast("dict[str, Any]", issue.get("user") or {})
        is_pull = "pull_request" in issue
        if not is_pull and user.get("login") == author and str(issue.get("body") or "").startswith(first):
            return issue
    return None
