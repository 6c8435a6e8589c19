"""The tools of the agents that calls reach. They are real, on previews too: a test call may refund a customer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from planner.changes.configuration import Configuration, EffectiveTarget, shown_value
from planner.checks.base import CheckSeverity
from planner.diagnostics import Diagnostic, Diagnostics, Severity
from planner.errors import PlanInvalidError, RefusedError
from planner.evidence import Evidence
from planner.planfile.model import Case, Policy
from planner.planfile.model import Target as PlanTarget
from planner.planfile.reporter import rules
from planner.planfile.text import did_you_mean, one_of
from planner.planfile.tool_names import tool_names
from planner.planfile.yaml.document import YamlPlace
from planner.providers.base import Target, TargetState
from planner.quantities import count
from planner.results.model import CaseResult
from planner.results.outcomes import Action
from planner.values import frozen

_MOST_CALLS: Final = 200
"""Of one target, in which tools are looked for that its configuration lacks."""
_NEWEST: Final = 20
"""Calls of one target whose tools are named where nothing is denied."""


def _no_calls(target: Target, results: Sequence[CaseResult]) -> Iterator[Evidence]:
    del target, results
    return iter(())


@frozen
class AgentTools:
    """What is known of the tools of agents.

    Args:
        agents: those with a file.
        targets: what was read of the service.
        calls: the calls of a target, newest first: those in these results, and all that are stored. They are read only
            when they are asked for.
    """

    agents: Sequence[EffectiveTarget]
    targets: Mapping[Target, TargetState]
    calls: Callable[[Target, Sequence[CaseResult]], Iterator[Evidence]] = _no_calls

    def configurations(self, target: PlanTarget) -> list[Configuration]:
        """The configurations that calls of the target reach: with the fields of its file, also if nothing was read."""
        for agent in self.agents:
            if (agent.agent_id, agent.file) == (target.id, target.config):
                return [agent.configuration if agent.configuration is not None else agent.file.fields]
        return self._deployed(target)

    def _deployed(self, target: PlanTarget) -> list[Configuration]:
        state = self.targets.get((target.kind, target.id))
        found = () if state is None else state.behind or filter(None, [state.agent])
        return [agent.configuration for agent in found]

    def are_hidden(self, target: PlanTarget) -> bool:
        """Whether the service was asked for the agents that answer, and does not show all of their tools."""
        state, deployed = self.targets.get((target.kind, target.id)), self._deployed(target)
        was_read = bool(deployed) or (state is not None and state.recorded_at is None)
        return was_read and not _are_listed(deployed)


@frozen
class LiveTools:
    """The names of the tools that calls may reach, sorted, and what policy makes of them."""

    names: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    refusal: RefusedError | None = None


def live_tools(cases: Iterable[Case], tools: AgentTools, policy: Policy) -> LiveTools:
    """What calls of these cases may reach. Tools with another address on previews are not reached. Where the service
    does not show them, those that stored calls show count: of all calls if policy denies tools, else of the newest."""
    found: set[str] = set()
    known: set[str] = set()
    hidden: dict[str, None] = {}
    denies = policy.denies_tools or bool(policy.denied_tools)
    for target in {case.target: None for case in cases}:
        names = {name for each in tools.configurations(target) for name in _names(each)}
        if tools.are_hidden(target):
            calls = tools.calls((target.kind, target.id), ())
            if denies:
                hidden[f"`{target.alias}`"] = None
            names.update(name for call in (calls if denies else islice(calls, _NEWEST)) for name in _called(call))
        known.update(names)
        found.update(names - dict(target.config.test_tools if target.config else ()).keys())
    live = tuple(sorted(found))
    warnings = [f"these calls may reach live tools: {', '.join(live)}"] if live else []
    warnings += [
        f"policy.live_tools denies `{name}`, which was never seen on these agents; {meant}"
        for name in policy.denied_tools
        if name not in known and (meant := did_you_mean(name, sorted(known)))
    ]
    whose = "this agent's" if len(hidden) == 1 else "these agents'"
    unenforced = f"{whose} tools are not shown by the service: `deny` cannot be enforced ({', '.join(hidden)})"
    refusal = None
    if denied := [name for name in live if policy.denies_tools or name in policy.denied_tools]:
        refusal = RefusedError(
            f"these calls may reach live tools that policy.live_tools denies: {', '.join(denied)}",
            "Call an agent without them, or change policy.live_tools in planner.yaml.",
        )
    elif hidden and policy.denies_tools and not policy.allows_unknown_tools:
        hint = "If these calls may reach its tools, write `unknown: allow` under policy.live_tools in planner.yaml."
        refusal = RefusedError(unenforced, hint)
    elif hidden:
        warnings.append(unenforced)
    return LiveTools(live, tuple(warnings), refusal)


def _names(configuration: Configuration) -> list[str]:
    return tool_names(shown_value(configuration.get("tools")))


def _are_listed(configurations: Sequence[Configuration]) -> bool:
    """Whether there are any, and they have all tools, each with a name."""
    shown: list[Any] = [shown_value(each.get("tools", "")) for each in configurations]
    return bool(shown) and all(
        tools is None or (isinstance(tools, list) and len(tool_names(tools)) == len(tools))  # pyright: ignore[reportUnknownArgumentType]
        for tools in shown
    )


def _called(call: Evidence) -> list[str]:
    """The tools that the agent had or called in this call."""
    had = call.call.document.get("tool_snapshot") if call.call is not None else None
    return [*tool_names(had), *(tool.name for tool in call.tools or ())]


def denied_calls(
    cases: Iterable[Case], results: Sequence[CaseResult], load: Callable[[str], Evidence | None], policy: Policy
) -> list[str]:
    """The tools that policy denies and calls used all the same, because nobody knew before that the agent has them:
    one sentence each. `load` finds evidence by its digest."""
    tested = {case.case_id: dict(case.target.config.test_tools if case.target.config else ()) for case in cases}
    used: dict[str, int] = {}
    for case in results if policy.denies_tools or policy.denied_tools else ():
        for run in case.runs if case.action is Action.CALL else ():
            evidence = load(run.evidence) if run.evidence is not None else None
            names = {tool.name for tool in (evidence.tools if evidence else None) or ()}
            for name in names - tested.get(case.case_id, {}).keys():
                if policy.denies_tools or name in policy.denied_tools:
                    used[name] = used.get(name, 0) + 1
    return [
        f"`{name}`, which policy.live_tools denies, was called in {count(number, 'run')}: "
        "the service did not show before that the agent has it"
        for name, number in sorted(used.items())
    ]


# The tools that expectations name


@frozen
class UnknownTool:
    """A tool that neither the agent's configuration nor a call shows, or an argument that no call passed."""

    warning: str
    diagnostics: tuple[Diagnostic, ...]
    """One for each expectation. A critical one with an unknown tool is an error if the configuration has all tools."""


