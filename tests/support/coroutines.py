"""Runs coroutines of the product without an event loop: whoever waits tells how it is woken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any

import anyio.to_thread
import pytest
import sniffio

Wake = Callable[[object, BaseException | None], None]


class Wait:
    """To be awaited. `begin` gets the function that ends it, with a value or an exception."""

    def __init__(self, begin: Callable[[Wake], None]) -> None:
        self.begin = begin

    def __await__(self) -> Generator[Wait, Any, Any]:
        return (yield self)


class Never:
    """An event that is never set."""

    def is_set(self) -> bool:
        return False

    async def wait(self) -> None:
        await Wait(lambda _: None)


class Flag:
    """As `anyio.Event`, for one that waits."""

    def __init__(self) -> None:
        self._is_set = False
        self.wake: Callable[[], None] | None = None

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        if self.wake is not None:
            wake, self.wake = self.wake, None
            wake()


class Tasks:
    """As a task group. `soon` wakes one that has just begun; `failed` is called with what ends one."""

    def __init__(self, soon: Callable[[Wake], None], failed: Callable[[Exception], None]) -> None:
        self._soon = soon
        self._failed = failed
        self._waiting: dict[Coroutine[Wait, Any, Any], Wait] = {}
        self.is_over = False

    def start_soon(self, task: Callable[..., Coroutine[Wait, Any, Any]], *arguments: object) -> None:
        self.begin(task(*arguments), lambda: None)

    def begin(self, coroutine: Coroutine[Wait, Any, Any], done: Callable[[], None]) -> None:
        self._begin_waiting(coroutine, done, Wait(self._soon))

    def _step(
        self,
        coroutine: Coroutine[Wait, Any, Any],
        done: Callable[[], None],
        value: object,
        error: BaseException | None,
    ) -> None:
        try:
            wait = coroutine.send(value) if error is None else coroutine.throw(error)
        except StopIteration:
            done()
        except Exception as failure:  # noqa: BLE001 - the process decides
            self._failed(failure)
        else:
            self._begin_waiting(coroutine, done, wait)

    def _begin_waiting(self, coroutine: Coroutine[Wait, Any, Any], done: Callable[[], None], wait: Wait) -> None:
        if self.is_over:  # it began in the moment in which all were cancelled
            coroutine.close()
            return
        self._waiting[coroutine] = wait

        def wake(value: object, error: BaseException | None) -> None:
            if self._waiting.get(coroutine) is wait:
                del self._waiting[coroutine]
                self._step(coroutine, done, value, error)

        wait.begin(wake)

    def cancel(self) -> list[Exception]:
        """Cancel all. Returns what went wrong meanwhile."""
        self.is_over = True
        found: list[Exception] = []
        while self._waiting:
            coroutine = next(iter(self._waiting))
            del self._waiting[coroutine]
            try:
                coroutine.throw(asyncio.CancelledError())
            except (StopIteration, asyncio.CancelledError):
                pass
            except Exception as error:  # noqa: BLE001 - the process decides
                found.append(error)
        return found

    def forget(self) -> None:
        """The process is dead."""
        self.is_over = True
        waiting, self._waiting = self._waiting, {}
        for coroutine in waiting:
            coroutine.close()


@contextmanager
def without_threads(pause: Callable[[], Wait]) -> Generator[None]:
    """Work in threads takes a `pause`, and is done in one step then."""

    async def run_sync(work: Callable[..., Any], *arguments: Any) -> Any:
        await pause()
        return work(*arguments)

    name = sniffio.thread_local.name
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anyio.to_thread, "run_sync", run_sync)
        sniffio.thread_local.name = "asyncio"  # whose exception stands for being cancelled
        try:
            yield
        finally:
            sniffio.thread_local.name = name
