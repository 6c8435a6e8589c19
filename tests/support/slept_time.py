"""Time that passes only while somebody sleeps: however long the machine takes for anything, nothing is late by it."""

from __future__ import annotations

from dataclasses import dataclass

import anyio


@dataclass(slots=True)
class SleptTime:
    """`monotonic` and `sleep` of a clock. A sleep really takes so many times less, so that sleepers wake in their order."""

    haste: float
    seconds: float = 0.0

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        until = self.seconds + seconds
        await anyio.sleep(seconds / self.haste)
        self.seconds = max(self.seconds, until)
