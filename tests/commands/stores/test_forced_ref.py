"""A git ref of results that somebody force-pushes or deletes: no call is paid for twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.commands.stores.conftest import git  # pyright: ignore[reportMissingImports]

REF = "refs/planner/results"


def force_to_the_first_commit(remote: Path) -> None:
    """It has the launches of the session, and no results."""
    first = git(remote, "rev-list", "--reverse", REF).splitlines()[0]
    assert {name.partition("/")[0] for name in git(remote, "ls-tree", "-r", "--name-only", first).splitlines()} == {
        "consents",
        "intents",
    }
    git(remote, "update-ref", REF, first)


def test_the_machine_that_called_still_knows(fresh_clone: Callable[[str], Any], remote: Path, service: Any) -> None:
    """Somebody force-pushes the git ref of results to what it was before. Before: nobody knew what happens then. Now:
    the machine that called keeps its results; on others, the cases are unknown, since sessions name calls that no
    file has, and are not called again."""
    one = fresh_clone("one")
    assert one.planner("run", "--consent-to-charge").code == 0
    force_to_the_first_commit(remote)
    assert one.planner("run", "--consent-to-charge").code == 0
    two = fresh_clone("two")
    assert {change[:2] for change in two.actions().values()} == {("reuse", "unreadable")}
    assert two.planner("run", "--consent-to-charge").code == 4
    assert len(service.own_runs()) == 5


def test_a_ref_that_is_deleted_while_calls_are_under_way(
    fresh_clone: Callable[[str], Any], remote: Path, service: Any
) -> None:
    """The machine that was killed has its journal, resumes, and shares everything again."""
    service.control({"faults": [{"kind": "slow", "seconds": 1000, "route": route} for route in ("list", "batch")]})
    one = fresh_clone("one")
    one.killed("run", "--consent-to-charge", when=service.own_runs)
    service.release()
    git(remote, "update-ref", "-d", REF)
    ran = one.planner("run", "--consent-to-charge")
    assert ran.code == 0, ran.err
    assert {action for action, _, _ in fresh_clone("two").actions().values()} == {"reuse"}
    assert len(service.own_runs()) == 5
