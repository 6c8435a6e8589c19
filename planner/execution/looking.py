"""Looking for launches of unknown fate: each in the service's lists, less what the journal knows to be another launch's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from planner.api.wire import WireBatch, WireRun
from planner.execution.journal import Journal
from planner.execution.launches import Launch
from planner.execution.listing import Listed
from planner.execution.reconciling import Lost, Match, match_lost


def lost_launches(launches: Iterable[Launch], journal: Journal) -> list[Lost]:
    """With what they asked for, and who may have made them."""
    return [
        Lost(launch, journal.slots_of(launch.launch_id), journal.requesters_of(launch.launch_id)) for launch in launches
    ]


def look_for(
    lost: Sequence[Lost], *, batches: Listed[WireBatch], runs: Listed[WireRun], journal: Journal
) -> list[Match]:
    """One match per lost launch."""
    return match_lost(
        lost,
        batches=batches.found.values(),
        runs=runs.found.values(),
        claimed=journal.claimed_run_ids(),
        claimed_batches=journal.claimed_batch_ids(),
        every_batch=batches.whole,
    )
