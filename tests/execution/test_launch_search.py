"""Launches that the lists do not show are sent again only if the service's times are known to be those of its clock,
and its prompts those that were sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from mortality import Life

from planner.errors import LostAnswerError
from planner.execution.engine import EngineSettings
from planner.network.transport import Answer

PATIENT = EngineSettings(linger_seconds=700)
_MOMENT = re.compile(rb'"(\d{4}-\d\d-\d\dT[^"]*)"')
_NAME = re.compile(rb'"name":\s*"planner [^"]*"')


def days_early(method: str, path: str, answer: Answer) -> Answer:
    """A service that does not return names, and whose times are three days before its `Date` header."""
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
    make_service: Callable[..., Any], job: Callable[..., Any], answered: bool
) -> None:
    """Equal runs of another time keep a lost launch open for a person, if answered launches show that the times are
    wrong, or do not show that they are right. Neither this session nor the next pays for it again."""
    service = make_service([{"kind": "lost_answer", "times": 2 if answered else 1}])
    jobs = [job("ana", runs=2, expected_seconds=90.0)]
    jobs += [job("bob", target=17, expected_seconds=60.0), job("cleo", mode="sip")] if answered else []
    for session in range(2):
        done = await service.invoke(jobs, amend=days_early, settings=PATIENT)
        assert {launch.needs_person for launch in done.outcome.unsettled} == {True}
        assert len(done.outcome.unsettled) == (2 if answered else 1)
        assert sum("a person must decide" in line for line in done.narration) == len(done.outcome.unsettled)
        assert len(await service.own_runs()) == (4 if answered else 2), f"paid twice by session {session}"


def without(shown: Callable[[str], str | None]) -> Callable[..., Answer]:
    """A service that does not return names, and shows prompts changed."""

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
    answered: bool,
    shown: Callable[[str], str | None],
) -> None:
    """Runs that may belong to a lost launch keep it open for a person: neither this session nor the next pays for it
    again."""
    service = make_service([{"kind": "lost_answer", "times": 1}])
    jobs = [job("ana", expected_seconds=90.0)] + ([job("cleo", mode="sip")] if answered else [])
    for session in range(2):
        done = await service.invoke(jobs, amend=without(shown), settings=PATIENT)
        assert [launch.needs_person for launch in done.outcome.unsettled] == [True]
        assert sum("a person must decide" in line for line in done.narration) == 1
        assert len(await service.own_runs()) == len(jobs), f"paid twice by session {session}"


@pytest.mark.parametrize("amend", [days_early, without(str.upper)], ids=["times", "prompts"])
async def test_a_crash_leaves_an_unlisted_launch_open(
    make_service: Callable[..., Any], job: Callable[..., Any], killable: Callable[..., Any], amend: Any
) -> None:
    """Killed at the last steps at which an unlisted launch could be declared absent, none of it is paid for again."""
    jobs = [job("ana", expected_seconds=90.0), job("cleo", target=17)]
    lost = [{"kind": "lost_answer", "times": 1}]
    lived = Life()
    await make_service(lost).invoke(jobs, amend=amend, settings=PATIENT, life=lived)
    for boundary in (1, 5):
        service = make_service(lost)
        assert await killable(service, jobs, len(lived.crossed) - boundary, amend=amend, settings=PATIENT)
        done = await service.invoke(jobs, amend=amend, settings=PATIENT)
        assert [launch.needs_person for launch in done.outcome.unsettled] == [True]
        assert len(await service.own_runs()) == 2
