"""Sends launches: the only place that spends money.

Each intent is in the journal, and in the shared store if there is one, before it is sent once. It is sent again, as a
new launch, only if it provably never left: `launch_result` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup

from planner.errors import IncompleteError, RefusedError, StoreError, UnreachableError, UsageError
from planner.execution.core import SendLaunch
from planner.execution.engine import Now
from planner.execution.events import Intended, Moved
from planner.execution.launches import LaunchIntent, LaunchState
from planner.execution.launching import Cancelled, LaunchResult, intent_of, is_late, launch_result, share_result
from planner.providers.base import LaunchRequest

if TYPE_CHECKING:
    from planner.execution.local import LocalEngine


@dataclass(slots=True)
class Sender:
    engine: LocalEngine

    def begin(self, action: SendLaunch, decided: Now, tasks: TaskGroup) -> None:
        """The launch is of the month in which it was decided, whose ceiling has room for it."""
        intent = intent_of(self.engine.state, action, self.engine.new_id(), decided)
        self.engine.happen(Intended(intent))
        tasks.start_soon(self._share_and_send, intent)

    async def _share_and_send(self, intent: LaunchIntent) -> None:
        engine = self.engine
        try:
            error = await self._share(intent)
            engine.happen_all(share_result(engine.state, intent, error, engine.now()))
        except anyio.get_cancelled_exc_class():
            self._end(intent, Cancelled(is_sent=False))
            raise
        except StoreError as unrecorded:
            self._end(intent, unrecorded)
            raise
        if self._state_of(intent) is LaunchState.INTENDED:
            await self._send(intent)

    async def _share(self, intent: LaunchIntent) -> StoreError | UsageError | None:
        if self.engine.share_intent is None:
            return None
        try:
            await self.engine.share_intent(intent)
        except (StoreError, UsageError) as error:
            return error
        return None

    async def _send(self, intent: LaunchIntent) -> None:
        request = LaunchRequest(intent.line, tuple(slot.prompt for slot in intent.slots), intent.name)
        is_sent = False

        def on_sending() -> None:
            nonlocal is_sent
            self._check_in_time(intent)
            if self._state_of(intent) is LaunchState.INTENDED:
                self.engine.happen(Moved(intent.launch_id, LaunchState.SENT))
            is_sent = False  # until the last check
            self._check_in_time(intent)
            is_sent = True

        result: LaunchResult
        try:
            result = await self.engine.provider.launch(request, on_sending=on_sending)
        except anyio.get_cancelled_exc_class():
            self._end(intent, Cancelled(is_sent))
            raise
        except StoreError as error:
            self._end(intent, error)
            raise
        except UnreachableError as error:
            assert not is_sent, "the transport reported both sending and not sending"
            result = error
        except (IncompleteError, RefusedError, UsageError) as error:
            result = error
        self._end(intent, result)

    def _end(self, intent: LaunchIntent, result: LaunchResult) -> None:
        self.engine.happen_all(launch_result(self.engine.state, intent, result, self.engine.now()))

    def _state_of(self, intent: LaunchIntent) -> LaunchState:
        return self.engine.state.launch(intent.launch_id).state

    def _check_in_time(self, intent: LaunchIntent) -> None:
        """Raises `UnreachableError` for a launch whose runs would not be recognized any more: the machine slept, or a
        write took long."""
        if is_late(self.engine.state, intent, self.engine.now()):
            raise UnreachableError("a launch waited too long before it was sent: it is replaced")
