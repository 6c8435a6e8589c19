"""SIGHUP, as a closed terminal sends it, interrupts a session like SIGINT (test_run.py)."""

from __future__ import annotations

import os
import signal

from planner.interruption import interruptible


async def test_a_hang_up_interrupts() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # it may be ignored where the tests run
    try:
        async with interruptible() as interrupted:
            os.kill(os.getpid(), signal.SIGHUP)
            await interrupted.wait()
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_a_hang_up_ignored_from_the_start_stays_ignored() -> None:
    """As under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        async with interruptible():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
