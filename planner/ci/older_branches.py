"""Pull requests that are older than the plans of their base branch.

The workflows start on an event of a pull request, so those that were open when planner was adopted never get the
required status. A comment asks to update their branch.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Final, cast

from planner.ci.client import GitHub
from planner.ci.comment import CommentPlace, newest_digest, upsert_comment
from planner.ci.policy import older_branch
from planner.reports.problems import render_problem

_MOST: Final = 50
"""GitHub throttles who writes more than 80 comments a minute."""


def comment_on_older_pull_requests(github: GitHub, base: str, name: str) -> int:
    """Comment on the newest open pull requests into the branch `base` that have no comment of ours; return their
    number. Raises `PlannerError`."""
    found = (pull for pull in github.pages("pulls", "pull-requests: read", state="open") if _target(pull) == base)
    numbers = [number for pull in islice(found, _MOST) if type(number := pull.get("number")) is int]
    places = [CommentPlace(number, name) for number in numbers]
    without_comment = [place for place in places if newest_digest(github, place) is None]
    for place in without_comment:
        upsert_comment(github, place, render_problem(older_branch(), "", ""))
    return len(without_comment)


def _target(pull: dict[str, Any]) -> object:
    base = pull.get("base")
    return cast("dict[str, Any]", base).get("ref") if isinstance(base, dict) else None
