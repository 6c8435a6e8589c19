"""Ways to pay twice, or more than was agreed to, that were found by reading the driver: each is closed here."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import anyio
import pytest
from log_service import EPOCH, Client, Service
from memory_log import Machine, MemoryLog, SharedLines
from virtual_time import VirtualLoop

from planner.calls.concurrency import ConcurrencyLimit
from planner.calls.deciding import decide
from planner.calls.driver import Driver, Log, Outcomes, Terms, Tools
from planner.calls.model import Limit, Now, Settings, Want
from planner.calls.poll_times import MAX_UNCERTAIN_POLL_SECONDS
from planner.cli.system import GlobalOptions, shell
from planner.clock import Clock
from planner.errors import LostAnswerError, ThrottledError
from planner.evidence import Evidence
from planner.judge.judge_call_records import JudgeCall, JudgeCallRecords
from planner.judge.pricing import MICROCENTS, CeilingReachedError
from planner.log.facts import Asked, Ceiling, Consent, Fact, Goal, Intent, Outcome, Result, Scope, Vote
from planner.log.fold import State
from planner.log.local import LocalLog
from planner.planfile.grammar import SHORTEST_SETTLING_SECONDS
from planner.providers.base import Launched, LaunchRequest, Line, Page, Run
from planner.workspace.stores import account_of

T = TypeVar("T")
LINE = Line("agent", 12, "outbound", "bot", None)
ACCOUNT = "a"
CENTS = 24


def want(number: int) -> Want:
    return Want(f"k{number}", f"You are {number}.", LINE, CENTS, 30.0, 600.0)


def consent(*keys: str, ceiling_cents: int | None = None) -> Consent:
    ceilings = () if ceiling_cents is None else (Ceiling(Scope.CONSENT, ceiling_cents, "--max-cost"),)
    return Consent(EPOCH, ACCOUNT, "c", "d", tuple(Goal(key, 1) for key in keys), ceilings)


@dataclass
class World:
    """A service in virtual time."""

    loop: VirtualLoop
    slept_seconds: float = 0.0
    """The loop's clock stood still meanwhile."""
    service: Service = field(init=False)

    def __post_init__(self) -> None:
        self.service = Service(Random(1), self.loop.time, limit=50, is_faulty=lambda *_: False)  # noqa: S311

    def play(self, story: Callable[[], Coroutine[None, None, T]]) -> T:
        return self.loop.run_until_complete(story())

    def driver(self, log: Log, agreed: Consent, wants: Sequence[Want], client: Client, session: str = "s") -> Driver:
        clock = Clock(
            lambda: EPOCH + timedelta(seconds=self.loop.time() + self.slept_seconds),
            self.loop.time,
            asyncio.sleep,
            lambda: self.loop.time() + self.slept_seconds,
        )
        ids = iter(range(10**6))

        async def save(evidence: Sequence[Evidence]) -> Sequence[str]:
            return [f"e{each.run_id}" for each in evidence]

        tools = Tools(clock, lambda: f"{session}-{next(ids)}", save)
        return Driver(cast(Any, client), log, tools, Terms(session, ACCOUNT, Settings(), agreed, tuple(wants)), Limit())

    @property
    def made(self) -> Counter[str]:
        """Prompts of our calls."""
        return Counter(made.run.prompt or "" for made in self.service.ours)


def _launched(service: Service, request: LaunchRequest) -> Launched:
    launched = service.launch(request)
    assert launched is not None
    return launched


@pytest.fixture
def world() -> Iterator[World]:
    loop = VirtualLoop()
    loop.ends_at = 1e6
    asyncio.set_event_loop(loop)
    yield World(loop)
    asyncio.set_event_loop(None)
    loop.close()


def test_an_intent_that_nobody_could_read_back_is_not_sent(world: World, tmp_path: Path) -> None:
    """Its time lies too far ahead. Before: it held no call, and the next decision made it again, past the ceiling."""

    async def story() -> Outcomes:
        log = LocalLog(tmp_path / "log.db", ACCOUNT, lambda: EPOCH - timedelta(days=400))
        agreed = consent("k1", ceiling_cents=CENTS)
        return await world.driver(log, agreed, [want(1)], Client(world.service)).run(anyio.Event())

    stop = world.play(story).stop
    assert stop is not None
    assert "would count for nothing" in stop.detail
    assert not world.made


