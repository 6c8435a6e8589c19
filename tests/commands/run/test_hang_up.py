"""A terminal that goes away: its window closed, its connection lost. What was typed in it ends as if it had been interrupted."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator

import anyio
import pytest
from patience import PATIENCE_SECONDS, wait_for

from planner.session.interruption import interruptible
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

LEAD_SESSION = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
if sys.argv[1] == "disowned":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
os.execvp(sys.argv[2], sys.argv[2:])
"""
RUN = [sys.executable, "-m", "planner", "run", "--consent-to-charge", "--max-concurrent", "2"]


@pytest.fixture(autouse=True)
def heeded() -> Generator[None]:
    """Hang-ups are not ignored from the start, as they are where the tests themselves outlive their terminal."""
    before = signal.signal(signal.SIGHUP, lambda *_: None)
    yield
    signal.signal(signal.SIGHUP, before)


class Terminal:
    """One whose session a command leads, as a window's does; `close` is what closing the window does."""

    def __init__(self, project: Project, *command: str, job: str = "") -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", LEAD_SESSION, job, *command],
            cwd=project.root,
            env={**os.environ, "TERM": "xterm"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def close(self) -> None:
        os.close(self._master)


def test_a_closed_terminal_is_an_interruption(project: Project, service: Served) -> None:
    """Exit 130 and a report, though nobody reads what is still shown; the same command again pays for nothing twice."""
    project.edit("plans/hours.yaml", "runs: 2", "runs: 10")
    service.hold(2, retry_after_seconds=600)
    terminal = Terminal(project, *RUN)
    wait_for(project.rests)
    terminal.close()
    assert terminal.process.wait(timeout=PATIENCE_SECONDS) == 130
    results = project.results()
    assert (results["outcome"], results["exit_code"], results["under_way"]) == ("interrupted", 130, False)
    text = " ".join(case["outcome_reason"] for case in results["cases"])
    assert "of 10 calls not made: interrupted" in text
    assert "To resume" in (project.root / "reports/report.md").read_text()
    service.release()
    again = project.planner("run", "--consent-to-charge")
    assert again.code == 0, again.err
    assert Counter(Counter(run["prompt"] for run in service.own_runs()).values()) == {10: 2, 1: 1}
    assert project.results()["cost"]["actual_cents"] == service.ledger()["total_cents"]


@pytest.mark.parametrize("last", [signal.SIGHUP, signal.SIGTERM])
async def test_hang_ups_do_not_count_as_impatience(last: signal.Signals) -> None:
    """However many come, and one SIGTERM with them, as at a logout: the event, and no more; then none is heeded."""
    async with interruptible() as event:
        for number in (signal.SIGHUP, signal.SIGHUP, last):
            signal.raise_signal(number)
        with anyio.fail_after(PATIENCE_SECONDS):
            await event.wait()
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


async def test_a_hang_up_ignored_from_the_start_stays_ignored() -> None:
    """While calls are made, and afterwards."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    async with interruptible() as event:
        signal.raise_signal(signal.SIGHUP)
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        assert not event.is_set()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
