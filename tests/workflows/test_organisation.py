"""The workflows of a repository whose calls an organisation's workers make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import forked
import pytest
from workflow_jobs import REUSABLE, WORKFLOWS

from planner.organisation.opening import open_tables
from planner.organisation.states import ConsentState
from tests.commands.conftest import Served, serve, serve_here  # pyright: ignore[reportMissingImports]
from tests.workflows.conftest import PLAN, STORE, Repository  # pyright: ignore[reportMissingImports]

__all__ = ["serve", "serve_here"]  # fixtures
ANGRY = PLAN.replace("calm", "angry")
KEY = "sk_test_commands"


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/organisation.sqlite"


@pytest.fixture
def service(
    repository: Repository, serve_here: Callable[..., Served], address: str, tmp_path: Path
) -> Iterator[Served]:
    """With a worker for what maria agrees to."""
    served = serve_here()
    runner = repository.runner
    runner.service_at = {"api-base-url": served.url}
    runner.secrets = {"THUNDERPHONE_API_KEY": KEY}
    runner.inputs = {"extras": "engine"}
    worker = forked.planner("worker", "--organisation", address, "--person", "maria", cwd=tmp_path)
    assert "waiting for consents" in worker.output.readline()
    yield served
    worker.kill()


def test_calls_of_a_pull_request_are_made_by_workers(repository: Repository, service: Served, address: str) -> None:
    """The address is that of the default branch, whatever the pull request says."""
    organisation = f"{STORE}organisation: {address}\n"
    repository.push("main", planner_DOT_yaml=organisation)
    repository.push(
        "topic", planner_DOT_yaml=f"{STORE}organisation: sqlite:///elsewhere.sqlite\n", plans__hours_DOT_yaml=ANGRY
    )
    assert repository.plan() == "pending"
    command = repository.command.replace("DOLLARS", "1.00")
    assert repository.write(command) == {"asked": True, "call": True}, repository.runner.log
    assert repository.fake.statuses[-1]["state"] == "success"
    assert "agreed by `maria`" in repository.comment
    assert len(service.own_runs()) == 1
    (row,) = open_tables(address, repository.work, {}).consents()
    assert row["repository"] == "acme/plans"
    assert ConsentState(row["state"]) in (ConsentState.CLOSING, ConsentState.CLOSED)
    assert not list(repository.runner.folder.rglob("elsewhere.sqlite"))


def test_the_databases_password_reaches_two_steps_only() -> None:
    """Calls, and the deletion of previews that no call needs."""
    name = "PLANNER_ORGANISATION_PASSWORD"
    holders = {
        (workflow, step["id"])
        for workflow, document in REUSABLE.items()
        for job in document["jobs"].values()
        for step in job["steps"]
        if name in str(step)
    }
    assert holders == {("call", "run"), ("main", "record")}
    callers = {caller for caller, document in WORKFLOWS.items() if name in str(document)}
    assert callers == {"phone-plans-call", "phone-plans-main"}
