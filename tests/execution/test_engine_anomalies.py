"""A service that gives two launches the same answer, or shows other prompts than were sent: this is reported, no run
counts for the wrong launch, and nothing is paid for twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import pytest

from planner.execution.engine import EngineSettings
from planner.execution.launches import LaunchProblem, LaunchState
from planner.network.transport import Answer

PATIENT = EngineSettings(linger_seconds=700, poll_floor_seconds=12, poll_ceiling_seconds=12)
"""Longer than an unlisted launch is searched for."""
HASTY = EngineSettings(settle_seconds=60, linger_seconds=100, poll_floor_seconds=12, poll_ceiling_seconds=12)


def amended(answer: Answer, **fields: Any) -> Answer:
    return replace(answer, body=json.dumps(json.loads(answer.body) | fields).encode())


class OneBatch:
    """Answers each batch with the id of the first. `listing` says which runs it lists: the first's, or none,
    which then show in the batch."""

    def __init__(self, text: str) -> None:
        self._listing = text
        self._first: dict[str, Any] = {}
        self._all: list[int] = []

    def __call__(self, method: str, path: str, answer: Answer) -> Answer:
        if method == "GET" and self._listing == "none" and path.startswith("/v1/test-call-batches/"):
            return amended(answer, run_ids=sorted(self._all, reverse=True))
        if method != "POST" or not path.endswith("batches"):
            return answer
        document = json.loads(answer.body)
        self._first = self._first or document
        self._all += document.get("run_ids", [])
        run_ids = {"first": self._first.get("run_ids", []), "none": []}[self._listing]
        return amended(answer, id=self._first["id"], run_ids=run_ids)


@pytest.fixture
def jobs(job: Callable[..., Any]) -> list[Any]:
    """Two batches, because their targets differ."""
    return [job("ana", runs=2), job("bob", runs=3, target=17)]


def launches(service: Any) -> dict[str, tuple[str, bool]]:
    """State, and whether the launch is known to share its answer, by id."""
    journal = service.journal()
    try:
        return {
            launch.launch_id: (launch.state.value, launch.problem is LaunchProblem.DUPLICATE_ANSWER)
            for launch in journal.launches(LaunchState)
        }
    finally:
        journal.close()


@pytest.mark.parametrize("text", ["first", "none"])
async def test_a_batch_answered_twice_is_not_trusted(
    make_service: Callable[..., Any], jobs: list[Any], text: str
) -> None:
    """The second answer is not trusted: nothing more is launched, its runs are found in the lists, and each is paid
    for once."""
    service = make_service()
    later = [
        *jobs,
        replace(jobs[0], case_id="p/cleo@t", prompt="You are Cleo.", line=replace(jobs[0].line, mode="sip")),
    ]
    done = await service.invoke(later[:2], amend=OneBatch(text), settings=PATIENT)
    assert "the service answered launch l0002 with" in done.outcome.blocked
    assert any(line == done.outcome.blocked for line in done.narration)  # at once
    assert not done.outcome.finished
    assert launches(service) == {"l0001": ("acknowledged", True), "l0002": ("adopted", True)}
    assert Counter(record.slot.case_id for record in done.records) == {"p/ana@t": 2, "p/bob@t": 3}
    again = await service.invoke(later, settings=PATIENT)
    assert again.outcome.finished
    await service.check_exact(later)


async def test_a_run_in_the_wrong_response_is_not_evidence(
    make_service: Callable[..., Any], job: Callable[..., Any]
) -> None:
    """The first launch is answered with the second's run: that run is no evidence for the first, and neither is made
    again."""
    service = make_service()
    answers: list[Answer] = []
    both = anyio.Event()

    async def crossed(answer: Answer) -> Answer:
        """Both are sent, and both get the second's answer."""
        answers.append(answer)
        if len(answers) == 2:
            both.set()
        await both.wait()
        return amended(answers[0], id=json.loads(answers[1].body)["id"])

    def amend(method: str, path: str, answer: Answer) -> Any:
        return crossed(answer) if method == "POST" else answer

    jobs = [job("ana"), job("bob", target=17)]
    done = await service.invoke(jobs, amend=amend, settings=PATIENT)
    assert len(await service.own_runs()) == 2
    assert not done.outcome.finished
    (anomaly,) = done.outcome.anomalies.values()
    assert "is not what the launch asked for (p/ana@t): it counts for no case" in anomaly
    assert [record.slot.case_id for record in done.records if record.evidence is not None] in ([], ["p/bob@t"])
    again = await service.invoke(jobs, settings=PATIENT)
    assert len(await service.own_runs()) == 2
    assert not [record for record in again.records if record.slot.case_id == "p/ana@t" and record.evidence is not None]


async def test_a_crash_around_the_duplicate_answer_costs_nothing(
    make_service: Callable[..., Any], lethal: Callable[..., Any], jobs: list[Any]
) -> None:
    """Killed after each effect: the next session makes no call twice."""
    async for service in lethal(make_service, jobs, lambda: {"amend": OneBatch("first"), "settings": HASTY}):
        again = await service.invoke(jobs, settings=HASTY)
        if again.outcome.left:
            again = await service.invoke(jobs, settings=HASTY)
        assert again.outcome.finished, again.outcome
        await service.check_exact(jobs)


def shouting(method: str, path: str, answer: Answer) -> Answer:
    """The list shows every prompt in capitals."""
    if method != "GET" or path != "/v1/test-calls":
        return answer
    rows = [row | {"scenario_prompt": (row.get("scenario_prompt") or "").upper()} for row in json.loads(answer.body)]
    return replace(answer, body=json.dumps(rows).encode())


async def test_changed_prompts_are_reported_at_once(make_service: Callable[..., Any], job: Callable[..., Any]) -> None:
    """The warning says why they count for no case. Once they are shown as sent, they count, and are not made again."""
    service = make_service()
    jobs = [job("ana"), job("bob")]
    warned_at: list[float] = []
    began = anyio.current_time()

    def warn(_: str) -> None:
        warned_at.append(anyio.current_time() - began)

    done = await service.invoke(jobs, amend=shouting, warn=warn)
    assert warned_at
    assert warned_at[0] < 10
    (anomaly,) = done.outcome.anomalies.values()
    ids = ", ".join(str(run["run_id"]) for run in await service.own_runs())
    assert anomaly == (
        f"the service shows runs {ids} with a different prompt than was sent. Their case is unknown, so they count"
        " for no case (p/ana@t, p/bob@t). They are charged and will not be repeated."
    )
    assert not done.outcome.finished
    assert len(await service.own_runs()) == 2
    began = anyio.current_time()
    assert (await service.invoke(jobs, amend=shouting)).outcome.anomalies
    assert anyio.current_time() - began < 60  # they had their time
    assert (await service.invoke(jobs)).outcome.finished
    await service.check_exact(jobs)
