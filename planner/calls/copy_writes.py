"""Which write to a copy of an agent comes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from planner.changes.configuration import agree
from planner.errors import UsageError
from planner.providers.base import AgentState


class AgentDraft(NamedTuple):
    fields: Mapping[str, Any]


class Deploy(NamedTuple):
    pass


class DiscardDraft(NamedTuple):
    pass


Write: TypeAlias = AgentDraft | Deploy | DiscardDraft


@dataclass(slots=True)
class Writing:
    """The writes to one copy. Each can be repeated, since nobody else uses the copy."""

    wanted: Mapping[str, Any]
    is_drafted: bool = False
    is_deployed: bool = False

    def next(self, agent: AgentState) -> Write | None:
        """None if all wanted fields are deployed, where the service shows them. Raises `UsageError` if it deploys other
        values than were sent."""
        shown = agent.configuration
        differing = {
            name: value for name, value in self.wanted.items() if name in shown and not agree(shown[name], value)
        }
        pending = differing | ({} if self.is_deployed else dict.fromkeys(self.unshown(agent)))
        if not pending:
            return None
        if self.is_deployed:
            names = ", ".join(differing)
            raise UsageError(
                f"the service changes these fields when they are deployed: {names}",
                "Write them as the service shows them.",
            )
        if any(name not in self.wanted or not agree(value, self.wanted[name]) for name, value in agent.draft.items()):
            return DiscardDraft()
        if not self.is_drafted and not pending.keys() <= agent.draft.keys():
            return AgentDraft({name: self.wanted[name] for name in pending})
        if not agent.is_drafted and not differing:
            return None  # the service ignores the fields that it does not show
        return Deploy()

    def answered(self, write: Write) -> None:
        """The service says that it carried this out."""
        match write:
            case AgentDraft():
                self.is_drafted = True
            case Deploy():
                self.is_deployed = True
            case DiscardDraft():
                self.is_drafted = False

    def unshown(self, agent: AgentState) -> list[str]:
        return [name for name in self.wanted if name not in agent.configuration]
