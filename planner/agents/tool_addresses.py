"""Tools that have another address on previews (`test_tools` of a target), so that a test call refunds nobody.

The agent's own fields keep their addresses, which are compared, recorded and deployed. Only the fields that are written
to a copy have the others, without the secrets of these tools.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias, cast

from planner.changes.configuration import EffectiveTarget, shown_value
from planner.errors import UsageError
from planner.planfile.tool_names import name_of_tool
from planner.secret_values import Secret

_TOOLS: Final = "tools"
_Route: TypeAlias = tuple[str | int, ...]


def check_test_tools(targets: Iterable[EffectiveTarget]) -> None:
    """Raises `UsageError` if an agent lacks one of its test tools, or planner cannot find the tool's address. Agents
    that were not read are not checked."""
    for target in targets:
        if target.deployed is not None and target.file.test_tools:
            _replaced(target, shown_value(_tools_of(target)))


def with_test_tools(target: EffectiveTarget, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields to write to a copy of the agent, with the addresses of its test tools. Raises `UsageError`."""
    if not target.file.test_tools:
        return dict(fields)
    return {**fields, _TOOLS: _replaced(target, _tools_of(target))}


def _tools_of(target: EffectiveTarget) -> Any:
    assert target.deployed is not None
    return target.file.fields.get(_TOOLS, target.deployed.configuration.get(_TOOLS))


def _replaced(target: EffectiveTarget, tools: Any) -> list[Any]:
    """The tools, those of `test_tools` with their other address."""
    listed = cast("list[Any]", tools) if isinstance(tools, list) else []
    addresses = dict(target.file.test_tools)
    names = [name_of_tool(tool) for tool in listed]
    for name in addresses:
        if name not in names:
            known = ", ".join(str(each) for each in names if each) or "none"
            raise UsageError(
                f"target `{target.alias}`: agent {target.agent_id} has no tool {name}, which test_tools names",
                f"Its tools: {known}. Correct test_tools of the target.",
            )
    return [_with_address(target, name, tool, addresses.get(name)) for name, tool in zip(names, listed, strict=True)]


def _with_address(target: EffectiveTarget, name: Any, tool: Any, address: str | None) -> Any:
    if address is None:
        return tool
    routes = list(_addresses(tool, ()))
    if len(routes) != 1:
        found = ", ".join(".".join(map(str, route)) for route in routes) or "none"
        raise UsageError(
            f"target `{target.alias}`: tool {name} of agent {target.agent_id} has {len(routes)} addresses, and planner "
            "can only replace one",
            f"Fields with an address: {found}. Remove {name} from test_tools of the target.",
        )
    return _without_secrets(_set(tool, routes[0], address))


def _without_secrets(value: Any) -> Any:
    """Without fields and headers that hold a secret: who proposes the address must not get the agent's."""
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        return {key: _without_secrets(item) for key, item in fields.items() if not _is_secret(item)}
    if isinstance(value, list):
        return [_without_secrets(item) for item in cast("list[Any]", value) if not _is_secret(item)]
    return value


def _is_secret(value: Any) -> bool:
    """Also of `{name: Authorization, value: …}`."""
    if isinstance(value, Mapping) and "value" in value:
        return isinstance(value["value"], Secret)
    return isinstance(value, Secret)


def _addresses(value: Any, route: _Route) -> Iterator[_Route]:
    """The fields that hold a web address, at any depth."""
    if isinstance(value, Mapping):
        for key, item in cast("Mapping[str, Any]", value).items():
            if isinstance(item, str) and "url" in key.lower() and item.startswith(("https://", "http://")):
                yield (*route, key)
            else:
                yield from _addresses(item, (*route, key))
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _addresses(item, (*route, index))


def _set(value: Any, route: _Route, address: str) -> Any:
    if not route:
        return address
    first, *rest = route
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        return {**fields, cast("str", first): _set(fields[cast("str", first)], tuple(rest), address)}
    items = list(cast("list[Any]", value))
    items[cast("int", first)] = _set(items[cast("int", first)], tuple(rest), address)
    return items
