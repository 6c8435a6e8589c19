"""Launches that the lists do not show: sent again only where the service's times are known to be those of its clock, and its
prompts those that were sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest
from mortality import Life

from planner.errors import LostAnswerError
from planner.execution.jobs import Settings
from planner.network.transport import Answer

PATIENT = Settings(linger_seconds=700)
_MOMENT = re.compile(rb'"(\d{4}-\d\d-\d\dT[^"]*)"')
_NAME = re.compile(rb'"name":\s*"planner [^"]*"')


def days_early(method: str, path: str, answer: Answer) -> Answer:
    """A service that forgets names, and whose times are three days before its `Date` header."""
    del method, path

    def moved(found: re.Match[bytes]) -> bytes:
        moment = datetime.fromisoformat(found[1].decode()) - timedelta(days=3)
        return f'"{moment.isoformat()}"'.encode()

    return replace(answer, body=_NAME.sub(b'"name":null', _MOMENT.sub(moved, answer.body)))


def lose_the_first_post() -> Callable[..., Any]:
    posts: list[str] = []

    def intercept(method: str, path: str, body: bytes | None) -> Any:
        posts.extend([path] if method == "POST" else [])
        return LostAnswerError("no answer in time") if method == "POST" and len(posts) == 1 else None

    return intercept


@pytest.mark.parametrize("answered", [True, False])
async def test_wrong_times_do_not_prove_absence(
    make_service: Callable[..., Any], job: Callable[..., Any], dialect: str, answered: bool
) -> None:
    """Runs that ask for the same, of another time, keep a lost launch open for a person, whether an answered launch shows that
    the times are wrong or none shows that they are right; neither this invocation nor the next pays for it again."""
    service = make_service(dialect, [{"kind": "lost_answer", "times": 2 if answered else 1}])
    jobs = [job("ana", runs=2, expected_seconds=90.0)]
    jobs += [job("bob", target=17, expected_seconds=60.0), job("cleo", stagger_seconds=1)] if answered else []
    for invocation in range(2):
        done = await service.invoke(jobs, amend=days_early, settings=PATIENT)
        assert {launch.needs_person for launch in done.outcome.unsettled} == {True}
        assert len(done.outcome.unsettled) == (2 if answered else 1)
        assert sum("a person must decide" in line for line in done.narration) == len(done.outcome.unsettled)
        assert len(await service.own_runs()) == (4 if answered else 2), f"paid twice by invocation {invocation}"


def without(shown: Callable[[str], str | None]) -> Callable[..., Answer]:
    """A service that forgets names, and shows a prompt otherwise than it was sent."""

    def amend(method: str, path: str, answer: Answer) -> Answer:
        if method != "GET" or not path.startswith("/v1/test-call"):
            return answer

        def altered(fields: dict[str, Any]) -> dict[str, Any]:
            for key in fields.keys() & {"scenario_prompt"}:
                fields[key] = shown(fields[key])
            for key in fields.keys() & {"scenario_prompts"}:
                fields[key] = [shown(prompt) or "" for prompt in fields[key]]
            return fields | ({"name": None} if "name" in fields else {})

        return replace(answer, body=json.dumps(json.loads(answer.body, object_hook=altered)).encode())

    return amend


@pytest.mark.parametrize(("answered", "shown"), [(True, str.upper), (True, lambda _: None), (False, lambda _: None)])
async def test_altered_prompts_do_not_prove_absence(
    make_service: Callable[..., Any],
    job: Callable[..., Any],
    dialect: str,
    answered: bool,
    shown: Callable[[str], str | None],
) -> None:
    """Runs that may belong to a lost launch keep it open for a person: neither this invocation nor the next
    pays for it again."""
    service = make_service(dialect, [{"kind": "lost_answer", "times": 1}])
    jobs = [job("ana", expected_seconds=90.0)] + ([job("cleo", stagger_seconds=1)] if answered else [])
    for invocation in range(2):
        done = await service.invoke(jobs, amend=without(shown), settings=PATIENT)
        assert [launch.needs_person for launch in done.outcome.unsettled] == [True]
        assert sum("a person must decide" in line for line in done.narration) == 1
        assert len(await service.own_runs()) == len(jobs), f"paid twice by invocation {invocation}"


async def test_a_crash_before_an_altered_one_is_settled_leaves_it_open(
    make_service: Callable[..., Any], job: Callable[..., Any], killable: Callable[..., Any]
) -> None:
    """Killed at any of the last steps at which it could be given up, nothing is paid for again."""
    jobs = [job("ana", expected_seconds=90.0), job("cleo", target=17)]
    lost, amend = [{"kind": "lost_answer", "times": 1}], without(str.upper)
    lived = Life()
    await make_service("page", lost).invoke(jobs, amend=amend, settings=PATIENT, life=lived)
    for boundary in (1, 2, 3):
        service = make_service("page", lost)
        assert await killable(service, jobs, len(lived.crossed) - boundary, amend=amend, settings=PATIENT)
        done = await service.invoke(jobs, amend=amend, settings=PATIENT)
        assert [launch.needs_person for launch in done.outcome.unsettled] == [True]
        assert len(await service.own_runs()) == 2


async def test_a_run_with_another_prompt_does_not_match_a_launch(
    make_service: Callable[..., Any], job: Callable[..., Any], dialect: str
) -> None:
    """Where the service shows what was sent, somebody else's run of the same target is not taken for it."""
    service = make_service(dialect)
    jobs = [job("ana", expected_seconds=90.0), job("cleo", target=17)]
    await service.post("/v1/test-calls", target_id=12, scenario_prompt="You are Zoe.")
    done = await service.invoke(jobs, intercept=lose_the_first_post(), settings=PATIENT)
    assert done.outcome.finished
    assert len(await service.own_runs()) == 3


