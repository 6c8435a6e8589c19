"""Making runs: the conversation is computed here and now, and with it when the run will end and what it will cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from planner.sandbox.conversation import Conversation
from planner.sandbox.conversations.playing import Conversations
from planner.sandbox.draws import Draws, seed_of, shuffled
from planner.sandbox.state.money import billable_minutes, estimate_cents, rate_cents
from planner.sandbox.state.records import OWN_USER_ID, Batch, LaunchEvent, Run
from planner.sandbox.state.state import State
from planner.sandbox.wire.requests import LaunchRequest
from planner.sandbox.worlds.dialogues import Snapshot
from planner.sandbox.worlds.faults import Fault
from planner.sandbox.worlds.world import World

NOBODY = "Nobody answers here: the number has no agent for this direction."


@dataclass(frozen=True, slots=True)
class Answerer:
    """Who takes part for the organization: the snapshot and its digest (None: nobody), and the number called or calling.

    `split` are the agent's variants with their weights: each run is answered by one of them.
    """

    snapshot: Snapshot | None
    digest: str
    number: str
    split: tuple[tuple[int, Snapshot, str], ...] = ()

    def of_run(self, seed: int) -> Answerer:
        draw = Draws(seed_of(seed, "variant")).between(0, sum(weight for weight, _, _ in self.split))
        for weight, snapshot, digest in self.split:
            draw -= weight
            if draw < 0:
                return Answerer(snapshot, digest, self.number)
        return self


def digest_of(snapshot: Snapshot) -> str:
    return sha256(json.dumps(snapshot.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def make_launch(
    world: World,
    state: State,
    request: LaunchRequest,
    answerer: Answerer,
    now: float,
    faults: list[Fault],
    conversations: Conversations,
    *,
    requested_by_id: int = OWN_USER_ID,
) -> LaunchEvent:
    """The event of an accepted launch."""
    count = request.run_count
    prompts = request.prompts or ("",)
    run_ids = list(range(state.next_run_id, state.next_run_id + count))
    if any(fault.spec.kind == "shuffle_ids" for fault in faults):
        run_ids = shuffled(run_ids, seed_of(world.seed, "shuffle", state.next_run_id))
    batch_id = state.next_batch_id if request.is_batch else None
    product = _product(world, answerer)
    runs: list[Run] = []
    seen: dict[str, int] = {}
    call_id = state.next_call_id
    for index, run_id in enumerate(run_ids):
        prompt = prompts[index % len(prompts)]
        before = state.occurrences(request.target_type, request.target_id, request.direction, request.mode, prompt)
        occurrence = before + seen.get(prompt, 0)
        seen[prompt] = seen.get(prompt, 0) + 1
        seed = seed_of(
            world.seed, request.target_type, request.target_id, request.direction, request.mode, prompt, occurrence
        )
        taking = answerer.of_run(seed)
        run = _queued(
            world, request, taking, run_id, batch_id, prompt, index, now, seed=seed, requested_by_id=requested_by_id
        )
        if taking.snapshot is not None and (taking.snapshot.model or world.bot.model):
            run, call_id = _to_be_held(run, call_id)
        elif taking.snapshot is not None:
            conversation = conversations.of(taking.digest, taking.snapshot, prompt, seed)
            run, call_id = _with_call(run, conversation, world, product, call_id)
        runs.append(_spoilt(run, index, faults))
    batch = None if batch_id is None else _batch(world, request, batch_id, runs, now)
    return LaunchEvent(now, batch, tuple(runs))


def _product(world: World, answerer: Answerer) -> str:
    return str(answerer.snapshot.product if answerer.snapshot else next(iter(world.rates), ""))


def _queued(
    world: World,
    request: LaunchRequest,
    answerer: Answerer,
    run_id: int,
    batch_id: int | None,
    prompt: str,
    index: int,
    now: float,
    *,
    seed: int,
    requested_by_id: int,
) -> Run:
    """The run as it was asked for, without a call yet: where nobody is there to answer, that is all that becomes of it."""
    starts_at = now + (world.delays.dial_seconds + index * request.stagger_seconds) / world.time_scale
    bot = request.target_number or world.demo_number
    outbound = request.direction == "outbound"
    return Run(
        id=run_id,
        batch_id=batch_id,
        target_type=request.target_type,
        target_id=request.target_id,
        direction=request.direction,
        mode=request.mode,
        target_number=bot,
        prompt=prompt,
        requested_by_id=requested_by_id,
        snapshot=answerer.digest,
        seed=seed,
        time_scale=world.time_scale,
        created_at=now,
        starts_at=starts_at,
        call_id_at=starts_at,
        ends_at=starts_at,
        transcript_at=starts_at,
        grade_at=starts_at,
        duration_ms=0,
        call_id=None,
        sip_call_id=None,
        from_number=bot if outbound else answerer.number,
        to_number=answerer.number if outbound else bot,
        charge_multiplier=world.charge_multiplier,
        estimated_cost_cents=estimate_cents(world, _product(world, answerer)),
        billable_minutes=0,
        call_cents=0,
        cost_cents=0,
        error_message=NOBODY if answerer.snapshot is None else "",
    )


def _batch(world: World, request: LaunchRequest, batch_id: int, runs: Sequence[Run], now: float) -> Batch:
    return Batch(
        id=batch_id,
        name=request.name,
        target_type=request.target_type,
        target_id=request.target_id,
        direction=request.direction,
        target_number=request.target_number,
        prompts=request.prompts,
        run_count=len(runs),
        stagger_seconds=request.stagger_seconds,
        requested_by_id=runs[0].requested_by_id,
        created_at=now,
        run_ids=tuple(run.id for run in runs),
        estimated_cost_cents=sum(run.estimated_cost_cents for run in runs),
        estimated_minutes=world.estimated_minutes * len(runs),
    )


def _to_be_held(run: Run, call_id: int) -> tuple[Run, int]:
    """The run with its call, whose end and bill are not known before models have held it; and the next free call id."""
    sip = run.mode == "sip"
    held = replace(run, call_id=call_id, sip_call_id=call_id + 1 if sip else None, ends_at=None, is_pending=True)
    return held, call_id + (2 if sip else 1)


def held(run: Run, conversation: Conversation, world: World, product: str, now: float) -> Run:
    """A pending run once models have held its call: it ends now or, if that is later, when so much has been said. One that broke off
    has failed and costs nothing."""
    ends_at = max(now, run.starts_at + conversation.duration_ms / 1000 / run.time_scale)
    minutes = 0 if conversation.error else billable_minutes(conversation.duration_ms)
    call_cents = minutes * rate_cents(world, product)
    return replace(
        run,
        is_pending=False,
        ends_at=ends_at,
        transcript_at=ends_at + run.transcript_at - run.starts_at + world.delays.transcript_seconds / run.time_scale,
        grade_at=ends_at + run.grade_at - run.starts_at + world.delays.grade_seconds / run.time_scale,
        duration_ms=conversation.duration_ms,
        billable_minutes=minutes,
        call_cents=call_cents,
        cost_cents=call_cents * run.charge_multiplier,
        error_message=conversation.error,
    )


def _with_call(run: Run, conversation: Conversation, world: World, product: str, call_id: int) -> tuple[Run, int]:
    """The run with its call, its times and its bill; and the next free call id."""
    ends_at = run.starts_at + conversation.duration_ms / 1000 / world.time_scale
    minutes = billable_minutes(conversation.duration_ms)
    call_cents = minutes * rate_cents(world, product)
    sip = run.mode == "sip"
    placed = replace(
        run,
        call_id=call_id,
        sip_call_id=call_id + 1 if sip else None,
        call_id_at=run.starts_at + world.delays.call_id_seconds / world.time_scale,
        ends_at=ends_at,
        transcript_at=ends_at + world.delays.transcript_seconds / world.time_scale,
        grade_at=ends_at + world.delays.grade_seconds / world.time_scale,
        duration_ms=conversation.duration_ms,
        billable_minutes=minutes,
        call_cents=call_cents,
        cost_cents=call_cents * run.charge_multiplier,
    )
    return placed, call_id + (2 if sip else 1)


def _spoilt(run: Run, index: int, faults: list[Fault]) -> Run:
    """The run after the faults of its launch."""
    for fault in faults:
        spec = fault.spec
        if spec.runs is not None and index >= spec.runs:
            continue
        if spec.kind == "hang":
            run = replace(run, ends_at=None, is_pending=False, billable_minutes=0, call_cents=0, cost_cents=0)
        elif spec.kind == "fail_run":
            run = replace(
                run,
                call_id=None,
                sip_call_id=None,
                duration_ms=0,
                billable_minutes=0,
                call_cents=0,
                cost_cents=0,
                ends_at=run.starts_at,
                is_pending=False,
                error_message="The call could not be placed: no answer from the carrier.",
            )
        elif spec.kind == "late":
            run = replace(
                run,
                call_id_at=run.call_id_at + (spec.seconds if "call_id" in spec.what else 0),
                transcript_at=run.transcript_at + (spec.seconds if "transcript" in spec.what else 0),
                grade_at=run.grade_at + (spec.seconds if "grade" in spec.what else 0),
            )
    return run
