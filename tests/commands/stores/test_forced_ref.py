"""The git ref of the log, force-pushed or deleted by somebody: no call is paid for twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.commands.stores.conftest import git  # pyright: ignore[reportMissingImports]

REF = "refs/planner/results-log/_/log"


def test_a_log_that_is_forced_back(fresh_clone: Callable[[str], Any], remote: Path, service: Any) -> None:
    """Somebody force-pushes the log to what it was before the calls. The machine that called says so, calls nobody, and
    appends the lost facts again when it is told to."""
    one = fresh_clone("one")
    assert one.planner("run", "--consent-to-charge").code == 0
    git(remote, "update-ref", REF, git(remote, "rev-list", "--reverse", REF).splitlines()[0])
    for command in ("plan", "run"):
        ran = one.planner(command)
        assert (ran.code, "lost facts that this machine has" in ran.err) == (4, True), ran.out + ran.err
        assert "planner reconcile" in ran.err
    assert one.planner("reconcile").code == 0
    assert one.planner("run", "--consent-to-charge").code == 0
    assert {action for action, _, _ in fresh_clone("two").actions().values()} == {"reuse"}
    assert len(service.own_runs()) == 5


def test_a_ref_that_is_deleted_while_calls_are_under_way(
    fresh_clone: Callable[[str], Any], remote: Path, service: Any
) -> None:
    """The machine that was killed has its log. Told to append it again, it resumes."""
    service.control({"faults": [{"kind": "slow", "seconds": 1000, "route": route} for route in ("list", "batch")]})
    one = fresh_clone("one")
    one.killed("run", "--consent-to-charge", when=service.own_runs)
    service.release()
    git(remote, "update-ref", "-d", REF)
    assert one.planner("run", "--consent-to-charge").code == 4
    assert one.planner("reconcile").code in (0, 4)  # it was killed before or after the answer came
    ran = one.planner("run", "--consent-to-charge")
    assert ran.code == 0, ran.err
    assert {action for action, _, _ in fresh_clone("two").actions().values()} == {"reuse"}
    assert len(service.own_runs()) == 5
