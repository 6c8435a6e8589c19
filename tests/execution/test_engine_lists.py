"""Lists that lag, end early or omit fields, and wrong clocks: launched runs are still found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import pydantic_core
import pytest

from planner.execution.engine import EngineSettings
from planner.execution.observing import ROW_MARGIN
from planner.execution.reading import NEVER_CUT
from planner.network.transport import Answer
from planner.providers.thunderphone.client import PAGE_LIMIT, ApiClient

PATIENT = EngineSettings(linger_seconds=700)


async def test_a_batch_beyond_the_first_page_is_found(
    make_service: Callable[..., Any], job: Callable[..., Any], killable: Callable[..., Any]
) -> None:
    """However many batches were made since: a list that does not reach back proves nothing."""
    service = make_service(concurrency_limit=1000)
    jobs = [job("ana"), job("bob")]
    assert await killable(service, jobs, "after POST")
    for n in range(230):
        await service.post("/v1/test-call-batches", scenario_prompts=[f"Other {n}."], run_count=1)
    await anyio.sleep(700)
    done = await service.invoke(jobs)
    assert done.outcome.finished
    assert all(record.adopted for record in done.records)
    assert sum(not run["prompt"].startswith("Other") for run in await service.own_runs()) == 2


async def test_an_unlisted_batch_is_found_by_its_runs(
    make_service: Callable[..., Any], job: Callable[..., Any], killable: Callable[..., Any]
) -> None:
    """Its list of batches has no pages and ends at the fiftieth: the runs are found in the list of runs."""
    service = make_service(concurrency_limit=1000)
    jobs = [job("ana"), job("bob")]
    assert await killable(service, jobs, "after POST")
    for n in range(60):
        await service.post("/v1/test-call-batches", scenario_prompts=[f"Other {n}."], run_count=1)
    await anyio.sleep(700)

    first_page: list[bytes] = []

    def unpaged(method: str, path: str, answer: Answer) -> Answer:
        if (method, path) != ("GET", "/v1/test-call-batches"):
            return answer
        first_page.append(pydantic_core.to_json(pydantic_core.from_json(answer.body)[:50]))
        return replace(answer, body=first_page[0])

    done = await service.invoke(jobs, amend=unpaged)
    assert done.outcome.finished
    assert all(record.adopted for record in done.records)
    assert sum(not run["prompt"].startswith("Other") for run in await service.own_runs()) == 2


@pytest.mark.parametrize("text", ["by the batch later", "by its runs", "by neither"])
async def test_a_batch_whose_answer_lists_no_runs(
    make_service: Callable[..., Any], job: Callable[..., Any], text: str
) -> None:
    """The batch may be unknown at first, or never list its runs; then the batch of the runs, or their prompts,
    identifies them."""
    service = make_service([{"kind": "shuffle_ids"}])
    reads: list[str] = []

    def reticent(method: str, path: str, answer: Answer) -> Answer:
        if text == "by neither":
            answer = service.as_in_the_client(method, path, answer)
        if not path.startswith("/v1/test-call-batches"):
            return answer
        if method == "GET" and text == "by the batch later":
            reads.append(path)
            return answer if len(reads) > 2 else replace(answer, status=404, body=b'{"detail": "Not found."}')
        document = pydantic_core.from_json(answer.body)
        for batch in document if isinstance(document, list) else [document]:
            batch["run_ids"] = []
        return replace(answer, body=pydantic_core.to_json(document))

    jobs = [job("ana", runs=2), job("bob"), job("cleo")]
    done = await service.invoke(jobs, amend=reticent)
    assert done.outcome.finished
    assert done.outcome.launches == 1
    prompts = {run["run_id"]: run["prompt"] for run in await service.own_runs()}
    wanted = {item.case_id: item.prompt for item in jobs}
    assert all(prompts[record.run_id] == wanted[record.slot.case_id] for record in done.records)
    await service.check_exact(jobs)


async def test_a_batch_that_is_not_shown_yet_takes_no_other_run(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """A single run with the same prompt, as another launch makes it, does not count for the batch."""
    service = make_service()
    reads: list[str] = []

    def lagging(method: str, path: str, answer: Answer) -> Answer:
        document = pydantic_core.from_json(answer.body)
        if (method, path) == ("POST", "/v1/test-call-batches"):
            document["run_ids"] = []
        elif (method, path) == ("GET", "/v1/test-calls"):
            reads.append(path)
            document = [run for run in document if run["batch_id"] is None or len(reads) > 3]
        elif path.startswith("/v1/test-call-batches/") and len(reads) <= 3:
            return replace(answer, status=404, body=b'{"detail": "Not found."}')
        return replace(answer, body=pydantic_core.to_json(document))

    jobs = [job("ana"), job("bob")]
    await service.post("/v1/test-calls", scenario_prompt=jobs[0].prompt)
    done = await service.invoke(jobs, amend=lagging)
    assert done.outcome.finished
    single, *batch = sorted(run["run_id"] for run in await service.own_runs())
    assert sorted(record.run_id for record in done.records) == batch
    assert single not in batch


async def test_a_batch_without_listed_runs_becomes_overdue(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """The runs are made but never listed: overdue after their time, not called again, and resumed once they are
    listed."""
    service = make_service([{"kind": "shuffle_ids"}])

    def hide(method: str, path: str, answer: Answer) -> Answer:
        return replace(answer, body=b"[]") if (method, path) == ("GET", "/v1/test-calls") else answer

    jobs = [job("ana", timeout_seconds=60.0), job("bob", timeout_seconds=60.0)]
    first = await service.invoke(jobs, amend=hide)
    assert (first.outcome.overdue, first.records, first.outcome.left) == (2, [], {})
    assert 60 <= first.seconds < 70
    second = await service.invoke(jobs)
    assert second.outcome.finished
    await service.check_exact(jobs)


@pytest.mark.parametrize("error_seconds", [-86_400.0, -40.0, 7_200.0])
async def test_our_own_wrong_clock_does_no_harm(
    make_service: Callable[..., Any], job: Callable[..., Any], error_seconds: float
) -> None:
    """Launches are dated by the service's clock."""
    service = make_service([{"kind": "lost_answer", "times": 2}])
    jobs = [job("ana", runs=2), job("cleo", target=17)]
    done = await service.invoke(jobs, clock_error_seconds=error_seconds)
    assert done.outcome.finished
    assert done.outcome.launches == 2
    await service.check_exact(jobs)


