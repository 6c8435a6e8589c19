"""What an organisation's tables hold, byte by byte, when the real program has used them."""

from __future__ import annotations

import os

from patience import wait_for

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.test_organisation import (  # pyright: ignore[reportMissingImports]
    CONSENT,
    Workers,
    shared,
    states,
    workers,
)

__all__ = ["shared", "workers"]  # fixtures


def written(project: Project) -> bytes:
    """The database with its log, free pages included."""
    return b"".join(path.read_bytes() for path in sorted(project.root.glob("organisation.sqlite*")))


def prompts(service: Served) -> list[bytes]:
    return [run["prompt"].strip().splitlines()[0].encode() for run in service.own_runs()]


def test_the_tables_have_no_key_and_the_prompts_of_open_calls_only(
    shared: Project, workers: Workers, service: Served
) -> None:
    """Nothing is left of calls whose results are stored, also in free pages and in the log."""
    key = os.environ["THUNDERPHONE_API_KEY"].encode()
    workers()
    service.hold(1, retry_after_seconds=1)
    shared.planner("run", *CONSENT, "--detach")
    wait_for(lambda: len(service.own_runs()) >= 1)
    assert all(each in written(shared) for each in prompts(service))
    assert key not in written(shared)
    service.release()
    wait_for(lambda: states(shared) == ["ended"])
    assert b'"turns"' in written(shared)
    assert shared.planner("run", *CONSENT).code == 0
    wait_for(lambda: states(shared) == ["closed"])
    assert len(prompts(service)) == 5
    wait_for(lambda: b'"turns"' not in written(shared), seconds=20)
    assert not any(each in written(shared) for each in prompts(service))
    assert key not in written(shared)
