"""Which write comes next follows from what the service shows of the copy."""

from __future__ import annotations

from typing import Any

import pytest

from planner.errors import UsageError
from planner.providers.base import AgentState
from planner.session.previews import Deploy, DiscardDraft, Draft, Writing

WANTED = {"prompt": "Be brief.", "voice": "sol"}
OLD = {"prompt": "Be warm.", "voice": "sol", "product": "spark"}
NEW = {**OLD, "prompt": "Be brief."}


def _agent(deployed: dict[str, Any], draft: dict[str, Any] | None = None, *, is_drafted: bool = False) -> AgentState:
    return AgentState(18, "copy", None, deployed, draft or {}, is_drafted=bool(draft) or is_drafted)


def test_only_what_differs_is_drafted_then_deployed() -> None:
    writing = Writing(WANTED)
    assert writing.next(_agent(OLD)) == Draft({"prompt": "Be brief."})
    writing.answered(Draft({}))
    assert writing.next(_agent(OLD, {"prompt": "Be brief."})) == Deploy()
    writing.answered(Deploy())
    assert writing.next(_agent(NEW)) is None


def test_a_repeated_step_follows_from_what_is_shown() -> None:
    """Answers were lost, so nothing is known but what the service shows."""
    writing = Writing(WANTED)
    assert writing.next(_agent(OLD, {"prompt": "Be brief."})) == Deploy()
    assert writing.next(_agent(NEW)) is None


@pytest.mark.parametrize(
    "draft", [{"tools": []}, {"prompt": "Be rude."}, {"prompt": "Be brief.", "tools": []}], ids=str
)
def test_a_draft_of_somebody_else_is_not_deployed(draft: dict[str, Any]) -> None:
    assert Writing(WANTED).next(_agent(OLD, draft)) == DiscardDraft()


def test_a_service_that_shows_no_draft() -> None:
    writing = Writing(WANTED)
    writing.answered(Draft({}))
    assert writing.next(_agent(OLD, is_drafted=True)) == Deploy()


def test_a_field_that_is_never_shown_is_sent_once() -> None:
    writing = Writing({**WANTED, "telepathy": True})
    assert writing.next(_agent(NEW)) == Draft({"telepathy": True})
    writing.answered(Draft({}))
    assert writing.next(_agent(NEW)) is None  # the service has no draft: it ignores the field
    assert writing.next(_agent(NEW, is_drafted=True)) == Deploy()
    writing.answered(Deploy())
    assert writing.next(_agent(NEW)) is None
    assert writing.unshown(_agent(NEW)) == ["telepathy"]


def test_a_service_that_changes_a_field_is_named() -> None:
    writing = Writing(WANTED)
    writing.answered(Deploy())
    with pytest.raises(UsageError, match="prompt"):
        writing.next(_agent({**OLD, "prompt": "BE BRIEF."}))
