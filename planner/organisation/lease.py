"""The host `lease`: a row with a heartbeat keeps one coordinator alive among any number of workers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import anyio.to_thread

from planner.clock import Clock
from planner.errors import StoreError
from planner.organisation.tables import LEASE_SECONDS, FencedError, Tables
from planner.values import frozen

HEARTBEAT_SECONDS: Final = LEASE_SECONDS / 5
TAKE_SECONDS: Final = 2.0
"""Between two looks whether the tables are free."""


@frozen
class LeaseHost:
    """`coordinate` makes the calls with an epoch until its event is set, or raises `FencedError`."""

    tables: Tables
    holder: str
    version: str
    clock: Clock
    log: Callable[[str], None]

    async def keep_alive(self, coordinate: Callable[[int, anyio.Event], Awaitable[None]], stop: anyio.Event) -> None:
        while not stop.is_set():
            epoch = await self._take()
            if epoch is None:
                with anyio.move_on_after(TAKE_SECONDS):
                    await stop.wait()
                continue
            self.log(f"coordinator, epoch {epoch}")
            try:
                await self._coordinate(coordinate, epoch, stop)
            except* FencedError as errors:
                self.log(str(errors.exceptions[0]))

    async def _take(self) -> int | None:
        try:
            return await anyio.to_thread.run_sync(self.tables.take, self.holder, self.version)
        except StoreError as error:
            self.log(str(error))
            return None

    async def _coordinate(
        self, coordinate: Callable[[int, anyio.Event], Awaitable[None]], epoch: int, stop: anyio.Event
    ) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._beat, epoch)
            await coordinate(epoch, stop)
            tasks.cancel_scope.cancel()
        try:
            await anyio.to_thread.run_sync(self.tables.release, epoch)  # another worker need not wait
        except StoreError as error:
            self.log(str(error))

    async def _beat(self, epoch: int) -> None:
        """Raises `FencedError` if the lease is over. While the database is away, nothing can be written anyway."""
        while True:
            await self.clock.sleep(HEARTBEAT_SECONDS)
            try:
                await anyio.to_thread.run_sync(self.tables.heartbeat, epoch)
            except FencedError:
                raise
            except StoreError as error:
                self.log(str(error))
