"""Which pull request a branch belongs to."""

from __future__ import annotations

from typing import Any

import pytest
from fake_github import fake_github

from planner.ci.client import GitHub
from planner.ci.target_branch import pull_request_of

OWN, FORK = {"id": 1}, {"id": 2}


def pull(number: int, repo: dict[str, int] | None, **fields: Any) -> dict[str, Any]:
    sides = {"head": {"ref": "topic", "repo": repo}, "base": {"ref": "main", "repo": OWN}}
    return {"number": number, "state": "closed", **sides, **fields}


@pytest.mark.parametrize(
    ("pulls", "number"),
    [
        pytest.param([pull(7, OWN, state="open"), pull(8, FORK, state="open")], 7, id="not that of a fork"),
        pytest.param([pull(8, None, state="open"), pull(7, OWN, state="open")], 7, id="a fork that was deleted"),
        pytest.param([pull(7, OWN, merged_at="2026-11-02"), pull(8, OWN, merged_at="2026-11-01")], 7, id="newest"),
        pytest.param([pull(7, OWN)], None, id="closed without a merge"),
    ],
)
def test_the_pull_request_of_a_branch(pulls: list[dict[str, Any]], number: int | None) -> None:
    with fake_github() as fake, GitHub("acme/plans", "reader", lambda _: None, fake.url) as github:
        fake.pulls = {each["number"]: each for each in pulls}
        found = pull_request_of(github, "topic")
    assert (found or {}).get("number") == number
