"""Launches that were carried out and whose answer did not tell all: which of the service's runs are theirs, and of which slot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner.api.wire import WireRun
from planner.errors import NotFoundError
from planner.execution.context import Context
from planner.execution.launches import ANSWERED_TWICE, Launch, Slot
from planner.execution.reconciling import Lost, asks_the_same, bind_slots, prompt_key, run_fits
from planner.execution.watched import Unbound, Watched

NAMED_RUNS = 5


async def bind(context: Context, unbound: Unbound, runs: Mapping[int, WireRun]) -> None:
    """As far as `runs`, those listed now, tell; the rest another time. Runs that are shown otherwise than they were asked for are
    told of at once: they are never guessed at."""
    launch = unbound.launch
    slots = context.journal.slots_of(launch.launch_id)
    if len(launch.run_ids) < len(slots) and launch.batch_id is not None:
        claimed = context.journal.claimed_run_ids()
        told = await _told_run_ids(context, launch.batch_id)
        if not told:
            told = [run.id for run in runs.values() if run.batch_id == launch.batch_id]
        free = [run_id for run_id in told if run_id not in claimed]
        if not told:  # neither names the other: prompt and time are all there is
            free = _fitting(Lost(launch, slots), runs, claimed)
        elif len(told) > len(slots):  # not all of it is this launch's: those that were asked for here are
            shown = {run_id: runs[run_id] for run_id in free if run_id in runs}
            free = list(bind_slots(slots, _of_prompts(slots, shown), sorted(shown)).values())
        context.journal.claim(launch.launch_id, free[: len(slots) - len(launch.run_ids)])
    context.bind(launch.launch_id, runs)
    _tell_of_altered(context, context.launch(launch.launch_id), runs)


def _tell_of_altered(context: Context, launch: Launch, runs: Mapping[int, WireRun]) -> None:
    slots = context.journal.slots_of(launch.launch_id)
    bound = {slot.run_id for slot in slots}
    altered = [run_id for run_id in launch.run_ids if run_id in runs and run_id not in bound]
    if not altered:
        context.outcome.oddities.pop(launch.launch_id, None)
        return
    named = ", ".join(map(str, altered[:NAMED_RUNS])) + (", …" if len(altered) > NAMED_RUNS else "")
    which = f"run {named}" if len(altered) == 1 else f"runs {named}"
    told = any(runs[run_id].scenario_prompt for run_id in altered)
    how = "with another prompt than was sent" if told else "without the prompt that was sent"
    cases = ", ".join(dict.fromkeys(slot.case_id for slot in slots if slot.run_id is None))
    context.find_odd(
        launch.launch_id,
        f"the service shows {which} {how}: which case each was made for cannot be told, so they count"
        f" for none ({cases}); they are paid for, and not made again",
    )


def is_anothers(context: Context, watched: Watched, run: WireRun) -> bool:
    """Of a launch that shares its answer with another: whether this run is not what it asked for, so that its call is no evidence."""
    if not watched.launch.detail.startswith(ANSWERED_TWICE) or asks_the_same(
        Lost(watched.launch, (watched.slot,)), run
    ):
        return False
    context.find_odd(
        f"run {run.id}",
        f"run {run.id}, with which the service answered launch {watched.launch.launch_id}, is not what that asked for"
        f" ({watched.slot.case_id}): it counts for no case",
    )
    return True


async def _told_run_ids(context: Context, batch_id: int) -> list[int]:
    try:
        return (await context.client.batch(batch_id)).run_ids
    except NotFoundError:
        return []  # made a moment ago, and not known everywhere yet


def _of_prompts(slots: Sequence[Slot], runs: Mapping[int, WireRun]) -> dict[int, WireRun]:
    asked = {prompt_key(slot.prompt) for slot in slots}
    return {run_id: run for run_id, run in runs.items() if prompt_key(run.scenario_prompt) in asked}


def _fitting(launch: Lost, runs: Mapping[int, WireRun], claimed: set[int]) -> list[int]:
    """One run a slot, as far as there are such: never two for a prompt that was asked for once."""
    fitting = {
        run.id: run for run in runs.values() if run.id not in claimed and run.batch_id is None and run_fits(launch, run)
    }
    return list(bind_slots(launch.slots, fitting, sorted(fitting)).values())
