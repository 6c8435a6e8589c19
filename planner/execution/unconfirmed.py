"""Settles unconfirmed launches by the service's lists: adopted, left to a person, or never sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from planner.api.wire import WireBatch, WireRun
from planner.execution.context import Context
from planner.execution.launch_search import possibly_sent, search_launches
from planner.execution.launches import DUPLICATE_ANSWER, LaunchState
from planner.execution.listing import Listed
from planner.execution.reconciling import Candidate, Unconfirmed, prompt_key
from planner.execution.watched import Search


def searchable(context: Context) -> list[Search]:
    """Launches that can be searched for now: made with this API key, and not to be confused with one being sent."""
    mine = [search for search in context.unconfirmed.values() if not search.other_key]
    return [search for search in mine if not _may_be_confused(context, search, ())]


def settle_unconfirmed(
    context: Context,
    unconfirmed: Sequence[Search],
    runs: Listed[WireRun],
    batches: Listed[WireBatch],
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


def _adopt(context: Context, unconfirmed: Unconfirmed, found: Candidate, runs: Mapping[int, WireRun]) -> None:
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
    context: Context, missing: Mapping[Unconfirmed, bool], runs: Listed[WireRun], batches: Listed[WireBatch]
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
        context.journal.settle(
            launch_id, LaunchState.ABSENT, detail="not listed by the service after the settling time"
        )
        del context.unconfirmed[launch_id]
        context.requeue(unconfirmed.launch, unconfirmed.slots)
        context.observer.log(f"launch {launch_id} never arrived: its runs may be launched again")
