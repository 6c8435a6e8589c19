"""Makes the judge calls that verdicts need: a few at a time, at the endpoint's pace, within the budget, once each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import Final

import anyio

from planner.checks.judgement import shown
from planner.checks.opinions import Vote, checked
from planner.clock import Clock
from planner.errors import (
    CredentialError,
    IncompleteError,
    LostAnswerError,
    NotFoundError,
    RefusedError,
    ServiceError,
    StoreError,
    ThrottledError,
    UnreachableError,
    UsageError,
)
from planner.judge.endpoint import (
    Completion,
    DeclinedError,
    Endpoint,
    OtherModelError,
    reworded,
)
from planner.judge.judge_call_records import JudgeCall, JudgeCallRecords
from planner.judge.model_names import is_asked_model
from planner.judge.pricing import CeilingReachedError, JudgeBudget, Pricing, is_plausible
from planner.judge.prompt import compose, read_vote, void
from planner.judge.votes import (
    VOID_RETRIES,
    JudgeCallsResult,
    VoteCache,
    VoteRecord,
    WantedVotes,
    transcript_digest,
)

ATTEMPTS: Final = 3
"""Attempts per request without a usable answer."""
GIVE_UP_SECONDS: Final = 300.0
"""Give up after only 429 answers for this long."""
ANSWER_GRACE_SECONDS: Final = 3.0
"""Wait this long for answers after an interruption."""
_FAILURES_IN_A_ROW: Final = 6
"""Consecutive failures, beyond those in flight, that mean the endpoint is down."""
_LONGEST_WAIT_SECONDS: Final = 60.0


@dataclass(slots=True)
class JudgeCaller:
    """Makes judge calls and stores each vote in `cache`."""

    endpoint: Endpoint
    cache: VoteCache
    budget: JudgeBudget
    pricing: Pricing
    clock: Clock
    new_token: Callable[[], str]
    max_concurrent: int
    log: Callable[[str], None]
    """Logs decisions, for `-v`."""
    records: JudgeCallRecords
    _edition: str = ""
    """The model that answers in this session; "" until an answer names one."""
    result: JudgeCallsResult = field(default_factory=JudgeCallsResult)
    _not_before: float = 0.0
    _throttled_since: float | None = None
    _throttles: int = 0
    _failures: int = 0

    async def ask(self, wanted: Iterable[WantedVotes], *, interrupted: anyio.Event) -> JudgeCallsResult:
        """Request each of the votes once. If the store fails, it stops, and the result says so."""
        requests = _each_once(wanted)

        async def work() -> None:
            try:
                for request in requests:  # all workers take from the same ones
                    await self._request(request)
                    if self.stopped:
                        return
            except IncompleteError as error:  # the store failed: an answer that cannot be stored would be charged again
                self.result.trouble = error.with_hint
            except UsageError as error:  # the store can never be written as configured
                self.result.usage = error.with_hint
            except Exception as error:  # noqa: BLE001 - what was asked is paid and must be reported
                self.result.bug = error

        async def watch(tasks: anyio.abc.TaskGroup) -> None:
            await interrupted.wait()
            self.result.interrupted = True
            await self.clock.sleep(ANSWER_GRACE_SECONDS)
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as watching:
            async with anyio.create_task_group() as tasks:
                watching.start_soon(watch, tasks)
                for _ in range(self.max_concurrent):
                    tasks.start_soon(work)
            watching.cancel_scope.cancel()
        self.result.spent = self.budget.spent
        self.result.by_plan = self.budget.by_plan
        return self.result

    @property
    def stopped(self) -> bool:
        """Not set by a ceiling: calls of other plans, or cheaper ones, may still fit."""
        result = self.result
        return bool(result.refusal or result.usage or result.trouble or result.bug or result.interrupted)

    async def _request(self, want: WantedVotes) -> None:
        """Request a vote until it is answered or cannot be."""
        failed = voids = 0
        while not self.stopped:
            await self._wait_for_turn()
            if self.stopped:
                return
            try:
                again = await self._ask_once(want, again_if_void=voids < VOID_RETRIES)
            except ThrottledError as error:
                self._throttle(error)
            except (UnreachableError, LostAnswerError, ServiceError) as error:
                failed += 1
                self._fail(error)
                self.cache.problems[want.key] = str(error)
                if failed == ATTEMPTS:
                    return
                await self.clock.sleep(min(_LONGEST_WAIT_SECONDS, 2.0 ** (failed - 1)))
            except DeclinedError as error:
                self.cache.problems[want.key] = str(error)
                return
            except CeilingReachedError as error:
                self.result.ceiling = self.result.ceiling or str(error)
                self.cache.problems[want.key] = f"the ceiling was reached ({error})"
                return
            except RefusedError as error:
                self.result.refusal = error.with_hint
            except (CredentialError, NotFoundError, OtherModelError) as error:
                self.result.usage = error.with_hint
            else:
                self._failures = self._throttles = 0
                self._throttled_since = None
                if not again:
                    return
                voids += 1

    async def _ask_once(self, want: WantedVotes, *, again_if_void: bool) -> bool:
        """Make one judge call, and store its vote. Returns whether the vote is void and will be requested again."""
        prompt = compose(want.question, self.new_token)
        reserved = self.pricing.reserve(prompt.size_bytes)
        call = JudgeCall(self.new_token(), want, reserved)
        self.budget.reserve(want.plan, reserved)
        try:
            await self.records.reserve(call)
        except (CeilingReachedError, StoreError, UsageError):
            self.budget.release(want.plan, reserved)
            raise
        try:
            completion = await self.endpoint.complete(prompt, self.pricing.max_output_tokens)
        except (UnreachableError, ThrottledError, DeclinedError, CredentialError, NotFoundError, RefusedError) as error:
            self.budget.release(want.plan, reserved)
            self.records.settle(call, 0)
            raise reworded(error) from error
        except LostAnswerError as error:
            raise reworded(error) from error
        self.result.calls += 1
        cost = self._cost(call, completion)
        try:
            self._check_model(completion.model)
        except OtherModelError:
            self._settle(call, cost)
            raise
        if completion.content is None:
            vote = void(completion.problem)
        else:
            vote = checked(read_vote(completion.content, prompt), want.question.turns)
        again = bool(vote.void) and again_if_void
        if again:
            self.log(f"a vote is invalid ({vote.void}): requesting it again")
        else:
            self.cache.add(self._record(call, vote, completion, cost))
            self.result.given += 1
        self._settle(call, cost)
        return again

    def _cost(self, call: JudgeCall, completion: Completion) -> int | None:
        """The cost of an answer; None if it is not reported, or implausible."""
        read, written = completion.read_tokens, completion.written_tokens
        cost = self.pricing.billed(read, written)
        if cost is None or is_plausible(cost, call.reserved):
            return cost
        self.log(
            f"the endpoint reports {read:,} and {written:,} tokens for one answer, which is implausible: its "
            "reservation counts instead"
        )
        return None

    def _settle(self, call: JudgeCall, cost: int | None) -> None:
        self.budget.settle(call.want.plan, call.reserved, cost)
        self.records.settle(call, call.reserved if cost is None else cost)

    def _check_model(self, name: str) -> None:
        """Note the model that answers. The first answer of a session may come from another one than stored votes.

        Raises:
            OtherModelError: none of the configured names fits, or the model changed within the session.
        """
        if not name.strip():
            return
        model = self.endpoint.model
        edition = self.cache.edition_of(name)
        if self._edition:
            if edition != self._edition:
                raise OtherModelError(name, self._edition, is_new=True)
            return
        also = self.cache.answers_as
        is_asked = is_asked_model(name, model, also)
        if not is_asked and also:
            raise OtherModelError(name, model, is_new=False)
        self._edition = edition
        if before := self.cache.other_models(edition):
            names = ", ".join(map(shown, before))
            self.endpoint.log(
                f"the judge's endpoint answers as {shown(edition)} now, and answered as {names} before: verdicts of "
                "both are not compared. To judge stored calls again, name one exact model in judge.model"
            )
        elif not is_asked:
            self.endpoint.log(
                f"the judge's endpoint answers as {shown(name)} instead of {shown(model)}. This is accepted as the "
                f"same model unless the name changes. To confirm, write answers_as: [{shown(name)}] under `judge` in "
                "planner.yaml"
            )

    def _record(
        self,
        call: JudgeCall,
        vote: Vote,
        completion: Completion,
        cost: int | None,
    ) -> VoteRecord:
        return VoteRecord(
            key=call.want.key,
            number=1,
            call_id=call.call_id,
            model=self.cache.model,
            edition=self._edition,
            verdict=vote.verdict,
            turn=vote.turn,
            quote=vote.quote,
            reason=vote.reason,
            void=vote.void,
            transcript=transcript_digest(call.want.question.turns),
            call_microcents=cost,
            read_tokens=completion.read_tokens,
            written_tokens=completion.written_tokens,
        )

    async def _wait_for_turn(self) -> None:
        while not self.stopped and (left := self._not_before - self.clock.monotonic()) > 0:
            await self.clock.sleep(min(left, 1.0))

    def _throttle(self, error: ThrottledError) -> None:
        now = self.clock.monotonic()
        self._throttled_since = now if self._throttled_since is None else self._throttled_since
        self._throttles += 1
        seconds = error.retry_after_seconds
        if seconds is None:
            seconds = min(2.0 ** min(self._throttles - 1, 6), _LONGEST_WAIT_SECONDS)
        if now + seconds - self._throttled_since > GIVE_UP_SECONDS:
            self.result.trouble = f"{error}, for {GIVE_UP_SECONDS:.0f} s and more"
            return
        self._not_before = max(self._not_before, now + seconds)
        self.log(f"{error}: {seconds:g} s")

    def _fail(self, error: Exception) -> None:
        self._failures += 1
        self.log(str(error))
        if self._failures >= _FAILURES_IN_A_ROW + self.max_concurrent:
            self.result.trouble = f"{error}, {self._failures} times in a row"


def _each_once(wanted: Iterable[WantedVotes]) -> Iterator[WantedVotes]:
    """One for each vote. Calls with equal transcripts want the same votes, which are requested once."""
    requested = Counter[str]()
    for want in wanted:
        lacking = max(0, want.votes - requested[want.key])
        requested[want.key] += lacking
        yield from repeat(want, lacking)
