"""The tools of the agents that calls reach. They are real, on previews too: a test call may refund a customer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from planner.changes.configuration import Configuration, EffectiveTarget, shown_value
from planner.errors import RefusedError
from planner.evidence import Evidence
from planner.planfile.model import Case, Policy
from planner.planfile.model import Target as PlanTarget
from planner.planfile.tool_names import tool_names
from planner.providers.base import Target, TargetState
from planner.values import frozen


@frozen
class AgentTools:
    """What is known of the tools of agents.

    Args:
        agents: those with a file.
        targets: what was read of the service.
        calls: the stored calls of a target, newest first; they are read only when they are asked for.
    """

    agents: Sequence[EffectiveTarget]
    targets: Mapping[Target, TargetState]
    calls: Callable[[Target], Iterator[Evidence]] = lambda _: iter(())

    def configurations(self, target: PlanTarget) -> list[Configuration]:
        """The configurations that calls of the target reach: with the fields of its file, also if nothing was read."""
        for agent in self.agents if target.config is not None else ():
            if (agent.agent_id, agent.file) == (target.id, target.config):
                return [agent.configuration if agent.configuration is not None else agent.file.fields]
        return self.deployed(target)

    def deployed(self, target: PlanTarget) -> list[Configuration]:
        """Those of the agents that answer, as the service shows them."""
        state = self.targets.get((target.kind, target.id))
        found = () if state is None else state.behind or filter(None, [state.agent])
        return [agent.configuration for agent in found]

    def hides_tools(self, target: PlanTarget) -> bool:
        """Whether the service was asked for the target and does not show all tools of its agents."""
        state, deployed = self.targets.get((target.kind, target.id)), self.deployed(target)
        was_read = bool(deployed) or (state is not None and state.recorded_at is None)
        return was_read and not (deployed and all(map(lists_tools, deployed)))


@frozen
class LiveTools:
    """The names of the tools that calls may reach, sorted, and the targets whose tools the service does not show."""

    names: tuple[str, ...] = ()
    unshown: tuple[str, ...] = ()

    def warnings(self, policy: Policy) -> list[str]:
        """One sentence for each, if there are any. What `refusal` says is not said twice."""
        live = [f"these calls may reach live tools: {', '.join(self.names)}"] if self.names else []
        return live + ([self._unenforced] if self.unshown and not _must_know(policy) else [])

    def refusal(self, policy: Policy) -> RefusedError | None:
        """The refusal if calls may reach these tools and policy forbids one of them, or must know all."""
        denied = [name for name in self.names if policy.denies_tools or name in policy.denied_tools]
        if denied:
            return RefusedError(
                f"these calls may reach live tools that policy.live_tools denies: {', '.join(denied)}",
                "Call an agent without them, or change policy.live_tools in planner.yaml.",
            )
        if self.unshown and _must_know(policy):
            return RefusedError(
                self._unenforced, "If these calls may reach its tools, write `unknown: allow` under policy.live_tools."
            )
        return None

    @property
    def _unenforced(self) -> str:
        targets = ", ".join(f"`{alias}`" for alias in self.unshown)
        return f"this agent's tools are not shown by the service: `deny` cannot be enforced ({targets})"


def live_tools(cases: Iterable[Case], tools: AgentTools, policy: Policy) -> LiveTools:
    """What calls of these cases may reach. Tools with another address on previews are not reached. Where policy denies
    tools that the service does not show, those that stored calls show count."""
    found: set[str] = set()
    unshown: dict[str, None] = {}
    for target in {case.target: None for case in cases}:
        names = {name for each in tools.configurations(target) for name in names_in(each)}
        if (policy.denies_tools or policy.denied_tools) and tools.hides_tools(target):
            unshown[target.alias] = None
            names.update(name for call in tools.calls((target.kind, target.id)) for name in called_tools(call))
        found.update(names - dict(target.config.test_tools if target.config else ()).keys())
    return LiveTools(tuple(sorted(found)), tuple(unshown))


def names_in(configuration: Configuration) -> list[str]:
    return tool_names(shown_value(configuration.get("tools")))


def lists_tools(configuration: Configuration) -> bool:
    """Whether the configuration has all tools, each with a name."""
    shown: Any = shown_value(configuration.get("tools", ""))
    return shown is None or (isinstance(shown, list) and len(names_in(configuration)) == len(shown))  # pyright: ignore[reportUnknownArgumentType]


def called_tools(call: Evidence) -> list[str]:
    """The tools that the agent had or called in this call."""
    had = call.call.document.get("tool_snapshot") if call.call is not None else None
    return [*tool_names(had), *(tool.name for tool in call.tools or ())]


def _must_know(policy: Policy) -> bool:
    return policy.denies_tools and not policy.allows_unknown_tools
