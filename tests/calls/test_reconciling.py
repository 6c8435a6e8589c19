"""What the service's lists say of an open launch while another one is on its way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from lost_launches import LINE, lost_launch

from planner.calls.model import Listed, Now, Settings
from planner.calls.reconciling import Found, Lists, reconcile
from planner.log.facts import Result
from planner.log.fold import State
from planner.providers.base import Batch, BatchId, Run

BEGAN = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW = Now(1000.0, BEGAN + timedelta(seconds=1000), 5.0)
LOST = lost_launch("lost", BEGAN, "You are Ana.")
SENT = lost_launch("sent", BEGAN + timedelta(seconds=100), "You are Bob.")


def search(*prompts: str) -> Found:
    """For `LOST`, while `SENT` is on its way and a batch shows these prompts."""
    batch = Batch(
        id=BatchId(8000),
        target_type=LINE.target_type,
        target_id=LINE.target_id,
        direction=LINE.direction,
        prompts=prompts,
        size=1,
        created_at=SENT.at,
    )
    state = State()
    state.add_all([LOST, SENT])
    lists = Lists(NOW, Listed[Run](whole=True), Listed({batch.id: batch}, whole=True))
    return reconcile(state, [LOST], lists, Settings(), NOW, [SENT])


def test_a_batch_that_another_launch_has_just_made_hides_nothing() -> None:
    """Before: a person was asked whether it was the lost launch's, with other prompts than were sent."""
    found = search("You are Bob.")
    assert [(outcome.launch_id, outcome.result) for outcome in found.outcomes] == [("lost", Result.ABSENT)]
    assert found.unsettled == ()


@pytest.mark.parametrize("prompts", [(), ("You are Ana.",)])
def test_only_a_batch_that_cannot_be_the_other_launchs_is_adopted(prompts: Sequence[str]) -> None:
    """Before: a batch without prompts was taken for the lost launch's, though the other one had just made it."""
    found = search(*prompts)
    if prompts:
        assert [(outcome.launch_id, outcome.result) for outcome in found.outcomes] == [("lost", Result.ADOPTED)]
    else:
        assert found.outcomes == ()
        assert [each.needs_person for each in found.unsettled] == [False]


def test_a_batch_with_unknown_prompts_is_left_to_a_person() -> None:
    """It may be the lost launch's, where nothing shows that the service lists prompts as they were sent."""
    found = search("You are somebody else.")
    assert found.outcomes == ()
    assert [each.needs_person for each in found.unsettled] == [True]
