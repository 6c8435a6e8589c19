"""The engine when nothing goes wrong: each run made once, packed, within the limit, quickly, and with few requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from virtual_time import EPOCH

from planner.clock import Clock
from planner.execution.engine import EngineSettings, SessionTerms
from planner.execution.events import Imported, SlotsResumed
from planner.execution.journal import IN_MEMORY, Journal
from planner.execution.launches import Launch, LaunchState, ReportedRun, Slot
from planner.execution.ledger import Ledger
from planner.execution.local import LocalEngine
from planner.execution.observer import EndedRun, Observer, RunResponse
from planner.execution.reading import Transactions
from planner.execution.state import State


async def test_every_wanted_run_is_made_once_and_collected(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """Cases on both kinds of target, several runs each: each run is made once, its evidence is stored and its bill
    known."""
    service = make_service()
    jobs = [
        job("ana", runs=3),
        job("bob"),
        job("cleo", runs=2, target=17),
        job("dan", target=77, target_type="phone_number"),
    ]
    done = await service.invoke(jobs)
    assert done.outcome.finished
    assert done.outcome.launches == 3
    assert Counter(record.slot.case_id for record in done.records) == {
        "p/ana@t": 3,
        "p/bob@t": 1,
        "p/cleo@t": 2,
        "p/dan@t": 1,
    }
    for record in done.records:
        assert record.launch.state is not LaunchState.ADOPTED
        assert not record.resumed
        assert record.launch.session_id == "i1"
        assert record.evidence is not None
        assert service.repository.load_evidence(record.slot.evidence) == record.evidence
        assert record.evidence.turns
        assert record.evidence.tools is not None
        assert record.slot.cost_cents == record.evidence.cost_cents
        assert record.slot.completed_at is not None
    assert {record.slot.cost_cents for record in done.records} == {16, 24}
    assert {record.launch.batch_id for record in done.records if "ana" in record.slot.case_id} == {201}
    assert {record.launch.batch_id for record in done.records if "dan" in record.slot.case_id} == {None}
    await service.check_exact(jobs)


async def test_runs_of_one_line_share_a_request(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """A launch takes as many runs of one line as there is room for; a single run uses the endpoint for single runs."""
    service = make_service(concurrency_limit=200)
    jobs = [job(f"c{n}", runs=3) for n in range(15)] + [job("lone", target=17), job("slow", mode="sip")]
    done = await service.invoke(jobs)
    assert done.outcome.finished
    launches = (await service.ledger())["launches"]
    sizes = sorted(len(launch["run_ids"]) for launch in launches)
    assert sizes == [
        1,
        1,
        6,
        8,
        15,
        16,
    ]  # how much the service allows is not known: it is asked for twice as many each time
    posts = Counter(path for method, path in service.requests if method == "POST")
    assert posts == {"/v1/test-calls": sizes.count(1), "/v1/test-call-batches": len(sizes) - sizes.count(1)}
    await service.check_exact(jobs)


def most_at_once(runs: list[dict[str, Any]]) -> int:
    moments = sorted([(run["created_at"], 1) for run in runs] + [(run["ended_at"], -1) for run in runs])
    running = most = 0
    for _, change in moments:
        running += change
        most = max(most, running)
    return most


@pytest.mark.parametrize(("limit", "ours"), [(3, None), (20, 5), (1, None)])
async def test_the_limit_is_used_fully_and_never_exceeded(
    make_service: Callable[..., Any], job: Callable[..., Any], limit: int, ours: int | None
) -> None:
    """The service's limit, which must be learned, and our own."""
    service = make_service(concurrency_limit=limit)
    jobs = [job(f"c{n}") for n in range(10)]
    done = await service.invoke(jobs, settings=EngineSettings(max_concurrent_runs=ours))
    assert done.outcome.finished
    assert most_at_once(await service.own_runs()) == min(limit, ours or limit)
    assert (done.stats.refused > 0) == (ours is None)
    await service.check_exact(jobs)


