"""Signals that interrupt a session. What it does then: test_run.py."""

from __future__ import annotations

import os
import signal

import anyio
import pytest
from patience import PATIENCE_SECONDS

from planner.interruption import interruptible


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_interrupts(sent: signal.Signals) -> None:
    before = signal.signal(sent, signal.default_int_handler)  # SIGHUP may be ignored where the tests run
    try:
        async with interruptible() as interrupted:
            os.kill(os.getpid(), sent)
            with anyio.fail_after(PATIENCE_SECONDS):
                await interrupted.wait()
            assert interrupted.is_set()
    finally:
        signal.signal(sent, before)


async def test_a_hang_up_ignored_from_the_start_stays_ignored() -> None:
    """As under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with interruptible():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
