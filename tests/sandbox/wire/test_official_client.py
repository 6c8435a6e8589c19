"""The vendor's own client, 0.2.0, against a sandbox on a real socket: it parses every answer it has a model for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from patience import PATIENCE_SECONDS, wait_for
from thunderphone import ThunderPhone
from thunderphone.generated.api.agents import (
    agents_delete,
    agents_deploy,
    agents_discard_draft,
    agents_duplicate,
    agents_list,
    agents_partial_update,
    agents_retrieve,
    agents_versions_list,
)
from thunderphone.generated.api.authentication import whoami_list
from thunderphone.generated.api.billing import billing_list
from thunderphone.generated.api.calls import (
    calls_audio_list,
    calls_grade,
    calls_grade_list,
    calls_history_list,
    calls_list,
    calls_retrieve,
    calls_transcript_list,
)
from thunderphone.generated.api.healthz import healthz_list
from thunderphone.generated.api.phone_numbers import phone_numbers_list, phone_numbers_retrieve
from thunderphone.generated.api.test_call_batches import test_call_batches_create as create_batch
from thunderphone.generated.api.test_call_batches import test_call_batches_list as list_batches
from thunderphone.generated.api.test_call_batches import test_call_batches_retrieve as read_batch
from thunderphone.generated.api.test_calls import test_calls_create as create_run
from thunderphone.generated.api.test_calls import test_calls_list as list_runs
from thunderphone.generated.client import AuthenticatedClient
from thunderphone.generated.models import (
    CallsGradeBody,
    DeployAgentRequest,
    DirectionD75Enum,
    DuplicateAgentRequest,
    PatchedAgentWriteRequest,
    SimulationBatchCreateRequest,
    SimulationRun,
    SimulationRunCreateRequest,
    SimulationRunStatusEnum,
    TargetTypeEnum,
)

from tests.sandbox.conftest import served as served_sandbox  # pyright: ignore[reportMissingImports]

KEY = "sk_live_abcdef"
PROMPT = "You are Ana Ruiz. Ask how many days you have to return order 12345."


@dataclass(frozen=True)
class Served:
    url: str
    client: AuthenticatedClient


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with served_sandbox() as url:
        client = AuthenticatedClient(base_url=url, token=KEY, timeout=httpx.Timeout(PATIENCE_SECONDS))
        yield Served(url, client)
        client.get_httpx_client().close()


def _started(served: Served) -> SimulationRun:
    """A run. The client expects the status 200, where the reference page says 201."""
    body = SimulationRunCreateRequest(
        consent_to_charge=True,
        target_id=14,
        target_type=TargetTypeEnum.AGENT,
        direction=DirectionD75Enum.OUTBOUND,
        scenario_prompt=PROMPT,
    )
    answer = create_run.sync_detailed(client=served.client, body=body)
    assert answer.status_code == 201
    return SimulationRun.from_dict(json.loads(answer.content))


def _until_ended(served: Served, run_id: int) -> Any:
    """Poll the list as a client would."""

    def listed() -> Any:
        return next(run for run in list_runs.sync(client=served.client) or [] if run.id == run_id)

    wait_for(lambda: listed().status is SimulationRunStatusEnum.COMPLETED)
    return listed()


def _score(served: Served, call_id: int) -> int | None:
    """Poll until the grade is there."""

    def score() -> int | None:
        grade = calls_grade_list.sync(call_id, client=served.client)
        assert grade is not None
        return grade.score

    wait_for(lambda: score() is not None)
    return score()


def test_run_from_start_to_transcript(served: Served) -> None:
    """It starts a run, polls the list, reads the call, its transcript, history and grade."""
    started = _started(served)
    assert started.status is SimulationRunStatusEnum.QUEUED
    run = _until_ended(served, started.id)
    call = calls_retrieve.sync(run.call_id, client=served.client)
    transcript = calls_transcript_list.sync(run.call_id, client=served.client)
    history = calls_history_list.sync(run.call_id, client=served.client)
    assert call is not None
    assert transcript is not None
    assert history is not None
    assert call.duration_seconds
    assert call.prompt_snapshot.startswith("You are Maya")
    assert [tool.additional_properties["name"] for tool in call.tool_snapshot] == [
        "lookup_order",
        "create_return",
        "cancel_order",
    ]
    assert any("30 days" in entry.content for entry in transcript.transcripts if entry.role == "agent")
    assert any(item["role"] == "tool_call" for item in history)
    assert _score(served, run.call_id) == 0.95
    audio = calls_audio_list.sync(run.call_id, client=served.client)
    assert audio is not None
    assert httpx.get(audio.url, timeout=PATIENCE_SECONDS).content[:4] == b"RIFF"
    assert calls_grade.sync(run.call_id, client=served.client, body=CallsGradeBody()) is not None


def test_batch_from_start_to_end(served: Served) -> None:
    """It starts a batch with the client's defaults, lists and follows it."""
    started = create_batch.sync(
        client=served.client,
        body=SimulationBatchCreateRequest(
            consent_to_charge=True,
            target_id=12,
            target_type=TargetTypeEnum.AGENT,
            name="nightly",
            scenario_prompts=[PROMPT],
        ),
    )
    assert started is not None
    assert (started.status.value, started.run_count, started.stagger_seconds) == ("in_progress", 3, 5)
    assert started.estimated_cost_cents == 3 * 16
    assert isinstance(started.run_ids, list)
    for run_id in started.run_ids:
        _until_ended(served, run_id)
    ended = read_batch.sync(started.id, client=served.client)
    assert ended is not None
    assert (ended.status.value, ended.completed_runs) == ("completed", 3)
    assert started.id in [row.id for row in list_batches.sync(client=served.client) or []]