@pytest.mark.parametrize("boundary", [1, 2, 5, 9])
async def test_a_crash_before_it_is_settled_leaves_it_open(
    make_service: Callable[..., Any], job: Callable[..., Any], killable: Callable[..., Any], boundary: int
) -> None:
    """Killed at one of the last steps at which a launch that is not shown could be given up, none of it is paid for again."""
    jobs = [job("ana", runs=2, expected_seconds=90.0), job("cleo", target=17)]
    lost = [{"kind": "lost_answer", "times": 1}]
    lived = Life()
    await make_service("page", lost).invoke(jobs, amend=days_early, settings=PATIENT, life=lived)
    service = make_service("page", lost)
    assert await killable(service, jobs, len(lived.crossed) - boundary, amend=days_early, settings=PATIENT)
    done = await service.invoke(jobs, amend=days_early, settings=PATIENT)
    assert [launch.needs_person for launch in done.outcome.unsettled] == [True]
    assert len(await service.own_runs()) == 3


async def test_an_older_run_does_not_match_a_later_launch(
    make_service: Callable[..., Any], job: Callable[..., Any], dialect: str
) -> None:
    """Where an answered launch shows that the service's times are those of its clock, they rule out what asks for the same."""
    service = make_service(dialect)
    jobs = [job("ana", expected_seconds=90.0), job("cleo", target=17)]
    await service.post("/v1/test-calls", target_id=12, scenario_prompt=jobs[0].prompt)
    await anyio.sleep(7200)
    done = await service.invoke(jobs, intercept=lose_the_first_post(), settings=PATIENT)
    assert done.outcome.finished
    assert not any(record.adopted for record in done.records)
    assert len(await service.own_runs()) == 3


async def test_nothing_is_absent_by_times_that_are_known_to_be_wrong(
    make_service: Callable[..., Any], job: Callable[..., Any], dialect: str
) -> None:
    """Also where no run asks for the same: how far back the lists were read is not known, so a person must say."""
    service = make_service(dialect)
    jobs = [job("ana", expected_seconds=90.0), job("cleo", target=17)]
    done = await service.invoke(jobs, amend=days_early, intercept=lose_the_first_post(), settings=PATIENT)
    assert [launch.needs_person for launch in done.outcome.unsettled] == [True]
    assert sum("0 other runs may belong to it: a person must decide" in text for text in done.narration) == 1
    assert len(await service.own_runs()) == 1


async def test_a_run_to_another_number_does_not_match_a_launch(
    make_service: Callable[..., Any], job: Callable[..., Any], dialect: str
) -> None:
    """Where prompts are shown otherwise than sent, a run of another target is still not taken for it: it is sent again."""
    service = make_service(dialect)
    jobs = [job("ana", expected_seconds=90.0), job("cleo", stagger_seconds=1)]
    await service.post("/v1/test-calls", target_id=17, scenario_prompt="You are Zoe.")
    done = await service.invoke(jobs, amend=without(str.upper), intercept=lose_the_first_post(), settings=PATIENT)
    assert done.outcome.unsettled == ()
    assert len(await service.own_runs()) == 3


async def test_a_choice_is_asked_for_once(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """While other calls go on, whose lists show the same candidates again and again."""
    service = make_service("page", [{"kind": "lost_answer", "times": 1}])
    jobs = [job("ana"), *[job(f"c{n}", target=17, stagger_seconds=20 * n) for n in range(1, 4)]]
    await service.post("/v1/test-calls", target_id=12, scenario_prompt=jobs[0].prompt)
    done = await service.invoke(jobs, amend=without(lambda prompt: prompt))
    assert [launch.needs_person for launch in done.outcome.unsettled] == [True]
    assert sum("a person must choose" in text for text in done.narration) == 1


async def test_a_run_of_a_launch_being_sent_is_not_taken_for_a_lost_one(
    make_service: Callable[..., Any], job: Callable[..., Any], dialect: str
) -> None:
    """Both ask for the same, and the second's run is listed before its answer comes: it could be either's until then."""
    service = make_service(dialect)
    ana = job("ana", expected_seconds=90.0)
    jobs = [ana, replace(ana, case_id="p/anna@t", line=replace(ana.line, stagger_seconds=3))]
    listed: list[bool] = []

    async def late(answer: Answer) -> Answer:
        await anyio.sleep(100)
        listed.append(True)
        return answer

    def amend(method: str, path: str, answer: Answer) -> Any:
        del path
        return late(answer) if method == "POST" and not listed else answer

    done = await service.invoke(jobs, intercept=lose_the_first_post(), amend=amend, settings=PATIENT)
    assert listed
    assert done.outcome.finished
    assert not any(record.adopted for record in done.records)
    await service.check_exact(jobs)
