"""Waiting for what must come, however slow the machine is: nothing is lost by more patience where it comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import anyio

PATIENCE_SECONDS = 300.0
_POLL_SECONDS = 0.02


def wait_for(condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(_POLL_SECONDS)


async def until(condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> None:
    """The same, in an event loop."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await anyio.sleep(_POLL_SECONDS)