def test_a_long_revision_of_an_agent_is_cut() -> None:
    """Before: a line with it could not be read back."""
    step = decide(
        State(),
        consent("k1"),
        [replace(want(1), revision="x" * 501)],
        Limit(ConcurrencyLimit(10, learned=10.0)),
        Now(0.0, EPOCH, 5.0),
    )
    assert isinstance(step, tuple | list)
    assert step[0].batch[0].asked.revision == "x" * 500


def test_no_two_open_launches_ask_for_the_same() -> None:
    """Two cases with one prompt, in two launches of one line: a lost answer could be either's."""
    wants = [replace(want(number), key=f"{name}{number}") for name in "ab" for number in range(20)]
    limit = Limit(ConcurrencyLimit(100, learned=100.0))
    step = decide(State(), consent(*(each.key for each in wants)), wants, limit, Now(0.0, EPOCH, 5.0))
    assert isinstance(step, tuple | list)
    asked = Counter((each.line, tuple(sorted(one.want.prompt_digest for one in each.batch))) for each in step)
    assert max(asked.values()) == 1


@pytest.mark.parametrize(("own", "others"), [(8, 2), (2, 8)], ids=["lowered", "raised"])
def test_neither_its_own_nor_another_machines_ceiling_is_passed(world: World, own: int, others: int) -> None:
    """Before: the session went on with the ceiling that it had begun with, or took over a higher one."""
    wants = [want(number) for number in range(8)]
    keys = [each.key for each in wants]
    world.service.limit = 2

    async def story() -> None:
        shared = SharedLines()
        agreed = consent(*keys, ceiling_cents=CENTS * own)
        resumed = consent(*keys, ceiling_cents=CENTS * others)
        resumed = replace(resumed, at=EPOCH - timedelta(seconds=60), part=1)
        log, other = MemoryLog(Machine(), shared), MemoryLog(Machine(), shared)
        await log.append([agreed])
        driver = world.driver(log, agreed, wants, Client(world.service))
        driver.limit = Limit(ConcurrencyLimit(2))

        async def resume() -> None:
            await asyncio.sleep(5)
            await other.refresh()
            while not await other.append([resumed]):
                pass

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(resume())
            tasks.create_task(driver.run(anyio.Event()))

    world.play(story)
    assert sum(made.cents for made in world.service.ours) <= CENTS * 2


def test_nothing_leaves_after_an_interruption(world: World) -> None:
    """Ctrl-C while the connection is being made."""
    sent: list[LaunchRequest] = []

    async def story() -> None:
        interrupted = anyio.Event()

        class Connecting(Client):
            async def launch(self, request: LaunchRequest, *, on_sending: Callable[[], None]) -> Launched:
                await asyncio.sleep(0.2)
                interrupted.set()
                await asyncio.sleep(0.2)
                on_sending()
                sent.append(request)
                return _launched(self.service, request)

        log = MemoryLog(Machine())
        await world.driver(log, consent("k1"), [want(1)], Connecting(world.service)).run(interrupted)

    world.play(story)
    assert not sent


def test_a_launch_that_slept_half_an_hour_is_not_sent(world: World) -> None:
    """The lid was closed while the connection was being made. Before: the program's clock did not count that."""
    ages: list[float] = []

    async def story() -> None:
        log = MemoryLog(Machine())

        class Sleepy(Client):
            async def launch(self, request: LaunchRequest, *, on_sending: Callable[[], None]) -> Launched:
                world.slept_seconds += 0.0 if world.slept_seconds else 1800.0
                on_sending()
                intent = log.state.launches[request.name.removeprefix("planner ")].intent
                assert intent is not None
                ages.append(world.loop.time() + world.slept_seconds - (intent.at - EPOCH).total_seconds())
                return _launched(self.service, request)

        await world.driver(log, consent("k1"), [want(1)], Sleepy(world.service)).run(anyio.Event())

    world.play(story)
    assert ages
    assert max(ages) < Settings().max_send_delay_seconds
    if sys.platform == "linux":
        assert shell(GlobalOptions()).clock.boottime is not None


