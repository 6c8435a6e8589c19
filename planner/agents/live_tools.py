"""The tools of the agents that calls reach. They are real, on previews too: a test call may refund a customer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from planner.changes.configuration import Configuration, EffectiveTarget, shown_value
from planner.planfile.model import Case
from planner.providers.base import Target, TargetState


def live_tools(
    cases: Iterable[Case], agents: Iterable[EffectiveTarget], targets: Mapping[Target, TargetState]
) -> list[str]:
    """The names of the tools that calls of these cases may reach, sorted. Tools of agents that were not read are not
    known."""
    files = {(agent.agent_id, agent.file): agent for agent in agents}
    found: set[str] = set()
    for case in cases:
        agent = files.get((case.target.id, case.target.config)) if case.target.config is not None else None
        if agent is not None:
            found.update(_names(agent.configuration if agent.configuration is not None else agent.file.fields))
            continue
        state = targets.get((case.target.kind, case.target.id))
        for reached in () if state is None else state.behind or filter(None, [state.agent]):
            found.update(_names(reached.configuration))
    return sorted(found)


def live_tool_warnings(
    cases: Iterable[Case], agents: Iterable[EffectiveTarget], targets: Mapping[Target, TargetState]
) -> list[str]:
    """One sentence, if there are any."""
    names = live_tools(cases, agents, targets)
    return [f"these calls may reach live tools: {', '.join(names)}"] if names else []


def _names(configuration: Configuration) -> Iterator[str]:
    tools = shown_value(configuration.get("tools"))
    for tool in cast("Sequence[Any]", tools) if isinstance(tools, list) else ():
        name = _name_of(tool)
        if isinstance(name, str) and name:
            yield name


def _name_of(tool: Any) -> Any:
    """A tool is its name, or an object with a name, perhaps that of a function."""
    if not isinstance(tool, Mapping):
        return tool
    fields = cast("Mapping[str, Any]", tool)
    return fields["name"] if "name" in fields else _name_of(fields.get("function"))
