"""One organization of the service: its world, its state, and the operations behind its endpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from planner.sandbox.agents import Agents
from planner.sandbox.errors import insufficient_balance, not_found, throttled
from planner.sandbox.launching import Answerer, Launcher
from planner.sandbox.state import Charge, Event, LaunchRequest, ServiceState, SimulatedRun
from planner.sandbox.worlds.dialogues import Object
from planner.sandbox.worlds.world import World

if TYPE_CHECKING:
    from planner.sandbox.service.app import App


class Sandbox:
    """`app` is the ASGI application. With `state_path` the state outlives the process; `now` is the clock (epoch
    seconds)."""

    def __init__(
        self,
        world: World,
        api_keys: Collection[str] | None = None,
        now: Callable[[], float] = time.time,
        state_path: Path | None = None,
    ) -> None:
        self.world = world
        self.api_keys = None if api_keys is None else frozenset(api_keys)
        self._clock = now
        self.state = ServiceState(world, state_path)
        self._launcher = Launcher(world, self.state)
        self.agents = Agents(world, self.state)

    @cached_property
    def app(self) -> App:
        from planner.sandbox.service.app import App  # which imports this module

        return App(self)

    def now(self) -> float:
        """The sandbox's own time, in epoch seconds."""
        return self._clock()

    # Launches

    def launch(self, request: LaunchRequest) -> Event:
        """Accept a valid request, or raise 404, 402 or 429 (in this order). The launch is in the state file on
        return."""
        answerer = self._answerer(request)
        now = self.now()
        if not self.state.can_cover(self._launcher.estimate_cents(answerer) * request.run_count, now):
            raise insufficient_balance()
        if len(self.state.live_runs(now)) + request.run_count > self.world.concurrency_limit:
            raise throttled(self.world.retry_after_seconds)
        event = self._launcher.make(request, answerer, now)
        self.state.record(event)
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

    # Other changes

    def regrade(self, run: SimulatedRun) -> None:
        """Grade a call again, which is billed."""
        now = self.now()
        if not self.state.can_cover(self.world.regrade_cents, now):
            raise insufficient_balance()
        grade_at = now + self.world.delays.grade_seconds / self.world.time_scale
        cents = -self.world.regrade_cents
        charge = Charge(now, "adjustment", cents, run.call_id, "Call graded again", grade_at)
        self.state.record(Event(now, charge=charge))

    def ledger(self) -> Object:
        """All charges, also those that will be made once calls end: the bill of a run is fixed at its launch."""
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
            }
            for launch in self.state.launches
        ]
        regrades: list[JsonValue] = [
            {"at": charge.at, "call_id": charge.call_id, "cost_cents": -charge.amount_cents}
            for charge in self.state.charges
        ]
        regraded_cents = -sum(charge.amount_cents for charge in self.state.charges)
        return {
            "launches": launches,
            "runs": shown_runs,
            "regrades": regrades,
            "total_cents": sum(run.cost_cents for run in runs) + regraded_cents,
        }
