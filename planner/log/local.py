"""The log as one process has it: the lines of its machine's journal, and the state that follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio.to_thread

from planner.errors import UsageError
from planner.log.facts import Fact, Ignored, Reader, write_fact
from planner.log.fold import State, fold
from planner.log.journal import Journal
from planner.log.stores.store import Store

T = TypeVar("T")


class LocalLog:
    """Implements `planner.calls.driver.Log`. Raises `StoreError` for a file that cannot be used.

    `now` is by the service's clock, as far as that is known. `store` is what names the store's log, and the log.
    `read_only` uses a copy of the file. `read_base` returns the facts of another log that this one is decided beside.
    """

    def __init__(
        self,
        path: Path,
        account: str,
        now: Callable[[], datetime],
        store: tuple[str, Store] | None = None,
        *,
        read_only: bool = False,
        read_base: Callable[[], Sequence[Fact]] | None = None,
    ) -> None:
        self.state = State()
        self.account, self._now = account, now
        self._read_base = read_base
        self._position = 0
        """`state` has the lines up to there."""
        address, opened = store or ("", None)
        self._journal = Journal(path, opened, address, read_only=read_only)
        try:
            self._catch_up()
        except BaseException:
            self.close()
            raise

    @property
    def is_shared(self) -> bool:
        """Whether a store has it, so that other machines see it."""
        return self._journal.is_shared

    def close(self) -> None:
        self._journal.close()

    # The interface of the driver

    async def refresh(self) -> None:
        """Read what others appended."""
        await self._perform(self._journal.pull)
        if self._read_base is not None:
            self.state.add_elsewhere(await anyio.to_thread.run_sync(self._read_base))

    async def append(self, facts: Sequence[Fact]) -> bool:
        """Append facts, with all that was noted. False if somebody else appended since `state` was read."""
        lines = [write_fact(fact) for fact in facts]
        self._check_readable(lines)
        return await self._perform(partial(self._journal.append, lines, self._position))

    def note(self, facts: Iterable[Fact]) -> None:
        """Add facts here, durably; others see them after the next `append` or `share`."""
        lines = [write_fact(fact) for fact in facts]
        if lines:
            self._journal.note(lines)
            self._catch_up()

    async def share(self) -> None:
        """Append what was noted."""
        await self._perform(self._journal.share)

    # The same without an event loop

    def read(self) -> None:
        """As `refresh`."""
        self._journal.pull()
        self._catch_up()
        if self._read_base is not None:
            self.state.add_elsewhere(self._read_base())

    def publish(self) -> None:
        """As `share`."""
        self._journal.share()
        self._catch_up()

    def restore(self) -> None:
        """Append again what the store has lost."""
        self._journal.share_again()
        self._catch_up()

    def _check_readable(self, lines: Sequence[str]) -> None:
        """A launch that nobody can read back would not hold its calls: they would be made again. Raises
        `UsageError`."""
        reader = Reader(self.account, self._now())
        for line in lines:
            fact = reader.read(line)
            if isinstance(fact, Ignored):
                why = f"{fact.why.value} {fact.detail}".rstrip()
                raise UsageError(
                    f"what is to be written to the log would count for nothing: {why}",
                    "Check the clock of this machine.",
                )

    async def _perform(self, use: Callable[[], T]) -> T:
        """Use the store in another thread, so that tasks go on meanwhile."""
        done = await anyio.to_thread.run_sync(use) if self.is_shared else use()
        self._catch_up()
        return done

    def _catch_up(self) -> None:
        """Add to the state what is new here."""
        lines, self._position = self._journal.lines(self._position)
        if lines:
            fold(lines, Reader(self.account, self._now()), self.state)
