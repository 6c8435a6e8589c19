"""Several checkouts of a repository whose calls an organisation's workers make: each call is made once, and whoever follows
gets the results."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Callable
from typing import Any

import forked
import pytest
from patience import PATIENCE_SECONDS, wait_for

from planner.organisation.tables import EVIDENCE, Tables
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.test_organisation import (  # pyright: ignore[reportMissingImports]
    CONSENT,
    Workers,
    shared,
    states,
    tables_of,
    workers,
)

__all__ = ["shared", "workers"]

AGENT = "clinic: {agent: 12, config: ../agents/clinic.yaml}"


def agents(service: Served) -> set[int]:
    """Those that the service has."""
    request = urllib.request.Request(f"{service.url}/v1/agents", headers={"Authorization": "Bearer sk_test_other"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 - loopback
        listed = json.load(answer)
    return {agent["id"] for agent in (listed["results"] if isinstance(listed, dict) else listed)}


@pytest.fixture
def clone(
    shared: Project, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Project]:
    """Another checkout, in which the process then is."""

    def make() -> Project:
        other = Project(tmp_path_factory.mktemp("checkout") / shared.root.name, shared.capsys)
        for name in ("planner.yaml", "plans/hours.yaml"):
            other.write(name, (shared.root / name).read_text())
        monkeypatch.chdir(other.root)
        return other

    return make


@pytest.fixture
def edited(shared: Project) -> Project:
    """The agent's file differs from the deployed agent, so calls need a preview."""
    shared.edit("plans/hours.yaml", "clinic: {agent: 12}", AGENT)
    shared.write("agents/clinic.yaml", "prompt: You are Iris of Larkfield Clinic. Be brief.\n")
    return shared


def test_a_preview_lives_until_its_consent_has_ended(edited: Project, workers: Workers, service: Served) -> None:
    """Also when another session of the same checkout ends meanwhile, which needs another preview."""
    deployed = agents(service)
    workers()
    service.hold(0, retry_after_seconds=1)
    assert edited.planner("run", *CONSENT, "--detach").code == 4
    copy = agents(service) - deployed
    assert len(copy) == 1
    wait_for(lambda: states(edited) == ["open"])
    file = edited.root / "agents/clinic.yaml"
    submitted = file.read_text()
    file.write_text("prompt: You are Iris. Be slow.\n")
    assert edited.planner("run").code == 3
    assert agents(service) - deployed == copy
    file.write_text(submitted)
    assert edited.planner("run", "--detach").code == 4  # it follows, so it needs none of its own
    assert agents(service) - deployed == copy
    service.release()
    wait_for(lambda: states(edited) == ["ended"])
    assert edited.planner("run", *CONSENT).code == 0
    assert {run["target_id"] for run in service.own_runs()} == copy
    assert (len(service.own_runs()), agents(service)) == (5, deployed)


@pytest.mark.parametrize("options", [(), ("--rerun", "all")])
def test_results_that_another_checkout_stored_are_read_again(
    shared: Project,
    workers: Workers,
    service: Served,
    clone: Callable[[], Project],
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
) -> None:
    """At the service, free: the tables keep no evidence after that."""
    workers()
    assert shared.planner("run", *CONSENT, *options, "--detach").code == 4
    wait_for(lambda: states(shared) == ["ended"])
    assert clone().planner("run", *CONSENT, *options).code == 0
    monkeypatch.chdir(shared.root)
    assert tables_of(shared).count(EVIDENCE) == 0
    ran = shared.planner("run", *options)
    assert ran.code == 0, ran.err
    assert len(service.own_runs()) == 5
    assert shared.results()["cost"]["actual_cents"] == service.ledger()["total_cents"]
    assert shared.actions() == dict.fromkeys(shared.actions(), ("reuse", "passed", 0))


def test_calls_that_were_agreed_to_need_no_consent_and_no_ceiling(
    shared: Project, workers: Workers, service: Served, clone: Callable[[], Project]
) -> None:
    """A clone that knows no prices follows the calls of a checkout that does, also if that made them before."""
    workers()
    assert shared.planner("run", *CONSENT).code == 0
    service.hold(0, retry_after_seconds=1)
    assert shared.planner("run", *CONSENT, "--rerun", "all", "--detach").code == 4
    other = clone()
    ran = other.planner("run", "--rerun", "all", "--max-cost", "0.01", "--detach")
    assert (ran.code, other.results()["outcome"]) == (4, "submitted"), ran.err
    service.release()
    ran = other.planner("run", "--rerun", "all", "--max-cost", "0.01")
    assert ran.code == 0, ran.err
    assert len(service.own_runs()) == 10
    assert other.results()["consent"]["id"] == tables_of(shared).consents()[-1]["consent_id"]


def test_of_two_sessions_at_once_one_submits(
    shared: Project, workers: Workers, service: Served, clone: Callable[[], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one had planned the same calls before they were submitted: it follows them."""
    workers()
    submit = Tables.submit

    def submit_later(tables: Tables, *arguments: Any) -> bool:
        monkeypatch.setattr(Tables, "submit", submit)
        first = forked.planner("run", *CONSENT, "--detach", cwd=shared.root)
        first.process.join()
        first.kill()
        return submit(tables, *arguments)

    monkeypatch.setattr(Tables, "submit", submit_later)
    ran = clone().planner("run", *CONSENT)
    assert ran.code == 0, ran.err
    assert (len(service.own_runs()), len(states(shared))) == (5, 1)


def test_an_interrupted_client_says_that_the_workers_go_on(shared: Project, workers: Workers, service: Served) -> None:
    workers()
    service.hold(0, retry_after_seconds=1)
    client = forked.planner("run", *CONSENT, cwd=shared.root)
    wait_for(lambda: states(shared) == ["open"])
    os.kill(client.process.pid or 0, signal.SIGINT)
    client.process.join()
    code = client.process.exitcode
    client.kill()  # closes its output
    assert code == 130
    document = shared.results()
    assert (document["outcome"], len(document["problems"])) == ("interrupted", 1)
    assert "the organisation's workers go on" in document["problems"][0]
    (step,) = document["next_steps"]
    assert "--consent-to-charge" in step["command"]
    service.release()
    assert shared.planner("run").code == 0
    assert len(service.own_runs()) == 5
