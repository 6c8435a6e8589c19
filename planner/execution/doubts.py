"""Launches of unknown fate, as the service's lists show them: adopted, for a person to choose, or never carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from planner.api.wire import WireBatch, WireRun
from planner.execution.absence import unproven
from planner.execution.context import Context
from planner.execution.launches import ANSWERED_TWICE, LaunchState
from planner.execution.listing import Listed
from planner.execution.looking import look_for
from planner.execution.reconciling import Candidate, Lost, prompt_key
from planner.execution.watched import Doubt


def undisputed(context: Context) -> list[Doubt]:
    """Those that can be looked for now, with the key that they were made with."""
    mine = [doubt for doubt in context.doubts.values() if not doubt.other_key]
    return [doubt for doubt in mine if not _is_disputed(context, doubt, ())]


def settle_doubts(
    context: Context, doubts: Sequence[Doubt], runs: Listed[WireRun], batches: Listed[WireBatch], looked: float
) -> None:
    """`doubts` are those that could be looked for when the lists were about to be read: at `looked`."""
    if not doubts:  # as nearly always: what is claimed is much to read
        return
    since = [doubt for doubt in context.doubts.values() if doubt not in doubts]
    matches = look_for(
        [_known(context, doubt.lost) for doubt in doubts if not _is_disputed(context, doubt, since)],
        batches=batches,
        runs=runs,
        journal=context.journal,
    )
    missing: dict[Lost, bool] = {}
    for match in matches:
        launch = match.lost.launch
        doubt = context.doubts[launch.launch_id]
        known, doubt.several = doubt.several, match.found is None and bool(match.candidates)
        if match.found is not None:
            _adopt(context, match.lost, match.found, runs.found)
        elif doubt.several:
            if not known:
                context.observer.narrate(
                    f"launch {launch.launch_id} has {len(match.candidates)} candidates: a person must choose"
                )
        elif runs.whole and looked - doubt.since >= context.settings.settle_seconds:
            missing[match.lost] = known
    _give_up_looking(context, missing, runs, batches)
    if matches:
        context.wake()


def _is_disputed(context: Context, doubt: Doubt, since: Sequence[Doubt]) -> bool:
    """A launch that asks for one of the same things is being sent, or was lost `since`: a run seen could be either's."""
    line, prompts = doubt.lost.launch.line, set(doubt.lost.prompts)
    others = [(intent.line, intent.slots) for intent in context.posting.values()]
    others += [(other.lost.launch.line, other.lost.slots) for other in since]
    return any(
        (other.target_type, other.target_id) == (line.target_type, line.target_id)
        and any(prompt_key(slot.prompt) in prompts for slot in slots)
        for other, slots in others
    )


def _known(context: Context, lost: Lost) -> Lost:
    """With whoever made it, as far as that is known by now."""
    return replace(lost, requesters=context.journal.requesters_of(lost.launch.launch_id))


def _adopt(context: Context, lost: Lost, found: Candidate, runs: Mapping[int, WireRun]) -> None:
    launch = lost.launch
    context.carried_out(
        launch.launch_id,
        LaunchState.ADOPTED,
        runs,
        batch_id=found.batch_id,
        run_ids=found.run_ids,
        detail=launch.detail,
    )
    del context.doubts[launch.launch_id]
    context.observer.narrate(
        f"launch {launch.launch_id} was carried out: adopted run{'s' if len(found.run_ids) != 1 else ''}"
        f" {', '.join(str(run_id) for run_id in found.run_ids) or f'of batch {found.batch_id}'}"
    )


def _give_up_looking(
    context: Context, missing: Mapping[Lost, bool], runs: Listed[WireRun], batches: Listed[WireBatch]
) -> None:
    """Of launches that the lists should show by now and do not; each with whether a person was asked for already."""
    doubtful = unproven(list(missing), batches=batches, runs=runs, journal=context.journal)
    for lost, known in missing.items():
        launch_id = lost.launch.launch_id
        if launch_id in doubtful:
            context.doubts[launch_id].several = True
            if lost.launch.detail.startswith(ANSWERED_TWICE):
                context.observer.narrate(
                    f"launch {launch_id} is not shown, and another has the answer it was given: a person must say"
                )
            elif not known:
                context.observer.narrate(
                    f"launch {launch_id} is not among the runs of its time and prompts, but the service does not show both as they"
                    f" were for every launch that it answered, and {len(doubtful[launch_id])} other runs may be it: a person must say"
                )
            continue
        context.journal.settle(launch_id, LaunchState.ABSENT, detail="not at the service when it had settled")
        del context.doubts[launch_id]
        context.put_back(lost.launch, lost.slots)
        context.observer.narrate(f"launch {launch_id} was never carried out: its runs may be launched again")
