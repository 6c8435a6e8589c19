"""One organization of the service: its world, its state, and the operations behind its endpoints."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from planner.sandbox.agents import Agents
from planner.sandbox.errors import insufficient_balance, not_found, throttled
from planner.sandbox.launching import Answerer, Launcher
from planner.sandbox.state import (
    FOREIGN_USER_ID,
    OWN_USER_ID,
    Charge,
    Event,
    LaunchRequest,
    ServiceState,
    SimulatedRun,
    Store,
)
from planner.sandbox.worlds.dialogues import Object, meant
from planner.sandbox.worlds.faults import Fault, Faults, FaultSpec
from planner.sandbox.worlds.files import WorldError
from planner.sandbox.worlds.world import World

if TYPE_CHECKING:
    from planner.sandbox.service.app import App

_FOREIGN_PROMPT = "You are somebody else's caller. Ask for the opening hours."


class Sandbox:
    """`app` is the ASGI application. With `state_path` the state outlives the process; `now` is the clock (epoch
    seconds)."""

    def __init__(
        self,
        world: World,
        api_keys: Collection[str] | None = None,
        now: Callable[[], float] = time.time,
        state_path: str | os.PathLike[str] | None = None,
    ) -> None:
        self.world = world
        self.api_keys = None if api_keys is None else frozenset(api_keys)
        self._clock = now
        self.state = ServiceState(world)
        self.faults = Faults(world.faults, world.seed)
        self.concurrency_limit = world.concurrency_limit
        self._store = Store(None if state_path is None else Path(state_path), self.state.apply)
        self._launcher = Launcher(world, self.state)
        self.agents = Agents(world, self.state, self._store.append)
        for fault in self.faults.active:
            fault.seen, fault.fired = self.state.faults.get(fault.key, (0, 0))

    @cached_property
    def app(self) -> App:
        from planner.sandbox.service.app import App  # which imports this module

        return App(self)

    def now(self) -> float:
        """The sandbox's own time, in epoch seconds."""
        return self._clock() + self.state.ahead_seconds

    def refresh(self) -> None:
        """Read the changes of other processes with the same state file."""
        self._store.refresh()

    def close(self) -> None:
        self._store.close()

    # Launches

    def launch(self, request: LaunchRequest) -> Event:
        """Accept a valid request, or raise 404, 402 or 429 (in this order). The launch is in the state file on
        return."""
        with self._store.change():
            answerer = self._answerer(request)
            now = self.now()
            if not self.state.can_cover(self._launcher.estimate_cents(answerer) * request.run_count, now):
                raise insufficient_balance()
            if len(self.state.live_runs(now)) + request.run_count > self.concurrency_limit:
                raise throttled(self.world.retry_after_seconds)
            faults = self.faults.firing("launch", "launch")
            for fault in faults:
                self.note_fired(fault)
                if fault.spec.kind == "agent_edit" and fault.spec.agent_id is not None:
                    self.agents.deploy_revision(fault.spec.agent_id, fault.spec.revision, self.now())
                    answerer = self._answerer(request)
            event = self._launcher.make(request, answerer, now, faults, OWN_USER_ID)
            self._store.append(event)
        return event

    def _answerer(self, request: LaunchRequest) -> Answerer:
        if request.target_type == "agent":
            if request.target_id not in self.agents.ids:
                raise not_found("Agent")
            numbers = self.world.phone_numbers.values()
            own = (number.number for number in numbers if number.inbound_agent_id == request.target_id)
            return self._answering(request.target_id, next(own, ""))
        phone = self.world.phone_numbers.get(request.target_id)
        if phone is None or phone.status in ("released", "releasing"):
            raise not_found("Phone number")
        agent_id = phone.inbound_agent_id if request.direction == "outbound" else phone.outbound_agent_id
        if agent_id not in self.agents.ids or phone.status != "active":
            return Answerer(None, phone.number)
        return self._answering(agent_id, phone.number)

    def _answering(self, agent_id: int, number: str) -> Answerer:
        return Answerer(self.agents.snapshot(agent_id), number, self.agents.split(agent_id))

    def add_foreign_runs(self, count: int, *, identical: bool) -> None:
        """Runs of another user of the organization: like our newest one, or different."""
        newest = next((run for run in self.state.newest_first() if run.requested_by_id == OWN_USER_ID), None)
        request = LaunchRequest("agent", next(iter(self.world.agents)), "outbound", prompts=(_FOREIGN_PROMPT,))
        if identical and newest is not None:
            target = (newest.target_type, newest.target_id, newest.direction, newest.target_number)
            request = LaunchRequest(*target, (newest.prompt,), newest.mode)
        for _ in range(count):
            with self._store.change():
                answerer = self._answerer(request)
                self._store.append(self._launcher.make(request, answerer, self.now(), (), FOREIGN_USER_ID))

    # Other changes

    def regrade(self, run: SimulatedRun) -> None:
        """Grade a call again, which is billed."""
        now = self.now()
        if not self.state.can_cover(self.world.regrade_cents, now):
            raise insufficient_balance()
        grade_at = now + self.world.delays.grade_seconds / self.world.time_scale
        cents = -self.world.regrade_cents
        self._store.append(
            Event(now, charge=Charge(now, "adjustment", cents, run.call_id, "Call graded again", grade_at))
        )

    def top_up(self, amount_cents: int) -> None:
        now = self.now()
        self._store.append(Event(now, charge=Charge(now, "manual_topup", amount_cents, None, "Top-up")))

    def advance(self, seconds: float) -> None:
        """Move the clock forward: calls end, late results appear."""
        self._store.append(Event(self.now(), advance_seconds=seconds))

    def check_fault(self, spec: FaultSpec) -> None:
        """Raises `WorldError` if the fault deploys an agent or revision that the world does not have."""
        if spec.agent_id is not None:
            self.check_deploy(spec.agent_id, spec.revision)

    def check_deploy(self, agent_id: int, revision: int | None) -> None:
        """Raises `WorldError` if the world has no such agent, or the agent no such revision."""
        agent = self.world.agents.get(agent_id)
        if agent is None:
            raise WorldError(f"deploy: there is no agent {agent_id}{meant(agent_id, self.world.agents)}")
        if revision is not None and revision not in agent.revisions:
            raise WorldError(f"deploy: agent {agent_id} has no revision {revision}{meant(revision, agent.revisions)}")

    def note_fired(self, fault: Fault) -> None:
        """Remember that a fault of the world file fired, so that `times` counts across restarts."""
        if fault.key.startswith("world:"):
            self._store.append(Event(self.now(), faults={fault.key: (fault.seen, fault.fired)}))

    def ledger(self) -> Object:
        """All charges, also those that will be made once calls end: the bill of a run is fixed at its launch."""
        self.refresh()
        now = self.now()
        same = ("batch_id", "call_id", "prompt", "target_type", "target_id", "direction", "mode", "cost_cents")
        same += ("requested_by_id", "created_at")
        runs = self.state.runs
        shown_runs: list[JsonValue] = [
            {
                **{name: getattr(run, name) for name in same},
                "duration_ms": run.conversation.duration_ms,
                "run_id": run.id,
                "status": run.status(now),
                "foreign": run.requested_by_id != OWN_USER_ID,
                "started_at": run.starts_at,
                "ended_at": run.ends_at,
            }
            for run in runs
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
            {"at": charge.at, "call_id": charge.call_id, "cost_cents": -charge.amount_cents}
            for charge in self.state.charges
            if charge.kind == "adjustment"
        ]
        regraded_cents = -sum(charge.amount_cents for charge in self.state.charges if charge.kind == "adjustment")
        return {
            "launches": launches,
            "runs": shown_runs,
            "regrades": regrades,
            "total_cents": sum(run.cost_cents for run in runs) + regraded_cents,
            "foreign_cents": sum(run.cost_cents for run in runs if run.requested_by_id != OWN_USER_ID),
            "faults": [dict[str, JsonValue](item) for item in self.faults.state()],
        }
