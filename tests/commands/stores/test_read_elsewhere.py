"""Calls that another machine made and read: what was said is read from the service again, free."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_calls_whose_results_were_not_shared(fresh_clone: Callable[[str], Any], remote: Path, service: Any) -> None:
    """The remote took the log of a machine and not its results: another one judges the same calls, and calls nobody."""
    hook = remote / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\nwhile read old new ref; do [ $ref != refs/planner/results ] || exit 1; done\n")
    hook.chmod(0o755)
    assert fresh_clone("one").planner("run", "--consent-to-charge").code == 4
    hook.unlink()
    two = fresh_clone("two")
    ran = two.planner("run", "--consent-to-charge")
    assert ran.code == 0, ran.out + ran.err
    assert len(service.own_runs()) == 5
    cost = two.results()["cost"]
    assert (cost["actual_cents"], cost["this_session_cents"]) == (service.ledger()["total_cents"], 0)
