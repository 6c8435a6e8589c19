"""Fetches the evidence of one ended run. Parts that come late are awaited up to a limit."""

from __future__ import annotations

from collections.abc import Callable

from planner.clock import Clock
from planner.evidence import Evidence
from planner.execution.transactions import Transactions
from planner.providers.base import Provider, Run
from planner.values import frozen

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
SILENCE_SECONDS = 3600.0
"""If a transcript is still empty this long after the run's end, nobody spoke."""


@frozen
class WaitPolicy:
    """How long to wait for late parts of a run's evidence, and for which."""

    seconds: float = 0.0
    """Total; 0 reads once."""
    grade: bool = False
    ended_seconds_ago: float = 0.0
    on_late: Callable[[], None] | None = None
    """Called once if the first read is incomplete."""


async def collect(
    provider: Provider, run: Run, wait: WaitPolicy, *, clock: Clock, transactions: Transactions
) -> Evidence:
    """Read everything that the service has of an ended run. Transactions are read elsewhere, for all calls together.

    Raises:
        IncompleteError: the service cannot be read now. Retry later; nothing is lost.
    """
    is_fresh = wait.ended_seconds_ago < SILENCE_SECONDS
    reading = provider.reading(run, transactions, await_grade=wait.grade, is_fresh=is_fresh)
    if run.call_id is None:
        return await reading.finish()
    started = clock.monotonic()
    pause = FIRST_PAUSE_SECONDS
    while True:
        waited = clock.monotonic() - started
        await reading.look(last=waited >= wait.seconds)
        await transactions.finished_reading()
        if waited >= wait.seconds or reading.complete(waited):
            break
        if pause == FIRST_PAUSE_SECONDS and wait.on_late is not None:
            wait.on_late()
        await clock.sleep(min(pause, wait.seconds - waited))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    return await reading.finish()