async def test_lagging_lists_are_awaited(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """A launch that is listed minutes late is adopted, not launched again."""
    service = make_service([{"kind": "lost_answer", "times": 2}])
    jobs = [job("ana", runs=2), job("cleo", target=17)]

    def lagging(method: str, path: str, answer: Answer) -> Answer:
        is_list = method == "GET" and path in ("/v1/test-calls", "/v1/test-call-batches")
        hidden = is_list and service.now_seconds() < 1_795_521_600 + 590
        return replace(answer, body=b"[]") if hidden else answer

    done = await service.invoke(jobs, amend=lagging, settings=PATIENT)
    assert done.outcome.finished
    assert all(record.adopted for record in done.records)
    await service.check_exact(jobs)


async def test_a_short_list_of_runs_does_not_prove_absence(
    make_service: Callable[..., Any], job: Callable[..., Any], killable: Callable[..., Any]
) -> None:
    """A service that lists only its newest fifty runs: others may exist."""
    service = make_service(concurrency_limit=1000)
    assert await killable(service, [job("ana")], "after POST")
    for n in range(60):
        await service.post("/v1/test-calls", scenario_prompt=f"Other {n}.")
    await anyio.sleep(700)
    first_page: list[bytes] = []

    def unpaged(method: str, path: str, answer: Answer) -> Answer:
        if (method, path) != ("GET", "/v1/test-calls"):
            return answer
        first_page.append(pydantic_core.to_json(pydantic_core.from_json(answer.body)[:50]))
        return replace(answer, body=first_page[0])

    done = await service.invoke([job("ana")], amend=unpaged)
    assert len(done.outcome.unsettled) == 1
    assert done.outcome.launches == 0
    done = await service.invoke([job("ana")])
    assert [record.adopted for record in done.records] == [True]


async def test_the_list_is_read_only_back_to_the_runs_under_way(
    make_service: Callable[..., Any], job: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first page until all runs are known, then up to the oldest run under way, with a margin."""
    service = make_service(concurrency_limit=100)
    limits: list[int] = []
    read = ApiClient.runs

    async def noted(self: ApiClient, *, offset: int = 0, limit: int = PAGE_LIMIT) -> Any:
        limits.append(limit)
        return await read(self, offset=offset, limit=limit)

    monkeypatch.setattr(ApiClient, "runs", noted)
    done = await service.invoke([job(f"ana{n}") for n in range(70)])
    assert done.outcome.finished
    assert limits[0] == PAGE_LIMIT
    later = limits[limits.index(int(70 * ROW_MARGIN)) :]
    assert max(later) == later[0]
    assert min(later) >= NEVER_CUT
    assert len(later) > len(limits) / 2


def spoiling_runs(spoil: Callable[[dict[str, Any]], None], is_spoilt: Callable[[dict[str, Any]], bool]) -> Any:
    """Changes these rows of the list of runs."""

    def amend(method: str, path: str, answer: Answer) -> Answer:
        if (method, path) != ("GET", "/v1/test-calls"):
            return answer
        rows = pydantic_core.from_json(answer.body)
        for row in rows:
            if is_spoilt(row):
                spoil(row)
        return replace(answer, body=pydantic_core.to_json(rows))

    return amend


async def test_an_unreadable_foreign_run_costs_nothing(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """It is in every list, and everybody else's runs are read as soon as they end."""
    service = make_service()
    jobs = [job("ana", runs=2)]
    plain = await make_service().invoke(jobs)
    await service.post("/v1/test-calls", scenario_prompt="A stranger's.")
    spoil = spoiling_runs(
        lambda row: row.update(error_message={"code": 7}), lambda row: row["scenario_prompt"] == "A stranger's."
    )
    done = await service.invoke(jobs, amend=spoil)
    assert done.outcome.finished
    assert done.seconds < plain.seconds + 5
    assert len(done.records) == 2


@pytest.mark.parametrize(
    "field", ["status", "call_id", "completed_at", "error_message", "scenario_prompt", "target_id", "id"]
)
async def test_an_unreadable_run_of_ours_is_unknown(
    make_service: Callable[..., Any], job: Callable[..., Any], field: str
) -> None:
    """With the reason, and alone: the other run is read. The next session reads it, and pays for nothing."""
    service = make_service()
    jobs = [job("ana", timeout_seconds=60.0), job("bob", timeout_seconds=60.0)]
    spoil = spoiling_runs(
        lambda row: row.update({field: {"is": 7}}), lambda row: "You are ana" in row["scenario_prompt"]
    )
    first = await service.invoke(jobs, amend=spoil)
    assert first.outcome.overdue == 1
    assert [field in why for why in first.outcome.unread] == ([True] if field != "id" else [])
    read = {record.slot.case_id for record in first.records if record.evidence is not None}
    assert read == {"p/bob@t"}
    second = await service.invoke(jobs)
    assert second.outcome.finished
    await service.check_exact(jobs)


@pytest.mark.parametrize("field", ["scenario_prompt", "created_at", "id", "target_id"])
async def test_a_lost_launch_that_may_be_an_unreadable_run_is_not_sent_again(
    make_service: Callable[..., Any], job: Callable[..., Any], killable: Callable[..., Any], field: str
) -> None:
    """Nobody can prove that it never arrived. Once its row can be read, its run is adopted."""
    service = make_service()
    jobs = [job("ana")]
    assert await killable(service, jobs, "after POST")
    await anyio.sleep(700)
    spoil = spoiling_runs(lambda row: row.update({field: ["?"]}), lambda _: True)
    await service.invoke(jobs, amend=spoil, settings=PATIENT)
    assert len(await service.own_runs()) == 1
    done = await service.invoke(jobs)
    assert done.outcome.finished
    await service.check_exact(jobs)


async def test_a_batch_that_cannot_be_read_is_not_visible_yet(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """While the service answers 500 to it, single runs end as they do; then its runs are found."""
    service = make_service()
    began = service.now_seconds()

    def failing(method: str, path: str, answer: Answer) -> Answer:
        if (method, path) == ("POST", "/v1/test-call-batches"):
            batch = pydantic_core.from_json(answer.body) | {"run_ids": []}
            return replace(answer, body=pydantic_core.to_json(batch))
        is_batch = path.startswith("/v1/test-call-batches/") and service.now_seconds() < began + 300
        return replace(answer, status=500, body=b"{}") if is_batch else answer

    jobs = [job("ana"), job("bob"), job("cleo", target=14)]
    ended: dict[str, float] = {}
    done = await service.invoke(
        jobs, amend=failing, on_run=lambda record: ended.update({record.slot.case_id: service.now_seconds() - began})
    )
    assert done.outcome.finished
    assert ended["p/cleo@t"] < 100
    await service.check_exact(jobs)


async def test_an_unreadable_batch_is_found_by_its_runs(
    make_service: Callable[..., Any], job: Callable[..., Any], killable: Callable[..., Any]
) -> None:
    """The launch of two was lost, and the row of its batch says nothing."""
    service = make_service()
    jobs = [job("ana"), job("bob")]
    assert await killable(service, jobs, "after POST")
    await anyio.sleep(700)

    def unreadable(method: str, path: str, answer: Answer) -> Answer:
        if (method, path) != ("GET", "/v1/test-call-batches"):
            return answer
        rows = [row | {"run_count": ["?"], "total_runs": ["?"]} for row in pydantic_core.from_json(answer.body)]
        return replace(answer, body=pydantic_core.to_json(rows))

    done = await service.invoke(jobs, amend=unreadable)
    assert done.outcome.finished
    assert all(record.adopted for record in done.records)
    await service.check_exact(jobs)