def test_everything_around(served: Served) -> None:
    """Agents, versions, numbers, calls, billing, whoami and health all parse."""
    client = served.client
    assert [agent.id for agent in agents_list.sync(client=client) or []] == [12, 14, 17]
    for answer in (
        agents_retrieve.sync(14, client=client),
        agents_versions_list.sync(14, client=client),
        phone_numbers_list.sync(client=client),
        phone_numbers_retrieve.sync(77, client=client),
        calls_list.sync(client=client),
        billing_list.sync(client=client),
        whoami_list.sync(client=client),
        healthz_list.sync(client=client),
    ):
        assert answer is not None


def test_agents_are_copied_edited_deployed_and_deleted(served: Served) -> None:
    client = served.client
    copy = agents_duplicate.sync(14, client=client, body=DuplicateAgentRequest(name="preview"))
    assert copy is not None
    edit = PatchedAgentWriteRequest(prompt="Be brief.", additional_languages=["es"], max_call_duration_seconds=60)
    drafted = agents_partial_update.sync(copy.id, client=client, body=edit)
    assert drafted is not None
    assert (drafted.has_draft, drafted.draft_prompt, drafted.draft_additional_languages) == (True, "Be brief.", ["es"])
    discarded = agents_discard_draft.sync(copy.id, client=client)
    assert discarded is not None
    assert (discarded.has_draft, discarded.draft_additional_languages) == (False, [])
    agents_partial_update.sync(copy.id, client=client, body=edit)
    deployment = DeployAgentRequest(if_updated_at=drafted.updated_at)
    deployed = agents_deploy.sync(copy.id, client=client, body=deployment)
    assert deployed is not None
    assert (deployed.name, deployed.prompt, deployed.additional_languages) == ("preview", "Be brief.", ["es"])
    assert copy.id in [agent.id for agent in agents_list.sync(client=client) or []]
    assert agents_delete.sync_detailed(copy.id, client=client).status_code == 204


def test_facade(served: Served) -> None:
    """The hand-written facade finds a call's end and transcript."""
    started = _started(served)
    run = _until_ended(served, started.id)
    with ThunderPhone(KEY, base_url=served.url) as phone:
        call = phone.calls.wait_for_completion(run.call_id, poll_interval=0.01)
        assert phone.calls.transcript(call.call_id).transcripts