async def test_the_makespan_is_close_to_its_bound(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """120 calls at a limit of 10: the makespan is close to the bound, with few requests per run, and few of those are
    polls."""
    service = make_service(concurrency_limit=10)
    jobs = [job(f"c{n}") for n in range(120)]
    done = await service.invoke(jobs)
    assert done.outcome.finished
    durations = [run["ended_at"] - run["created_at"] for run in await service.own_runs()]
    lower_bound = max(*durations, sum(durations) / 10)
    assert done.seconds <= 1.15 * lower_bound
    requests = Counter(path.split("/")[-1] for _, path in service.requests)
    assert requests["transcript"] == requests["history"] == 120
    polls = sum(request == ("GET", "/v1/test-calls") for request in service.requests)
    assert (
        polls <= 1.5 * done.seconds / 2
    )  # one request a poll, one poll in so many seconds, for any number of runs in flight
    bills = requests["transactions"]
    assert bills <= polls
    assert done.stats.requests == 3 * 120 + polls + bills + done.outcome.launches + done.stats.refused + 1


async def test_evidence_is_fetched_once_per_run(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """The call, its transcript and, if that shows no tool call, its history: each once. No grade unless a check needs
    it."""
    service = make_service()
    await service.invoke([job("ana", runs=2), job("bob", target=14)])
    reads = Counter(path for _, path in service.requests if "/calls/" in path)
    assert set(reads.values()) == {1}
    documents = Counter(path.split("/")[-1].strip("0123456789") for path in reads)
    assert documents == {"": 3, "transcript": 3, "history": 3}


async def test_runs_that_share_a_target_but_not_a_batch_are_distinguished(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """Two cases with the same prompt, and one that differs only in white space, each get their number of runs."""
    service = make_service([{"kind": "shuffle_ids"}])
    prompt = "You are Ana. Ask for the opening hours."
    jobs = [
        job("ana", prompt=prompt, runs=2),
        job("same", prompt=prompt),
        job("padded", prompt=f"\n{prompt} "),
        job("other"),
    ]
    done = await service.invoke(jobs)
    assert done.outcome.finished
    assert Counter(record.slot.case_id for record in done.records) == {item.case_id: item.runs for item in jobs}
    assert len({record.run_id for record in done.records}) == 5
    await service.check_exact(jobs)


async def test_progress_is_reported(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """Finished runs never decrease, money is spent or reserved, and the last snapshot is complete."""
    service = make_service(concurrency_limit=2)
    done = await service.invoke([job("ana", runs=4)], ceilings=[(100, None)])
    finished = [snapshot.runs_done for snapshot in done.snapshots]
    assert finished == sorted(finished)
    last = done.snapshots[-1]
    assert (last.runs_done, last.runs_total, last.in_flight) == (4, 4, 0)
    assert (last.spent_cents, last.reserved_cents, last.waiting) == (64, 0, "")
    assert any(
        snapshot.in_flight == 2 and snapshot.waiting == "at most 2 concurrent runs" for snapshot in done.snapshots
    )
    assert all(snapshot.spent_cents + snapshot.reserved_cents <= 100 for snapshot in done.snapshots)


def test_any_number_of_runs_may_end_at_once(job: Callable[..., Any]) -> None:
    """Each is judged in turn, not within the judging of the one before."""
    judged: list[int] = []

    def on_run(record: EndedRun) -> RunResponse:
        judged.append(record.run_id)
        return RunResponse()

    ana, journal = job("ana", runs=3000), Journal(IN_MEMORY)
    provider: Any = SimpleNamespace(clock_offset_seconds=0.0, clock_known=True, clock_uncertainty_seconds=0.0)
    engine = LocalEngine(
        provider=provider,
        transactions=Transactions(provider, lambda _: None),
        journal=journal,
        save_evidences=lambda _: [],
        load_evidence=lambda _: None,
        clock=Clock(lambda: EPOCH, lambda: 0.0, anyio.sleep),
        new_id=lambda: "l1",
    )
    terms = SessionTerms(
        session_id="i1",
        credential="",
        ledger=Ledger(),
        settings=EngineSettings(),
        consent_id="sha256:1",
        jobs={ana.case_id: ana},
    )
    engine.state = state = State(terms, journal, engine.transactions.charges)
    engine.observer = Observer(on_run, lambda _: None, lambda _: None)
    launch = Launch("l1", "i1", "sha256:1", LaunchState.ACKNOWLEDGED, ana.line, "", EPOCH, 5.0, None, (), "")
    slot = Slot("l1", 0, ana.case_id, "p", ana.prompt, "f", None, 24, 0, None, None, None, None)
    slots = tuple(replace(slot, ordinal=number, run_id=number) for number in range(3000))
    journal.record(Imported(launch, slots, ""))
    state.reported += [ReportedRun(each, launch, False) for each in slots]
    engine.happen(SlotsResumed(()))
    assert judged == list(range(3000))
    journal.close()