@frozen
class _Named:
    """Where a tool, or an argument of one, is named."""

    case_id: str
    place: YamlPlace
    is_critical: bool


_Places = dict[str, list[_Named]]


def unknown_tools(cases: Iterable[Case], tools: AgentTools, results: Sequence[CaseResult] = ()) -> list[UnknownTool]:
    """Those that the cases name. Of agents of which no tools and no calls are known, nothing is said, and of arguments
    only if a call passed the tool others."""
    wanted: dict[PlanTarget, tuple[_Places, dict[str, _Places]]] = {}
    for case in cases:
        for expectation, place in zip(case.expectations, case.expectation_places, strict=True):
            names, arguments = wanted.setdefault(case.target, ({}, {}))
            named = _Named(case.case_id, place, expectation.severity is CheckSeverity.CRITICAL)
            for name in expectation.named_tools:
                names.setdefault(name, []).append(named)
            for tool, argument in expectation.named_arguments:
                arguments.setdefault(tool, {}).setdefault(argument, []).append(named)
    return [each for target, named in wanted.items() for each in _unknown_of(target, *named, tools, results)]


def _unknown_of(
    target: PlanTarget,
    names: _Places,
    arguments: Mapping[str, _Places],
    tools: AgentTools,
    results: Sequence[CaseResult],
) -> Iterator[UnknownTool]:
    configurations = tools.configurations(target)
    known = {name for each in configurations for name in _names(each)}
    passed: dict[str, set[str]] = {tool: set() for tool in arguments}
    is_listed = is_known = _are_listed(configurations)
    calls = islice(tools.calls((target.kind, target.id), results), _MOST_CALLS)
    while not (names.keys() <= known and all(arguments[tool].keys() <= passed[tool] for tool in arguments)):
        if (call := next(calls, None)) is None:
            break
        is_known = is_known or call.tools is not None
        known.update(_called(call))
        for each in call.tools or ():
            if each.name in passed:
                passed[each.name].update(each.arguments)
    for name in [name for name in names if name not in known] if is_known else ():
        message = f"`{name}` was never seen on this agent"
        yield _unknown("unknown-tool", message, did_you_mean(name, sorted(known)), names[name], is_error=is_listed)
    for tool, used in passed.items():
        for name in [name for name in arguments[tool] if name not in used] if used else ():
            message = f"`{name}` was never an argument of `{tool}`"
            meant = did_you_mean(name, sorted(used)) or f"calls passed {one_of(sorted(used))}"
            yield _unknown("unknown-argument", message, meant, arguments[tool][name], is_error=False)


def _unknown(code: str, message: str, meant: str, named: Sequence[_Named], *, is_error: bool) -> UnknownTool:
    message = f"{message}{meant and f'; {meant}'}"
    cases = list(dict.fromkeys(each.case_id for each in named))
    more = f" and {count(len(cases) - 1, 'more case')}" if len(cases) > 1 else ""
    diagnostics = [
        Diagnostic(
            Severity.ERROR if is_critical and is_error else Severity.WARNING,
            code,
            rules()[code].summary,
            message,
            place.span,
        )
        for place, is_critical in dict.fromkeys((each.place, each.is_critical) for each in named)
    ]
    return UnknownTool(f"{cases[0]}{more}: {message}", tuple(diagnostics))


def checked(unknown: Sequence[UnknownTool]) -> tuple[UnknownTool, ...]:
    """Raises `PlanInvalidError` if a critical expectation names a tool that the agent is known to lack."""
    diagnostics = Diagnostics([diagnostic for each in unknown for diagnostic in each.diagnostics])
    if diagnostics.has_errors:
        raise PlanInvalidError(
            "the plans name tools that their agents do not have, so no call is made; correct the names", diagnostics
        )
    return tuple(unknown)
