"""Drop stored calls that no result needs any more (`keep` in planner.yaml)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from planner.agents.recorded import agents_of, agents_seen, without_outdated
from planner.changes.configuration import Agents
from planner.judging.project_judge import judging_of
from planner.providers.base import Target, TargetState
from planner.quantities import count
from planner.records.log import CALLS, Records, folder_of
from planner.records.pruning import READ, Needed, Without, outdated
from planner.stores.directory import DirectoryStore
from planner.workspace.earlier_results import (
    EarlierResults,
    earlier_results,
    project_name,
    records_of,
    scope_of,
)
from planner.workspace.stores import Workspace


def prune(work: Workspace, targets: Mapping[Target, TargetState]) -> None:
    """Drop what is older than `keep`, if today's cases count as before without it. A git ref starts a new history.
    Raises `StoreError`."""
    keep, place, shell = work.loaded.project.keep, work.place, work.shell
    if keep is None or work.selection.partial:
        return
    store = place.shared.store if place.shared is not None else DirectoryStore(place.directory)
    store.prepare(READ)
    before = _earlier(work, targets, records_of(work))
    needed = Needed(
        shell.clock.now() - keep.age,
        before.counted,
        frozenset(scope_of(work).environments or ()),
        project_name(work),
    )
    writes = outdated(store, needed)
    gone = {key for key, data in writes.items() if data is None and key.startswith(CALLS)}
    if gone:
        after = _earlier(work, targets, Records(Without(place.repository, gone), (), scope_of(work)))
        needed = replace(needed, folders=_that_count_otherwise(before, after))
    store.erase(lambda now: outdated(now, needed))
    if writes:
        shell.print(f"dropped {count(len(gone), 'file')} of calls older than {keep.written}, and their evidence")


def _earlier(work: Workspace, targets: Mapping[Target, TargetState], records: Records) -> EarlierResults:
    judging = judging_of(work)
    return earlier_results(work, records, _agents(work, targets, records), judging.cache, judging.name)


def _agents(work: Workspace, targets: Mapping[Target, TargetState], records: Records) -> Agents:
    states = without_outdated(targets, agents_seen(records, work.loaded.cases))
    _, configurations = agents_of(work.place, work.loaded.cases, states)
    return Agents({key: state.revision for key, state in states.items()}, configurations)


def _that_count_otherwise(before: EarlierResults, after: EarlierResults) -> frozenset[str]:
    """The folders of calls without which a case would have another result."""
    changed = [
        earlier
        for case_id, earlier in before.stored.cases.items()
        if after.stored.cases.get(case_id) != earlier or after.base.get(case_id) != before.base.get(case_id)
    ]
    results = [result for each in changed for result in (each.prior, each.compared_with) if result is not None]
    return frozenset(folder_of(result.call_fingerprint) for result in results)
