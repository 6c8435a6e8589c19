"""Which runs of the service the tables do not know."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from core_state import EPOCH, intent_of

from planner.evidence import RunStatus
from planner.execution.events import Intended, Moved, RequesterLearned
from planner.execution.journal_state import JournalState
from planner.execution.launches import LaunchState
from planner.organisation.restored import calls_unknown, unknown_runs
from planner.providers.base import Run, RunId

REQUESTERS = [
    ("nobody is shown", None, (1,), True),
    ("it is ours", 1, (1, 3), True),
    ("it is of somebody else", 2, (1,), False),
    ("the copy does not know who we are", 2, (), True),
]


@pytest.mark.parametrize(
    ("requester", "ours", "is_unknown"), [row[1:] for row in REQUESTERS], ids=[r[0] for r in REQUESTERS]
)
def test_a_run_that_may_be_ours_is_unknown(requester: int | None, ours: tuple[int, ...], is_unknown: bool) -> None:
    journal = JournalState()
    for each in ours:
        journal.record(RequesterLearned("key", each))
    run = Run(id=RunId(7), status=RunStatus.UNDER_WAY, requester_id=requester)
    assert bool(unknown_runs([run], journal, "key")) is is_unknown


@pytest.mark.parametrize(("known", "unknown"), [((), 0), ((1,), 0), ((1, 2), 1)])
def test_a_launch_stands_for_runs_that_it_has_not_claimed(
    job: Callable[..., Any], known: tuple[int, ...], unknown: int
) -> None:
    """Whether it is known which of its runs is for which case, or not."""
    journal, work = JournalState(), job("ana")
    for event in (
        Intended(intent_of(work, runs=2)),
        Moved("l1", LaunchState.SENT),
        Moved("l1", LaunchState.ACKNOWLEDGED, batch_id=9, run_ids=known),
    ):
        journal.record(event)
    target_type, target_id = work.line.target
    run = Run(
        id=RunId(7),
        status=RunStatus.UNDER_WAY,
        target_type=target_type,
        target_id=target_id,
        prompt=work.prompt,
        created_at=EPOCH,
    )
    asked: Any = SimpleNamespace(jobs=(work,))
    assert calls_unknown(asked, EPOCH.replace(year=2025), [run], journal) == unknown
