"""Sends launches: the only place that spends money.

Each intent is in the journal, and in the shared store if there is one, before it is sent once. It is sent again, as a
new launch, only if it provably never left.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import anyio
from anyio.abc import TaskGroup

from planner.errors import (
    IncompleteError,
    NotFoundError,
    RefusedError,
    StoreError,
    ThrottledError,
    UnreachableError,
    UsageError,
)
from planner.execution.consent_sharing import OverCeilingError
from planner.execution.core import SendLaunch
from planner.execution.events import Intended, Moved, NotSent, ServiceAnswered, Stopped, Throttled, Unreachable
from planner.execution.launches import LaunchIntent, LaunchState
from planner.execution.observing import (
    LATEST_LEAVE_SECONDS,
    answered,
    intent_of,
    is_late,
    leave_within_seconds,
    unconfirmed,
)
from planner.providers.base import Launched, LaunchRequest
from planner.quantities import count, some

if TYPE_CHECKING:
    from planner.execution.local import LocalEngine, Session

LATE_SHARES: Final = 3
"""Give up after this many consecutive launches that took too long to share."""
NAMED_CASES: Final = 3


@dataclass(slots=True)
class Sender:
    engine: LocalEngine
    session: Session
    _late_shares: int = 0
    """Consecutive late launches; those shared together count once."""
    _late_since: datetime | None = None
    """When the last of them was found late, by the server's clock."""

    def begin(self, action: SendLaunch, tasks: TaskGroup) -> None:
        intent = intent_of(self.session.state, action, self.engine.new_id(), self.engine.now())
        self.session.happen(Intended(intent))
        tasks.start_soon(self._send, intent)

    async def _send(self, intent: LaunchIntent) -> None:
        session, launch_id = self.session, intent.launch_id
        request = LaunchRequest(intent.line, tuple(slot.prompt for slot in intent.slots), intent.name)
        sent = False

        def on_sending() -> None:
            nonlocal sent
            self._check_in_time(intent)
            if session.state.launch(launch_id).state is LaunchState.INTENDED:
                session.happen(Moved(launch_id, LaunchState.SENT))
            sent = False  # until the last check
            self._check_in_time(intent)
            sent = True

        try:
            if not await self._share(intent):
                return
            launched = await self.engine.provider.launch(request, on_sending=on_sending)
        except StoreError:  # its sending could not be recorded, so it was not sent
            session.happen(NotSent(launch_id))
            raise
        except ThrottledError as error:
            self._refused(intent, error)
        except UnreachableError as error:
            assert not sent, "the transport reported both sending and not sending"
            session.happen(Moved(launch_id, LaunchState.UNSENT, str(error)))
            session.happen(Unreachable(str(error)))
        except IncompleteError as error:
            self._unconfirmed(intent, str(error))
        except RefusedError as error:
            session.happen(Moved(launch_id, LaunchState.REJECTED, str(error)))
            session.happen(Stopped(refusal=error.with_hint))
        except UsageError as error:
            session.happen(Moved(launch_id, LaunchState.REJECTED, str(error)))
            session.happen(self._stop(intent, error))
        except anyio.get_cancelled_exc_class():
            if sent:
                self._unconfirmed(intent, "interrupted before the answer came")
            else:
                session.happen(Moved(launch_id, LaunchState.UNSENT, "interrupted before it was sent"))
            raise
        else:
            self._accepted(intent, launched)

    def _stop(self, intent: LaunchIntent, error: UsageError) -> Stopped:
        """Why nothing more is launched after the service rejected a launch."""
        preview = self.session.state.journal.previews.of_target(intent.line.target)
        if preview is None or not isinstance(error, NotFoundError):
            return Stopped(usage=error.with_hint)
        return Stopped(
            blocked=f"the preview (agent {preview.copy_id}) of agent {preview.agent_id} was deleted while calls were "
            "to be made on it"
            " (404). Run the same command again: it makes another one, and nothing is called twice"
        )

    def _check_in_time(self, intent: LaunchIntent) -> None:
        """Raises `UnreachableError` for a launch whose runs would not be recognized any more: the machine slept, or a
        write took long."""
        if is_late(self.session.state, intent, self.engine.now(), is_shared=self._is_shared):
            raise UnreachableError("a launch waited too long before it was sent: it is replaced")

    @property
    def _is_shared(self) -> bool:
        return self.engine.share_intent is not None

    def _age_seconds(self, intent: LaunchIntent) -> float:
        return self.engine.now().seconds_since(intent.sent_at)

    def _accepted(self, intent: LaunchIntent, launched: Launched) -> None:
        session, state = self.session, self.session.state
        before = state.limit.current
        session.happen_all(answered(state, intent.launch_id, launched))
        if state.launch(intent.launch_id).state is not LaunchState.ACKNOWLEDGED:
            return
        session.happen(ServiceAnswered())
        batch = f" as batch {launched.batch_id}" if launched.batch_id is not None else ""
        state.log(
            f"launched {words_of(intent)}{batch} ({_cases_of(intent)}): {state.in_flight()} of at most {before} in "
            "flight"
        )
        if state.limit.current != before:
            state.log(f"at most {state.limit.current} concurrent runs from now on ({before} were accepted)")

    def _refused(self, intent: LaunchIntent, error: ThrottledError) -> None:
        session, state = self.session, self.session.state
        session.happen(Throttled(len(intent.slots), error.retry_after_seconds))
        session.happen(Moved(intent.launch_id, LaunchState.REFUSED, str(error)))
        pause_seconds = max(0.0, state.limit.pause_until - self.engine.clock.monotonic())
        state.log(
            f"429 for {words_of(intent)}: at most {state.limit.current} concurrent runs from now on, next attempt in "
            f"{pause_seconds:.1f} s"
        )

    def _unconfirmed(self, intent: LaunchIntent, detail: str) -> None:
        state = self.session.state
        self.session.happen(unconfirmed(state, intent.launch_id, detail, self.engine.now()))
        state.log(
            f"the launch of {words_of(intent)} is unconfirmed ({detail}): searching for it before anything is sent "
            "again"
        )

    # The shared store

    async def _share(self, intent: LaunchIntent) -> bool:
        """Share the intent; True if it may be sent. If not, nothing was sent."""
        session, state = self.session, self.session.state
        if self.engine.share_intent is None:
            return True
        try:
            await self.engine.share_intent(intent)
        except (StoreError, UsageError) as error:
            session.happen(Moved(intent.launch_id, LaunchState.UNSENT, str(error)))
            if isinstance(error, OverCeilingError):
                session.happen(Stopped(ceiling=error.label, ceiling_detail=str(error)))
            elif isinstance(error, StoreError):
                session.happen(Stopped(blocked=error.with_hint))
            else:  # the store can never be written as configured
                session.happen(Stopped(usage=error.with_hint))
            return False
        if state.stopped:  # interrupted, or another failure while sharing
            session.happen(Moved(intent.launch_id, LaunchState.UNSENT, "launching stopped"))
            return False
        if is_late(state, intent, self.engine.now(), is_shared=True):
            late_seconds = self._age_seconds(intent)
            session.happen(Moved(intent.launch_id, LaunchState.UNSENT, f"sharing it took {late_seconds:.0f} s"))
            self._shared_late(intent, late_seconds, leave_within_seconds(state, is_shared=True))
            return False
        self._late_shares = 0
        return True

    def _shared_late(self, intent: LaunchIntent, late_seconds: float, in_time_seconds: float) -> None:
        """Replace the launch, but not forever: with a slow store, nothing would ever be sent."""
        state = self.session.state
        if self._late_since is None or intent.sent_at >= self._late_since:
            self._late_shares += 1
            self._late_since = intent.sent_at + timedelta(seconds=late_seconds)
        if self._late_shares < LATE_SHARES:
            state.log(f"the launch of {words_of(intent)} took {late_seconds:.0f} s to share: it is replaced")
            return
        fix = "run the same command again when the store is faster"
        if in_time_seconds < LATEST_LEAVE_SECONDS:
            setting = f"execution.settle_seconds in planner.yaml (now {state.settings.settle_seconds:g})"
            fix = f"increase {setting}, or {fix}"
        blocked = (
            f"writing a launch to the shared store took {late_seconds:.1f} s, {LATE_SHARES} times in a row; it must "
            f"be sent within {in_time_seconds:g} s, so it was not sent. To resume, {fix}"
        )
        self.session.happen(Stopped(blocked=blocked))


def words_of(intent: LaunchIntent) -> str:
    runs = count(len(intent.slots), "run")
    return f"{runs} on {intent.line.target_type.replace('_', ' ')} {intent.line.target_id}"


def _cases_of(intent: LaunchIntent) -> str:
    counted = Counter(slot.case_id for slot in intent.slots)
    named = [f"{case_id} ×{runs}" if runs > 1 else case_id for case_id, runs in counted.items()]
    return some(named, NAMED_CASES)
