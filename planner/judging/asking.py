"""Requests the votes that verdicts need: a few at a time, at the pace of the endpoint, within the budget, once each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import anyio

from planner.checks.opinions import Question, Vote, checked
from planner.checks.wording import shown
from planner.errors import (
    CredentialError,
    IncompleteError,
    LostAnswerError,
    NotFoundError,
    PlannerError,
    RefusedError,
    ServiceError,
    ThrottledError,
    UnreachableError,
)
from planner.execution.clock import Clock
from planner.judging.answers import read_vote, void
from planner.judging.budget import CeilingReachedError, JudgeBudget, is_plausible
from planner.judging.cache import VoteCache, VoteRecord
from planner.judging.endpoint import Completion, DeclinedError, Endpoint, OtherModelError, reworded
from planner.judging.models import is_asked_model
from planner.judging.pricing import Pricing
from planner.judging.prompt import compose

ATTEMPTS: Final = 3
"""How often a vote is asked for when nothing usable comes back."""
SECOND_CHANCES: Final = 1
"""How often more, at most, a vote is asked for whose answer is void: models misquote now and then."""
GIVE_UP_SECONDS: Final = 300.0
"""Nothing but "wait" from the endpoint for so long."""
LAST_WORDS_SECONDS: Final = 3.0
"""How long answers on their way are waited for after an interruption."""
_FAILURES_IN_A_ROW: Final = 6
"""Of all votes together, beyond those in flight: the endpoint is down."""
_LONGEST_WAIT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Votes on one question, by number; `plan` is whose budget pays."""

    plan: str
    question: Question
    key: str
    numbers: tuple[int, ...]


@dataclass(slots=True)
class Asking:
    """How it went. The texts say why votes are missing; empty if that is not why.

    `spent` and `uncertain` are millionths of a cent; what is uncertain may have been charged although no answer came.
    """

    given: int = 0
    spent: int = 0
    uncertain: int = 0
    ceiling: str = ""
    refusal: str = ""
    usage: str = ""
    trouble: str = ""
    interrupted: bool = False

    @property
    def why_stopped(self) -> str:
        if self.ceiling:
            return f"the ceiling was reached ({self.ceiling})"
        return self.refusal or self.usage or self.trouble or ("interrupted" if self.interrupted else "")


