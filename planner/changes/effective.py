"""An agent that a file describes: what is deployed, what the file makes of it, and whether somebody edited it since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from planner.changes.configuration import (
    Configuration,
    FieldChange,
    agree,
    configuration_digest,
    differences,
    overlay,
)
from planner.planfile.model import AgentFile
from planner.providers.base import AgentState
from planner.values import frozen


@frozen
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
    """The newest recorded version of the file is not deployed yet."""

    @property
    def needs_preview(self) -> bool:
        """Whether calls reach a copy with the file's fields instead of the deployed agent."""
        return bool(self.changes)

    @property
    def preview_fields(self) -> dict[str, Any]:
        """The fields to write to a copy of the deployed agent so that it matches the file."""
        return {change.name: self.file.fields[change.name] for change in self.changes}

    @property
    def unshown(self) -> tuple[str, ...]:
        """The fields of the file that the service's answer does not have: it may not know them."""
        shown = self.deployed.configuration if self.deployed is not None else self.file.fields
        return tuple(name for name in self.file.fields if name not in shown)


def effective_target(alias: str, agent_id: int, file: AgentFile, deployed: AgentState | None) -> EffectiveTarget:
    if deployed is None:
        return EffectiveTarget(alias, agent_id, file)
    configuration = overlay(deployed.configuration, file.fields)
    changes = differences(_shown(deployed, file.fields), file.fields)
    digest = configuration_digest(configuration)
    return EffectiveTarget(alias, agent_id, file, deployed, configuration, digest, changes)


@frozen
class Version:
    """Fields of a file that were recorded. `was_deployed`: a later session saw them deployed."""

    fields: Configuration
    was_deployed: bool = False


def with_versions(target: EffectiveTarget, versions: Sequence[Version]) -> EffectiveTarget:
    """The target, compared with the recorded versions of its file, oldest first."""
    if target.deployed is None or not versions or not target.changes:
        return target
    matching = [
        number for number, version in enumerate(versions) if has_fields(target.deployed.configuration, version.fields)
    ]
    if not matching and (seen := [version.fields for version in versions if version.was_deployed]):
        return replace(target, drift=differences(seen[-1], _shown(target.deployed, seen[-1])))
    is_older = not matching or matching[-1] < len(versions) - 1
    is_recorded = not differences(versions[-1].fields, target.file.fields)
    return replace(target, waits_for_deploy=is_older and (bool(matching) or is_recorded))


def has_fields(configuration: Configuration, fields: Configuration) -> bool:
    """Whether the configuration has all of these values."""
    return all(agree(configuration.get(name), value) for name, value in fields.items())


def _shown(deployed: AgentState, fields: Configuration) -> dict[str, Any]:
    return {name: value for name, value in deployed.configuration.items() if name in fields}
