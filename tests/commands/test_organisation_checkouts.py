"""Several checkouts of a repository whose calls an organisation's workers make: each call is made once, and whoever follows
gets the results."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from types import SimpleNamespace
from typing import Any

import forked
import pytest
from patience import PATIENCE_SECONDS, wait_for
from repositories import git

import planner.session.called_agents
import planner.session.executing
from planner.cli import system
from planner.organisation.tables import EVIDENCE, Tables
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.test_organisation import (  # pyright: ignore[reportMissingImports]
    CONSENT,
    Workers,
    code_of,
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


def delete(service: Served, agent_id: int) -> None:
    headers = {"Authorization": "Bearer sk_test_other"}
    request = urllib.request.Request(f"{service.url}/v1/agents/{agent_id}", headers=headers, method="DELETE")  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 - loopback
        assert answer.status in (200, 204)


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


def age_of_preview(project: Project) -> float:
    (listed,) = project.planner("agent", "previews", "--format", "json").json["previews"]
    return listed["age_seconds"]


def a_minute_ahead(zone: tzinfo) -> datetime:
    return datetime.now(zone) + timedelta(minutes=1)


def add_remote(project: Project, owner: Project) -> None:
    git = ["git", "-C", str(project.root)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "remote", "add", "origin", f"file://{owner.root}/origin.git"], check=True)


@pytest.fixture
def edited(shared: Project) -> Project:
    """The agent's file differs from the deployed agent, so calls need a preview."""
    shared.edit("plans/hours.yaml", "clinic: {agent: 12}", AGENT)
    shared.write("agents/clinic.yaml", "prompt: You are Iris of Larkfield Clinic. Be brief.\n")
    return shared


