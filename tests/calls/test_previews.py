"""Copies of agents through the log: against a sandbox, with a process that dies at each step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from faulty_sandbox import FaultySandbox
from memory_log import Machine, MemoryLog, SharedLines
from whole_runs import any_prompt

from planner.calls.budget import Budget
from planner.calls.concurrency import ConcurrencyLimit
from planner.calls.deciding import decide, gone_copies
from planner.calls.driver import Terms, Tools
from planner.calls.model import Limit, Settings, Stop, StopReason, Want, now_of
from planner.calls.previews import DifferentCopyError, Edition, Previews
from planner.clock import Clock
from planner.errors import ConflictError, PlannerError
from planner.key_redaction import NO_KEYS
from planner.log.facts import Asked, Call, Consent, Goal, Intent, Outcome, Preview, PreviewStep, Result
from planner.providers.base import Line, RunId, RunStatus
from planner.providers.requests import NO_HOOKS
from planner.providers.thunderphone.client import Account, ApiClient, connect

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOURCE = 12
FIELDS = {"prompt": "You answer the phone. Be short."}
WRITES = ("duplicate_agent", "draft_agent", "deploy_agent", "delete_agent")


class Killed(BaseException):
    """Nothing that comes after it has any effect."""


@dataclass
class Life:
    """Ends before or after the `dies_at`th step."""

    dies_at: int = -1
    steps: int = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps >= self.dies_at > 0:
            raise Killed

    async def pause(self, what: str) -> None:
        del what
        self.step()


class MortalClient:
    """The real client. Its process may die before and after each write."""

    def __init__(self, client: ApiClient, life: Life) -> None:
        self._client = client
        self._life = life

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name not in WRITES:
            return method

        async def write(*args: Any, **named: Any) -> Any:
            self._life.step()
            answer = await method(*args, **named)
            self._life.step()
            return answer

        return write


@dataclass
class World:
    """One service and one shared log, at a time that tests set."""

    faults: tuple[Mapping[str, Any], ...] = ()
    seconds: float = 0.0
    shared: SharedLines = field(default_factory=SharedLines)
    previews: int = 0

    def __post_init__(self) -> None:
        self.sandbox = FaultySandbox(any_prompt(), faults=self.faults, now=lambda: NOW.timestamp() + self.seconds)

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await anyio.lowlevel.checkpoint()

    def _new_id(self) -> str:
        self.previews += 1
        return f"p{self.previews}"

    def session(self, machine: Machine | None = None, life: Life | None = None) -> Previews:
        life = life or Life()
        clock = Clock(
            lambda: datetime.fromtimestamp(NOW.timestamp() + self.seconds, UTC), lambda: self.seconds, self.sleep
        )
        client: Any = connect(
            Account("http://sandbox", "sk_sandbox_any"),
            clock=clock,
            hooks=NO_HOOKS,
            redactor=NO_KEYS,
            app=self.sandbox.app,
        )
        log = MemoryLog(machine or Machine(), self.shared, life.pause, life.step)
        terms = Terms("s", "a", Settings())

        async def save(evidence: Any) -> list[str]:
            raise AssertionError(evidence)

        return Previews(MortalClient(client, life), log, Tools(clock, self._new_id, save), terms)  # type: ignore[arg-type]

    async def edition(self, fields: Mapping[str, Any] = FIELDS) -> Edition:
        agent = await self.session().provider.agent(SOURCE)
        return Edition("clinic", "clinic.yaml", agent, "sha256:wanted", fields)

    def copies(self) -> list[int]:
        return sorted(set(self.sandbox.agents.ids) - set(any_prompt().agents))


async def make_and_delete(session: Previews, edition: Edition) -> None:
    await session.log.refresh()
    await session.clean_up([edition])
    await session.make(edition)
    await session.clean_up()


async def test_a_copy_has_the_configuration_and_is_reused() -> None:
    world = World()
    edition = await world.edition()
    session = world.session()
    preview = await session.make(edition)
    assert preview.step is PreviewStep.CONFIGURED
    assert world.copies() == [preview.copy_id]
    assert preview.copy_id is not None
    copy = await session.provider.agent(preview.copy_id)
    assert copy.configuration == {**edition.deployed.configuration, **FIELDS}
    await session.log.share()
    other = world.session()
    await other.log.refresh()
    assert (await other.make(edition)).preview_id == preview.preview_id
    await other.clean_up()
    assert world.copies() == []
    assert not other.open()


async def test_a_process_that_dies_at_any_step_leaves_nothing() -> None:
    """Also with its machine: the intent of a copy is shared before it is made."""
    alive = Life()
    world = World()
    await make_and_delete(world.session(life=alive), await world.edition())
    assert alive.steps > 15
    for step in range(1, alive.steps + 1):
        for is_lost in (False, True):
            world, machine = World(), Machine()
            edition = await world.edition()
            with pytest.raises(Killed):
                await make_and_delete(world.session(machine, Life(step)), edition)
            session = world.session(Machine() if is_lost else machine)
            await session.log.refresh()
            await make_and_delete(session, edition)
            world.seconds += 2 * Settings().settle_seconds
            await session.clean_up()
            assert world.copies() == [], (step, is_lost)
            assert not session.open(), (step, is_lost)


@pytest.mark.parametrize("kind", ["lost_answer", "error_after"])
@pytest.mark.parametrize("route", ["duplicate", "edit", "deploy", "delete"])
async def test_a_lost_answer_leaves_nothing(kind: str, route: str) -> None:
    world = World(({"kind": kind, "route": route, "times": 1},))
    session = world.session()
    edition = await world.edition()
    await make_and_delete(session, edition)
    assert [fault.fired for fault in world.sandbox.faults] == [1]
    assert world.copies() == []
    assert not session.open()


async def test_a_copy_that_never_arrived_is_made_again() -> None:
    world = World(({"kind": "error_before", "route": "duplicate", "status": 502, "times": 1},))
    session = world.session()
    edition = await world.edition()
    with pytest.raises(PlannerError, match=r"target `clinic` \(clinic\.yaml\)"):
        await session.make(edition)
    (lost,) = session.open()
    await session.clean_up()
    assert session.open() == [lost], "it may still arrive"
    world.seconds += 2 * Settings().settle_seconds
    await make_and_delete(session, edition)
    assert world.copies() == []
    assert not session.open()


async def test_a_copy_that_waited_too_long_is_not_made() -> None:
    world = World()
    edition = await world.edition()
    session = world.session()
    log: Any = session.log
    real = log.append

    async def slow(facts: Any) -> bool:
        world.seconds += Settings().max_send_delay_seconds + 1
        return await real(facts)

    log.append = slow
    with pytest.raises(PlannerError, match="waited too long"):
        await session.make(edition)
    assert world.copies() == []
    assert not session.open()


def called_on(preview: Preview) -> Intent:
    line = Line("agent", preview.copy_id or 0, "outbound", "bot", None)
    return Intent(NOW, "a", "l1", "c1", "s", line, (Asked("k", "sha256:p", 1, 24),), 5.0, "key")


async def test_a_copy_in_use_is_kept() -> None:
    world = World()
    session = world.session()
    preview = await session.make(await world.edition())
    session.log.note([called_on(preview)])
    await session.clean_up()
    assert world.copies() == [preview.copy_id]
    world.seconds += 2 * 86_400
    await session.clean_up()
    assert world.copies() == []


async def test_a_call_and_a_deletion_exclude_each_other() -> None:
    """Whoever appends first is right."""
    world = World()
    machines = [world.session(), world.session()]
    preview = await machines[0].make(await world.edition())
    await machines[0].log.share()
    await machines[1].log.refresh()
    assert await machines[1].log.append([called_on(preview)])
    assert not await machines[0].try_delete(preview)
    assert world.copies() == [preview.copy_id]
    assert not gone_copies(machines[0].log.state)

    other = await machines[0].make(replace(await world.edition(), configuration="sha256:other"))
    await machines[0].log.share()
    await machines[1].log.refresh()
    assert await machines[0].try_delete(other)
    assert not await machines[1].log.append([called_on(other)])
    assert gone_copies(machines[1].log.state) == {("agent", other.copy_id)}


@pytest.mark.parametrize("change", ["edit", "delete", "rename"])
async def test_a_changed_copy_proves_nothing(change: str) -> None:
    world = World()
    session = world.session()
    edition = await world.edition()
    preview = await session.make(edition)
    assert await session.compare(preview) == preview
    assert preview.copy_id is not None
    client: Any = session.provider
    if change == "delete":
        await client.delete_agent(preview.copy_id)
    else:
        field = "prompt" if change == "edit" else "name"
        await client.draft_agent(preview.copy_id, {field: "Somebody else's."})
        await client.deploy_agent(preview.copy_id)
    compared = await session.compare(preview)
    assert (compared.was_changed, compared.step is PreviewStep.LOST) == (change != "delete", change == "delete")
    assert gone_copies(session.log.state) == {("agent", preview.copy_id)}
    again = await session.make(edition)
    assert again.copy_id != preview.copy_id
    assert (await session.compare(preview)).was_changed == (change != "delete")
    assert bool(session.warnings) == (change == "rename")


async def test_a_source_that_is_edited_meanwhile_is_not_tested() -> None:
    world = World()
    edition = await world.edition()
    client: Any = world.session().provider
    await client.draft_agent(SOURCE, {"prompt": "Another.", "voice": "another"})
    await client.deploy_agent(SOURCE)
    session = world.session()
    with pytest.raises(ConflictError, match="was edited while its copy was made"):
        await session.make(edition)
    assert world.copies() == []


async def test_a_copy_that_differs_is_never_called() -> None:
    world = World()
    edition = await world.edition()
    deployed = replace(edition.deployed, configuration={**edition.deployed.configuration, "voice": "not copied"})
    session = world.session()
    real: Any = session.provider

    class Unlike:
        credential = real.credential

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        async def agent(self, agent_id: int) -> Any:
            return deployed if agent_id == SOURCE else await real.agent(agent_id)

    session.provider = Unlike()  # type: ignore[assignment]
    with pytest.raises(DifferentCopyError, match="`voice`"):
        await session.make(replace(edition, deployed=deployed))
    assert world.copies() == []


async def test_a_copy_costs_what_its_agent_costs() -> None:
    """Its calls reserve the highest bill of the agent and of earlier copies."""
    world = World()
    session = world.session()
    preview = await session.make(await world.edition())
    for agent_id, cents in ((SOURCE, 30), (preview.copy_id or 0, 20), (99, 40)):
        intent = replace(
            called_on(preview), launch_id=f"l{agent_id}", line=Line("agent", agent_id, "outbound", "bot", None)
        )
        accepted = Outcome(NOW, intent.launch_id, Result.ACCEPTED, run_ids=(RunId(agent_id),))
        call = Call(NOW, "a", RunId(agent_id), "k", intent.launch_id, status=RunStatus.COMPLETED, cents=cents)
        session.log.note([intent, accepted, call])
    budget = Budget(session.log.state, [], {})
    want = Want("k", "any", Line("agent", preview.copy_id or 0, "outbound", "bot", None), 24)
    assert budget.price(want) == 30


async def test_a_session_whose_copy_is_gone_stops() -> None:
    """Before: it waited for nothing, and did not say why calls were missing."""
    world = World()
    session = world.session()
    preview = await session.make(await world.edition())
    assert await session.try_delete(preview)
    want = Want("k", "any", called_on(preview).line, 24)
    consent = Consent(NOW, "a", "c1", "sha256:set", (Goal("k", 1, "plan"),), (), "Ana", "flag")
    stop = decide(
        session.log.state, consent, [want], Limit(ConcurrencyLimit()), now_of(session.provider, session.tools.clock)
    )
    assert isinstance(stop, Stop)
    assert (stop.reason, stop.exit_code) == (StopReason.COPY_GONE, 4)
