"""A signal that comes before the first report is deferred until it is written."""

from __future__ import annotations

import signal
from collections.abc import Generator

import pytest

from planner.session.interruption import defer, release


@pytest.fixture(autouse=True)
def handlers() -> Generator[None]:
    """Restores the handlers after the test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_deferred_signal_interrupts_when_it_is_released(sent: signal.Signals) -> None:
    """Once, however often it came. Then the earlier handlers are back, except that SIGHUP is ignored."""
    signal.signal(sent, signal.default_int_handler)
    defer()
    signal.raise_signal(sent)
    signal.raise_signal(sent)
    with pytest.raises(KeyboardInterrupt):
        release()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert sent is signal.SIGHUP or signal.getsignal(sent) is signal.default_int_handler
    release()


def test_without_a_signal_nothing_is_interrupted() -> None:
    before = signal.getsignal(signal.SIGTERM)
    release()
    defer()
    release()
    assert signal.getsignal(signal.SIGTERM) is before
