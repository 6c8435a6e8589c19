"""Early stopping: deferred runs are made only while they can change the outcome, never lost, and never made twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from planner.execution.engine import EngineSettings
from planner.execution.observer import EndedRun


@dataclass
class Verdicts:
    """A pace: `first` runs at once, then `then` at once; the case is decided after this many verdicts (None: never)."""

    settles_after: int | None
    first: int = 2
    then: int = 1
    reported: list[int] = field(default_factory=list[int])
    asked: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    platform_failed: frozenset[int] = frozenset()
    """Numbers of the verdicts, from 1, that are platform failures."""

    def note(self, record: EndedRun) -> bool:
        self.reported.append(record.run_id)
        return len(self.reported) in self.platform_failed

    def pace(self, case_id: str, to_come: int, retries: int) -> int:
        del case_id
        self.asked.append((to_come, retries))
        if self.settles_after is not None and len(self.reported) >= self.settles_after:
            return 0
        return self.first - len(self.reported) if len(self.reported) < self.first else self.then

    @property
    def options(self) -> dict[str, Any]:
        return {"pace": self.pace, "on_run": self.note}


async def test_runs_that_cannot_change_the_outcome_are_not_made(
    make_service: Callable[..., Any], job: Callable[..., Any], dialect: str
) -> None:
    """Two at once, then one at a time; after the third verdict the last two are not needed."""
    service = make_service(dialect)
    verdicts = Verdicts(settles_after=3)
    done = await service.invoke([job("ana", runs=5, may_stop_early=True)], **verdicts.options)
    assert len(await service.own_runs()) == len(done.records) == 3
    assert (done.outcome.not_needed, done.outcome.left, done.outcome.finished) == ({"p/ana@t": 2}, {}, True)
    assert done.outcome.launches == 2
    assert "p/ana@t is decided: 2 calls not needed" in done.narration
    assert (done.snapshots[-1].runs_done, done.snapshots[-1].runs_total) == (3, 3)
    assert verdicts.asked == [(5, 0), (4, 0), (3, 0), (2, 0)]


async def test_an_undecided_case_gets_all_of_its_runs(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """Deferring loses no runs, and other cases are not deferred."""
    service = make_service()
    jobs = [job("ana", runs=5, may_stop_early=True), job("bob", runs=3)]
    done = await service.invoke(jobs, pace=Verdicts(settles_after=None).pace)
    assert (done.outcome.finished, done.outcome.not_needed) == (True, {})
    await service.check_exact(jobs)


async def test_a_decided_case_makes_no_call(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """Earlier runs may decide the case before the first call."""
    service = make_service()
    done = await service.invoke([job("ana", runs=4, may_stop_early=True)], pace=lambda *_: 0)
    assert await service.own_runs() == []
    assert (done.outcome.finished, done.outcome.not_needed) == (True, {"p/ana@t": 4})


async def test_a_second_session_does_not_make_unneeded_runs(
    make_service: Callable[..., Any], job: Callable[..., Any], dialect: str
) -> None:
    """The verdicts on stored runs decide the case again, without a call."""
    service = make_service(dialect)
    jobs = [job("ana", runs=5, may_stop_early=True)]
    await service.invoke(jobs, **Verdicts(settles_after=3).options)
    again = await service.invoke(jobs, **Verdicts(settles_after=3).options)
    assert len(await service.own_runs()) == 3
    assert (again.outcome.not_needed, again.outcome.finished) == ({"p/ana@t": 2}, True)
    assert [record.resumed for record in again.records] == [True] * 3


async def test_a_platform_failure_is_retried_only_while_the_case_is_open(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """A retry is a run like any other: it is not made if it cannot change the outcome."""
    service = make_service()
    ana = job("ana", runs=3, retries=1, may_stop_early=True)
    verdicts = Verdicts(settles_after=None, first=3, platform_failed=frozenset({1}))
    done = await service.invoke([ana], **verdicts.options)
    assert len(done.records) == 4
    assert done.outcome.finished
    settled = make_service()
    verdicts = Verdicts(settles_after=2, first=3, platform_failed=frozenset({2}))
    done = await settled.invoke([ana], **verdicts.options)
    assert len(done.records) == 3
    assert done.outcome.not_needed == {"p/ana@t": 1}


async def test_a_refused_launch_is_not_repeated_for_a_decided_case(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """Two cases share a launch that is refused (429). One is decided meanwhile: only the other's runs are launched
    again."""
    service = make_service(concurrency_limit=2)
    jobs = [job("ana", runs=4, may_stop_early=True), job("bob", runs=2)]
    verdicts = Verdicts(settles_after=1, first=3)
    done = await service.invoke(jobs, **verdicts.options)
    assert done.outcome.finished
    prompts = [run["prompt"].strip() for run in await service.own_runs()]
    assert prompts.count(jobs[1].prompt) == 2
    assert len(prompts) + done.outcome.not_needed["p/ana@t"] == 6


async def test_a_ceiling_does_not_prevent_deferred_calls(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """The third call would break the ceiling: it is left, unless the first two decide the case."""
    service = make_service()
    verdicts = Verdicts(settles_after=2, first=3)
    done = await service.invoke([job("ana", runs=3, may_stop_early=True)], ceilings=[(50, None)], **verdicts.options)
    assert len(done.records) == 2
    assert (done.outcome.ceiling, done.outcome.left, done.outcome.finished) == ("", {}, True)
    short = await service.invoke(
        [job("bob", runs=4, may_stop_early=True)],
        ceilings=[(50, None)],
        digest="sha256:2",
        **Verdicts(settles_after=None).options,
    )
    assert short.outcome.ceiling
    assert short.outcome.left == {"p/bob@t": 2}


async def test_an_interruption_leaves_deferred_calls_to_the_next_session(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """They are neither made nor forgotten."""
    service = make_service()
    jobs = [job("ana", runs=5, may_stop_early=True)]
    stopped = await service.invoke_interrupted(jobs, 2, **Verdicts(settles_after=None).options)
    assert stopped.outcome.interrupted
    assert stopped.outcome.left == {"p/ana@t": 3}
    assert not stopped.outcome.finished
    done = await service.invoke(jobs, **Verdicts(settles_after=None).options)
    assert done.outcome.finished
    await service.check_exact(jobs)


async def test_a_crash_at_any_boundary_makes_no_unneeded_run(
    make_service: Callable[..., Any], lethal: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """Killed after each effect, then run again: three calls in all, each made once."""
    settings = EngineSettings(linger_seconds=700, poll_floor_seconds=12, poll_ceiling_seconds=12)
    jobs, died = [job("ana", runs=5, may_stop_early=True)], 0

    def options() -> dict[str, Any]:
        return {"settings": settings, **Verdicts(settles_after=3).options}

    async for service in lethal(make_service, jobs, options):
        done = await service.invoke(jobs, **options())
        assert done.outcome.finished, (died, done.outcome)
        assert done.outcome.not_needed == {"p/ana@t": 2}, died
        await service.check_exact([job("ana", runs=3)])
        died += 1
    assert died > 8
