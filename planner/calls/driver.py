"""Performs what is decided, with one task for each request: the only place that spends money.

A launch is decided from the log, its intent is appended to the log from which it was decided, and only then it is sent,
once. If somebody else appended first, the log is read and decided from again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, Protocol

import anyio
from anyio.abc import TaskGroup

from planner.calls.answers import Answer, Cancelled, Effect, TooLateError, meaning_of
from planner.calls.collecting import (
    Ended,
    billed_by_call,
    billed_calls,
    call_of,
    charges_to_read,
    is_old,
    late_calls,
    unbilled_calls,
)
from planner.calls.deciding import decide, is_in_time, pending_calls
from planner.calls.model import (
    TIMEOUT_SECONDS,
    Launching,
    Limit,
    Listed,
    Now,
    Outcomes,
    Settings,
    Stop,
    StopReason,
    Unsettled,
    Waiting,
    WaitPolicy,
    WaitReason,
    Want,
    now_of,
)
from planner.calls.month import note_listed, read_month
from planner.calls.poll_times import NEVER, Awaited, poll_seconds
from planner.calls.reading import Transactions, collect, read_list
from planner.calls.reconciling import Lists, bind, name_of, reconcile
from planner.clock import Clock
from planner.errors import (
    IncompleteError,
    NotFoundError,
    PlannerError,
    RefusedError,
    StoreError,
    ThrottledError,
    UsageError,
    leading_error,
)
from planner.evidence import Evidence, RunStatus
from planner.log.facts import Call, Consent, Fact, Intent, Outcome, Result
from planner.log.fold import Launch, Stage, State
from planner.providers.base import PAGE_LIMIT, Batch, BatchId, LaunchRequest, Provider, Run, RunId
from planner.quantities import rounded_duration
from planner.values import frozen

ANSWER_GRACE_SECONDS: Final = 3.0
"""How long an interrupted session waits for answers to sent launches. The report is due within 5 s."""
SHARE_GRACE_SECONDS: Final = 1.5
"""How long it then shares what it knows."""
LONGEST_WAIT_SECONDS: Final = 5.0
SHARE_SECONDS: Final = 10.0
"""What need not be shared before its effect is shared at most this often."""
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 15.0
"""Between attempts to use a service or store that failed."""
ROW_MARGIN: Final = 1.2
"""Rows to request, as a multiple of those needed last time plus new launches, since other clients launch too."""
BILL_FAILURES: Final = 2
"""Transactions count as unreadable after this many failures in a row."""


LONGEST_SEARCH: Final = timedelta(days=30)
"""Older launches are not looked for in the service's list of runs."""
MAX_LATE_LAUNCHES: Final = 3
"""Give up after this many launches in a row that waited too long before they were sent."""


_NOT_YET: Final = "the service's lists were not read"
_OF_BASE: Final = "a session of the default branch is making it"


class Log(Protocol):
    """The log that a session decides from and writes to."""

    @property
    def state(self) -> State:
        """What its lines say, as far as they were read."""
        ...

    async def refresh(self) -> None:
        """Read what others appended. Raises `StoreError`."""
        ...

    async def append(self, facts: Sequence[Fact]) -> bool:
        """Append facts, with all that was noted. False if somebody else appended since `state` was read: then nothing
        was appended, and `state` is what the log says now. Raises `StoreError`: they may be in the log or not."""
        ...

    def note(self, facts: Iterable[Fact]) -> None:
        """Add facts here, durably; others see them after the next `append` or `share`. Raises `StoreError`."""
        ...

    async def share(self) -> None:
        """Append what was noted. Raises `StoreError`."""
        ...


@frozen
class Reaction:
    """What whoever looks at a call says about it."""

    facts: tuple[Fact, ...] = ()
    """Such as verdicts."""
    platform_failed: bool = False
    """Another call may be made instead."""
    stop: bool = False
    """Launch nothing more."""


@frozen
class Tools:
    """What a session uses. `save` stores evidence and returns its digests."""

    clock: Clock
    new_id: Callable[[], str]
    save: Callable[[Sequence[Evidence]], Awaitable[Sequence[str]]]
    on_call: Callable[[Call, Evidence], Reaction] = lambda call, evidence: Reaction()  # noqa: ARG005
    on_wait: Callable[[Waiting], None] = lambda waiting: None  # noqa: ARG005
    """Called whenever nothing is to be launched now."""
    log: Callable[[str], None] = lambda line: None  # noqa: ARG005
    warn: Callable[[str], None] = lambda line: None  # noqa: ARG005
    """Says what changes the results."""


