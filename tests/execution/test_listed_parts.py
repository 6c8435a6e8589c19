"""Where the list of runs shows transcripts and grades, these are not read again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pydantic_core
import pytest

from planner.network.transport import Answer
from planner.sandbox.service import answers

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


def as_they_are(row: Row) -> Row:
    return row


def listing(service: Any, change: Callable[[Row], Row]) -> Callable[[str, str, Answer], Answer]:
    """The list of runs with the transcripts and grades of the calls that have ended, and with this change."""

    def amend(method: str, path: str, answer: Answer) -> Answer:
        if (method, path) != ("GET", "/v1/test-calls"):
            return answer
        rows = [change(with_parts(service, row)) for row in pydantic_core.from_json(answer.body)]
        return replace(answer, body=pydantic_core.to_json(rows))

    return amend


def with_parts(service: Any, row: Row) -> Row:
    if row["status"] != "completed":
        return row
    call = answers.CallView(
        service.sandbox, service.sandbox.state.run(row["id"]), row["call_id"], service.now_seconds()
    )
    return {**row, "transcript": answers.transcript(call), "grade": answers.grade(call)}


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


@pytest.mark.parametrize("listed", [True, False])
async def test_requests_per_run(make_service: Callable[..., Any], job: Callable[..., Any], listed: bool) -> None:
    """The call and its history, and its transcript unless the list of runs has it: once more each time that a
    transcript is longer than all before. In all, launches, polls and bills included, 3.5 and 4.5."""
    service = make_service(concurrency_limit=50)
    amend = listing(service, as_they_are) if listed else None
    requests = await read(service, job, grade=False, amend=amend)
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
async def test_what_the_call_itself_says_decides(
    make_service: Callable[..., Any], job: Callable[..., Any], change: Callable[[Row], Row], again: list[str]
) -> None:
    service = make_service(concurrency_limit=10, delays={"grade_seconds": 0})
    requests = await read(service, job, runs=20, amend=listing(service, change))
    assert min(requests[part] for part in again) >= 20
