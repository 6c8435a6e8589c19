"""Launching: the one place that spends. Intent durable, request sent once, what became of it durable.

Line by line against execution.md: reserve (1), write ahead (2), repeat only what provably never left (3).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import anyio
from anyio.abc import TaskGroup

from planner.api.client import Launched, LaunchRequest
from planner.errors import IncompleteError, RefusedError, StoreError, ThrottledError, UnreachableError, UsageError
from planner.execution.context import Context
from planner.execution.journal_claims import TakenError
from planner.execution.launches import ANSWERED_TWICE, LaunchIntent, LaunchState, SlotIntent
from planner.execution.reconciling import NAME_PREFIX, marked
from planner.execution.wording import cases_of, span, words_of
from planner.execution.work import CaseWork

POSTS_AT_ONCE = 4
DOUBTS_THAT_STOP_LAUNCHING = 3
"""So many launches of unknown fate at once, and no more are made until one is settled."""
UNREACHABLE_PAUSE_SECONDS = 1.0
LATEST_LEAVE_SECONDS = 60.0
"""A launch that has not left so long after its intent was made is made anew."""
LATE_SHARES = 3
"""Launches made one after the other whose sharing took too long: so would the next one's."""
CLOCK_SLACK_SECONDS = 5.0
"""`Date` headers tell whole seconds, and travel."""
UNKNOWN_CLOCK_SLACK_SECONDS = 3600.0
"""A service without `Date` headers: its clock may be anywhere near."""


