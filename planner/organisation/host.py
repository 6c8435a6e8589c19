"""What keeps one coordinator of an organisation alive among any number of workers.

A host decides where the coordinator runs, and no more. The epoch in the tables decides what it may write and send.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import anyio

Coordinate: TypeAlias = Callable[[int, anyio.Event], Awaitable[None]]
"""Makes calls with an epoch until the event is set. Raises `FencedError` if another coordinator took over."""


class Host(Protocol):
    async def keep_alive(self, coordinate: Coordinate, stop: anyio.Event) -> None:
        """Return after `stop`. Raises `CredentialError` if the service rejects this worker's key, and `PlannerError` if
        the host itself cannot be used."""
        ...
