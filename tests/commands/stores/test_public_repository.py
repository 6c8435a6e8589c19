"""A git ref of a public repository publishes transcripts: `planner.yaml` must agree to that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ci_jobs import Jobs

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]
from tests.commands.test_gate import PLAN, STORE  # pyright: ignore[reportMissingImports]

PUBLIC = {"default_branch": "main", "private": False}
PRIVATE = {"default_branch": "main", "private": True}


@pytest.fixture
def jobs(tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    jobs = Jobs(tmp_path, project, monkeypatch)
    jobs.begin(plans__hours=PLAN, planner=STORE)
    return jobs


@pytest.mark.parametrize(
    ("repository", "config", "code"),
    [
        (PUBLIC, STORE, 2),
        (PUBLIC, f"{STORE}store_public: false\n", 2),
        (PUBLIC, f"{STORE}store_public: true\n", 0),
        (PRIVATE, STORE, 0),
        ({"default_branch": "main"}, STORE, 0),
        (PUBLIC, "store: .planner\n", 0),
    ],
)
def test_as_github_names_it(jobs: Jobs, repository: dict[str, Any], config: str, code: int) -> None:
    jobs.edit(planner=config)
    ran = jobs.start(7, repository=repository).planner("plan")
    assert ran.code == code, ran.err
    assert ("store_public" in ran.err) == (code == 2)


def test_the_pull_request_cannot_agree(jobs: Jobs) -> None:
    """The base branch decides."""
    jobs.branch("topic")
    jobs.edit(planner=f"{STORE}store_public: true\n")
    assert jobs.start(7, branch="topic", repository=PUBLIC).planner("plan").code == 2


def test_sandbox_results_are_not_refused(jobs: Jobs) -> None:
    assert jobs.start(7, repository=PUBLIC).planner("plan", "--sandbox").code == 0


def test_as_gitlab_names_it(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    project = jobs.start()
    monkeypatch.delenv("GITHUB_EVENT_PATH")
    monkeypatch.setenv("CI_PROJECT_VISIBILITY", "public")
    assert project.planner("plan").code == 2
