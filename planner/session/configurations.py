"""The agents that plans describe in files: what is deployed, what the file makes of it, and what is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from planner.changes.configuration import FieldChange, configuration_digest, differences, overlay
from planner.planfile.model import AgentFile, Case
from planner.providers.base import AgentState, Target, TargetState


@dataclass(frozen=True, slots=True)
class EffectiveTarget:
    """An agent with a file. `configuration` and `digest` are of what is to be called: the deployed fields overlaid by the
    file's. They are None, as `deployed`, if the agent was not read and no record of it is stored."""

    alias: str
    """The first one, if several targets are this agent with this file."""
    agent_id: int
    """The source agent."""
    file: AgentFile
    deployed: AgentState | None = None
    configuration: Mapping[str, Any] | None = None
    digest: str | None = None
    changes: tuple[FieldChange, ...] = ()
    """The fields of the file that differ from the deployed ones."""
    drift: tuple[FieldChange, ...] = ()
    """What was edited at the service: how the deployed fields differ from the last recorded version of the file."""
    waits_for_deploy: bool = False
    """Deployed is an older recorded version of the file."""

    @property
    def needs_preview(self) -> bool:
        """Whether calls reach a copy with the file's fields instead of the deployed agent."""
        return bool(self.changes)

    @property
    def preview_fields(self) -> dict[str, Any]:
        """What makes a copy of the deployed agent what the file says."""
        return {change.name: self.file.fields[change.name] for change in self.changes}


def effective_targets(cases: Iterable[Case], targets: Mapping[Target, TargetState]) -> tuple[EffectiveTarget, ...]:
    """One per agent and file, in the order of the cases. `targets` may lack what was not read."""
    found: dict[tuple[int, AgentFile], EffectiveTarget] = {}
    for case in cases:
        target = case.target
        if target.config is None or (target.id, target.config) in found:
            continue
        state = targets.get((target.kind, target.id))
        deployed = state.agent if state is not None else None
        found[target.id, target.config] = _effective(target.alias, target.id, target.config, deployed)
    return tuple(found.values())


def _effective(alias: str, agent_id: int, file: AgentFile, deployed: AgentState | None) -> EffectiveTarget:
    if deployed is None:
        return EffectiveTarget(alias, agent_id, file)
    configuration = overlay(deployed.configuration, file.fields)
    shown = {name: value for name, value in deployed.configuration.items() if name in file.fields}
    changes = differences(shown, file.fields)
    return EffectiveTarget(alias, agent_id, file, deployed, configuration, configuration_digest(configuration), changes)
