"""The names of an agent's tools, in a file or as the service shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast


def tool_names(tools: Any) -> list[str]:
    listed = cast("list[Any]", tools) if isinstance(tools, list) else []
    names = map(name_of_tool, listed)
    return [name for name in names if isinstance(name, str) and name]


def name_of_tool(tool: Any) -> Any:
    """A tool is its name, or an object with a name, perhaps that of a function."""
    if not isinstance(tool, Mapping):
        return tool
    fields = cast("Mapping[str, Any]", tool)
    return fields["name"] if "name" in fields else name_of_tool(fields.get("function"))
