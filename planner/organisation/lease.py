"""The host `lease`: a row with a heartbeat keeps one coordinator alive among any number of workers."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.to_thread

from planner.clock import Clock
from planner.errors import CredentialError, StoreError, leading_error
from planner.organisation.host import Coordinate
from planner.organisation.tables import FencedError, Tables
from planner.values import frozen


@frozen
class LeaseHost:
    tables: Tables
    holder: str
    version: str
    clock: Clock
    log: Callable[[str], None]

    @property
    def heartbeat_seconds(self) -> float:
        return self.tables.lease_seconds / 5

    @property
    def _take_seconds(self) -> float:
        """Between two looks whether the tables are free."""
        return self.tables.lease_seconds / 15

    async def keep_alive(self, coordinate: Coordinate, stop: anyio.Event) -> None:
        while (epoch := await self._wait_for_epoch(stop)) is not None:
            self.log(f"coordinator, epoch {epoch}")
            await self._coordinate(coordinate, epoch, stop)

    async def _wait_for_epoch(self, stop: anyio.Event) -> int | None:
        """None after `stop`."""
        trouble = ""
        while not stop.is_set():
            try:
                epoch = await anyio.to_thread.run_sync(self.tables.take, self.holder, self.version)
            except StoreError as error:
                trouble = self._say(error, trouble)
            else:
                trouble = ""
                if epoch is not None:
                    return epoch
            with anyio.move_on_after(self._take_seconds):
                await stop.wait()
        return None

    def _say(self, error: StoreError, before: str) -> str:
        """Once, not every few seconds, while the database is away."""
        if str(error) != before:
            self.log(str(error))
        return str(error)

    async def _coordinate(self, coordinate: Coordinate, epoch: int, stop: anyio.Event) -> None:
        """Raises `CredentialError` once the tables are given up."""
        error: BaseException | None = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._beat, epoch)
                await coordinate(epoch, stop)
                tasks.cancel_scope.cancel()
        except* (CredentialError, FencedError) as errors:
            error = leading_error(errors)
        if isinstance(error, FencedError):
            self.log(str(error))
            return
        try:
            await anyio.to_thread.run_sync(self.tables.release, epoch)  # another worker need not wait
        except StoreError as trouble:
            self.log(str(trouble))
        if error is not None:
            raise error

    async def _beat(self, epoch: int) -> None:
        """Raises `FencedError` if the lease is over. While the database is away, nothing can be written anyway."""
        trouble = ""
        while True:
            await self.clock.sleep(self.heartbeat_seconds)
            try:
                await anyio.to_thread.run_sync(self.tables.heartbeat, epoch)
                trouble = ""
            except FencedError:
                raise
            except StoreError as error:
                trouble = self._say(error, trouble)
