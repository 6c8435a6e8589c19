"""The comment on a pull request under which the README's agent got worse: what a person reads first."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from ci_jobs import Jobs
from inline_snapshot import snapshot

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

PLANS = Path(__file__).parents[2] / "plans"


def test_the_comment_on_the_regressed_world(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """33 cases were called on main, and once more for the pull request: 12 regressed in two ways, 21 are unchanged."""
    monkeypatch.setenv("GITHUB_ACTOR", "maria")
    jobs = Jobs(tmp_path, project, monkeypatch)
    jobs.begin(planner="store: git:refs/planner/results\n")
    shutil.copytree(PLANS, jobs.work / "plans")
    for plan in set((jobs.work / "plans").glob("*.yaml")) - {jobs.work / "plans/orders.yaml"}:
        plan.unlink()
    jobs.edit()
    assert jobs.start().planner("run", "--sandbox", "--consent-to-charge").code == 0
    world = ("--sandbox", "--world", "regressed")
    assert jobs.start(7).planner("ci", "run", *world, "--consent-to-charge", "--rerun", "all").code == 1
    assert Counter(case["compared"] for case in project.results()["cases"]) == {"regressed": 12, "same": 21}
    file = tmp_path / "phone-plans.json"
    assert jobs.start(7).planner("ci", "gate", *world, "--publication", str(file)).code == 1
    published = json.loads(file.read_text(encoding="utf-8"))
    assert (published["state"], published["worth_saying"]) == ("failure", True)
    comment = published["comment"]
    assert comment.count("\n- `orders/") == 12
    shown = re.sub(r"(?m)^- `orders/.*\n|sha256:[0-9a-f]{64}|`[0-9a-f]{7,40}`", "", comment)
    assert [line for line in shown.splitlines() if line] == snapshot(
        [
            "### ❌ The suite regressed, 12 regressed, 21 passed · $12.80, agreed by `maria` up to $14.01",
            "Results for .",
            "**8 cases** regressed: 0/3 passed, baseline 3/3",
            'said "guarantee" at turn 3, which matches "(?i)guarantee"',
            "> turn 3, agent: You have 14 days to send it back, and I guarantee it'll be no trouble at all.",
            "<details><summary>These cases (8)</summary>",
            "</details>",
            "**4 cases** regressed: 0/3 passed, baseline 3/3",
            'never said any of "30 days", "thirty days" in 2 agent turns',
            "> turn 3, agent: It's 14 days for returns. No worries, we'll sort it out.",
            "<details><summary>These cases (4)</summary>",
            "</details>",
            "**Fix the agent and push.** If the fix is somewhere else, post this as a comment (36 calls):",
            "```text",
            "/planner run  up to 6.70 start over: fixed outside this repository",
            "```",
        ]
    )
