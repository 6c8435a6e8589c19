"""Where the list of runs shows transcripts and grades, these are not read again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rewriting import rewritten
from whole_runs import Organization

from planner.sandbox.service import answers

RUNS = 40
Row = dict[str, Any]
PLAN = """\
version: 1
plan: hours
targets: {clinic: {agent: 12}}
scenarios:
  hours:
    prompt: You are caller {{ n }}, calm. Ask when you are open on Saturday.
    matrix: {axes: {n: [1, 2, 3, 4]}}
    runs: %d
    expect:
      - {check: says, any_of: [saturday]}
%s"""
GRADE = "      - {check: grade, min_score: 0.1}\n"


def without_last_turn(row: Row) -> Row:
    return {**row, "transcript": row["transcript"][:-1]}


def other_words(row: Row) -> Row:
    turns = [{**turn, "content": "Hello?"} for turn in row["transcript"]]
    return {**row, "transcript": turns}


def other_score(row: Row) -> Row:
    return {**row, "grade": row["grade"] and {**row["grade"], "score": 3}}


def other_reasons(row: Row) -> Row:
    return {**row, "grade": row["grade"] and {**row["grade"], "summary": "Fine."}}


def unreadable(row: Row) -> Row:
    return {**row, "transcript": "none", "grade": [1]}


def nothing(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in ("transcript", "grade")}


def as_they_are(row: Row) -> Row:
    return row


@dataclass
class Listing(Organization):
    """Its list of runs shows the transcripts and grades of the calls that have ended, with this change."""

    change: Callable[[Row], Row] | None = None
    requests: list[str] = field(default_factory=list[str])

    def _rewriting(self, request: str, send: Any) -> Any:
        self.requests.append(request)
        is_changed = self.change is not None and request == "GET /v1/test-calls"
        return rewritten(send, self._listed) if is_changed else send

    def _listed(self, status: int, body: bytes) -> bytes:
        assert (status, self.change is None) == (200, False)
        return json.dumps([self.change(self._with_parts(row)) for row in json.loads(body)], default=str).encode()  # type: ignore[misc]

    def _with_parts(self, row: Row) -> Row:
        if row["status"] != "completed":
            return row
        run = self.sandbox.state.run(row["id"])
        call = answers.CallView(self.sandbox, run, row["call_id"], self.now().timestamp())
        return {**row, "transcript": answers.transcript(call), "grade": answers.grade(call)}


def read(root: Path, change: Callable[[Row], Row] | None, *, runs: int, grade: bool, limit: int = 50) -> Counter[str]:
    """How often each document of calls was read, and how many requests there were in all. Every call passes: what was
    judged is what the calls themselves say."""
    service = Listing(root, world={"concurrency_limit": limit}, change=change)
    service.write("plans/hours.yaml", PLAN % (runs // 4, GRADE if grade else ""))
    ran = service.run()
    assert ran.code == 0, ran.err + ran.out
    parts = Counter(each.split("/")[-1].strip("0123456789") for each in service.requests if "/v1/calls/" in each)
    return Counter({**parts, "documents": parts.total(), "all": len(service.requests)})


@pytest.mark.parametrize("listed", [True, False])
def test_requests_per_run(tmp_path: Path, listed: bool) -> None:
    """The call and its history, and its transcript unless the list of runs has it: once more each time that a
    transcript is longer than all before. In all, launches, polls and bills included, 3.5 and 4.5."""
    requests = read(tmp_path, as_they_are if listed else None, runs=RUNS, grade=False)
    documents = 2 if listed else 3
    assert documents * RUNS <= requests["documents"] <= documents * RUNS + 5
    assert requests["all"] <= (documents + 1.5) * RUNS


@pytest.mark.parametrize(
    ("change", "again"),
    [
        (without_last_turn, ["transcript"]),
        (other_words, ["transcript"]),
        (other_score, ["grade"]),
        (other_reasons, ["grade"]),
        (unreadable, ["transcript", "grade"]),
        (nothing, ["transcript", "grade"]),
    ],
)
def test_what_the_call_itself_says_decides(tmp_path: Path, change: Callable[[Row], Row], again: list[str]) -> None:
    requests = read(tmp_path, change, runs=8, grade=True, limit=4)
    assert min(requests[part] for part in again) >= 8
