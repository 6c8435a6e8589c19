"""Launching: the only place that spends money.

Each launch is reserved first (1), then written to the journal (2), then sent once. It is repeated only if it provably
never left (3). The numbers are the rules of execution.md.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import anyio
from anyio.abc import TaskGroup

from planner.errors import IncompleteError, RefusedError, StoreError, ThrottledError, UnreachableError, UsageError
from planner.execution.context import Context
from planner.execution.events import DuplicateAnswer, Intended, Moved
from planner.execution.jobs import Job
from planner.execution.journal_state import TakenError
from planner.execution.launches import DUPLICATE_ANSWER, LaunchIntent, LaunchState, SlotIntent
from planner.execution.reconciling import NAME_PREFIX, marked
from planner.execution.wording import cases_of, span, words_of
from planner.providers.base import Launched, LaunchRequest

POSTS_AT_ONCE = 4
MAX_UNCONFIRMED = 3
"""Launching stops at this many unconfirmed launches until one is settled."""
UNREACHABLE_PAUSE_SECONDS = 1.0
LATEST_LEAVE_SECONDS = 60.0
"""A launch that has not left this long after its intent is replaced by a new one."""
LATE_SHARES = 3
"""Give up after this many consecutive launches that took too long to share."""
CLOCK_SLACK_SECONDS = 5.0
"""`Date` headers have whole seconds and arrive late."""
UNKNOWN_CLOCK_SLACK_SECONDS = 3600.0
"""Used if the service sends no `Date` headers."""


class Launcher:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._refused_since: float | None = None
        """Monotonic time of the first 429 without own runs in flight, since the last accepted launch."""
        self._is_unreachable = False
        """Launching pauses because the service is unreachable, not because of a 429."""
        self.done = False
        self._over_budget = False
        self._batches: dict[int, str] = {}
        """The first launch that was answered with each batch."""
        self._late_shares = 0
        """Consecutive late launches; those shared together count once."""
        self._late_since: datetime | None = None
        """When the last of them was found late, by the server's clock."""

    async def run(self, tasks: TaskGroup) -> None:
        """Launch until nothing is wanted any more. Waits while an unconfirmed launch or a verdict may queue runs
        again."""
        context = self._context
        while not context.stopped:
            if not len(context.pending):
                if not (context.posting or context.unconfirmed or len(context.deferred) or context.may_retry_runs()):
                    break
                await context.wait(1.0)
                continue
            taken = self._take()
            if taken:
                self._begin(taken, tasks)
            elif not context.stopped:
                context.snapshot()
                pause = context.limit.pause_until - context.clock.monotonic()
                await context.wait(min(pause, 1.0) if pause > 0 else 1.0)
        self.done = True
        context.wake()

    @property
    def blocked_by_unconfirmed(self) -> bool:
        """Launching is blocked until an unconfirmed launch is settled: too many are open, or they hold the budget."""
        unconfirmed = len(self._context.unconfirmed)
        short = self._over_budget and not self._context.under_way()
        return unconfirmed >= MAX_UNCONFIRMED or (unconfirmed > 0 and short)

    def _take(self) -> list[tuple[Job, int]]:
        """The jobs of the next launch with their reservations, which are made here; empty if it must wait."""
        context = self._context
        now = context.clock.monotonic()
        if forbidden := context.settings.forbidden_at(context.clock.now()):
            context.outcome.refusal = forbidden
            context.stopped = True
            return []
        if now < context.limit.pause_until:
            self._wait_out_pause(now)
            return []
        room = context.limit.current - context.in_flight()
        if room <= 0 or len(context.posting) >= POSTS_AT_ONCE:
            context.set_waiting(f"at most {context.limit.current} concurrent runs")
            return []
        if len(context.unconfirmed) >= MAX_UNCONFIRMED:
            context.set_waiting(f"{len(context.unconfirmed)} unconfirmed launches")
            return []
        reserved: list[int] = []

        def fits(job: Job) -> bool:
            cents = context.reservation_for(job)
            if cents is None:
                return False
            context.ledger.reserve(job.plan, cents)
            reserved.append(cents)
            return True

        taken = context.pending.take(room, fits)
        self._over_budget = not taken
        if taken:
            context.waiting = ""
            return list(zip(taken, reserved, strict=True))
        context.set_waiting("no room under the ceiling until a bill is known")
        self._stop_at_ceiling()
        return []

    def _wait_out_pause(self, now: float) -> None:
        """Wait after a 429 or while the service is unreachable; give up after too long."""
        context = self._context
        settings = context.settings
        left = context.limit.pause_until - now
        if self._is_unreachable:
            context.set_waiting("the service cannot be reached")
            return
        if context.in_flight():
            context.set_waiting("the service asked to wait (429)")
            return
        refused_seconds = now - (now if self._refused_since is None else self._refused_since)
        if left > settings.throttled_give_up_seconds:
            context.give_up(f"the service asks to wait {span(left)} before the next launch (429)")
        elif refused_seconds > settings.throttled_give_up_seconds:
            context.give_up(
                f"the service refused every launch (429) for {refused_seconds:.0f} s: other clients use its capacity"
            )
        else:
            context.set_waiting(
                f"the service has refused every launch (429) for {span(refused_seconds)}"
                f" (giving up after {span(settings.throttled_give_up_seconds)})"
            )

    def _stop_at_ceiling(self) -> None:
        """Stop if no outstanding bill can make room for any wanted call."""
        context = self._context
        blocking = [
            context.ledger.blocking(job.plan, job.line.target, job.reserve_cents) for job in context.pending.jobs()
        ]
        nothing_to_come = not (context.under_way() or context.unconfirmed)
        if all(blocking) or nothing_to_come:
            labels = {ceiling.label for ceiling in blocking if ceiling is not None}
            context.outcome.ceiling = ", ".join(sorted(labels)) or "the ceiling, until unconfirmed launches are settled"
            context.outcome.ceiling_detail = self._tightest()
            left = [(context.jobs[case_id], runs) for case_id, runs in context.deferred.left().items()]
            context.outcome.ceiling_enough = context.ledger.enough(
                labels, [(job.plan, job.line.target, job.reserve_cents, runs) for job, runs in left]
            )
            context.stopped = True
            context.observer.log(f"launching stopped: {context.outcome.ceiling_detail}")

    def _tightest(self) -> str:
        jobs = self._context.pending.jobs()
        cheapest = min(jobs, key=lambda job: job.reserve_cents if job.reserve_cents is not None else 0)
        return self._context.ledger.explain(cheapest.plan, cheapest.line.target, cheapest.reserve_cents)

    def _begin(self, taken: list[tuple[Job, int]], tasks: TaskGroup) -> None:
        context = self._context
        launch_id = context.new_id()
        intent = LaunchIntent(
            launch_id=launch_id,
            invocation_id=context.invocation_id,
            change_set_digest=context.change_set_digest,
            line=taken[0][0].line,
            name=f"{NAME_PREFIX}{launch_id}",
            sent_at=context.clock.now() + timedelta(seconds=context.client.clock_offset_seconds),
            slack_seconds=context.client.clock_uncertainty_seconds
            + (CLOCK_SLACK_SECONDS if context.client.clock_known else UNKNOWN_CLOCK_SLACK_SECONDS),
            slots=tuple(
                SlotIntent(
                    job.case_id,
                    job.plan,
                    marked(job.prompt, launch_id, ordinal) if context.settings.mark_prompts else job.prompt,
                    job.call_fingerprint,
                    job.agent_revision,
                    cents,
                )
                for ordinal, (job, cents) in enumerate(taken)
            ),
            credential=context.client.credential,
        )
        try:
            context.journal.record(Intended(intent))
        except StoreError:
            context.requeue(intent, intent.slots)
            raise
        context.posting[launch_id] = intent
        tasks.start_soon(self._post, intent)

    async def _post(self, intent: LaunchIntent) -> None:
        try:
            await self._send(intent)
        except StoreError:  # stop before the launcher wakes: nothing may be launched that cannot be recorded
            self._context.stopped = True
            raise
        finally:
            self._context.wake()

    async def _send(self, intent: LaunchIntent) -> None:
        context = self._context
        request = LaunchRequest(intent.line, tuple(slot.prompt for slot in intent.slots), intent.name)
        sent = False

        def on_sending() -> None:
            nonlocal sent
            if context.seconds_since(intent.sent_at) > LATEST_LEAVE_SECONDS:
                # The machine slept: a run created now would not be recognized as this launch's.
                raise UnreachableError("a launch waited too long before it was sent: it is replaced")
            context.journal.record(Moved(intent.launch_id, LaunchState.SENT))
            sent = True

        try:
            if not await self._shared(intent):
                return
            launched = await context.client.launch(request, on_sending=on_sending)
        except StoreError:  # its sending could not be recorded, so it was not sent
            context.requeue(intent, intent.slots)
            raise
        except ThrottledError as error:
            self._refused(intent, error)
        except UnreachableError as error:
            assert not sent, "the transport reported both sending and not sending"
            self._settle_unlaunched(intent, LaunchState.UNSENT, str(error))
            context.limit.pause_until = context.clock.monotonic() + UNREACHABLE_PAUSE_SECONDS
            self._is_unreachable = True
            context.service_failed(str(error))
        except IncompleteError as error:
            self._unconfirmed(intent, str(error))
        except RefusedError as error:
            self._settle_unlaunched(intent, LaunchState.REJECTED, str(error))
            context.outcome.refusal = f"{error}. {error.hint}".strip()
            context.stopped = True
        except UsageError as error:
            self._settle_unlaunched(intent, LaunchState.REJECTED, str(error))
            context.outcome.usage = f"{error}. {error.hint}".strip()
            context.stopped = True
        except anyio.get_cancelled_exc_class():
            if sent:
                self._unconfirmed(intent, "interrupted before the answer came")
            else:
                self._settle_unlaunched(intent, LaunchState.UNSENT, "interrupted before it was sent")
            raise
        else:
            self._acknowledged(intent, launched)
        finally:
            context.posting.pop(intent.launch_id, None)
            context.snapshot()

    async def _shared(self, intent: LaunchIntent) -> bool:
        """Share the intent; True if it may be sent. If not, nothing was sent."""
        context = self._context
        if context.share_intent is None:
            return True
        try:
            await context.share_intent(intent)
        except (StoreError, UsageError) as error:
            self._settle_unlaunched(intent, LaunchState.UNSENT, str(error))
            # Imported late: only needed with a shared store.
            from planner.execution.sharing import OvertakenError

            message = f"{error}. {error.hint}".strip()
            if isinstance(error, StoreError):
                context.outcome.blocked = message
                context.outcome.overtaken = isinstance(error, OvertakenError)
            else:  # the store can never be written as configured
                context.outcome.usage = message
            context.stopped = True
            return False
        if context.stopped:  # interrupted, quiet hours or another failure while sharing
            self._settle_unlaunched(intent, LaunchState.UNSENT, "launching stopped")
            return False
        # Other machines search for it from `sent_at` on, for `settle_seconds`: they would miss a launch that leaves
        # late.
        late_seconds = context.seconds_since(intent.sent_at)
        in_time_seconds = min(LATEST_LEAVE_SECONDS, context.settings.settle_seconds / 2)
        if late_seconds > in_time_seconds:
            self._settle_unlaunched(intent, LaunchState.UNSENT, f"sharing it took {late_seconds:.0f} s")
            self._shared_late(intent, late_seconds, in_time_seconds)
            return False
        self._late_shares = 0
        return True

    def _shared_late(self, intent: LaunchIntent, late_seconds: float, in_time_seconds: float) -> None:
        """Replace the launch, but not forever: with a slow store, nothing would ever be sent."""
        context = self._context
        if self._late_since is None or intent.sent_at >= self._late_since:
            self._late_shares += 1
            self._late_since = intent.sent_at + timedelta(seconds=late_seconds)
        if self._late_shares < LATE_SHARES:
            context.observer.log(f"the launch of {words_of(intent)} took {late_seconds:.0f} s to share: it is replaced")
            return
        fix = "run the same command again when the store is faster"
        if in_time_seconds < LATEST_LEAVE_SECONDS:
            fix = (
                f"increase execution.settle_seconds in planner.yaml (now {context.settings.settle_seconds:g}), or {fix}"
            )
        context.outcome.blocked = (
            f"writing a launch to the shared store took {late_seconds:.1f} s, {LATE_SHARES} times in a row; it must be sent within"
            f" {in_time_seconds:g} s, so it was not sent. To resume, {fix}"
        )
        context.stopped = True

    def _acknowledged(self, intent: LaunchIntent, launched: Launched) -> None:
        context = self._context
        try:
            context.confirm_launch(
                intent.launch_id,
                LaunchState.ACKNOWLEDGED,
                {launched.run.id: launched.run} if launched.run else {},
                batch_id=launched.batch_id,
                run_ids=launched.run_ids,
            )
        except TakenError as error:
            self._duplicate_answer(intent, error)
            return
        if launched.batch_id is not None:
            self._note_batch(launched.batch_id, intent.launch_id)
        del context.posting[intent.launch_id]
        self._refused_since = None
        before = context.limit.current
        context.limit.accepted(len(intent.slots), in_flight=context.accepted_in_flight())
        context.record_requester(launched.requester_id)
        context.service_recovered()
        context.observer.log(
            f"launched {words_of(intent)}"
            + (f" as batch {launched.batch_id}" if launched.batch_id is not None else "")
            + f" ({cases_of(intent)}): {context.in_flight()} of at most {before} in flight"
        )
        if context.limit.current != before:
            context.observer.log(
                f"at most {context.limit.current} concurrent runs from now on ({before} were accepted)"
            )

    def _duplicate_answer(self, intent: LaunchIntent, error: TakenError) -> None:
        """Stop launching: it is unclear what the service carries out."""
        context = self._context
        context.journal.record(DuplicateAnswer(intent.launch_id, error.holder, f"{DUPLICATE_ANSWER}{error}"))
        context.reload_launch(error.holder)
        context.track_unconfirmed(intent.launch_id, until_now=True)
        context.outcome.blocked = (
            f"the service answered launch {intent.launch_id} with {error}: launching stopped, and neither launch is repeated."
            " If this store was used with another service (THUNDERPHONE_API_BASE_URL), choose a separate --store"
        )
        context.stopped = True
        context.observer.warn(context.outcome.blocked)

    def _note_batch(self, batch_id: int, launch_id: str) -> None:
        """Warn if two launches have the same batch. Their runs are known, so this is harmless, but unexpected."""
        if (other := self._batches.setdefault(batch_id, launch_id)) != launch_id:
            message = f"the service answered launches {other} and {launch_id} with the same batch {batch_id}; each keeps its own runs"
            self._context.observer.warn(message)

    def _refused(self, intent: LaunchIntent, error: ThrottledError) -> None:
        context = self._context
        self._settle_unlaunched(intent, LaunchState.REFUSED, str(error))
        self._is_unreachable = False
        if context.accepted_in_flight():
            self._refused_since = None
        elif self._refused_since is None:
            self._refused_since = context.clock.monotonic()
        pause_seconds = context.limit.refused(
            len(intent.slots),
            in_flight=context.accepted_in_flight(),
            others=context.in_flight() - context.accepted_in_flight() - len(intent.slots),
            now=context.clock.monotonic(),
            retry_after_seconds=error.retry_after_seconds,
        )
        context.observer.log(
            f"429 for {words_of(intent)}: at most {context.limit.current} concurrent runs from now on, next attempt in {pause_seconds:.1f} s"
        )

    def _settle_unlaunched(self, intent: LaunchIntent, state: LaunchState, detail: str) -> None:
        self._context.journal.record(Moved(intent.launch_id, state, detail=detail))
        self._context.requeue(intent, intent.slots)

    def _unconfirmed(self, intent: LaunchIntent, detail: str) -> None:
        self._context.journal.record(Moved(intent.launch_id, LaunchState.AMBIGUOUS, detail=detail))
        self._context.track_unconfirmed(intent.launch_id, until_now=True)
        self._context.observer.log(
            f"the launch of {words_of(intent)} is unconfirmed ({detail}): searching for it before anything is sent again"
        )
