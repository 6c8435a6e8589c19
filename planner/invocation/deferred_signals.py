"""Signals that come before there is anything to interrupt: kept until the first report stands, which then says so.

An invocation that is interrupted while its modules are loaded would otherwise leave the report of an older one, as if it were its
own. Imports nothing heavy: `planner.__main__` needs it before anything else.
"""

from __future__ import annotations

import signal
from types import FrameType

HANG_UP: signal.Signals | None = getattr(signal, "SIGHUP", None)
"""None on Windows."""


def stop_signals() -> tuple[signal.Signals, ...]:
    """What asks to stop. A hang-up that is ignored from the start (`nohup`) stays ignored."""
    if HANG_UP is None or signal.getsignal(HANG_UP) is signal.SIG_IGN:
        return (signal.SIGINT, signal.SIGTERM)
    return (signal.SIGINT, signal.SIGTERM, HANG_UP)


class _Deferral:
    """A signal handler. However many come, they are kept: it is a second at most."""

    def __init__(self) -> None:
        self.before = {number: signal.getsignal(number) for number in stop_signals()}
        self.is_kept = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.is_kept = True


def defer() -> None:
    """Until `release`, an interruption waits."""
    deferral = _Deferral()
    for number in deferral.before:
        signal.signal(number, deferral)


def release() -> None:
    """Signals do again what they did before `defer`; nothing where they were not deferred.

    Raises:
        KeyboardInterrupt: one came meanwhile.
    """
    deferral = signal.getsignal(signal.SIGTERM)
    if not isinstance(deferral, _Deferral):
        return
    for number, handler in deferral.before.items():
        signal.signal(number, handler)
    if deferral.is_kept:
        if HANG_UP is not None:
            signal.signal(HANG_UP, signal.SIG_IGN)  # it ends already: that its terminal goes too is no news
        raise KeyboardInterrupt
