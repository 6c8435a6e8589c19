"""The driver of calls against a sandbox over a socket, in processes that are really killed. The service's ledger says what
was paid for."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from calling_program import make_calls, wants
from file_log import FileLog
from forked import Forked, started
from served_sandbox import ServedSandbox

CALLS = 8
WORLD = {"time_scale": 150, "concurrency_limit": 10, "balance_cents": 100_000_000}
LOSSES: list[Mapping[str, Any]] = [
    {"kind": "lost_answer", "route": "launch", "times": 1},
    {"kind": "error_after", "route": "launch", "times": 1},
    {"kind": "garbage", "route": "launch", "body": "cut", "times": 1},
]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[ServedSandbox]:
    with ServedSandbox(tmp_path, WORLD, []) as served:
        yield served


def start(sandbox: ServedSandbox, log: Path, story: int, *death: object) -> Forked:
    return started(make_calls, sandbox.url, log, story, CALLS, *death, cwd=log.parent)


def finish(process: Forked) -> int | None:
    with process.output:
        said = process.output.read()
    process.process.join()
    assert "Traceback" not in said, said
    return process.process.exitcode


def check(sandbox: ServedSandbox, log: Path, story: int) -> None:
    """Each call was paid for once, and the log has all of them with their bills."""
    made = sandbox.runs(story)
    expected = {want.prompt: 2 for want in wants(story, CALLS)}
    assert Counter(run["prompt"] for run in made) == expected
    state = FileLog(log).state
    assert not state.ignored
    calls = {run_id: call for launch in state.launches.values() for run_id, call in launch.live_calls.items()}
    assert calls.keys() == {run["run_id"] for run in made}
    keys = {want.prompt: want.key for want in wants(story, CALLS)}
    for run in made:
        call = calls[run["run_id"]]
        assert (call.key, call.call_id, call.cents) == (keys[run["prompt"]], run["call_id"], run["cost_cents"])
    assert not state.tallies.reserved
    assert state.tallies.spent.total() == sum(run["cost_cents"] for run in made)


def test_lost_answers_are_found(tmp_path: Path) -> None:
    """And once each call is made, another process makes none."""
    log = tmp_path / "log"
    with ServedSandbox(tmp_path, WORLD, LOSSES) as sandbox:
        assert finish(start(sandbox, log, 1)) == 0
        assert sandbox.faults_fired() == [1, 1, 1]
        check(sandbox, log, 1)
        assert finish(start(sandbox, log, 1)) == 0
        check(sandbox, log, 1)


DEATHS = [("appended", 2), ("sending", 1), ("answered", 1), ("noted", 3)]


def test_a_process_that_is_killed_again_and_again_costs_nothing(sandbox: ServedSandbox, tmp_path: Path) -> None:
    """After the intents were appended, before the first byte of a launch, after its answer, after reading calls."""
    log = tmp_path / "log"
    for death in DEATHS:
        assert finish(start(sandbox, log, 1, *death)) == -signal.SIGKILL, death
    assert finish(start(sandbox, log, 1)) == 0
    check(sandbox, log, 1)


def test_processes_divide_the_calls(sandbox: ServedSandbox, tmp_path: Path) -> None:
    log = tmp_path / "log"
    processes = [start(sandbox, log, 1) for _ in range(3)]
    assert [finish(process) for process in processes] == [0, 0, 0]
    check(sandbox, log, 1)
