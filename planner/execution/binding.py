"""Binds runs to slots for launches whose answer did not list all runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner.api.wire import WireRun
from planner.errors import NotFoundError
from planner.execution.context import Context
from planner.execution.launches import DUPLICATE_ANSWER, Launch, Slot
from planner.execution.reconciling import Unconfirmed, asks_the_same, bind_slots, prompt_key, run_fits
from planner.execution.watched import Unbound, Watched

NAMED_RUNS = 5


async def bind(context: Context, unbound: Unbound, runs: Mapping[int, WireRun]) -> None:
    """Bind what the currently listed `runs` allow; the rest is retried later. Runs with an unexpected prompt are
    reported immediately and never guessed."""
    launch = unbound.launch
    slots = context.journal.slots_of(launch.launch_id)
    if len(launch.run_ids) < len(slots) and launch.batch_id is not None:
        claimed = context.journal.claimed_run_ids()
        listed = await _listed_run_ids(context, launch.batch_id)
        if not listed:
            listed = [run.id for run in runs.values() if run.batch_id == launch.batch_id]
        free = [run_id for run_id in listed if run_id not in claimed]
        if not listed:  # the batch lists no runs and the runs name no batch: match by prompt and time
            free = _matching(Unconfirmed(launch, slots), runs, claimed)
        elif len(listed) > len(slots):  # the batch holds runs of other launches: take those with matching prompts
            shown = {run_id: runs[run_id] for run_id in free if run_id in runs}
            free = list(bind_slots(slots, _with_prompts(slots, shown), sorted(shown)).values())
        context.journal.claim(launch.launch_id, free[: len(slots) - len(launch.run_ids)])
    context.bind(launch.launch_id, runs)
    _report_altered(context, context.launch(launch.launch_id), runs)


def _report_altered(context: Context, launch: Launch, runs: Mapping[int, WireRun]) -> None:
    slots = context.journal.slots_of(launch.launch_id)
    bound = {slot.run_id for slot in slots}
    altered = [run_id for run_id in launch.run_ids if run_id in runs and run_id not in bound]
    if not altered:
        context.outcome.anomalies.pop(launch.launch_id, None)
        return
    named = ", ".join(map(str, altered[:NAMED_RUNS])) + (", …" if len(altered) > NAMED_RUNS else "")
    which = f"run {named}" if len(altered) == 1 else f"runs {named}"
    listed = any(runs[run_id].scenario_prompt for run_id in altered)
    how = "with a different prompt than was sent" if listed else "without the prompt that was sent"
    cases = ", ".join(dict.fromkeys(slot.case_id for slot in slots if slot.run_id is None))
    context.report_anomaly(
        launch.launch_id,
        f"the service shows {which} {how}. Their case is unknown, so they count"
        f" for no case ({cases}). They are charged and will not be repeated.",
    )


def is_foreign_run(context: Context, watched: Watched, run: WireRun) -> bool:
    """Whether this run is not what the launch asked for. Only possible if the service gave two launches the same
    answer."""
    if not watched.launch.detail.startswith(DUPLICATE_ANSWER) or asks_the_same(
        Unconfirmed(watched.launch, (watched.slot,)), run
    ):
        return False
    context.report_anomaly(
        f"run {run.id}",
        f"run {run.id}, which the service returned for launch {watched.launch.launch_id}, is not what the launch asked for"
        f" ({watched.slot.case_id}): it counts for no case",
    )
    return True


async def _listed_run_ids(context: Context, batch_id: int) -> list[int]:
    try:
        return (await context.client.batch(batch_id)).run_ids
    except NotFoundError:
        return []  # just created and not yet visible everywhere


def _with_prompts(slots: Sequence[Slot], runs: Mapping[int, WireRun]) -> dict[int, WireRun]:
    asked = {prompt_key(slot.prompt) for slot in slots}
    return {run_id: run for run_id, run in runs.items() if prompt_key(run.scenario_prompt) in asked}


def _matching(launch: Unconfirmed, runs: Mapping[int, WireRun], claimed: set[int]) -> list[int]:
    """At most one run per slot, never two for one prompt."""
    fitting = {
        run.id: run for run in runs.values() if run.id not in claimed and run.batch_id is None and run_fits(launch, run)
    }
    return list(bind_slots(launch.slots, fitting, sorted(fitting)).values())
