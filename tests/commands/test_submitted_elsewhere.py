"""Calls that an organisation's workers make are made by nobody else: not by a session without `organisation`, nor by the
workers of another one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from patience import wait_for
from repositories import git, program

from planner.organisation.tables import Tables
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.test_organisation import (  # pyright: ignore[reportMissingImports]
    CONSENT,
    Workers,
    shared,
    states,
    tables_of,
    workers,
)
from tests.commands.test_organisation_checkouts import agents, edited  # pyright: ignore[reportMissingImports]

__all__ = ["edited", "shared", "workers"]


@pytest.fixture
def submit(shared: Project, workers: Workers, service: Served) -> Callable[[], str]:
    """Submits the calls, of which some wait until `service.release`. Returns what planner.yaml has."""

    def submit() -> str:
        workers()
        service.hold(1, retry_after_seconds=1)
        assert shared.planner("run", *CONSENT, "--detach").code == 4
        wait_for(lambda: states(shared) == ["open"])
        return (shared.root / "planner.yaml").read_text()

    return submit


@pytest.mark.parametrize("is_other", [False, True], ids=["without workers", "other workers"])
def test_a_session_that_does_not_follow_them(
    shared: Project, workers: Workers, service: Served, submit: Callable[[], str], *, is_other: bool
) -> None:
    """It calls nothing, also if the plans have more calls by now, and names the address. With it, the calls are
    followed."""
    there = submit()
    other = f"sqlite:///{shared.root}/other.sqlite"
    if is_other:
        workers("--organisation", other)
    plans = (shared.root / "plans/hours.yaml").read_text()
    for text in (plans, plans.replace("runs: 2", "runs: 3")):
        shared.write("plans/hours.yaml", text)
        shared.write("planner.yaml", f"organisation: {other}\n" if is_other else "")
        assert shared.planner("plan").code == 3
        ran = shared.planner("run", *CONSENT)
        assert (ran.code, there.strip() in ran.err) == (3, True), ran.err
    service.release()
    wait_for(lambda: states(shared) == ["ended"])
    shared.write("plans/hours.yaml", plans)
    shared.write("planner.yaml", there)
    assert shared.planner("run").code == 0
    shared.write("planner.yaml", "")
    assert shared.planner("run", *CONSENT).code == 0
    assert len(service.own_runs()) == 5


def test_the_same_database_written_in_another_way(shared: Project, service: Served, submit: Callable[[], str]) -> None:
    submit()
    service.release()
    shared.write("planner.yaml", "organisation: sqlite:///plans/../organisation.sqlite\n")
    assert shared.planner("run").code == 0
    assert len(service.own_runs()) == 5


def test_a_session_that_starts_over(shared: Project, service: Served, submit: Callable[[], str]) -> None:
    """It pays for new calls, under a consent of its own."""
    there = submit()
    service.release()
    wait_for(lambda: states(shared) == ["ended"])
    (submitted,) = tables_of(shared).consents()
    shared.write("planner.yaml", "")
    ran = shared.planner("run", *CONSENT, "--start-over", "the database is lost")
    assert ran.code == 0, ran.err
    assert shared.results()["consent"]["id"] != submitted["consent_id"]
    assert len(service.own_runs()) == 10
    shared.write("planner.yaml", there)
    assert shared.planner("run").code == 0
    assert len(service.own_runs()) == 10


def test_a_preview_that_workers_call_is_kept(edited: Project, service: Served, submit: Callable[[], str]) -> None:
    """By sessions that do not know of them, and by the command that deletes previews."""
    deployed = agents(service)
    there = submit()
    copies = agents(service) - deployed
    edited.write("planner.yaml", "")
    assert edited.planner("run", *CONSENT).code == 3
    assert edited.planner("agent", "previews", "--delete").code == 0
    assert (len(copies), agents(service) - deployed) == (1, copies)
    service.release()
    edited.write("planner.yaml", there)
    assert edited.planner("run").code == 0
    assert (len(service.own_runs()), agents(service)) == (5, deployed)


@pytest.mark.parametrize("is_submitted", [False, True])
def test_a_session_that_ended_while_it_submitted(
    shared: Project, workers: Workers, service: Served, monkeypatch: pytest.MonkeyPatch, *, is_submitted: bool
) -> None:
    """Nobody else calls, whether or not the workers have the calls."""
    workers()
    submit = Tables.submit

    def end(*arguments: object) -> bool:
        if is_submitted:
            submit(*arguments)  # pyright: ignore[reportArgumentType]
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(Tables, "submit", end)
        shared.planner("run", *CONSENT)
    there = (shared.root / "planner.yaml").read_text()
    shared.write("planner.yaml", "")
    assert shared.planner("run", *CONSENT).code == 3
    shared.write("planner.yaml", there)
    assert shared.planner("run", *CONSENT).code == 0
    assert len(service.own_runs()) == 5


@pytest.fixture
def other(shared: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Another machine with the same store, and without `organisation`."""
    shared.write("planner.yaml", f"{(shared.root / 'planner.yaml').read_text()}store: git:refs/planner/results\n")
    remote = tmp_path_factory.mktemp("remote") / "acme.git"
    git(remote.parent, "init", "-q", "--bare", remote.name)
    other = Project(tmp_path_factory.mktemp("checkout"), shared.capsys)
    for project in (shared, other):
        git(project.root, "init", "-q")
        git(project.root, "remote", "add", "origin", str(remote))
    shutil.copytree(shared.root / "plans", other.root / "plans")
    other.write("planner.yaml", "store: git:refs/planner/results\n")
    return other


def test_another_machine_with_the_shared_store(
    shared: Project, other: Project, service: Served, submit: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the workers have ended, it has their results."""
    submit()
    monkeypatch.chdir(other.root)
    ran = other.planner("run", *CONSENT)
    assert (ran.code, "sqlite:///" in ran.err) == (3, True), ran.err
    service.release()
    wait_for(lambda: states(shared) == ["ended"])
    monkeypatch.chdir(shared.root)
    assert shared.planner("run").code == 0
    monkeypatch.chdir(other.root)
    assert other.planner("run", *CONSENT).code == 0
    assert len(service.own_runs()) == 5


def test_another_machine_when_the_store_was_away(
    shared: Project, other: Project, service: Served, submit: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the results were collected. They are shared later, and with them that nobody makes the calls any more."""
    submit()
    service.release()
    wait_for(lambda: states(shared) == ["ended"])
    remote = Path(git(shared.root, "remote", "get-url", "origin"))
    hook = program(remote / "hooks/pre-receive", "exit 1")
    assert shared.planner("run").code == 4
    hook.unlink()
    assert shared.planner("run").code == 0
    monkeypatch.chdir(other.root)
    assert other.planner("run", *CONSENT, "--rerun", "all").code == 0
    assert len(service.own_runs()) == 10


def test_calls_that_the_store_kept_from_being_submitted(
    shared: Project, other: Project, workers: Workers, service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers do not have them, so that another machine may make them."""
    workers()
    hook = program(Path(git(shared.root, "remote", "get-url", "origin")) / "hooks/pre-receive", "exit 1")
    assert shared.planner("run", *CONSENT).code in (2, 4)
    hook.unlink()
    assert (states(shared), service.own_runs()) == ([], [])
    assert shared.planner("run").code == 3
    monkeypatch.chdir(other.root)
    assert other.planner("run", *CONSENT).code == 0
    assert len(service.own_runs()) == 5
