"""The host `temporal`, with Temporal's development server: real workers; and what is wrong before one can start."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
import temporal_server
from patience import wait_for
from temporal_server import TemporalServer
from virtual_time import EPOCH
from worker_trials import Trial, says

from planner.clock import Clock
from planner.errors import CredentialError, UnreachableError, UsageError
from planner.organisation.lease import LeaseHost
from planner.organisation.opening import open_tables, prepare
from planner.organisation.tables import Tables
from planner.organisation.temporal import TemporalHost
from planner.organisation.temporal_client import connect

MakeTrial = Callable[..., Trial]
CLOCK = Clock(lambda: EPOCH, lambda: 0.0, anyio.sleep)


@pytest.fixture
def anyio_backend() -> str:
    """Real time: Temporal's client has threads of its own."""
    return "asyncio"


def workflow(server: TemporalServer, trial: Trial) -> str:
    """The id of the one that keeps these workers."""
    listed = json.loads(server.run("workflow", "list", "--output", "json", "--limit", "1000").stdout)
    (found,) = {
        each["execution"]["workflowId"] for each in listed if trial.tables.shown in each["execution"]["workflowId"]
    }
    return found


def test_one_of_two_workers_coordinates_and_the_other_takes_over(
    make_trial: MakeTrial, temporal: TemporalServer
) -> None:
    """After SIGTERM at once, and after `kill -9`. The history holds neither prompts nor consents."""
    trial = make_trial("temporal", "sqlite")
    workers = [trial.worker(), trial.worker()]
    trial.wait_until_ended()
    for number, name in ((signal.SIGTERM, "gil"), (signal.SIGKILL, "hal")):
        holder = trial.tables.worker()
        assert holder is not None
        (at_work,) = [each for each in workers if f"process {each.process.pid} " in holder["holder"]]
        os.kill(at_work.process.pid or 0, number)
        at_work.process.join()
        workers = [trial.worker(), *(each for each in workers if each is not at_work)]
        trial.submit(name)
        trial.wait_until_ended()
    trial.check_exact()
    found = workflow(temporal, trial)
    history = temporal.run("workflow", "show", "--workflow-id", found, "--output", "json").stdout
    assert len(json.loads(history)["events"]) <= 5
    assert "You are" not in history


async def test_a_worker_whose_key_is_rejected_leaves_the_activity_to_others(
    temporal: TemporalServer, tmp_path: Path
) -> None:
    """It gives the tables up, and ends."""
    tables = open_tables("sqlite:///organisation.sqlite", tmp_path, {})
    prepare(tables, upgrade=False)
    client = await connect({"TEMPORAL_ADDRESS": temporal.address})
    host = TemporalHost(client, LeaseHost(Tables(tables.engine, tables.shown, 2.0), "rejected", "0", CLOCK, print))
    await host.start()

    async def coordinate(epoch: int, stop: anyio.Event) -> None:
        del epoch, stop
        raise CredentialError("the service rejects the key")

    with anyio.fail_after(60.0), pytest.raises(CredentialError):
        await host.keep_alive(coordinate, anyio.Event())
    assert tables.worker() is None
    tables.engine.dispose()


def test_a_workflow_that_somebody_ended_is_started_again(make_trial: MakeTrial, temporal: TemporalServer) -> None:
    """Its coordinator awaits the answers to its launches, and gives the tables up."""
    trial = make_trial("temporal", "sqlite")
    trial.served.hold(1, retry_after_seconds=1)
    worker = trial.worker()
    wait_for(trial.served.own_runs)
    ended = temporal.run("workflow", "terminate", "--workflow-id", workflow(temporal, trial))
    assert ended.returncode == 0, ended.stderr
    says(worker, "coordinator, epoch 2")
    trial.served.release()
    trial.wait_until_ended()
    trial.check_exact()


@pytest.mark.skipif(temporal_server.program() is None, reason=temporal_server.MISSING)
def test_a_server_that_comes_back_without_its_workflow_loses_nothing(make_trial: MakeTrial) -> None:
    """While it is away, at most calls that were begun go on. The same worker starts the workflow again."""
    server = TemporalServer()
    try:
        trial = make_trial("temporal", "sqlite", temporal=server.address)
        trial.served.hold(1, retry_after_seconds=1)
        worker = trial.worker()
        wait_for(trial.served.own_runs)
        server.stop()
        says(worker, "cannot be used")
        trial.served.release()
        server.start()
        trial.wait_until_ended()
        assert workflow(server, trial)
    finally:
        server.stop()
    trial.check_exact()


TROUBLES = [
    ({"TEMPORAL_ADDRESS": "no address"}, UsageError, "'no address'"),
    ({"TEMPORAL_TLS_CLIENT_CERT_PATH": "/nowhere/cert.pem"}, UsageError, "settings of Temporal"),
    ({"TEMPORAL_ADDRESS": "127.0.0.1:1"}, UnreachableError, "127.0.0.1:1 cannot be reached"),
]


@pytest.mark.parametrize(("environ", "kind", "why"), TROUBLES)
async def test_a_server_that_is_not_there_is_named(environ: dict[str, str], kind: type[Exception], why: str) -> None:
    with pytest.raises(kind, match=why):
        await connect(environ)


async def test_an_unknown_namespace_is_named(make_trial: MakeTrial, temporal: TemporalServer) -> None:
    trial = make_trial("temporal", "sqlite")
    client = await connect({"TEMPORAL_ADDRESS": temporal.address, "TEMPORAL_NAMESPACE": "elsewhere"})
    lease = LeaseHost(trial.tables, "this process", "1", CLOCK, print)
    with pytest.raises(UsageError, match="Namespace elsewhere is not found") as caught:
        await TemporalHost(client, lease).start()
    assert caught.value.hint == "Set TEMPORAL_NAMESPACE."