def test_a_preview_lives_until_its_consent_has_ended(
    edited: Project,
    workers: Workers,
    service: Served,
    clone: Callable[[], Project],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also when another session of the same checkout ends meanwhile, which needs another preview, and when somebody deletes
    previews, in any checkout."""
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
    (listed,) = edited.planner("agent", "previews", "--delete", "--format", "json").json["previews"]
    assert (listed["in_use"], listed["deleted"]) == (True, False)
    other = clone()
    wait_for(lambda: age_of_preview(other) > 2)  # the service's clock is known to the second
    ran = other.planner("agent", "previews", "--delete", "--older-than", "0h")
    assert (ran.code, agents(service) - deployed) == (0, copy), ran.err
    assert "in use" in ran.out
    monkeypatch.chdir(edited.root)
    project = (edited.root / "planner.yaml").read_text()
    edited.write("planner.yaml", "organisation: sqlite:////nowhere/organisation.sqlite\n")
    assert edited.planner("agent", "previews", "--delete").code == 2
    edited.write("planner.yaml", project)
    file.write_text(submitted)
    assert edited.planner("run", "--detach").code == 4  # it follows, so it needs none of its own
    assert agents(service) - deployed == copy
    service.release()
    wait_for(lambda: states(edited) == ["ended"])
    assert edited.planner("run", *CONSENT).code == 0
    assert {run["target_id"] for run in service.own_runs()} == copy
    assert (len(service.own_runs()), agents(service)) == (5, deployed)


@pytest.mark.parametrize(("differences", "code"), [((), 0), (None, 4)], ids=["proven", "not proven"])
def test_a_preview_that_is_gone_when_its_calls_are_collected(
    edited: Project,
    workers: Workers,
    service: Served,
    monkeypatch: pytest.MonkeyPatch,
    differences: tuple[str, ...] | None,
    code: int,
) -> None:
    """Somebody deleted it. The calls count if their own snapshots prove what they reached."""
    deployed = agents(service)
    workers()
    assert edited.planner("run", *CONSENT, "--detach").code == 4
    wait_for(lambda: states(edited) == ["ended"])
    for copy_id in agents(service) - deployed:
        delete(service, copy_id)
    monkeypatch.setattr(planner.session.called_agents, "snapshot_differences", lambda *_: differences)
    assert edited.planner("run", *CONSENT).code == code
    assert len(service.own_runs()) == 5


def test_a_preview_is_kept_until_results_are_stored(
    edited: Project, workers: Workers, service: Served, clone: Callable[[], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nobody could check that it was not edited."""
    deployed = agents(service)
    workers()
    assert edited.planner("run", *CONSENT, "--detach").code == 4
    wait_for(lambda: states(edited) == ["ended"])
    other, copies = clone(), agents(service) - deployed
    wait_for(lambda: age_of_preview(other) > 0)
    for options in ((), ("--older-than", "0h")):
        assert other.planner("agent", "previews", "--delete", *options).code == 0
    assert agents(service) - deployed == copies
    monkeypatch.chdir(edited.root)
    assert edited.planner("run", *CONSENT).code == 0
    assert (len(service.own_runs()), agents(service)) == (5, deployed)


def test_another_session_stores_the_results_first(
    edited: Project,
    workers: Workers,
    service: Served,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Of two checkouts with a shared store that follow the same calls, and deletes their preview. Nobody edited it."""
    remote = tmp_path_factory.mktemp("remote") / "acme.git"
    git(remote.parent, "init", "-q", "--bare", remote.name)
    edited.write("planner.yaml", f"{(edited.root / 'planner.yaml').read_text()}store: git:refs/planner/results\n")
    other = Project(tmp_path_factory.mktemp("checkout"), edited.capsys)
    for folder in ("plans", "agents", "planner.yaml"):
        source = edited.root / folder
        (shutil.copytree if source.is_dir() else shutil.copy)(source, other.root / folder)
    for project in (edited, other):
        git(project.root, "init", "-q")
        git(project.root, "remote", "add", "origin", str(remote))
    deployed = agents(service)
    workers()
    assert edited.planner("run", *CONSENT, "--detach").code == 4
    wait_for(lambda: states(edited) == ["ended"])
    real, sessions = planner.session.executing.edited_launches, list[int]()

    async def meanwhile(*arguments: Any, **options: Any) -> frozenset[str]:
        if options["after_calls"] and not sessions:
            sessions.append(1)
            first = forked.planner("run", *CONSENT, cwd=other.root)
            assert code_of(first) == 0
            assert agents(service) == deployed
        return await real(*arguments, **options)

    monkeypatch.setattr(planner.session.executing, "edited_launches", meanwhile)
    assert edited.planner("run", *CONSENT).code == 0
    assert sessions == [1]
    assert edited.planner("run", *CONSENT).code == 0
    assert len(service.own_runs()) == 5


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


@pytest.mark.parametrize(
    ("state", "options"),
    [("open", ()), ("ended", ()), ("ended", ("--rerun", "all")), ("closed", ())],
)
def test_of_two_sessions_at_once_one_submits(
    shared: Project,
    workers: Workers,
    service: Served,
    clone: Callable[[], Project],
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    options: tuple[str, ...],
) -> None:
    """The other one had planned the same calls before they were submitted: it gets their results, however far they are by
    then, and although somebody agreed to its own calls later, by its clock."""
    workers()
    submit = Tables.submit
    detach = () if state == "closed" else ("--detach",)

    def submit_later(tables: Tables, *arguments: Any) -> bool:
        monkeypatch.setattr(Tables, "submit", submit)
        code_of(forked.planner("run", *CONSENT, *options, *detach, cwd=shared.root))
        if state != "open":
            wait_for(lambda: states(shared) == [state])
        return submit(tables, *arguments)

    monkeypatch.setattr(Tables, "submit", submit_later)

    monkeypatch.setattr(system, "datetime", SimpleNamespace(now=a_minute_ahead))
    other = clone()
    ran = other.planner("run", *CONSENT, *options)
    assert ran.code == 0, ran.err
    assert (len(service.own_runs()), len(states(shared))) == (5, 1)
    assert other.results()["cost"]["actual_cents"] == service.ledger()["total_cents"]
    wait_for(lambda: states(shared) == ["closed"])


def test_a_session_that_dies_before_it_submits_gets_the_results_of_an_equal_one(
    shared: Project, workers: Workers, service: Served, clone: Callable[[], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next session of that checkout resumes their consent, although its own is newer: nothing was called under it."""
    workers()
    submit = Tables.submit
    options = (*CONSENT, "--rerun", "all")

    def die(*_: Any) -> bool:
        monkeypatch.setattr(Tables, "submit", submit)
        code_of(forked.planner("run", *options, "--detach", cwd=shared.root))
        wait_for(lambda: states(shared) == ["ended"])
        raise KeyboardInterrupt

    monkeypatch.setattr(Tables, "submit", die)
    monkeypatch.setattr(system, "datetime", SimpleNamespace(now=a_minute_ahead))
    other = clone()
    assert other.planner("run", *options).code == 130
    ran = other.planner("run", *options)
    assert ran.code == 0, ran.err
    assert (len(service.own_runs()), len(states(shared))) == (5, 1)


@pytest.mark.parametrize(("store", "made"), [("store: git:refs/planner/results\n", 5), ("", 10)])
def test_stored_results_are_reused_by_checkouts_with_the_same_store(
    shared: Project, workers: Workers, service: Served, clone: Callable[[], Project], store: str, made: int
) -> None:
    """Others make the calls for themselves."""
    subprocess.run(["git", "init", "-q", "--bare", "origin.git"], check=True)
    add_remote(shared, shared)
    shared.write("planner.yaml", f"{(shared.root / 'planner.yaml').read_text()}{store}")
    workers()
    assert shared.planner("run", *CONSENT).code == 0
    other = clone()
    add_remote(other, shared)
    ran = other.planner("run", *CONSENT)
    assert ran.code == 0, ran.err
    assert len(service.own_runs()) == made


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
