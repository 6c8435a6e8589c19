"""Making runs: the conversation is played at the launch, so that the end of the run and its bill are known."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

from planner.sandbox.conversation import Draws, converse, seed_of
from planner.sandbox.state import OWN_USER_ID, Batch, Event, LaunchRequest, ServiceState, SimulatedRun
from planner.sandbox.worlds.world import Snapshot, World
from planner.values import frozen

NOBODY = "Nobody answers here: the number has no agent for this direction."
NO_AGENT = "The agent was deleted before the call."


@frozen
class Answerer:
    """The organization's side of a call: its agent (None: nobody answers) and number."""

    snapshot: Snapshot | None
    number: str
    split: tuple[tuple[int, Snapshot], ...] = ()
    """The agent's variants with their weights: each run is answered by one of them."""

    def of_run(self, seed: int) -> Snapshot | None:
        draw = Draws(seed_of(seed, "variant")).between(0, sum(weight for weight, _ in self.split))
        for weight, snapshot in self.split:
            draw -= weight
            if draw < 0:
                return snapshot
        return self.snapshot


class Launcher:
    def __init__(self, world: World, state: ServiceState) -> None:
        self._world = world
        self._state = state

    def estimate_cents(self, answerer: Answerer) -> int:
        """Of one run."""
        world = self._world
        product = answerer.snapshot.product if answerer.snapshot else next(iter(world.rates), "")
        return world.estimated_minutes * self._rate_cents(product) * world.charge_multiplier

    def _rate_cents(self, product: str) -> int:
        """Per minute. An agent created with a product that has no price gets the cheapest."""
        rates: dict[str, int] = {str(name): cents for name, cents in self._world.rates.items()}
        return rates.get(product, min(rates.values(), default=0))

    def make(self, request: LaunchRequest, answerer: Answerer, at: float) -> Event:
        """The runs of an accepted request."""
        world, state = self._world, self._state
        prompts = request.prompts or ("",)
        run_ids = list(range(state.next_run_id, state.next_run_id + request.run_count))
        batch_id = state.next_batch_id if request.is_batch else None
        call_id = state.next_call_id
        line = (request.target_type, request.target_id, request.direction, request.mode)
        bot, own = request.target_number or world.demo_number, answerer.number
        from_number, to_number = (bot, own) if request.direction == "outbound" else (own, bot)
        estimate_cents = self.estimate_cents(answerer)
        made = Counter[str]()
        runs: list[SimulatedRun] = []
        for index, run_id in enumerate(run_ids):
            prompt = prompts[index % len(prompts)]
            seed = seed_of(world.seed, *line, prompt, state.occurrences(request, prompt) + made[prompt])
            made[prompt] += 1
            snapshot = answerer.of_run(seed)
            starts_at = at + (world.delays.dial_seconds + index * request.stagger_seconds) / world.time_scale
            queued = SimulatedRun(
                id=run_id,
                batch_id=batch_id,
                target_type=request.target_type,
                target_id=request.target_id,
                direction=request.direction,
                mode=request.mode,
                target_number=bot,
                prompt=prompt,
                requested_by_id=OWN_USER_ID,
                snapshot=snapshot,
                seed=seed,
                time_scale=world.time_scale,
                created_at=at,
                starts_at=starts_at,
                ends_at=starts_at,
                from_number=from_number,
                to_number=to_number,
                charge_multiplier=world.charge_multiplier,
                estimated_cost_cents=estimate_cents,
                error_message=NOBODY if snapshot is None else "",
            )
            run = self._called(queued, call_id)
            call_id += (run.call_id is not None) + (run.sip_call_id is not None)
            runs.append(run)
        batch = None
        if batch_id is not None:
            batch = Batch(
                id=batch_id,
                request=request,
                requested_by_id=OWN_USER_ID,
                created_at=at,
                run_ids=tuple(run_ids),
                estimated_cost_cents=estimate_cents * len(runs),
                estimated_minutes=world.estimated_minutes * len(runs),
            )
        return Event(at, "launch", tuple(runs), batch)

    def _called(self, run: SimulatedRun, call_id: int) -> SimulatedRun:
        """The run with its call, if somebody answers."""
        snapshot = run.snapshot
        if snapshot is None:
            return run
        sip_call_id = call_id + 1 if run.mode == "sip" else None
        run = replace(run, call_id=call_id, sip_call_id=sip_call_id)
        conversation = converse(snapshot, run.prompt, run.seed)
        ends_at = run.starts_at + conversation.duration_ms / 1000 / run.time_scale
        minutes = max(1, math.ceil(conversation.duration_ms / 60_000))
        call_cents = minutes * self._rate_cents(snapshot.product)
        return replace(
            run,
            conversation=conversation,
            ends_at=ends_at,
            grade_at=ends_at + self._world.delays.grade_seconds / run.time_scale,
            billable_minutes=minutes,
            call_cents=call_cents,
            cost_cents=call_cents * run.charge_multiplier,
        )
