"""One organization of the service: its world, what it remembers, and the operations its endpoints perform."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from pathlib import Path

from pydantic import JsonValue
from starlette.types import ASGIApp

from planner.sandbox.agents import Agents
from planner.sandbox.conversation import EMPTY, Conversation, Object
from planner.sandbox.conversations.talks import Talks
from planner.sandbox.launching import Answerer, Launch, Launcher
from planner.sandbox.state.money import can_cover
from planner.sandbox.state.records import (
    FOREIGN_USER_ID,
    OWN_USER_ID,
    AdvanceEvent,
    FaultEvent,
    LaunchEvent,
    LaunchRequest,
    RegradeEvent,
    Run,
    SnapshotEvent,
    TalkEvent,
    TopUpEvent,
)
from planner.sandbox.state.state import State
from planner.sandbox.state.store import Store
from planner.sandbox.state.timeline import run_status
from planner.sandbox.wire.answers import Dialect
from planner.sandbox.wire.errors import insufficient_balance, not_found, throttled
from planner.sandbox.worlds.faults import Fault, Faults, FaultSpec
from planner.sandbox.worlds.files import WorldError
from planner.sandbox.worlds.part import meant
from planner.sandbox.worlds.world import World

_FOREIGN_PROMPT = "You are somebody else's caller. Ask for the opening hours."


class Sandbox:
    """`app` is the ASGI application. Give `state_path` to make it remember across processes; `now` is its clock (epoch seconds)."""

    def __init__(
        self,
        world: World,
        dialect: Dialect = "page",
        api_keys: Collection[str] | None = None,
        now: Callable[[], float] = time.time,
        state_path: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`environ` has the keys of the world's models, by the names that the world gives. Raises `WorldError` when one is missing."""
        check_keys(world, environ or {})
        self.world = world
        self.dialect: Dialect = dialect
        self.api_keys = None if api_keys is None else frozenset(api_keys)
        self._clock = now
        self.state = State()
        self.faults = Faults(world.faults, world.seed)
        self.secret = os.urandom(16)
        """Signs addresses that need no key."""
        self.concurrency_limit = world.concurrency_limit
        self._store = Store(None if state_path is None else Path(state_path), self.state.apply)
        self._launcher = Launcher(world, self.state)
        self._talks = Talks(world, environ or {})
        self.agents = Agents(world, self.state, self._store.append)
        for event in self.state.faults.values():
            self.faults.recall(event.key, event.seen, event.fired)

    @cached_property
    def app(self) -> ASGIApp:
        from planner.sandbox.service.app import build_app  # app.py knows this class

        return build_app(self)

    @cached_property
    def world_digest(self) -> str:
        return self.world.digest

    def now(self) -> float:
        """Its own time, in epoch seconds."""
        return self._clock() + self.state.ahead_seconds

    def refresh(self) -> None:
        """See what other processes with the same state file have done, and what models have said."""
        self._store.refresh()
        for run_id, conversation in self._talks.finished():
            pending = self.state.pending.get(run_id)
            if pending is not None:
                product = self.state.snapshots[pending.snapshot].product
                run = self._launcher.ended(pending, conversation, product, self.now())
                self._store.append(TalkEvent(run, conversation))
        for run in self.state.pending.values():
            self._talks.begin(run, self.state.snapshots[run.snapshot])

    def close(self) -> None:
        self._store.close()

    # Launching

    def launch(self, request: LaunchRequest) -> LaunchEvent:
        """Accept a valid request, or raise 404, 402 or 429 (in this order). On disk when this returns."""
        with self._store.change():
            answerer = self._answerer(request)
            now = self.now()
            estimate = self._launcher.estimate_cents(answerer) * request.run_count
            if not can_cover(self.world, self.state, now, estimate):
                raise insufficient_balance()
            if self.state.live_runs(now) + request.run_count > self.concurrency_limit:
                raise throttled(self.world.retry_after_seconds)
            faults = self.faults.firing("launch", "launch")
            for fault in faults:
                self.note_fired(fault)
                if fault.spec.kind == "agent_edit" and fault.spec.agent_id is not None:
                    self.agents.deploy_revision(fault.spec.agent_id, fault.spec.revision, self.now())
                    answerer = self._answerer(request)
            accepted = self._accept(Launch(request, answerer, now, faults, OWN_USER_ID))
        self.refresh()
        return accepted

    def _accept(self, launch: Launch) -> LaunchEvent:
        event = self._launcher.make(launch)
        answerer = launch.answerer
        taking = {digest: snapshot for _, snapshot, digest in answerer.split}
        if answerer.snapshot is not None:
            taking[answerer.digest] = answerer.snapshot
        used = {run.snapshot for run in event.runs} - self.state.snapshots.keys() - {""}
        self._store.append(*(SnapshotEvent(digest, taking[digest]) for digest in sorted(used)), event)
        return event

    def _answerer(self, request: LaunchRequest) -> Answerer:
        if request.target_type == "agent":
            if request.target_id not in self.agents.ids:
                raise not_found("Agent")
            number = next(
                (
                    number.number
                    for number in self.world.phone_numbers.values()
                    if number.inbound_agent_id == request.target_id
                ),
                "",
            )
            return self._answering(request.target_id, number)
        phone = self.world.phone_numbers.get(request.target_id)
        if phone is None or phone.status in ("released", "releasing"):
            raise not_found("Phone number")
        agent_id = phone.inbound_agent_id if request.direction == "outbound" else phone.outbound_agent_id
        if agent_id not in self.agents.ids or phone.status != "active":
            return Answerer(None, "", phone.number)
        return self._answering(agent_id, phone.number)

    def _answering(self, agent_id: int, number: str) -> Answerer:
        return Answerer(*self.agents.snapshot(agent_id), number, self.agents.split(agent_id))

    def add_foreign_runs(self, count: int, *, identical: bool) -> None:
        """Runs of another user of the organization: like our newest one, or different."""
        newest = next((run for run in self.state.newest_first() if run.requested_by_id == OWN_USER_ID), None)
        first_agent = next(iter(self.world.agents))
        for _ in range(count):
            request = LaunchRequest("agent", first_agent, "outbound", prompts=(_FOREIGN_PROMPT,))
            if identical and newest is not None:
                request = LaunchRequest(
                    newest.target_type,
                    newest.target_id,
                    newest.direction,
                    newest.target_number,
                    (newest.prompt,),
                    newest.mode,
                )
            with self._store.change():
                self._accept(Launch(request, self._answerer(request), self.now(), (), FOREIGN_USER_ID))

    def regrade(self, run: Run) -> None:
        """Grade a call once more, which is billed."""
        now = self.now()
        if not can_cover(self.world, self.state, now, self.world.regrade_cents):
            raise insufficient_balance()
        grade_at = now + self.world.delays.grade_seconds / self.world.time_scale
        self._store.append(RegradeEvent(now, run.call_id or 0, self.world.regrade_cents, grade_at))

    def top_up(self, amount_cents: int) -> None:
        self._store.append(TopUpEvent(self.now(), amount_cents))

    def advance(self, seconds: float) -> None:
        """Move the clock forward: calls end, late results appear."""
        self._store.append(AdvanceEvent(self.now(), seconds))

    def check_fault(self, spec: FaultSpec) -> None:
        """Raises `WorldError` when the fault deploys what the world does not have."""
        if spec.agent_id is not None:
            self.check_deploy(spec.agent_id, spec.revision)

    def check_deploy(self, agent_id: int, revision: int | None) -> None:
        """Raises `WorldError` when the world has no such agent, or the agent no such revision."""
        agent = self.world.agents.get(agent_id)
        if agent is None:
            raise WorldError(f"deploy: there is no agent {agent_id}{meant(agent_id, self.world.agents)}")
        if revision is not None and revision not in agent.revisions:
            raise WorldError(f"deploy: agent {agent_id} has no revision {revision}{meant(revision, agent.revisions)}")

    def note_fired(self, fault: Fault) -> None:
        """Remember that a fault of the world file has fired, so that `times` holds across restarts."""
        if fault.key.startswith("world:"):
            self._store.append(FaultEvent(fault.key, fault.seen, fault.fired))

    # Conversations

    def conversation(self, run: Run) -> Conversation:
        """What was said on a run's call; nothing while models are talking on it. KeyError if nobody answered."""
        if run.id in self.state.talks or run.is_pending:
            return self.state.talks.get(run.id, EMPTY)
        return self._launcher.conversations.of(run.snapshot, self.state.snapshots[run.snapshot], run.prompt, run.seed)

    # Truth

    def ledger(self) -> Object:
        """What the service believes it charged, and charges once calls end: the bill of a run is fixed at its launch."""
        self.refresh()
        now = self.now()
        names = ("batch_id", "call_id", "prompt", "target_type", "target_id", "direction", "mode", "cost_cents")
        names += ("requested_by_id", "created_at", "duration_ms")
        runs: list[JsonValue] = [
            {
                **{name: getattr(run, name) for name in names},
                "run_id": run.id,
                "status": run_status(run, now),
                "foreign": run.requested_by_id != OWN_USER_ID,
                "started_at": run.starts_at,
                "ended_at": run.ends_at,
            }
            for run in self.state.runs
        ]
        launches: list[JsonValue] = [
            {
                "at": launch.at,
                "batch_id": launch.batch.id if launch.batch else None,
                "run_ids": [run.id for run in launch.runs],
                "cost_cents": sum(self.state.run(run.id).cost_cents for run in launch.runs),
                "foreign": launch.runs[0].requested_by_id != OWN_USER_ID,
            }
            for launch in self.state.launches
        ]
        regrades: list[JsonValue] = [
            {"at": event.at, "call_id": event.call_id, "cost_cents": event.cost_cents} for event in self.state.regrades
        ]
        own, foreign = (
            sum(run.cost_cents for run in self.state.runs if (run.requested_by_id == OWN_USER_ID) is ours)
            for ours in (True, False)
        )
        return {
            "launches": launches,
            "runs": runs,
            "regrades": regrades,
            "total_cents": own + foreign + sum(event.cost_cents for event in self.state.regrades),
            "foreign_cents": foreign,
            "faults": [dict[str, JsonValue](item) for item in self.faults.state()],
        }


def check_keys(world: World, environ: Mapping[str, str]) -> None:
    """Raises `WorldError` when a model in use has no key in the environment though the world names one."""
    used = {world.bot.model, *(agent.model for agent in world.agents.values())}
    for name, model in world.models.items():
        if name in used and model.api_key_env is not None and not environ.get(model.api_key_env):
            raise WorldError(
                f"model {name!r} needs its key in the environment variable {model.api_key_env}, which is not set"
            )
