"""What is read of the event, and what is not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from planner.errors import UsageError
from planner.github.context import GithubContext, read_context


def test_outside_of_github_there_is_no_context() -> None:
    """Only GITHUB_ACTIONS=true is GitHub Actions: a summary file in the environment alone is not."""
    assert read_context({}) is None
    assert read_context({"GITHUB_ACTIONS": "false", "GITHUB_STEP_SUMMARY": "s"}) is None


def test_a_pull_request_is_read_whole(step_env: dict[str, str], tmp_path: Path) -> None:
    """The commit is the head under review, and the actor is who set off this attempt."""
    assert read_context(step_env) == GithubContext(
        actor="bob",
        event_name="pull_request",
        repository="acme/voice",
        sha="a" * 40,
        pull_request=42,
        run_id=1234567890,
        run_attempt=2,
        run_url="https://github.com/acme/voice/actions/runs/1234567890",
        workspace=tmp_path,
        summary_file=tmp_path / "summary.md",
        output_file=tmp_path / "output",
    )


def test_a_bare_environment_leaves_fields_empty() -> None:
    """Nothing is made up where GitHub did not tell."""
    assert read_context({"GITHUB_ACTIONS": "true"}) == GithubContext(
        "", "", "", "", None, None, 1, "", None, None, None
    )


def context_of(env: dict[str, str]) -> GithubContext:
    context = read_context(env)
    assert context is not None
    return context


def test_the_ref_names_the_pull_request_where_the_event_does_not(step_env: dict[str, str]) -> None:
    """Without an event file the number comes from the ref and the commit from the variable."""
    context = context_of({**step_env, "GITHUB_EVENT_PATH": "/nowhere/event.json"})
    assert (context.pull_request, context.sha) == (42, "b" * 40)


@pytest.mark.parametrize(
    ("ref", "number"),
    [
        ("refs/heads/main", None),
        ("refs/pull/7/head", 7),
        ("refs/pull/7/merge\nx", None),
        ("refs/heads/refs/pull/7/merge", None),
    ],
)
def test_only_a_pull_request_ref_has_a_number(step_env: dict[str, str], ref: str, number: int | None) -> None:
    """A branch that merely looks like one has none."""
    env = {**step_env, "GITHUB_REF": ref, "GITHUB_EVENT_PATH": ""}
    assert context_of(env).pull_request == number


@pytest.mark.parametrize(
    ("event", "number"),
    [
        ({"issue": {"number": 9, "pull_request": {"url": "u"}}}, 9),
        ({"issue": {"number": 9}}, None),
        ({"ref": "refs/heads/main", "commits": []}, None),
    ],
)
def test_a_comment_counts_only_on_a_pull_request(
    step_env: dict[str, str], tmp_path: Path, event: dict[str, object], number: int | None
) -> None:
    """GitHub's issue events are about pull requests exactly when they say so."""
    (tmp_path / "event.json").write_text(json.dumps(event))
    assert context_of({**step_env, "GITHUB_REF": "refs/heads/main"}).pull_request == number


@pytest.mark.parametrize("content", ["<html>", "[]", '{"pull_request": {"number": "many"}}'])
def test_an_event_that_is_no_event_is_a_usage_error(step_env: dict[str, str], tmp_path: Path, content: str) -> None:
    """It says which file and which variable, and keeps the cause."""
    (tmp_path / "event.json").write_text(content)
    with pytest.raises(UsageError, match=r"the GitHub event at .*event\.json cannot be read") as caught:
        read_context(step_env)
    assert "GITHUB_EVENT_PATH" in caught.value.hint


@pytest.mark.parametrize("run_id", ["", "12a", "-1", "١٢"])
def test_a_run_id_that_is_no_number_is_none(step_env: dict[str, str], run_id: str) -> None:
    """And then there is no address of the run either."""
    context = context_of({**step_env, "GITHUB_RUN_ID": run_id})
    assert (context.run_id, context.run_url) == (None, "")
