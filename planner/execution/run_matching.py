"""Finds the runs of launches in the service's lists.

Launches whose answer did not list all runs get theirs bound to slots. Unconfirmed launches are adopted, left to a person, or settled
as never sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from planner.errors import NotFoundError
from planner.execution.context import Context
from planner.execution.events import Moved, RunsClaimed
from planner.execution.launch_search import possibly_sent, search_launches
from planner.execution.launches import DUPLICATE_ANSWER, Launch, LaunchState, Slot
from planner.execution.listing import Listed
from planner.execution.reconciling import Candidate, Unconfirmed, asks_the_same, bind_slots, prompt_key, run_fits
from planner.execution.watched import Search, Unbound, Watched
from planner.providers.base import Batch, BatchId, Run

NAMED_RUNS = 5


async def bind(context: Context, unbound: Unbound, runs: Mapping[int, Run]) -> None:
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
            shown: dict[int, Run] = {run_id: runs[run_id] for run_id in free if run_id in runs}
            free = list(bind_slots(slots, _with_prompts(slots, shown), sorted(shown)).values())
        context.journal.record(RunsClaimed(launch.launch_id, tuple(free[: len(slots) - len(launch.run_ids)])))
    context.bind(launch.launch_id, runs)
    _report_altered(context, context.launch(launch.launch_id), runs)


def _report_altered(context: Context, launch: Launch, runs: Mapping[int, Run]) -> None:
    slots = context.journal.slots_of(launch.launch_id)
    bound = {slot.run_id for slot in slots}
    altered = [run_id for run_id in launch.run_ids if run_id in runs and run_id not in bound]
    if not altered:
        context.outcome.anomalies.pop(launch.launch_id, None)
        return
    named = ", ".join(map(str, altered[:NAMED_RUNS])) + (", …" if len(altered) > NAMED_RUNS else "")
    which = f"run {named}" if len(altered) == 1 else f"runs {named}"
    listed = any(runs[run_id].prompt for run_id in altered)
    how = "with a different prompt than was sent" if listed else "without the prompt that was sent"
    cases = ", ".join(dict.fromkeys(slot.case_id for slot in slots if slot.run_id is None))
    context.report_anomaly(
        launch.launch_id,
        f"the service shows {which} {how}. Their case is unknown, so they count"
        f" for no case ({cases}). They are charged and will not be repeated.",
    )


def is_foreign_run(context: Context, watched: Watched, run: Run) -> bool:
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


async def _listed_run_ids(context: Context, batch_id: int) -> Sequence[int]:
    try:
        return (await context.client.batch(BatchId(batch_id))).run_ids
    except NotFoundError:
        return []  # just created and not yet visible everywhere


def _with_prompts(slots: Sequence[Slot], runs: Mapping[int, Run]) -> dict[int, Run]:
    asked = {prompt_key(slot.prompt) for slot in slots}
    return {run_id: run for run_id, run in runs.items() if prompt_key(run.prompt) in asked}


def _matching(launch: Unconfirmed, runs: Mapping[int, Run], claimed: set[int]) -> list[int]:
    """At most one run per slot, never two for one prompt."""
    fitting: dict[int, Run] = {
        run.id: run for run in runs.values() if run.id not in claimed and run.batch_id is None and run_fits(launch, run)
    }
    return list(bind_slots(launch.slots, fitting, sorted(fitting)).values())


def searchable(context: Context) -> list[Search]:
    """Launches that can be searched for now: made with this API key, and not to be confused with one being sent."""
    mine = [search for search in context.unconfirmed.values() if not search.other_key]
    return [search for search in mine if not _may_be_confused(context, search, ())]


def settle_unconfirmed(
    context: Context,
    unconfirmed: Sequence[Search],
    runs: Listed[Run],
    batches: Listed[Batch],
    searched_at: float,
) -> None:
    """Settle `unconfirmed`, which were searchable when the lists were requested, at `searched_at`."""
    if not unconfirmed:  # the usual case: skip reading all claims
        return
    since = [search for search in context.unconfirmed.values() if search not in unconfirmed]
    matches = search_launches(
        [
            _with_requesters(context, search.unconfirmed)
            for search in unconfirmed
            if not _may_be_confused(context, search, since)
        ],
        batches=batches,
        runs=runs,
        journal=context.journal,
    )
    missing: dict[Unconfirmed, bool] = {}
    for match in matches:
        launch = match.unconfirmed.launch
        search = context.unconfirmed[launch.launch_id]
        known, search.needs_person = search.needs_person, match.found is None and bool(match.candidates)
        if match.found is not None:
            _adopt(context, match.unconfirmed, match.found, runs.found)
        elif search.needs_person:
            if not known:
                context.observer.log(
                    f"launch {launch.launch_id} has {len(match.candidates)} candidates: a person must choose"
                )
        elif runs.whole and searched_at - search.since >= context.settings.settle_seconds:
            missing[match.unconfirmed] = known
    _settle_absent(context, missing, runs, batches)
    if matches:
        context.wake()


def _may_be_confused(context: Context, search: Search, since: Sequence[Search]) -> bool:
    """Whether a similar launch is being sent, or was lost `since`: a listed run could belong to either."""
    line, prompts = search.unconfirmed.launch.line, set(search.unconfirmed.prompts)
    others = [(intent.line, intent.slots) for intent in context.posting.values()]
    others += [(other.unconfirmed.launch.line, other.unconfirmed.slots) for other in since]
    return any(
        (other.target_type, other.target_id) == (line.target_type, line.target_id)
        and any(prompt_key(slot.prompt) in prompts for slot in slots)
        for other, slots in others
    )


def _with_requesters(context: Context, unconfirmed: Unconfirmed) -> Unconfirmed:
    """With the requesters known by now."""
    return replace(unconfirmed, requesters=context.journal.requesters_of(unconfirmed.launch.launch_id))


def _adopt(context: Context, unconfirmed: Unconfirmed, found: Candidate, runs: Mapping[int, Run]) -> None:
    launch = unconfirmed.launch
    context.confirm_launch(
        launch.launch_id,
        LaunchState.ADOPTED,
        runs,
        batch_id=found.batch_id,
        run_ids=found.run_ids,
        detail=launch.detail,
    )
    del context.unconfirmed[launch.launch_id]
    context.observer.log(
        f"launch {launch.launch_id} had arrived: adopted run{'s' if len(found.run_ids) != 1 else ''}"
        f" {', '.join(str(run_id) for run_id in found.run_ids) or f'of batch {found.batch_id}'}"
    )


def _settle_absent(
    context: Context, missing: Mapping[Unconfirmed, bool], runs: Listed[Run], batches: Listed[Batch]
) -> None:
    """Settle launches that the lists should show by now but do not. The values say whether a person is already
    needed."""
    uncertain = possibly_sent(list(missing), batches=batches, runs=runs, journal=context.journal)
    for unconfirmed, known in missing.items():
        launch_id = unconfirmed.launch.launch_id
        if launch_id in uncertain:
            context.unconfirmed[launch_id].needs_person = True
            if unconfirmed.launch.detail.startswith(DUPLICATE_ANSWER):
                context.observer.log(
                    f"launch {launch_id} is not listed, and its answer also went to another launch: a person must decide"
                )
            elif not known:
                context.observer.log(
                    f"no listed run has the time and prompts of launch {launch_id}, but the service does not always list them as they"
                    f" were sent, and {len(uncertain[launch_id])} other runs may belong to it: a person must decide"
                )
            continue
        context.journal.record(
            Moved(launch_id, LaunchState.ABSENT, detail="not listed by the service after the settling time")
        )
        del context.unconfirmed[launch_id]
        context.requeue(unconfirmed.launch, unconfirmed.slots)
        context.observer.log(f"launch {launch_id} never arrived: its runs may be launched again")
