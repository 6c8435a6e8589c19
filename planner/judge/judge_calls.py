"""Makes the judge calls that verdicts need: a few at a time, at the endpoint's pace, within the budget, once each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
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
    is_asked_model,
    reworded,
)
from planner.judge.judge_call_records import JudgeCall, JudgeCallRecords
from planner.judge.pricing import CeilingReachedError, JudgeBudget, Pricing, is_plausible
from planner.judge.prompt import compose, read_vote, void
from planner.judge.votes import VOID_RETRIES, JudgeCallsResult, VoteCache, VoteRecord, WantedVotes

ATTEMPTS: Final = 3
"""Attempts per vote without a usable answer."""
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
    answers_as: tuple[str, ...] = ()
    """Other names that the model may answer with."""
    _answers_as: str = ""
    """The name it answers with, if that is none of these."""
    _is_named: bool = False
    """Whether any answer named its model."""
    result: JudgeCallsResult = field(default_factory=JudgeCallsResult)
    _not_before: float = 0.0
    _throttled_since: float | None = None
    _throttles: int = 0
    _failures: int = 0

    async def ask(self, wanted: Iterable[WantedVotes], *, interrupted: anyio.Event) -> JudgeCallsResult:
        """Request each of the votes once. If the store fails, it stops, and the result says so."""
        votes = _each_once(wanted)

        async def work() -> None:
            try:
                for want, number in votes:  # all workers take from the same ones
                    await self._vote(want, number)
                    if self._stopped:
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
        self.result.spent, self.result.uncertain = self.budget.spent, self.budget.uncertain
        self.result.by_plan = self.budget.by_plan
        return self.result

    @property
    def _stopped(self) -> bool:
        """Not set by a ceiling: calls of other plans, or cheaper ones, may still fit."""
        result = self.result
        return bool(result.refusal or result.usage or result.trouble or result.bug or result.interrupted)

    async def _vote(self, want: WantedVotes, number: int) -> None:
        """Request one vote until it is answered or cannot be."""
        failed = voids = 0
        while not self._stopped:
            await self._wait_for_turn()
            if self._stopped:
                return
            try:
                vote, record = await self._ask_once(want, number, again_if_void=voids < VOID_RETRIES)
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
                if record is None:
                    voids += 1
                    self.log(f"a vote is void ({vote.void}): requested once more")
                    continue
                self.result.given += 1
                return

    async def _ask_once(self, want: WantedVotes, number: int, *, again_if_void: bool) -> tuple[Vote, VoteRecord | None]:
        """Make one judge call. Returns the vote and its stored record; None for a void vote that will be requested
        again."""
        prompt = compose(want.question, self.new_token)
        reserved = self.pricing.reserve(prompt.size_bytes)
        call = JudgeCall(self.new_token(), want, number, reserved)
        self.budget.reserve(want.plan, reserved)
        try:
            await self.records.reserve(call)
        except (CeilingReachedError, StoreError, UsageError):
            self.budget.release(want.plan, reserved)
            raise
        try:
            completion = await self.endpoint.complete(prompt)
        except (UnreachableError, ThrottledError, DeclinedError, CredentialError, NotFoundError, RefusedError) as error:
            self.budget.release(want.plan, reserved)
            self.records.settle(call, 0)
            raise reworded(error) from error
        except LostAnswerError as error:
            raise reworded(error) from error
        cost = self.pricing.billed(completion.read_tokens, completion.written_tokens)
        if cost is not None and not is_plausible(cost, reserved):
            self.log(
                f"the endpoint reports {completion.read_tokens:,} and {completion.written_tokens:,} tokens for one "
                "vote, which is implausible: its reservation counts instead"
            )
            cost = None
        if not self._is_one_model(completion.model):
            self._settle(call, cost)
            raise OtherModelError(completion.model, self._answers_as or self.endpoint.model)
        if completion.content is None:
            vote = void(completion.problem)
        else:
            vote = checked(read_vote(completion.content, prompt), want.question.turns)
        record = None
        if not (vote.void and again_if_void):
            record = self._record(call, vote, completion, cost)
            self.cache.add(record)
        self._settle(call, cost)
        return vote, record

    def _settle(self, call: JudgeCall, cost: int | None) -> None:
        self.budget.settle(call.want.plan, call.reserved, cost)
        self.records.settle(call, call.reserved if cost is None else cost)

    def _is_one_model(self, name: str) -> bool:
        """Whether the answering model is the requested one. If no other names are configured, a different name in the
        first answer is accepted as an alias, with a message, as long as it does not change."""
        if is_asked_model(name, self._answers_as or self.endpoint.model, () if self._answers_as else self.answers_as):
            self._is_named = self._is_named or bool(name.strip())
            return True
        if self._is_named or self.answers_as:
            return False
        self._is_named, self._answers_as = True, name
        self.endpoint.log(
            f"the judge's endpoint answers as {shown(name)} instead of {shown(self.endpoint.model)}. This is accepted "
            f"as the same model unless the name changes. To confirm, write answers_as: [{shown(name)}] under `judge` "
            "in planner.yaml"
        )
        return True

    def _record(self, call: JudgeCall, vote: Vote, completion: Completion, cost: int | None) -> VoteRecord:
        return VoteRecord(
            key=call.want.key,
            number=call.number,
            call_id=call.call_id,
            model=self.cache.model,
            edition=completion.model,
            verdict=vote.verdict,
            turn=vote.turn,
            quote=vote.quote,
            reason=vote.reason,
            void=vote.void,
            cost_microcents=cost,
            read_tokens=completion.read_tokens,
            written_tokens=completion.written_tokens,
        )

    async def _wait_for_turn(self) -> None:
        while not self._stopped and (left := self._not_before - self.clock.monotonic()) > 0:
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


def _each_once(wanted: Iterable[WantedVotes]) -> Iterator[tuple[WantedVotes, int]]:
    seen: set[tuple[str, int]] = set()
    for want in wanted:
        for number in want.numbers:
            if (want.key, number) not in seen:
                seen.add((want.key, number))
                yield want, number
