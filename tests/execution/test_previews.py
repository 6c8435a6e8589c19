"""The records of previews, exactly: their states, and what is to be done next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from core_state import AGENT, EPOCH, accept, at, state_of

from planner.errors import StoreError
from planner.execution.events import KINDS, Consumed
from planner.execution.journal_state import JournalState, evidence_stored
from planner.execution.previews import (
    PREVIEW_TRANSITIONS,
    Preview,
    PreviewIntended,
    PreviewMoved,
    PreviewState,
    PreviewStep,
    next_step,
    source_of,
)

PREVIEW = Preview("p1", 12, "sha256:0123456789abcdef", "i1", "key", EPOCH)
INTENDED, DUPLICATING, MADE, CONFIGURED, DELETING, DELETED, ABSENT = PreviewState


def journal_of(preview: Preview = PREVIEW) -> JournalState:
    journal = JournalState()
    journal.record(PreviewIntended(preview))
    return journal


@pytest.mark.parametrize("before", PreviewState)
@pytest.mark.parametrize("after", PreviewState)
def test_only_valid_moves_of_a_preview_are_possible(before: PreviewState, after: PreviewState) -> None:
    journal = journal_of(replace(PREVIEW, state=before))
    event = PreviewMoved("p1", after, copy_id=18)
    if after in PREVIEW_TRANSITIONS.get(before, ()):
        journal.record(event)
    else:
        with pytest.raises(AssertionError):
            journal.record(event)
    assert [each.state for each in journal.previews.every()] in ([before], [after])


def test_a_preview_keeps_what_is_known_of_it() -> None:
    journal = journal_of()
    assert journal.previews.get("p1") == PREVIEW
    journal.record(PreviewMoved("p1", DUPLICATING))
    with pytest.raises(AssertionError):
        journal.record(PreviewMoved("p1", MADE))
    journal.record(PreviewMoved("p1", MADE, 18, "why", "r1"))
    journal.record(PreviewMoved("p1", CONFIGURED, was_changed=True))
    known = replace(PREVIEW, state=CONFIGURED, copy_id=18, detail="why", revision="r1", was_changed=True)
    assert journal.previews.every() == [known]
    journal.record(PreviewMoved("p1", DELETING, 18, "later", "r2"))
    assert journal.previews.get("p1") == replace(known, state=DELETING, detail="later", revision="r2")
    with pytest.raises(StoreError):
        journal.record(PreviewIntended(PREVIEW))


def test_the_preview_of_a_target() -> None:
    journal = journal_of(replace(PREVIEW, copy_id=12, agent_id=11, state=MADE))
    assert journal.previews.of_target(AGENT) is not None
    assert [journal.previews.of_target(each) for each in (("agent", 11), ("phone_number", 12))] == [None, None]


@pytest.mark.parametrize("state", PreviewState)
def test_previews_that_may_exist_are_open(state: PreviewState) -> None:
    previews = journal_of(replace(PREVIEW, state=state)).previews
    assert (len(previews.open("key")), len(previews.open("other"))) == (state not in (DELETED, ABSENT), 0)


def test_a_preview_that_was_never_sent_is_absent_after_a_crash() -> None:
    for state in PreviewState:
        journal = journal_of(replace(PREVIEW, state=state))
        assert journal.mark_interrupted() == 0
        assert [each.state for each in journal.previews.every()] == [ABSENT if state is INTENDED else state]


STEPS: dict[PreviewState, tuple[str, str, str]] = {
    INTENDED: ("duplicate", "forget", "forget"),
    DUPLICATING: ("find", "find", "find"),
    MADE: ("configure", "none", "delete"),
    CONFIGURED: ("configure", "none", "delete"),
    DELETING: ("delete", "delete", "delete"),
    DELETED: ("none", "none", "none"),
    ABSENT: ("none", "none", "none"),
}


@pytest.mark.parametrize("state", PreviewState)
def test_the_next_step_of_a_preview(state: PreviewState) -> None:
    """If it is wanted, only in use, or neither."""
    uses: list[dict[str, Any]] = [
        {"is_wanted": True, "is_in_use": True},
        {"is_wanted": False, "is_in_use": True},
        {"is_wanted": False, "is_in_use": False},
    ]
    preview = replace(PREVIEW, state=state)
    assert tuple(next_step(preview, **use).value for use in uses) == STEPS[state]


def test_stored_names_stay() -> None:
    """Journals and shared stores hold them, and the service the names of copies."""
    assert PREVIEW.name == "planner-preview of 12 0123456789ab p1"
    assert source_of(PREVIEW.name) == 12
    assert source_of("planner-preview of 12 0123456789ab") is source_of("Support of 12") is None
    assert [each.value for each in PreviewState] == [
        "intended",
        "duplicating",
        "made",
        "configured",
        "deleting",
        "deleted",
        "absent",
    ]
    assert [each.value for each in PreviewStep] == ["duplicate", "find", "configure", "delete", "forget", "none"]
    assert [*KINDS] == [
        "intended",
        "moved",
        "duplicate_answer",
        "runs_claimed",
        "runs_bound",
        "evidence_stored",
        "consumed",
        "imported",
        "runs_known",
        "requester_learned",
        "preview_intended",
        "preview_moved",
        "consent_added",
        "consent_ended",
        "consent_imported",
        "calls_submitted",
        "wave_chosen",
        "judge_call_reserved",
        "judge_call_settled",
    ]


@pytest.mark.parametrize(
    ("changes", "since", "is_called"),
    [
        ({}, -1, True),
        ({}, 0, False),
        ({"evidence": "0" * 64}, -1, False),
        ({"cost_cents": 16}, -1, False),
        ({"consumed_by": "i2"}, -1, False),
    ],
)
def test_a_call_may_be_under_way(job: Callable[..., Any], changes: dict[str, Any], since: int, is_called: bool) -> None:
    """Until something is known of its end; not if its launch is too old."""
    state = state_of(job("ana"))
    accept(state, job("ana"), 7)
    journal = state.journal
    (slot,) = (replace(slot, **changes) for slot in journal.slots_of("l1"))
    journal.record(evidence_stored([slot]))
    if slot.consumed_by is not None:
        journal.record(Consumed(slot.consumed_by, (slot.key,)))
    found = [journal.is_called(target, at(since).server) for target in (AGENT, ("agent", 13), ("phone_number", 12))]
    assert found == [is_called, False, False]
