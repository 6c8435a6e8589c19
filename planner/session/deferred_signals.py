"""Defers signals until the first report is written, which then says that the session was interrupted.

Otherwise an interruption during imports would leave the report of an older session. Imports nothing heavy:
`planner.__main__` needs it first.
"""

from __future__ import annotations

import signal
from types import FrameType

HANG_UP: signal.Signals | None = getattr(signal, "SIGHUP", None)
"""None on Windows."""


def stop_signals() -> tuple[signal.Signals, ...]:
    """Signals that ask to stop. A SIGHUP ignored from the start (`nohup`) stays ignored."""
    if HANG_UP is None or signal.getsignal(HANG_UP) is signal.SIG_IGN:
        return (signal.SIGINT, signal.SIGTERM)
    return (signal.SIGINT, signal.SIGTERM, HANG_UP)


class _Deferral:
    """A signal handler that only remembers that a signal came."""

    def __init__(self) -> None:
        self.before = {number: signal.getsignal(number) for number in stop_signals()}
        self.is_kept = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.is_kept = True


def defer() -> None:
    """Defer interruptions until `release`."""
    deferral = _Deferral()
    for number in deferral.before:
        signal.signal(number, deferral)


def release() -> None:
    """Restore the handlers from before `defer`.

    Raises:
        KeyboardInterrupt: a signal came meanwhile.
    """
    deferral = signal.getsignal(signal.SIGTERM)
    if not isinstance(deferral, _Deferral):
        return
    for number, handler in deferral.before.items():
        signal.signal(number, handler)
    if deferral.is_kept:
        if HANG_UP is not None:
            signal.signal(HANG_UP, signal.SIG_IGN)  # already stopping, so a closing terminal does not matter
        raise KeyboardInterrupt
