"""Whether somebody edited an agent at the service."""

from __future__ import annotations

from planner.changes.configuration import configuration_digest, differences
from planner.changes.detail import revision_digest
from planner.providers.base import AgentState


def revision_of(agent: AgentState) -> str:
    """As in `TargetState`."""
    return f"{agent.edited_at or 'unknown'} {configuration_digest(agent.configuration)}"


def is_other_revision(before: str | None, now: str | None, *, is_drafted: bool) -> bool:
    """Whether an agent was edited between two sessions, even if the edit was reverted. Saving a draft changes the time
    of the last edit, but no call."""
    if before is None or now is None or before == now:
        return False
    return not is_drafted or revision_digest(before) != revision_digest(now)


def is_edited(before: AgentState, now: AgentState) -> bool:
    """Detects reverted edits too, by the time of the last edit. Saving a draft or renaming the agent changes that time,
    but no call."""
    if differences(before.configuration, now.configuration):
        return True
    is_harmless = before.name != now.name or before.draft != now.draft
    return before.edited_at != now.edited_at and not is_harmless
