"""The tools of the agents that calls reach. They are real, on previews too: a test call may refund a customer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from planner.changes.configuration import Configuration, EffectiveTarget, shown_value
from planner.errors import RefusedError
from planner.planfile.model import Case, Policy
from planner.planfile.tool_names import tool_names
from planner.providers.base import Target, TargetState


def live_tools(
    cases: Iterable[Case], agents: Iterable[EffectiveTarget], targets: Mapping[Target, TargetState]
) -> list[str]:
    """The names of the tools that calls of these cases may reach, sorted. Those with another address on previews are
    not reached. Tools of agents that were not read are not known."""
    files = {(agent.agent_id, agent.file): agent for agent in agents}
    found: set[str] = set()
    for case in cases:
        agent = files.get((case.target.id, case.target.config)) if case.target.config is not None else None
        if agent is not None:
            names = _names(agent.configuration if agent.configuration is not None else agent.file.fields)
            found.update(set(names) - dict(agent.file.test_tools).keys())
            continue
        state = targets.get((case.target.kind, case.target.id))
        for reached in () if state is None else state.behind or filter(None, [state.agent]):
            found.update(_names(reached.configuration))
    return sorted(found)


def live_tool_warnings(names: Sequence[str]) -> list[str]:
    """One sentence, if there are any."""
    return [f"these calls may reach live tools: {', '.join(names)}"] if names else []


def live_tools_refusal(policy: Policy, names: Sequence[str]) -> RefusedError | None:
    """The refusal if calls may reach these tools and policy forbids one of them."""
    denied = [name for name in names if policy.denies_tools or name in policy.denied_tools]
    if not denied:
        return None
    return RefusedError(
        f"these calls may reach live tools that policy.live_tools denies: {', '.join(denied)}",
        "Call an agent without them, or change policy.live_tools in planner.yaml.",
    )


def _names(configuration: Configuration) -> list[str]:
    return tool_names(shown_value(configuration.get("tools")))
