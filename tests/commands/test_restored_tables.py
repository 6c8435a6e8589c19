"""The tables of an organisation are lost, or restored from an older copy, after its workers made the calls: the same
command pays for none of them again."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from patience import wait_for
from repositories import git

from planner.execution.consent_sharing import ConsentSharing
from planner.organisation.tables import Tables
from tests.commands.conftest import Project, Ran, Served  # pyright: ignore[reportMissingImports]
from tests.commands.test_organisation import (  # pyright: ignore[reportMissingImports]
    CONSENT,
    Workers,
    shared,
    states,
    workers,
)

__all__ = ["shared", "workers"]

Lose = Callable[[Project], None]


def copied(source: Path, target: Path) -> None:
    """Nobody is at work in the copy, as if it were older than half a minute."""
    with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(target)) as copy:
        original.backup(copy)
        copy.execute("UPDATE coordinator SET expires_at = 0")
        copy.commit()


def remove(project: Project) -> None:
    for path in project.root.glob("organisation.sqlite*"):
        path.unlink()


def restore(project: Project) -> None:
    remove(project)
    shutil.copy(project.root / "older.sqlite", project.root / "organisation.sqlite")


def lose_after_calls(project: Project, workers: Workers, lose: Lose, *arguments: str) -> None:
    """All calls are made, but their results are not stored; then other workers start."""
    worker = workers()
    copied(project.root / "organisation.sqlite", project.root / "older.sqlite")
    project.planner("run", *CONSENT, *arguments)
    wait_for(lambda: states(project) == ["ended"])
    worker.kill()
    lose(project)
    workers()


def is_deferred(ran: Ran, calls: int) -> bool:
    return (ran.code, f"the service has {calls} calls like these" in " ".join(ran.out.split())) == (4, True)


@pytest.mark.parametrize("lose", [remove, restore])
def test_the_same_command_pays_nothing_again(shared: Project, workers: Workers, service: Served, lose: Lose) -> None:
    """Though somebody agrees once more, later than these calls were made."""
    lose_after_calls(shared, workers, lose, "--detach")
    for _ in range(2):
        ran = shared.planner("run", *CONSENT)
        assert (ran.code, "the service has 5 calls like these" in " ".join(ran.out.split())) == (4, True), (
            ran.out + ran.err
        )
    assert len(service.own_runs()) == 5


def test_other_sets_with_these_calls_pay_nothing_again(shared: Project, workers: Workers, service: Served) -> None:
    """A part of them, or some more; also all of them again. Without the workers, nothing is called either. Whoever
    starts over pays."""
    lose_after_calls(shared, workers, restore, "--detach")
    assert shared.planner("run").code == 3
    assert is_deferred(shared.planner("run", *CONSENT, "--select", "*Ana*"), 2)
    assert is_deferred(shared.planner("run", *CONSENT), 5)
    assert is_deferred(shared.planner("run", *CONSENT, "--rerun", "all"), 5)
    shared.edit("plans/hours.yaml", "name: [Ana, Bob]", "name: [Ana, Bob, Cleo]")
    assert is_deferred(shared.planner("run", *CONSENT), 5)
    there = (shared.root / "planner.yaml").read_text()
    shared.write("planner.yaml", "")
    assert shared.planner("run", *CONSENT).code == 3
    assert len(service.own_runs()) == 5
    shared.write("planner.yaml", there)
    assert shared.planner("run", *CONSENT, "--start-over", "the copy was a day old").code == 0
    assert len(service.own_runs()) == 5 + 7


@pytest.mark.parametrize("options", [(), ("--select", "*Ana*")], ids=["all", "a part"])
def test_another_machine_with_the_shared_store_pays_nothing_again(
    shared: Project,
    workers: Workers,
    service: Served,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
) -> None:
    """The one that submitted the calls was lost right after that."""
    settings = f"{(shared.root / 'planner.yaml').read_text()}store: git:refs/planner/results\n"
    remote = tmp_path_factory.mktemp("remote") / "acme.git"
    git(remote.parent, "init", "-q", "--bare", remote.name)
    other = Project(tmp_path_factory.mktemp("checkout"), shared.capsys)
    shutil.copytree(shared.root / "plans", other.root / "plans")
    for project in (shared, other):
        project.write("planner.yaml", settings)
        git(project.root, "init", "-q")
        git(project.root, "remote", "add", "origin", str(remote))
    submit = Tables.submit

    def lost(*arguments: object) -> bool:
        submit(*arguments)  # pyright: ignore[reportArgumentType]
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(Tables, "submit", lost)
        stopped.setattr(ConsentSharing, "outcome", lambda *_: {})  # what it writes when it ends
        lose_after_calls(shared, workers, restore)
    monkeypatch.chdir(other.root)
    assert is_deferred(other.planner("run", *CONSENT, *options), 2 if options else 5)
    assert len(service.own_runs()) == 5
