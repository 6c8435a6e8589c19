"""Where the list of runs shows transcripts and grades, these are not read again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pydantic_core
import pytest

from planner.network.transport import Answer
from planner.sandbox import Dialect

pytestmark = pytest.mark.anyio

RUNS = 60
Row = dict[str, Any]


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


def listing(change: Callable[[Row], Row]) -> Callable[[str, str, Answer], Answer]:
    """Changes the rows of the list of runs."""

    def amend(method: str, path: str, answer: Answer) -> Answer:
        if (method, path) != ("GET", "/v1/test-calls"):
            return answer
        return replace(
            answer, body=pydantic_core.to_json([change(row) for row in pydantic_core.from_json(answer.body)])
        )

    return amend


async def read(
    service: Any, job: Callable[..., Any], *, runs: int = RUNS, grade: bool = True, **options: Any
) -> Counter[str]:
    """How often each document of calls was read, and how many requests there were in all. What is stored is what the
    calls say."""
    jobs = [job(f"c{number}", await_grade=grade) for number in range(runs)]
    done = await service.invoke(jobs, **options)
    assert done.outcome.finished
    requests = Counter(path.split("/")[-1].strip("0123456789") for _, path in service.requests if "/calls/" in path)
    requests["documents"] = requests.total()
    requests["all"] = len(service.requests)
    for record in done.records:
        evidence = service.repository.load_evidence(record.slot.evidence)
        said = await document(service, f"/v1/calls/{evidence.call_id}/transcript")
        spoken = [turn["content"] for turn in said["transcripts"] if turn["role"] in ("agent", "assistant", "user")]
        assert [turn.text for turn in evidence.turns if turn.role != "tool"] == spoken
        graded = await document(service, f"/v1/calls/{evidence.call_id}/grade")
        if grade:
            assert (evidence.grade.status, evidence.grade.summary) == (graded["status"], graded["summary"])
    return requests


async def document(service: Any, path: str) -> Mapping[str, Any]:
    return pydantic_core.from_json((await service._ask("GET", path, None)).body)


@pytest.mark.parametrize(("dialect", "documents"), [("client", 2), ("page", 3)])
async def test_requests_per_run(
    make_service: Callable[..., Any], job: Callable[..., Any], dialect: Dialect, documents: int
) -> None:
    """The call and its history, and in one dialect its transcript: once more each time that a transcript is longer than
    all before. In all, launches, polls and bills included, 3.5 and 4.5."""
    requests = await read(make_service(dialect, concurrency_limit=50), job, grade=False)
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
async def test_what_the_call_itself_says_decides(
    make_service: Callable[..., Any], job: Callable[..., Any], change: Callable[[Row], Row], again: list[str]
) -> None:
    service = make_service("client", concurrency_limit=10, delays={"grade_seconds": 0})
    requests = await read(service, job, runs=20, amend=listing(change))
    assert min(requests[part] for part in again) >= 20