def test_a_launch_whose_answer_may_still_come_is_not_absent(world: World) -> None:
    """A service may work on it for a minute, however short `settle_seconds` is, and another machine looks meanwhile."""

    class Slow(Client):
        async def launch(self, request: LaunchRequest, *, on_sending: Callable[[], None]) -> Launched:
            on_sending()
            await asyncio.sleep(59.0)
            return _launched(self.service, request)

    async def story() -> None:
        shared = SharedLines()
        agreed = consent("k1")
        here, other = MemoryLog(Machine(), shared), MemoryLog(Machine(), shared)
        await here.append([agreed])
        first = world.driver(here, agreed, [want(1)], Slow(world.service), "first")
        second = world.driver(other, agreed, [want(1)], Client(world.service), "second")
        for driver in (first, second):
            settings = Settings(settle_seconds=SHORTEST_SETTLING_SECONDS, linger_seconds=60.0, poll_ceiling_seconds=2.0)
            driver.terms = replace(driver.terms, settings=settings)

        async def later() -> None:
            await asyncio.sleep(2.0)
            await other.refresh()
            await second.run(anyio.Event())

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(first.run(anyio.Event()))
            tasks.create_task(later())

    world.play(story)
    assert world.made == {want(1).prompt: 1}


def test_a_launch_is_absent_only_by_lists_that_were_read_for_it(world: World) -> None:
    """Another machine launches and dies while this one reads the list of runs for signs of room, and learns of the launch
    only then. Before: it was absent, because a list that did not reach back to it did not show it."""
    wait_seconds = Settings().settle_seconds + 70
    world.service.limit = 10**6

    class Refused(Client):
        is_refused = False

        async def launch(self, request: LaunchRequest, *, on_sending: Callable[[], None]) -> Launched:
            on_sending()
            if not self.is_refused:
                self.is_refused = True
                raise ThrottledError("429", retry_after_seconds=wait_seconds)
            return _launched(self.service, request)

        async def runs(self, *, offset: int = 0, limit: int = 200) -> Page[Run]:
            page = self.service.listed(offset, limit)
            await asyncio.sleep(3.0)
            return page

    async def story() -> None:
        shared = SharedLines()
        agreed = consent("k1", "k2")
        log = MemoryLog(Machine(), shared)
        await log.append([agreed])
        driver = world.driver(log, agreed, [want(1)], Refused(world.service))
        driver.terms = replace(driver.terms, settings=Settings(poll_ceiling_seconds=1.0))

        async def lost_machine() -> None:
            await asyncio.sleep(20)
            other = MemoryLog(Machine(), shared)
            await other.refresh()
            asked = (Asked("k1", want(1).prompt_digest, 1, CENTS),)
            at = EPOCH + timedelta(seconds=world.loop.time())
            while not await other.append([Intent(at, ACCOUNT, "lost-0", "c", "lost", LINE, asked, 5.0, "key")]):
                pass
            world.service.launch(LaunchRequest(LINE, (want(1).prompt,), "planner lost-0", is_batch=True))
            somebody_else = Line("agent", 99, "outbound", "bot", None)
            for number in range(300):
                request = LaunchRequest(somebody_else, (f"foreign {number}",), "", is_batch=True)
                world.service.launch_of_somebody_else(request)
                await asyncio.sleep(0.2)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(lost_machine())
            tasks.create_task(driver.run(anyio.Event()))

    world.play(story)
    assert world.made[want(1).prompt] == 1


@dataclass
class BesideBase(MemoryLog):
    """The log of a pull request, which is decided beside the one of the default branch."""

    base: SharedLines = field(default_factory=SharedLines)

    async def refresh(self) -> None:
        await super().refresh()
        self.state.add_elsewhere(self.base.facts)


def _of_main(at_seconds: float) -> Intent:
    asked = (Asked("k1", want(1).prompt_digest, 1, CENTS),)
    return Intent(EPOCH + timedelta(seconds=at_seconds), ACCOUNT, "main-0", "m", "m", LINE, asked, 5.0, "key")