@dataclass(slots=True)
class Asker:
    """Puts every vote that comes into `cache`, which stores it first."""

    endpoint: Endpoint
    cache: VoteCache
    budget: JudgeBudget
    pricing: Pricing
    clock: Clock
    new_token: Callable[[], str]
    max_concurrent: int
    tell: Callable[[str], None]
    """Decisions in words, for `-v`."""
    answers_as: tuple[str, ...] = ()
    """Other names of the model that is asked."""
    _answers_as: str = ""
    """What it calls itself, where that is none of these."""
    _is_named: bool = False
    """Whether an answer said whose it is."""
    result: Asking = field(default_factory=Asking)
    _waiting: deque[tuple[Wanted, int]] = field(default_factory=deque[tuple[Wanted, int]])
    _not_before: float = 0.0
    _throttled_since: float | None = None
    _throttles: int = 0
    _failures: int = 0
    _seen: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    _is_whole: bool = False
    _news: anyio.Event = field(default_factory=anyio.Event)

    def add(self, wanted: Iterable[Wanted]) -> None:
        """More votes to ask for; none is asked for twice, whatever came of it."""
        for want in wanted:
            for number in want.numbers:
                if (want.key, number) not in self._seen:
                    self._seen.add((want.key, number))
                    self._waiting.append((want, number))
        self._wake()

    def close(self) -> None:
        """That was all."""
        self._is_whole = True
        self._wake()

    async def ask(self, *, interrupted: anyio.Event) -> Asking:
        """Requests what is added until `close` is called. If the store fails, it stops, and the result says so."""

        async def work() -> None:
            try:
                while not self._stopped:
                    if self._waiting:
                        await self._vote(*self._waiting.popleft())
                    elif self._is_whole:
                        return
                    else:
                        await self._news.wait()
            except IncompleteError as error:  # the store failed: a vote that cannot be stored would be paid for again
                self.result.trouble = _told(error)
            finally:
                self._wake()  # who waits for more learns that there is none

        async def watch(tasks: anyio.abc.TaskGroup) -> None:
            await interrupted.wait()
            self.result.interrupted = True
            self._wake()
            await self.clock.sleep(LAST_WORDS_SECONDS)
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as watching:
            async with anyio.create_task_group() as tasks:
                watching.start_soon(watch, tasks)
                for _ in range(self.max_concurrent):
                    tasks.start_soon(work)
            watching.cancel_scope.cancel()
        self.result.spent, self.result.uncertain = self.budget.spent, self.budget.uncertain
        return self.result

    def _wake(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    @property
    def _stopped(self) -> bool:
        """Not by a ceiling: it may be that of one plan, and what another asks for, or what costs less, may still have room."""
        result = self.result
        return bool(result.refusal or result.usage or result.trouble or result.interrupted)

    async def _vote(self, want: Wanted, number: int) -> None:
        """One vote, asked for until there is an answer, or none can be had."""
        failed = voids = 0
        while not self._stopped:
            await self._wait_for_turn()
            if self._stopped:
                return
            try:
                vote, record = await self._ask_once(want, number, again_if_void=voids < SECOND_CHANCES)
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
                self.result.refusal = _told(error)
            except (CredentialError, NotFoundError, OtherModelError) as error:
                self.result.usage = _told(error)
            else:
                self._failures = self._throttles = 0
                self._throttled_since = None
                if record is None:
                    voids += 1
                    self.tell(f"a vote is void, for {vote.void}: asked for once more")
                    continue
                self.result.given += 1
                return

    async def _ask_once(self, want: Wanted, number: int, *, again_if_void: bool) -> tuple[Vote, VoteRecord | None]:
        """The answer, and its stored record; None for a void answer that will be requested again."""
        prompt = compose(want.question, self.new_token)
        reserved = self.pricing.reserve(prompt.size_bytes)
        self.budget.reserve(want.plan, reserved)
        try:
            completion = await self.endpoint.complete(prompt)
        except (UnreachableError, ThrottledError, DeclinedError, CredentialError, NotFoundError, RefusedError) as error:
            self.budget.release(want.plan, reserved)
            raise reworded(error) from error
        except LostAnswerError as error:
            raise reworded(error) from error
        cost = self.pricing.billed(completion)
        if cost is not None and not is_plausible(cost, reserved):
            self.tell(
                f"the endpoint reports {completion.read_tokens:,} and {completion.written_tokens:,} tokens for one vote, which cannot"
                " be: its reservation is counted instead"
            )
            cost = None
        if not self._is_one_model(completion.model):
            self.budget.settle(want.plan, reserved, cost)
            raise OtherModelError(completion.model, self._answers_as or self.endpoint.model)
        if completion.content is None:
            vote = void(completion.problem)
        else:
            vote = checked(read_vote(completion.content, prompt), want.question.turns)
        record = None
        if not (vote.void and again_if_void):
            record = self._record(want, number, vote, completion, cost)
            self.cache.add(record)
        self.budget.settle(want.plan, reserved, cost)
        return vote, record

    def _is_one_model(self, told: str) -> bool:
        """Whether it answers as the model that was asked. Where no other names of it were listed, one that calls itself otherwise
        from the first answer on is believed to be what its name stands for (an alias, a deployment), and told of."""
        if is_asked_model(told, self._answers_as or self.endpoint.model, () if self._answers_as else self.answers_as):
            self._is_named = self._is_named or bool(told.strip())
            return True
        if self._is_named or self.answers_as:
            return False
        self._is_named, self._answers_as = True, told
        self.endpoint.tell(
            f"the judge's endpoint answers as {shown(told)}, where {shown(self.endpoint.model)} was asked: taken for the same"
            f" model as long as no other name comes. Write answers_as: [{shown(told)}] under `judge` in planner.yaml if it is"
        )
        return True

    def _record(self, want: Wanted, number: int, vote: Vote, completion: Completion, cost: int | None) -> VoteRecord:
        return VoteRecord(
            key=want.key,
            number=number,
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
        told = error.retry_after_seconds
        seconds = min(2.0 ** min(self._throttles - 1, 6), _LONGEST_WAIT_SECONDS) if told is None else told
        if now + seconds - self._throttled_since > GIVE_UP_SECONDS:
            self.result.trouble = f"{error}, for {GIVE_UP_SECONDS:.0f} s and more"
            return
        self._not_before = max(self._not_before, now + seconds)
        self.tell(f"{error}: {seconds:g} s")

    def _fail(self, error: Exception) -> None:
        self._failures += 1
        self.tell(str(error))
        if self._failures >= _FAILURES_IN_A_ROW + self.max_concurrent:
            self.result.trouble = f"{error}, {self._failures} times in a row"


def _told(error: PlannerError) -> str:
    return f"{error}. {error.hint}" if error.hint else str(error)
