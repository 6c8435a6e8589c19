"""Making runs: the conversation is played at the launch, so that the end of the run and its bill are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from planner.sandbox.conversation import Conversation
from planner.sandbox.conversations.playing import Conversations
from planner.sandbox.draws import Draws, seed_of, shuffled
from planner.sandbox.state.money import billable_minutes, estimate_cents, rate_cents
from planner.sandbox.state.records import Batch, LaunchEvent, LaunchRequest, Run
from planner.sandbox.state.state import State
from planner.sandbox.worlds.dialogues import Snapshot
from planner.sandbox.worlds.faults import Fault
from planner.sandbox.worlds.world import World

NOBODY = "Nobody answers here: the number has no agent for this direction."
NOT_PLACED = "The call could not be placed: no answer from the carrier."


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


@dataclass(frozen=True, slots=True)
class Launch:
    """An accepted request, who answers it, and what goes wrong with it."""

    request: LaunchRequest
    answerer: Answerer
    at: float
    faults: Sequence[Fault]
    requested_by_id: int


class Launcher:
    def __init__(self, world: World, state: State) -> None:
        self._world = world
        self._state = state
        self.conversations = Conversations()

    def estimate_cents(self, answerer: Answerer) -> int:
        """Of one run."""
        product = answerer.snapshot.product if answerer.snapshot else next(iter(self._world.rates), "")
        return estimate_cents(self._world, product)

    def make(self, launch: Launch) -> LaunchEvent:
        request, world, state = launch.request, self._world, self._state
        line = (request.target_type, request.target_id, request.direction, request.mode)
        prompts = request.prompts or ("",)
        run_ids = list(range(state.next_run_id, state.next_run_id + request.run_count))
        if any(fault.spec.kind == "shuffle_ids" for fault in launch.faults):
            run_ids = shuffled(run_ids, seed_of(world.seed, "shuffle", state.next_run_id))
        batch_id = state.next_batch_id if request.is_batch else None
        call_id = state.next_call_id
        made = Counter[str]()
        runs: list[Run] = []
        for index, run_id in enumerate(run_ids):
            prompt = prompts[index % len(prompts)]
            seed = seed_of(world.seed, *line, prompt, state.occurrences(*line, prompt) + made[prompt])
            made[prompt] += 1
            answerer = launch.answerer.of_run(seed)
            queued = self._queued(launch, answerer, index)
            run = replace(queued, id=run_id, batch_id=batch_id, prompt=prompt, seed=seed)
            if answerer.snapshot is not None:
                run = self._called(run, answerer.snapshot, call_id)
                call_id += 1 if run.sip_call_id is None else 2
            runs.append(_with_faults(run, index, launch.faults))
        batch = None
        if batch_id is not None:
            batch = Batch(
                id=batch_id,
                request=request,
                requested_by_id=launch.requested_by_id,
                created_at=launch.at,
                run_ids=tuple(run_ids),
                estimated_cost_cents=sum(run.estimated_cost_cents for run in runs),
                estimated_minutes=world.estimated_minutes * len(runs),
            )
        return LaunchEvent(launch.at, batch, tuple(runs))

    def _queued(self, launch: Launch, answerer: Answerer, index: int) -> Run:
        """The run without a call yet: if nobody is there to answer, that is all."""
        request, world = launch.request, self._world
        starts_at = launch.at + (world.delays.dial_seconds + index * request.stagger_seconds) / world.time_scale
        bot = request.target_number or world.demo_number
        ends = (bot, answerer.number) if request.direction == "outbound" else (answerer.number, bot)
        return Run(
            id=0,
            batch_id=None,
            target_type=request.target_type,
            target_id=request.target_id,
            direction=request.direction,
            mode=request.mode,
            target_number=bot,
            prompt="",
            requested_by_id=launch.requested_by_id,
            snapshot=answerer.digest,
            seed=0,
            time_scale=world.time_scale,
            created_at=launch.at,
            starts_at=starts_at,
            ends_at=starts_at,
            from_number=ends[0],
            to_number=ends[1],
            charge_multiplier=world.charge_multiplier,
            estimated_cost_cents=self.estimate_cents(answerer),
            error_message=NOBODY if answerer.snapshot is None else "",
        )

    def _called(self, run: Run, snapshot: Snapshot, call_id: int) -> Run:
        """The run with its call. If models talk on it, its end and its bill are not known yet."""
        call_id_at = run.starts_at + self._world.delays.call_id_seconds / run.time_scale
        sip_call_id = call_id + 1 if run.mode == "sip" else None
        run = replace(run, call_id=call_id, sip_call_id=sip_call_id, call_id_at=call_id_at)
        if snapshot.model or self._world.bot.model:
            return replace(run, ends_at=None, is_pending=True)
        conversation = self.conversations.of(run.snapshot, snapshot, run.prompt, run.seed)
        return self.ended(run, conversation, snapshot.product, run.starts_at)

    def ended(self, run: Run, conversation: Conversation, product: str, not_before: float) -> Run:
        """The run with its end and its bill. A call that broke off has failed and costs nothing.

        Until then `transcript_at` and `grade_at` are how late a fault makes them.
        """
        delays = self._world.delays
        ends_at = max(not_before, run.starts_at + conversation.duration_ms / 1000 / run.time_scale)
        minutes = 0 if conversation.error else billable_minutes(conversation.duration_ms)
        call_cents = minutes * rate_cents(self._world, product)
        return replace(
            run,
            is_pending=False,
            ends_at=ends_at,
            transcript_at=ends_at + run.transcript_at + delays.transcript_seconds / run.time_scale,
            grade_at=ends_at + run.grade_at + delays.grade_seconds / run.time_scale,
            duration_ms=conversation.duration_ms,
            billable_minutes=minutes,
            call_cents=call_cents,
            cost_cents=call_cents * run.charge_multiplier,
            error_message=conversation.error,
        )


def _with_faults(run: Run, index: int, faults: Sequence[Fault]) -> Run:
    for fault in faults:
        spec = fault.spec
        if spec.runs is not None and index >= spec.runs:
            continue
        unbilled = replace(run, is_pending=False, billable_minutes=0, call_cents=0, cost_cents=0)
        match spec.kind:
            case "hang":
                run = replace(unbilled, ends_at=None)
            case "fail_run":
                run = replace(
                    unbilled,
                    call_id=None,
                    sip_call_id=None,
                    duration_ms=0,
                    ends_at=run.starts_at,
                    error_message=NOT_PLACED,
                )
            case "late":
                late = {what: spec.seconds if what in spec.what else 0 for what in ("call_id", "transcript", "grade")}
                run = replace(
                    run,
                    call_id_at=run.call_id_at + late["call_id"],
                    transcript_at=run.transcript_at + late["transcript"],
                    grade_at=run.grade_at + late["grade"],
                )
            case _:
                pass
    return run
