"""A regression that was confirmed on one machine, on another one that has only the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from repositories import git

from tests.commands.conftest import Served  # pyright: ignore[reportMissingImports]
from tests.commands.run.test_confirmation import CONSENT, NAME, POLICY  # pyright: ignore[reportMissingImports]


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_second_machine_says_the_same(
    fresh_clone: Callable[[str], Any], remote: Path, service: Served, *, is_lost: bool
) -> None:
    """Also if the first one is lost after one of two added calls: the second makes the other one."""
    first = fresh_clone("first")
    first.write("planner.yaml", f"store: git:refs/planner/results\nredact: [Saturday]\n{POLICY}")
    first.write("plans/hours.yaml", NAME)
    git(first.root, "add", "-A")
    git(first.root, "commit", "-qm", "a plan")
    git(first.root, "push", "-q", "origin", "HEAD:main")
    assert first.planner("run", CONSENT).code == 0
    service.control({"deploy": {"agent_id": 12, "revision": 1}})
    if is_lost:
        first.limit_calls(1)
        service.hold(6, retry_after_seconds=600)
        first.killed("run", CONSENT, when=lambda: len(service.own_runs()) == 11)
        service.release()
        second = fresh_clone("second")
        assert second.planner("run", CONSENT).code == 1
    else:
        assert first.planner("run", CONSENT).code == 1
        expected = first.results()["cases"][0]["probability_regressed"]
        second = fresh_clone("second")
        assert second.planner("run", CONSENT).code == 1
        assert second.results()["cases"][0]["probability_regressed"] == expected
    (case,) = second.results()["cases"]
    assert (case["compared"], len(case["runs"]), len(case["confirmation"])) == ("regressed", 5, 2)
    assert len(service.own_runs()) == 12
    assert second.planner("ci", "gate").code == 1
