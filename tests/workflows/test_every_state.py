"""The tables of docs/pull-requests.md: each row has a test, of a state that of its status, its comment and the next step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = {
    "nothing to call, all passed": "workflows/test_pull_requests.py::test_from_open_to_the_next_pull_request",
    "invalid plan": "workflows/test_states.py::test_a_comment_starts_the_calls_and_an_invalid_plan_replaces_its_answer",
    "calls to make": "workflows/test_states.py::test_a_comment_starts_the_calls_and_an_invalid_plan_replaces_its_answer",
    "everything is worse than usual: the agent or the platform": "verdicts/test_required_check.py::test_a_suite_in_which_everything_is_worse_is_undecided",
    "price unknown": "ci/test_comment_text.py::test_an_unknown_price_leads_to_the_workflow_that_records_it",
    "calls in progress": "workflows/test_states.py::test_a_comment_starts_the_calls_and_an_invalid_plan_replaces_its_answer",
    "cancelled, or runner lost": "commands/situations/test_calls.py::cancelled_and_run_again",
    "results to collect or judge": "commands/situations/test_calls.py::cancelled_and_run_again",
    "refused: too expensive, superseded, comment edited": "workflows/test_pull_requests.py::test_from_open_to_the_next_pull_request",
    "no balance (402), rate limit (429), service down (5xx)": "commands/test_gate_states.py::test_why_calls_are_missing",
    "policy forbids the calls": "workflows/test_states.py::test_the_base_branch_is_read_when_the_calls_are_made",
    "failed or regressed": "workflows/test_states.py::test_a_red_check_is_called_again_after_a_fix_elsewhere",
    "undecided": "commands/test_gate.py::test_a_case_whose_calls_never_count",
    "failing on the base branch, too, or as often as before": "commands/test_gate.py::test_known_failures_of_the_base_branch",
    "not touched here, but to be called on the base branch": "commands/test_gate_states.py::test_a_pull_request_waits_only_for_calls_that_it_causes",
    "branch older than the plans": "workflows/test_states.py::test_a_branch_that_is_older_than_the_plans",
    "the last plan deleted": "commands/test_gate_states.py::test_a_pull_request_without_plans",
    "base commit unreadable": "commands/test_gate_states.py::test_what_cannot_be_read_is_said",
    "GitHub or the store does not answer": "commands/test_gate_states.py::test_what_cannot_be_read_is_said",
    "planner crashed, or the job was cancelled": "ci/test_comment_and_status.py::test_without_an_answer_the_status_is_no_success",
}
MEANWHILE = {
    "somebody edits or deletes planner's comment": "commands/situations/test_meanwhile.py::comment_deleted_and_planned_again",
    "another app, or a workflow of a branch, sets `phone-plans`": "commands/situations/test_meanwhile.py::status_taken",
    "GitHub refuses the comment, or the issue (turned off)": "commands/situations/test_calls.py::comments_down",
    "GitHub refuses the status (a missing permission, an archived repository)": "ci/test_refusals.py::test_only_a_refused_status_fails_the_job",
    "somebody writes the same command twice, or runs the jobs of a workflow again": "workflows/test_states.py::test_a_red_check_is_called_again_after_a_fix_elsewhere",
    "the pull request is closed and opened again within 30 days": "commands/situations/test_meanwhile.py::closed_and_opened_again",
}


@pytest.mark.parametrize(("head", "tests"), [("| State | Status |", TESTS), ("| What | Then |", MEANWHILE)])
def test_every_row_has_a_test(head: str, tests: dict[str, str]) -> None:
    page = (ROOT / "docs/pull-requests.md").read_text(encoding="utf-8")
    table = page.partition(head)[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)
    assert set(rows) - {"---"} == set(tests)
    for name in tests.values():
        file, _, function = name.partition("::")
        assert f"def {function}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), name


@pytest.mark.parametrize("folder", [".github/workflows", "docs/workflows"])
def test_every_permission_says_why(folder: str) -> None:
    """In one line, beside it. Without such a line, a job has none."""
    for file in (ROOT / folder).glob("*.yml"):
        text = file.read_text(encoding="utf-8")
        lines = re.findall(r"^ +(?!id:)[a-z-]+: (?:read|write)\b.*$", text, re.MULTILINE)
        assert [line for line in lines if not re.search(r" # \w.{10,}", line)] == [], file
        assert "permissions: {}\n" in text, file