class Launcher:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._refused_since: float | None = None
        """The first 429 of those that no run of our own can be why of, since a launch was accepted."""
        self._is_unreachable = False
        """Why launching pauses; else it was a 429."""
        self.done = False
        """Nothing more will be launched."""
        self._short_of_money = False
        self._batches: dict[int, str] = {}
        """Which launch was answered with a batch first."""
        self._late_shares = 0
        """Made anew one after the other, since a launch was shared in time; those that shared at one time are one."""
        self._late_since: datetime | None = None
        """When the last of them was known to be late, by the server's clock."""

    async def run(self, tasks: TaskGroup) -> None:
        """Fill every free place until nothing is wanted any more. Ends only when a doubt can put nothing back either."""
        context = self._context
        while not context.stopped:
            if not len(context.pending):
                if not (context.posting or context.doubts or len(context.holding) or context.may_call_again()):
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
    def held_by_doubts(self) -> bool:
        """Nothing can be launched before a launch of unknown fate is settled: too many are, or they hold the money."""
        doubts = len(self._context.doubts)
        short = self._short_of_money and not self._context.under_way()
        return doubts >= DOUBTS_THAT_STOP_LAUNCHING or (doubts > 0 and short)

    def _take(self) -> list[tuple[CaseWork, int]]:
        """The runs of the next launch, each with the cents it reserves (reserved on return); empty when it must wait."""
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
            context.waits(f"at most {context.limit.current} runs at once")
            return []
        if len(context.doubts) >= DOUBTS_THAT_STOP_LAUNCHING:
            context.waits(f"{len(context.doubts)} launches of unknown fate")
            return []
        reserved: list[int] = []

        def fits(work: CaseWork) -> bool:
            cents = context.reservation_for(work)
            if cents is None:
                return False
            context.ledger.reserve(work.plan, cents)
            reserved.append(cents)
            return True

        taken = context.pending.take(room, fits)
        self._short_of_money = not taken
        if taken:
            context.waiting = ""
            return list(zip(taken, reserved, strict=True))
        context.waits("the ceiling leaves no room until a bill is known")
        self._stop_at_ceiling()
        return []

    def _wait_out_pause(self, now: float) -> None:
        """429: somebody else holds the service's limit, or it said for how long. Or it cannot be reached."""
        context = self._context
        settings = context.settings
        left = context.limit.pause_until - now
        if self._is_unreachable:
            context.waits("the service cannot be reached")
            return
        if context.in_flight():
            context.waits("the service asked to wait (429)")
            return
        refused_seconds = now - (now if self._refused_since is None else self._refused_since)
        if left > settings.throttled_give_up_seconds:
            context.give_up(f"the service asks to wait {span(left)} before anything is launched (429)")
        elif refused_seconds > settings.throttled_give_up_seconds:
            context.give_up(
                f"the service refused every launch (429) for {refused_seconds:.0f} s: other runs hold its limit"
            )
        else:
            context.waits(
                f"the service refuses every launch (429) for {span(refused_seconds)},"
                f" stops after {span(settings.throttled_give_up_seconds)}"
            )

    def _stop_at_ceiling(self) -> None:
        """Stop when no bill that is still to come can make room for any of what is wanted."""
        context = self._context
        blocking = [
            context.ledger.blocking(work.plan, work.line.target, work.reserve_cents) for work in context.pending.works()
        ]
        nothing_to_come = not (context.under_way() or context.doubts)
        if all(blocking) or nothing_to_come:
            labels = {ceiling.label for ceiling in blocking if ceiling is not None}
            context.outcome.ceiling = (
                ", ".join(sorted(labels)) or "the ceiling, until the fate of earlier launches is known"
            )
            context.outcome.ceiling_detail = self._tightest()
            left = [(context.works[case_id], runs) for case_id, runs in context.holding.left().items()]
            context.outcome.ceiling_enough = context.ledger.enough(
                labels, [(work.plan, work.line.target, work.reserve_cents, runs) for work, runs in left]
            )
            context.stopped = True
            context.observer.narrate(f"nothing more is launched: {context.outcome.ceiling_detail}")

    def _tightest(self) -> str:
        """The arithmetic, for the cheapest of the calls that are wanted."""
        works = self._context.pending.works()
        cheapest = min(works, key=lambda work: work.reserve_cents if work.reserve_cents is not None else 0)
        return self._context.ledger.told(cheapest.plan, cheapest.line.target, cheapest.reserve_cents)

    def _begin(self, taken: list[tuple[CaseWork, int]], tasks: TaskGroup) -> None:
        context = self._context
        launch_id = context.new_id()
        intent = LaunchIntent(
            launch_id=launch_id,
            invocation_id=context.invocation_id,
            change_set_digest=context.change_set_digest,
            line=taken[0][0].line,
            name=f"{NAME_PREFIX}{launch_id}",
            sent_at=context.clock.now() + timedelta(seconds=context.client.clock_offset_seconds),
            slack_seconds=context.client.clock_doubt_seconds
            + (CLOCK_SLACK_SECONDS if context.client.clock_known else UNKNOWN_CLOCK_SLACK_SECONDS),
            slots=tuple(
                SlotIntent(
                    work.case_id,
                    work.plan,
                    marked(work.prompt, launch_id, ordinal) if context.settings.mark_prompts else work.prompt,
                    work.call_fingerprint,
                    work.agent_revision,
                    cents,
                )
                for ordinal, (work, cents) in enumerate(taken)
            ),
            credential=context.client.credential,
        )
        try:
            context.journal.intend(intent)
        except StoreError:
            context.put_back(intent, intent.slots)
            raise
        context.posting[launch_id] = intent
        tasks.start_soon(self._post, intent)

    async def _post(self, intent: LaunchIntent) -> None:
        """Send one launch whose intent is durable, and write down what became of it."""
        try:
            await self._send(intent)
        except StoreError:  # before the launcher wakes: nothing more is launched that could not be written down
            self._context.stopped = True
            raise
        finally:
            self._context.wake()

    async def _send(self, intent: LaunchIntent) -> None:
        context = self._context
        line = intent.line
        request = LaunchRequest(
            target_type=line.target_type,
            target_id=line.target_id,
            direction=line.direction,
            mode=line.mode,
            target_number=line.target_number,
            prompts=tuple(slot.prompt for slot in intent.slots),
            stagger_seconds=line.stagger_seconds,
            name=intent.name,
        )
        sent = False

        def on_sending() -> None:
            nonlocal sent
            if context.seconds_since(intent.sent_at) > LATEST_LEAVE_SECONDS:
                # This machine slept: a run made now would not be taken for this launch's.
                raise UnreachableError("a launch was about to be sent for too long: made anew")
            context.journal.settle(intent.launch_id, LaunchState.SENT)
            sent = True

        try:
            if not await self._shared(intent):
                return
            launched = await context.client.launch(request, on_sending=on_sending)
        except StoreError:  # it could not be written down that it is sent, so it was not
            context.put_back(intent, intent.slots)
            raise
        except ThrottledError as error:
            self._refused(intent, error)
        except UnreachableError as error:
            assert not sent, "the transport takes back what it said"
            self._never_happened(intent, LaunchState.UNSENT, str(error))
            context.limit.pause_until = context.clock.monotonic() + UNREACHABLE_PAUSE_SECONDS
            self._is_unreachable = True
            context.failed(str(error))
        except IncompleteError as error:
            self._ambiguous(intent, str(error))
        except RefusedError as error:
            self._never_happened(intent, LaunchState.REJECTED, str(error))
            context.outcome.refusal = f"{error}. {error.hint}".strip()
            context.stopped = True
        except UsageError as error:
            self._never_happened(intent, LaunchState.REJECTED, str(error))
            context.outcome.usage = f"{error}. {error.hint}".strip()
            context.stopped = True
        except anyio.get_cancelled_exc_class():
            if sent:
                self._ambiguous(intent, "interrupted before the answer came")
            else:
                self._never_happened(intent, LaunchState.UNSENT, "interrupted before it was sent")
            raise
        else:
            self._acknowledged(intent, launched)
        finally:
            context.posting.pop(intent.launch_id, None)
            context.snapshot()

    async def _shared(self, intent: LaunchIntent) -> bool:
        """Whether the intent is durable where other machines see it, so that it may be sent. Where it is not, nothing was sent."""
        context = self._context
        if context.share_intent is None:
            return True
        try:
            await context.share_intent(intent)
        except (StoreError, UsageError) as error:
            self._never_happened(intent, LaunchState.UNSENT, str(error))
            # Late: a store that is this machine's alone never says so.
            from planner.execution.sharing import OvertakenError

            told = f"{error}. {error.hint}".strip()
            if isinstance(error, StoreError):
                context.outcome.held = told
                context.outcome.overtaken = isinstance(error, OvertakenError)
            else:  # the store is set up so that it can never be written
                context.outcome.usage = told
            context.stopped = True
            return False
        if context.stopped:  # while it was shared: interrupted, quiet hours, another that could not be shared
            self._never_happened(intent, LaunchState.UNSENT, "nothing more was to be launched")
            return False
        # Other machines look for it from `sent_at` on, for `settle_seconds`: one that leaves late would be missed.
        late_seconds = context.seconds_since(intent.sent_at)
        in_time_seconds = min(LATEST_LEAVE_SECONDS, context.settings.settle_seconds / 2)
        if late_seconds > in_time_seconds:
            self._never_happened(intent, LaunchState.UNSENT, f"sharing it took {late_seconds:.0f} s")
            self._shared_late(intent, late_seconds, in_time_seconds)
            return False
        self._late_shares = 0
        return True

    def _shared_late(self, intent: LaunchIntent, late_seconds: float, in_time_seconds: float) -> None:
        """It is made anew, but not for ever: where the store is always so slow, nothing could ever be sent."""
        context = self._context
        if self._late_since is None or intent.sent_at >= self._late_since:
            self._late_shares += 1
            self._late_since = intent.sent_at + timedelta(seconds=late_seconds)
        if self._late_shares < LATE_SHARES:
            context.observer.narrate(
                f"the launch of {words_of(intent)} took {late_seconds:.0f} s to be shared: made anew"
            )
            return
        cure = "run the same command again when the store is faster"
        if in_time_seconds < LATEST_LEAVE_SECONDS:
            cure = f"make execution.settle_seconds in planner.yaml larger ({context.settings.settle_seconds:g} now), or {cure}"
        context.outcome.held = (
            f"{LATE_SHARES} times in a row it took longer to write a launch to the shared store ({late_seconds:.1f} s) than it may"
            f" wait before it is sent ({in_time_seconds:g} s), so it was not sent. To go on, {cure}"
        )
        context.stopped = True

    def _acknowledged(self, intent: LaunchIntent, launched: Launched) -> None:
        context = self._context
        try:
            context.carried_out(
                intent.launch_id,
                LaunchState.ACKNOWLEDGED,
                {launched.run.id: launched.run} if launched.run else {},
                batch_id=launched.batch_id,
                run_ids=launched.run_ids,
            )
        except TakenError as error:
            self._answered_twice(intent, error)
            return
        if launched.batch_id is not None:
            self._note_batch(launched.batch_id, intent.launch_id)
        del context.posting[intent.launch_id]
        self._refused_since = None
        before = context.limit.current
        context.limit.accepted(len(intent.slots), in_flight=context.accepted_in_flight())
        context.know_requester(launched.requested_by_id)
        context.worked()
        context.observer.narrate(
            f"launched {words_of(intent)}"
            + (f" as batch {launched.batch_id}" if launched.batch_id is not None else "")
            + f" ({cases_of(intent)}): {context.in_flight()} of at most {before} in flight"
        )
        if context.limit.current != before:
            context.observer.narrate(f"at most {context.limit.current} runs at once from now on ({before} fitted)")

    def _answered_twice(self, intent: LaunchIntent, error: TakenError) -> None:
        """Nothing more is launched at a service of which it cannot be told what it carries out."""
        context = self._context
        context.journal.answered_twice(intent.launch_id, error.holder, f"{ANSWERED_TWICE}{error}")
        context.distrust(error.holder)
        context.doubt(intent.launch_id, until_now=True)
        context.outcome.held = (
            f"the service answered launch {intent.launch_id} with {error}: nothing more is launched, and neither is paid for again."
            " If this store was used with another service (THUNDERPHONE_API_BASE_URL), name one of its own (--store)"
        )
        context.stopped = True
        context.observer.warn(context.outcome.held)

    def _note_batch(self, batch_id: int, launch_id: str) -> None:
        """Two launches whose runs are known are no trouble in one batch, but nothing that a service should say."""
        if (other := self._batches.setdefault(batch_id, launch_id)) != launch_id:
            told = f"the service answered launches {other} and {launch_id} with one batch, {batch_id}: each has the runs it was told"
            self._context.observer.warn(told)

    def _refused(self, intent: LaunchIntent, error: ThrottledError) -> None:
        context = self._context
        self._never_happened(intent, LaunchState.REFUSED, str(error))
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
        context.observer.narrate(
            f"429 for {words_of(intent)}: at most {context.limit.current} at once from now on, next try in {pause_seconds:.1f} s"
        )

    def _never_happened(self, intent: LaunchIntent, state: LaunchState, detail: str) -> None:
        self._context.journal.settle(intent.launch_id, state, detail=detail)
        self._context.put_back(intent, intent.slots)

    def _ambiguous(self, intent: LaunchIntent, detail: str) -> None:
        self._context.journal.settle(intent.launch_id, LaunchState.AMBIGUOUS, detail=detail)
        self._context.doubt(intent.launch_id, until_now=True)
        self._context.observer.narrate(
            f"the launch of {words_of(intent)} is ambiguous ({detail}): looking for it before anything is sent again"
        )
