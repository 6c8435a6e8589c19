"""Which runs of the service the tables do not know."""

from __future__ import annotations

import pytest

from planner.evidence import RunStatus
from planner.execution.events import RequesterLearned
from planner.execution.journal_state import JournalState
from planner.organisation.restored import unknown_runs
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