@frozen
class Terms:
    """What a session may do. Without a consent it launches nothing, and collects what others launched."""

    session_id: str
    account: str
    settings: Settings
    consent: Consent | None = None
    wants: tuple[Want, ...] = ()
    resumed: frozenset[str] = frozenset()
    """Ids of earlier launches that it waits for, whatever their keys are."""
    awaits_others: bool = True
    """Wait for launches of other sessions and other keys, too. If not, they are looked for once."""


@dataclass(slots=True)
class _Trouble:
    """Failures in a row of one kind. Times are seconds as in `Now`."""

    since: float | None = None
    pause_seconds: float = 0.0
    message: str = ""

    def failed(self, message: str, now: float) -> float:
        """Returns the pause before the next attempt."""
        self.since = now if self.since is None else self.since
        self.message = message
        self.pause_seconds = min(max(FIRST_PAUSE_SECONDS, self.pause_seconds * 2), LONGEST_PAUSE_SECONDS)
        return self.pause_seconds

    def ended(self) -> None:
        self.since, self.pause_seconds = None, 0.0

    def lasts(self, seconds: float, now: float) -> bool:
        return self.since is not None and now - self.since >= seconds


@dataclass(slots=True)
class Driver:
    """Makes the calls of one session. `limit` is what bounds them beside the consent."""

    provider: Provider
    log: Log
    tools: Tools
    terms: Terms
    limit: Limit
    stop: Stop | None = None
    unsettled: dict[str, Unsettled] = field(default_factory=dict[str, Unsettled])
    anomalies: dict[str, str] = field(default_factory=dict[str, str])
    unreadable: dict[RunId, str] = field(default_factory=dict[RunId, str])
    _wants: dict[str, Want] = field(default_factory=dict[str, Want])
    _tasks: TaskGroup = field(init=False)
    _changed: anyio.Event = field(default_factory=anyio.Event)
    _reading: dict[RunId, float] = field(default_factory=dict[RunId, float])
    """Runs whose evidence is being read, or is to be read again then."""
    _pauses: dict[RunId, float] = field(default_factory=dict[RunId, float])
    _without_call_id: dict[RunId, float] = field(default_factory=dict[RunId, float])
    """When each run was first seen that ended and shows no call yet."""
    _unread: list[Ended] = field(default_factory=list[Ended])
    _saving: list[tuple[Ended, Evidence]] = field(default_factory=list[tuple[Ended, Evidence]])
    _is_saving: bool = False
    _is_polling: bool = False
    _poll_at: float = 0.0
    _polled_at: float = 0.0
    _list_rows: int = 0
    _lengths: list[float] = field(default_factory=list[float])
    _has_polled: bool = False
    _has_listed: bool = False
    """The service's list was read for all that earlier sessions left."""
    _outage: _Trouble = field(default_factory=_Trouble)
    _store_trouble: _Trouble = field(default_factory=_Trouble)
    _store_at: float = 0.0
    _late_launches: int = 0
    """In a row."""
    _refused_since: float | None = None
    _is_busy: bool = False
    """The service's list shows runs under way, of anybody."""
    _idle_since: float | None = None
    _interrupted_at: float | None = None
    _transactions: Transactions = field(init=False)
    _bills_at: float = 0.0
    _bill_pause: float = FIRST_PAUSE_SECONDS
    _bill_failures: int = 0
    _is_billing: bool = False
    _has_transactions: bool = True

    def __post_init__(self) -> None:
        self._transactions = Transactions(self.provider, self.tools.log)
        self._wants = {want.key: want for want in self.terms.wants}

    async def run(self, interrupted: anyio.Event) -> Outcomes:
        """Make the calls that the consent allows and the log misses. Returns when everything is done or nothing more
        can be done. Errors, also unexpected ones, are in the outcomes."""
        try:
            async with anyio.create_task_group() as self._tasks:
                self._tasks.start_soon(self._watch_interruption, interrupted)
                self._tasks.start_soon(self._share_regularly)
                await self._perform()
                self._tasks.cancel_scope.cancel()
        except* Exception as errors:  # noqa: BLE001 - paid calls must be reported, whatever happened
            self._fail(leading_error(errors))
        await self._finish()
        return self._outcomes()

    def now(self) -> Now:
        return now_of(self.provider, self.tools.clock)

    # The loop

    async def _perform(self) -> None:
        """Decide and perform until nothing is left."""
        while True:
            now = self.now()
            if self.limit.month is not None and self.limit.month.month != now.month:
                await self._renew_month(now)
            step = self._next_step(now)
            if isinstance(step, tuple):
                await self._launch(step, now)
                continue
            if isinstance(step, Stop):
                self._end_launching(step)
                continue
            self.tools.on_wait(step)
            if self._is_over(step, now):
                return
            await self._read_what_is_due(step, now)
            await self._wait(min(step.until, self._next_time(step, now)) - now.seconds)

    def _next_step(self, now: Now) -> tuple[Launching, ...] | Waiting | Stop:
        if self.stop is not None:
            return Waiting(WaitReason.NOTHING)
        if self._is_unavailable(now):
            return Stop(StopReason.UNAVAILABLE, f"the service is unavailable: {self._outage.message}")
        if self.terms.consent is None:
            return Waiting(WaitReason.NOTHING)
        if now.seconds < self._store_at:
            return Waiting(WaitReason.NOTHING, self._store_at)
        self.limit.overdue = sum(
            asked.calls for each in self._runs() if not self._is_awaited(each, now) for asked in each[0].unbound()
        )
        step = decide(self.log.state, self._as_agreed_now(self.terms.consent), self.terms.wants, self.limit, now)
        if isinstance(step, Waiting) and step.reason is WaitReason.THROTTLED and self._gives_up(step, now):
            return Stop(StopReason.THROTTLED, self._why_it_gives_up(step, now))
        return step

    def _as_agreed_now(self, consent: Consent) -> Consent:
        """With the ceilings of this session and of every other one under the same consent: none passes its own, nor
        what another one has lowered."""
        known = self.log.state.consents.get(consent.consent_id, consent)
        ends = [each for each in (consent.expires_at, known.expires_at) if each is not None]
        ceilings = tuple(dict.fromkeys((*consent.ceilings, *known.ceilings)))
        return replace(consent, ceilings=ceilings, expires_at=min(ends, default=None))

    def _why_it_gives_up(self, step: Waiting, now: Now) -> str:
        left_seconds = step.until - now.seconds
        if left_seconds > self.terms.settings.throttled_give_up_seconds:
            return f"the service asks to wait {rounded_duration(left_seconds)} before the next launch (429)"
        seconds = now.seconds - (self._refused_since or now.seconds)
        return f"the service refused every launch (429) for {seconds:.0f} s: other clients use its capacity"

    def _is_unavailable(self, now: Now) -> bool:
        return self._outage.lasts(self.terms.settings.outage_give_up_seconds, now.seconds)

    def _gives_up(self, step: Waiting, now: Now) -> bool:
        """After 429 only, while the service's list shows no run under way."""
        seconds = self.terms.settings.throttled_give_up_seconds
        if self._is_busy or self._refused_since is None:
            return False
        return now.seconds - self._refused_since > seconds or step.until - now.seconds > seconds

    def _end_launching(self, stop: Stop) -> None:
        if self.stop is None or stop.reason in (StopReason.INTERRUPTED, StopReason.FAILED):
            self.stop = stop
        self._changed.set()

    def _is_over(self, step: Waiting, now: Now) -> bool:
        """Whether nothing is left to do, or nothing more can be done."""
        if self._interrupted_at is not None:
            return not self.limit.posting or now.seconds >= self._interrupted_at + ANSWER_GRACE_SECONDS
        if self._is_unavailable(now) or (self.stop is not None and self.stop.reason is StopReason.FAILED):
            return not self.limit.posting
        is_launching = self.limit.posting or step.reason is WaitReason.THROTTLED or now.seconds < self._store_at
        is_reading = self._reading or self._saving or self._is_saving
        if is_launching or is_reading or any(self._is_read(each, now) for each in self._runs()):
            self._idle_since = None
            return False
        if step.reason is WaitReason.CEILING and self._has_transactions and unbilled_calls(self.log.state):
            has_waited = self._waited(self.terms.settings.evidence_wait_seconds, now)
            if has_waited and step.in_vain is not None:
                self._end_launching(step.in_vain)
            return has_waited
        if not any(self._concerns(intent) for intent in self.log.state.open_launches()):
            return self._has_polled or not self.log.state.stages[Stage.OPEN]
        if all(each.needs_person for each in self._searched().values()):
            return self._has_polled
        return self._waited(self.terms.settings.linger_seconds, now)

    def _waited(self, seconds: float, now: Now) -> bool:
        """Whether the session has been idle this long, and has polled since if anything waits for the lists."""
        if self._idle_since is None:
            self._idle_since = now.seconds
        has_polled = self._polled_at >= self._idle_since or not self._asks_lists(now)
        return now.seconds - self._idle_since >= seconds and has_polled

    def _searched(self) -> dict[str, Unsettled]:
        """What the last poll said of each open launch."""
        opened = {intent.launch_id: intent for intent in self.log.state.open_launches()}
        elsewhere = self.log.state.elsewhere
        return {
            launch_id: self.unsettled.get(
                launch_id, Unsettled(intent, needs_person=False, why=_OF_BASE if launch_id in elsewhere else _NOT_YET)
            )
            for launch_id, intent in opened.items()
        }

    async def _wait(self, seconds: float) -> None:
        if not self._changed.is_set():
            with anyio.move_on_after(max(0.0, min(seconds, LONGEST_WAIT_SECONDS))):
                await self._changed.wait()
        self._changed = anyio.Event()

    async def _watch_interruption(self, interrupted: anyio.Event) -> None:
        await interrupted.wait()
        self._interrupted_at = self.now().seconds
        self._end_launching(Stop(StopReason.INTERRUPTED, "interrupted"))

    async def _share_regularly(self) -> None:
        while True:
            await anyio.sleep(SHARE_SECONDS)
            try:
                await self.log.share()
            except StoreError as error:  # the next append or the end of the session tries again
                self.tools.log(f"the log cannot be shared now: {error}")

    def _fail(self, error: BaseException) -> None:
        reason = StopReason.FAILED
        if isinstance(error, RefusedError):
            reason = StopReason.REFUSED
        elif isinstance(error, UsageError):
            reason = StopReason.REJECTED
        elif isinstance(error, StoreError):
            reason = StopReason.STORE
        elif isinstance(error, PlannerError):
            reason = StopReason.UNAVAILABLE
        detail = error.with_hint if isinstance(error, PlannerError) else str(error)
        self.stop = Stop(reason, detail, error=error if isinstance(error, Exception) else None)

    async def _renew_month(self, now: Now) -> None:
        """Read what the service lists of a month that has begun. Nothing is launched before that."""
        assert self.limit.month is not None
        try:
            limit_cents, dearest = self.limit.month.limit_cents, self.limit.month.dearest_cents
            self.limit.month = await read_month(self.provider, self.log.state, limit_cents, dearest, now)
        except PlannerError as error:
            self._end_launching(Stop(StopReason.UNAVAILABLE, error.with_hint, error=error))
            self.limit.month = None

    # Launching

    async def _launch(self, launches: Sequence[Launching], decided: Now) -> None:
        """Append the intents to the log from which they were decided. If that fails, decide again."""
        intents = [self._intent_of(launching, decided) for launching in launches]
        try:
            is_appended = await self.log.append(intents)
        except StoreError as error:
            await self._take_back(intents, error)
            return
        self._store_trouble.ended()
        if not is_appended:
            return
        for intent, launching in zip(intents, launches, strict=True):
            self.limit.posting.add(intent.launch_id)
            self._tasks.start_soon(self._send, intent, launching, decided)

    def _intent_of(self, launching: Launching, decided: Now) -> Intent:
        assert self.terms.consent is not None
        return Intent(
            at=decided.server,
            account=self.terms.account,
            launch_id=self.tools.new_id(),
            consent_id=self.terms.consent.consent_id,
            session_id=self.terms.session_id,
            line=launching.line,
            asked=tuple(batched.asked for batched in launching.batch),
            slack_seconds=decided.slack_seconds,
            credential=self.provider.credential,
        )

    async def _take_back(self, intents: Sequence[Intent], error: StoreError) -> None:
        """An append failed, and nothing was sent. Its lines may be in the log, now or later: say that they are void."""
        now = self.now().seconds
        try:
            await self.log.refresh()
        except StoreError as unreadable:
            error = unreadable
        self.log.note(Outcome(self.now().server, intent.launch_id, Result.UNSENT) for intent in intents)
        self._store_at = now + self._store_trouble.failed(str(error), now)
        if self._store_trouble.lasts(self.terms.settings.outage_give_up_seconds, now):
            self._end_launching(Stop(StopReason.STORE, error.with_hint, error=error))

    async def _send(self, intent: Intent, launching: Launching, decided: Now) -> None:
        prompts = tuple(batched.want.prompt for batched in launching.batch for _ in range(batched.calls))
        request = LaunchRequest(intent.line, prompts, name_of(intent.launch_id), is_batch=True)
        is_sent = False

        def on_sending() -> None:
            """The connection stands, and no byte has left. Others wait until this can no longer happen."""
            nonlocal is_sent
            if self.stop is not None:
                raise TooLateError("nothing more is sent")
            if not is_in_time(decided, self.terms.settings, self.now()):
                raise TooLateError("the launch waited too long before it was sent: it is replaced")
            is_sent = True

        answer: Answer
        try:
            if self.stop is not None or not is_in_time(decided, self.terms.settings, self.now()):
                answer = (
                    TooLateError("the launch was not sent in time") if self.stop is None else Cancelled(is_sent=False)
                )
            else:
                answer = await self.provider.launch(request, on_sending=on_sending)
        except anyio.get_cancelled_exc_class():
            self._answered(intent, Cancelled(is_sent))
            raise
        except (IncompleteError, RefusedError, UsageError) as error:
            answer = error
        self._answered(intent, answer)

    def _answered(self, intent: Intent, answer: Answer) -> None:
        now = self.now()
        meaning = meaning_of(intent, answer, self.log.state, now)
        posted = self.log.state.running(now.server)
        self.limit.posting.discard(intent.launch_id)
        if meaning.outcome is not None:
            self.log.note([meaning.outcome])
        if meaning.effect is not Effect.UNREACHABLE and meaning.effect is not Effect.LATE:
            self._outage.ended()
        match meaning.effect:
            case Effect.ACCEPTED:
                self._refused_since = None
                self._late_launches = 0
                self.limit.concurrency.accepted(intent.calls, in_flight=posted)
                self._poll_at = min(self._poll_at, now.seconds + self.terms.settings.poll_ceiling_seconds)
            case Effect.THROTTLED:
                self._throttled(intent, answer, now)
            case Effect.UNREACHABLE:
                pause = self._outage.failed(str(answer), now.seconds)
                self.limit.concurrency.pause_until = now.seconds + pause
            case Effect.UNCONFIRMED:
                self.tools.log(f"launch {intent.launch_id} is unconfirmed ({answer}): searching for it")
                self._poll_at = min(self._poll_at, now.seconds)
            case Effect.LATE:
                self._late(now)
            case Effect.STOPPED:
                pass
        if meaning.stop is not None:
            self._end_launching(meaning.stop)
        self._changed.set()

    def _late(self, now: Now) -> None:
        """Replace the launch, but not forever: with a slow store, nothing would ever be sent."""
        if self.stop is not None:
            return
        self._late_launches += 1
        self._store_at = now.seconds + FIRST_PAUSE_SECONDS
        if self._late_launches >= MAX_LATE_LAUNCHES:
            allowed = self.terms.settings.max_send_delay_seconds
            why = f"writing a launch to the log took longer than {allowed:g} s, {MAX_LATE_LAUNCHES} times in a row"
            self._end_launching(Stop(StopReason.STORE, why))

    def _throttled(self, intent: Intent, answer: Answer, now: Now) -> None:
        if self._refused_since is None:
            self._refused_since = now.seconds
        state = self.log.state
        others = sum(
            launch.intent.calls
            for launch_id in self.limit.posting
            if (launch := state.launch(launch_id)) is not None and launch.intent is not None
        )
        in_flight = max(0, state.running(now.server) - others)
        retry_after = answer.retry_after_seconds if isinstance(answer, ThrottledError) else None
        self.limit.concurrency.refused(
            intent.calls, in_flight=in_flight, others=others, now=now.seconds, retry_after_seconds=retry_after
        )

    # Reading

    def _runs(self) -> list[tuple[Launch, Intent]]:
        """Launches to look for in the list of runs: the first time also those with evidence that came late."""
        state = self.log.state
        watched = state.at_stage(Stage.UNREAD)
        if not self._has_listed:
            watched += [each for each in state.at_stage(Stage.INCOMPLETE) if late_calls(each[0])]
        return [each for each in watched if each[0].launch_id not in state.elsewhere]

    def _searchable(self) -> list[Intent]:
        """Open launches to look for: those that are not being sent, and are of this log."""
        state = self.log.state
        others = self.limit.posting | state.elsewhere
        return [each for each in state.open_launches() if each.launch_id not in others]

    def _concerns(self, intent: Intent) -> bool:
        """Whether this session waits for a launch. The others are looked for once."""
        is_ours = self.terms.awaits_others or intent.session_id == self.terms.session_id
        return (
            is_ours or intent.launch_id in self.terms.resumed or any(asked.key in self._wants for asked in intent.asked)
        )

    def _is_awaited(self, watched: tuple[Launch, Intent], now: Now) -> bool:
        """Whether this session waits for runs of a launch: until their timeout, from the answer on."""
        launch, intent = watched
        if is_old(intent, now.server) or not self._concerns(intent):
            return False
        answered_at = launch.outcome.at if launch.outcome is not None else intent.at
        seconds = max((self._timeout_seconds(asked.key) for asked in intent.asked), default=0.0)
        return now.seconds_since(answered_at) < seconds

    def _is_read(self, watched: tuple[Launch, Intent], now: Now) -> bool:
        """Whether the next poll looks for runs of a launch: the first one for all that earlier sessions left."""
        return self._is_awaited(watched, now) or (not self._has_listed and now.server - watched[1].at < LONGEST_SEARCH)

    def _timeout_seconds(self, key: str) -> float:
        return self._wants[key].timeout_seconds if key in self._wants else TIMEOUT_SECONDS

    def _next_time(self, step: Waiting, now: Now) -> float:
        """When to read next, in seconds as in `Now`. What is being read ends with an event."""
        times = [at for at in self._reading.values() if at < NEVER]
        if not self._is_polling and self._asks_lists(now):
            times.append(self._poll_at)
        if step.reason is WaitReason.CEILING and not self._is_billing:
            times.append(self._bills_at)
        return min(times, default=now.seconds + LONGEST_WAIT_SECONDS)

    def _asks_lists(self, now: Now) -> bool:
        """Whether anything waits for the service's lists."""
        opened = self.log.state.stages[Stage.OPEN] - self.limit.posting - self.log.state.elsewhere
        return bool(opened) or self._refused_since is not None or any(self._is_read(each, now) for each in self._runs())

    async def _read_what_is_due(self, step: Waiting, now: Now) -> None:
        for ended in [each for each in self._unread if self._reading.get(each.run.id, 0.0) <= now.seconds]:
            self._unread.remove(ended)
            self._reading[ended.run.id] = NEVER
            self._tasks.start_soon(self._collect, ended)
        if not self._is_polling and now.seconds >= self._poll_at and self._asks_lists(now):
            self._is_polling = True
            self._tasks.start_soon(self._poll)
        if step.reason is WaitReason.CEILING and now.seconds >= self._bills_at and not self._is_billing:
            self._is_billing = True
            self._tasks.start_soon(self._read_bills)

    async def _poll(self) -> None:
        """Read the lists once, for everything that waits for them."""
        began = self.now()
        try:
            lists = await self._read_lists(began)
            if lists is not None:
                await self._listed(lists)
                self._has_listed = True
                self._outage.ended()
        except StoreError as error:
            self.tools.log(f"the log cannot be read now: {error}")
        except IncompleteError as error:
            self._outage.failed(str(error), began.seconds)
        finally:
            self._is_polling = False
        self._polled_at, self._has_polled = began.seconds, True
        self._poll_at = self.now().seconds + self._poll_seconds()
        self._changed.set()

    async def _read_lists(self, began: Now) -> Lists | None:
        searched = self._searchable()
        watched = [each for each in self._runs() if self._is_read(each, began)]
        earliest = [intent.earliest for intent in searched] + [intent.earliest for _, intent in watched]
        wanted = {
            run_id
            for launch, _ in watched
            for run_id in map(RunId, launch.run_ids)
            if run_id not in launch.calls or run_id in late_calls(launch)
        }
        is_searching = bool(searched) or any(len(launch.run_ids) < intent.calls for launch, intent in watched)
        recent = sum(
            1
            for launch, intent in watched
            if began.seconds_since(intent.at) < LONGEST_WAIT_SECONDS
            for _ in launch.run_ids
        )
        runs = await read_list(
            self.provider.runs,
            oldest=min(earliest, default=began.server),
            wanted=None if is_searching else wanted,
            first_page=PAGE_LIMIT if is_searching else int((self._list_rows + recent) * ROW_MARGIN) + 1,
        )
        rows = [row for row, run_id in enumerate(runs.found, start=1) if run_id in wanted]
        self._list_rows = max(rows, default=0)
        batches = Listed[Batch]()
        if searched:
            batches = await read_list(self.provider.batches, oldest=min(intent.earliest for intent in searched))
        for launch, intent in watched:
            if launch.batch_id is not None and len(launch.run_ids) < intent.calls:
                await self._read_members(launch, intent, runs)
        if searched:
            await self.log.refresh()  # after the lists: what another machine claimed is known
        return Lists(began, runs, batches, frozenset(intent.launch_id for intent in searched))

    async def _read_members(self, launch: Launch, intent: Intent, runs: Listed[Run]) -> None:
        """The runs of a batch whose answer or row did not name them all."""
        assert launch.outcome is not None
        assert launch.batch_id is not None
        members = [run.id for run in runs.found.values() if run.batch_id == launch.batch_id]
        if len(members) < intent.calls:  # the list may not have been read as far back as all of them
            try:
                members = list((await self.provider.batch(BatchId(launch.batch_id))).run_ids)
            except NotFoundError:  # not visible yet, as if it had just been created
                return
        if members and len(members) <= intent.calls and not set(members) <= set(launch.run_ids):
            self.log.note([replace(launch.outcome, run_ids=tuple(sorted(members)))])

    async def _listed(self, lists: Lists) -> None:
        now = self.now()
        self._is_busy = any(not run.ended for run in lists.runs.found.values())
        self._reconcile(lists, now)
        if self.limit.month is not None:
            note_listed(self.limit.month, self.log.state, lists.runs.found.values())
        for launch, intent in self._runs():
            rows = [run for run_id in launch.run_ids if (run := lists.runs.found.get(RunId(run_id))) is not None]
            bound = bind(launch, rows) if self._has_listed else bind(launch, rows) | late_calls(launch)
            for run in rows:
                if run.ended and run.id in bound and run.id not in self._reading:
                    if run.id not in launch.calls and self._awaits_call_id(run, now):
                        continue
                    self._lengths.append(_seconds_of(run))
                    self._reading[run.id] = now.seconds
                    self._unread.append(Ended(run, launch, intent, bound[run.id]))
                elif run.ended and run.id not in bound and run.id not in launch.calls:
                    self.anomalies[f"run {run.id}"] = (
                        f"the service shows run {run.id} with another prompt than was sent: it counts for no case, is "
                        "charged, and is not repeated"
                    )

    def _awaits_call_id(self, run: Run, now: Now) -> bool:
        """Whether the id of the call of a run that ended may still come: without it, nothing of the call can be
        read."""
        if run.call_id is not None or run.status is not RunStatus.COMPLETED:
            return False
        since = self._without_call_id.setdefault(run.id, now.seconds)
        return now.seconds - since < self.terms.settings.evidence_wait_seconds

    def _reconcile(self, lists: Lists, now: Now) -> None:
        """Search for the open launches that the lists were read for, and note what they say."""
        intents: list[Intent] = []
        others: list[Intent] = []
        unsettled: list[Unsettled] = []
        for launch, intent in self.log.state.at_stage(Stage.OPEN):
            if intent.launch_id not in lists.searched:
                others.append(intent)
            elif intent.credential != self.provider.credential:
                unsettled.append(Unsettled(intent, needs_person=True, why="it was made with another key"))
            elif launch.outcome is not None:
                why = "the service answered it with another launch's batch"
                unsettled.append(Unsettled(intent, needs_person=True, why=why))
            else:
                intents.append(intent)
        found = reconcile(self.log.state, intents, lists, self.terms.settings, now, others)
        self.unsettled = {each.intent.launch_id: each for each in (*unsettled, *found.unsettled)}
        self.log.note(found.outcomes)

    def _poll_seconds(self) -> float:
        now, state, lengths = self.now(), self.log.state, self._lengths
        ages: list[float] = []
        expected: list[float | None] = []
        for launch, intent in self._runs():
            if not self._is_awaited((launch, intent), now):
                continue
            for asked in launch.unbound():
                want = self._wants.get(asked.key)
                ages += [now.seconds_since(intent.at)] * asked.calls
                expected += [None if want is None else want.expected_seconds] * asked.calls
        opened = self._searchable()
        if not ages:
            ages = [now.seconds_since(intent.at) for intent in opened]
            expected = [None for _ in ages]
            lengths = []
        consent = self.terms.consent
        pending = bool(self.stop is None and consent and pending_calls(state, consent, self.terms.wants))
        is_uncertain = bool(opened) or self._outage.since is not None or self._refused_since is not None
        awaited = Awaited(ages, expected, lengths, pending, is_uncertain, self._list_rows)
        return max(poll_seconds(awaited, self.terms.settings), self._outage.pause_seconds)

    # Evidence and bills

    async def _collect(self, ended: Ended) -> None:
        run, now = ended.run, self.now()
        want = self._wants.get(ended.asked.key)
        age_seconds = 0.0 if run.completed_at is None else now.seconds_since(run.completed_at)
        is_again = ended.before is not None
        wait = WaitPolicy(
            0.0 if is_again else self.terms.settings.evidence_wait_seconds,
            want is not None and want.await_grade,
            age_seconds,
        )
        try:
            evidence = await collect(self.provider, run, wait, clock=self.tools.clock, transactions=self._transactions)
        except PlannerError as error:
            if isinstance(error, StoreError):
                raise
            self._read_later(ended, str(error))
            return
        self._saving.append((ended, evidence))
        if not self._is_saving:
            self._is_saving = True
            self._tasks.start_soon(self._save)

    def _read_later(self, ended: Ended, why: str) -> None:
        """An unreadable run says nothing about others: wait longer after each failure, for this run only."""
        run_id = ended.run.id
        pause = self._pauses.get(run_id, 0.0)
        self._pauses[run_id] = pause = min(max(FIRST_PAUSE_SECONDS, pause * 2), LONGEST_PAUSE_SECONDS)
        self.tools.log(f"run {run_id} cannot be read now: {why}")
        age_seconds = 0.0 if ended.run.completed_at is None else self.now().seconds_since(ended.run.completed_at)
        if age_seconds > self.terms.settings.outage_give_up_seconds:  # the next session reads it
            self._reading.pop(run_id, None)
            self.unreadable[run_id] = why
        else:
            self._reading[run_id] = self.now().seconds + pause
            self._unread.append(ended)
        self._changed.set()

    async def _save(self) -> None:
        """Store everything that was read, in batches: writing many files together takes as long as one."""
        while self._saving:
            read, self._saving = self._saving, []
            digests = await self.tools.save([evidence for _, evidence in read])
            for (ended, evidence), digest in zip(read, digests, strict=True):
                want = self._wants.get(ended.asked.key)
                call = call_of(
                    ended,
                    evidence,
                    digest,
                    await_grade=want is not None and want.await_grade,
                    has_transactions=self._has_transactions,
                )
                reaction = self.tools.on_call(call, evidence)
                self.log.note([replace(call, failed=reaction.platform_failed), *reaction.facts])
                self._reading.pop(ended.run.id, None)
                self._bills_at, self._bill_pause = 0.0, FIRST_PAUSE_SECONDS
                if reaction.stop:
                    self._end_launching(Stop(StopReason.ASKED))
            self._changed.set()
        self._is_saving = False

    async def _read_bills(self) -> None:
        """Read what the account was charged for the calls whose bill is missing."""
        calls = unbilled_calls(self.log.state)
        try:
            if calls:
                charged = await self.provider.charges(charges_to_read(calls))
                billed = billed_calls(calls, charged)
                self.log.note(billed)
                self._bill_failures = 0
                if billed:
                    self._bill_pause = FIRST_PAUSE_SECONDS
        except PlannerError as error:
            self._bill_failures += 1
            if not isinstance(error, IncompleteError) or self._bill_failures >= BILL_FAILURES:
                self._has_transactions = False
                self.tools.warn(f"transactions cannot be read, so costs are the bills of the calls: {error}")
                self.log.note(billed_by_call(calls))
        finally:
            self._is_billing = False
        self._bills_at = self.now().seconds + self._bill_pause
        self._bill_pause = min(self._bill_pause * 2, LONGEST_WAIT_SECONDS)
        self._changed.set()

    # The end

    async def _finish(self) -> None:
        """Read the bills, and share what was noted. An interrupted session has no time for bills."""
        is_in_haste = self.stop is not None and self.stop.reason in (StopReason.INTERRUPTED, StopReason.FAILED)
        try:
            with anyio.move_on_after(SHARE_GRACE_SECONDS if is_in_haste else None):
                if not is_in_haste:
                    await self._read_late_bills()
                await self.log.share()
        except StoreError as error:
            self._end_launching(Stop(StopReason.STORE, error.with_hint, error=error))
        except PlannerError as error:
            self.tools.log(f"bills cannot be read now: {error}")

    async def _read_late_bills(self) -> None:
        began = self.now().seconds
        self._bill_pause = FIRST_PAUSE_SECONDS
        while unbilled_calls(self.log.state) and self._has_transactions:
            await self._read_bills()
            left = unbilled_calls(self.log.state)
            if not left or self.now().seconds - began > self.terms.settings.evidence_wait_seconds:
                return
            await self.tools.clock.sleep(self._bill_pause)

    def _outcomes(self) -> Outcomes:
        now, state, consent = self.now(), self.log.state, self.terms.consent
        pending = pending_calls(state, consent, self.terms.wants) if consent is not None else []
        under_way = sum(
            max(intent.calls, len(launch.run_ids)) - len(launch.live_calls)
            for launch, intent in self._runs()
            if not is_old(intent, now.server)
        )
        return Outcomes(
            stop=self.stop,
            left={each.want.key: each.calls for each in pending},
            unsettled=tuple(self._searched().values()),
            under_way=under_way,
            reserved_cents=state.tallies.reserved.total(),
            unreadable={int(run_id): why for run_id, why in self.unreadable.items()},
            anomalies=tuple(self.anomalies.values()),
        )


def _seconds_of(run: Run) -> float:
    began = run.started_at or run.created_at
    if began is None or run.completed_at is None:
        return 1.0
    return max(0.1, (run.completed_at - began).total_seconds())