def test_a_pull_request_adopts_no_batch_that_the_default_branch_has_claimed(world: World) -> None:
    """Its own launch never arrived, and a session of the default branch made the same call meanwhile."""
    base = SharedLines()

    class Lost(Client):
        async def launch(self, request: LaunchRequest, *, on_sending: Callable[[], None]) -> Launched:
            on_sending()
            if base.facts:
                return _launched(self.service, request)
            made = _launched(self.service, replace(request, name="planner main-0"))
            assert made.batch_id is not None
            claimed = Outcome(EPOCH, "main-0", Result.ACCEPTED, made.batch_id, tuple(made.run_ids))
            base.facts += [_of_main(world.loop.time()), claimed]
            raise LostAnswerError("no answer")

    async def story() -> State:
        log = BesideBase(Machine(), SharedLines(), base=base)
        await world.driver(log, consent("k1"), [want(1)], Lost(world.service), "pr").run(anyio.Event())
        return log.state

    launches = world.play(story).launches
    assert launches["pr-0"].batch_id is None
    assert launches["main-0"].batch_id is not None


def test_a_pull_request_writes_nothing_about_launches_of_the_default_branch(world: World) -> None:
    """It neither says that they never arrived nor what they cost: only their own log says that."""
    shared = SharedLines()

    async def story() -> None:
        log = BesideBase(Machine(), shared, base=SharedLines([_of_main(-3600.0)]))
        await log.refresh()
        await world.driver(log, consent("k2"), [want(2)], Client(world.service), "pr").run(anyio.Event())

    world.play(story)
    assert world.made == {want(2).prompt: 1}
    assert not [fact for fact in shared.facts if "main-0" in _launch_ids(fact)]


def _launch_ids(fact: Fact) -> set[str]:
    return {fact.launch_id} if isinstance(fact, Intent | Outcome) else set()


def test_no_judge_call_passes_a_ceiling_that_another_machine_has_used_up(world: World) -> None:
    """It was planned when nothing was reserved, and what others appended was read since. Before: only an append that was
    refused compared."""
    agreed = consent("k", ceiling_cents=10)
    other = Vote(EPOCH, ACCOUNT, "va", "c", "sa", "q1", "q1", "judge", 10 * MICROCENTS)

    async def story() -> None:
        log = MemoryLog(Machine(), SharedLines([agreed, other]))
        await log.refresh()
        records = JudgeCallRecords(log, ACCOUNT, "c", "sb", cast(Any, SimpleNamespace(now=lambda: EPOCH)))
        question = cast(Any, SimpleNamespace(key="q2", plan="p"))
        await records.reserve(JudgeCall("vb", question, 5 * MICROCENTS))

    with pytest.raises(CeilingReachedError):
        world.play(story)


@pytest.mark.parametrize("address", ["https://api.thunderphone.com/", "https://api.thunderphone.com/v1"])
def test_a_service_is_one_account_however_its_address_is_written(address: str) -> None:
    """Before: the calls of a session without THUNDERPHONE_API_BASE_URL were made again by one that names the service."""
    unset, named = (
        cast(Any, SimpleNamespace(environ=environ)) for environ in ({}, {"THUNDERPHONE_API_BASE_URL": address})
    )
    assert account_of(unset) == account_of(named)


def test_a_lost_launch_is_looked_for_every_few_seconds(world: World) -> None:
    """Before: it was looked for at the floor of the poll interval once another call had ended, 391 times."""
    reads: list[float] = []

    class Losing(Client):
        async def launch(self, request: LaunchRequest, *, on_sending: Callable[[], None]) -> Launched:
            on_sending()
            if want(2).prompt in request.prompts:
                raise LostAnswerError("no answer")
            return _launched(self.service, request)

        async def runs(self, *, offset: int = 0, limit: int = 200) -> Page[Run]:
            reads.append(world.loop.time())
            return self.service.listed(offset, limit)

    async def story() -> None:
        wants = [want(1), replace(want(2), line=replace(LINE, target_id=13))]
        log = MemoryLog(Machine(), SharedLines())
        agreed = consent("k1", "k2")
        await log.append([agreed])
        driver = world.driver(log, agreed, wants, Losing(world.service))
        driver.terms = replace(driver.terms, settings=Settings(linger_seconds=300.0))
        await driver.run(anyio.Event())

    world.play(story)
    assert max(reads) > 300
    # At most two requests a poll, since a list that changed meanwhile is read again.
    assert sum(at > 100 for at in reads) <= 2 * (max(reads) - 100) / MAX_UNCERTAIN_POLL_SECONDS + 2
