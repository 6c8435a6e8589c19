"""Extracts tool calls from a transcript or history, and matches results to calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import pydantic_core

from planner.evidence import ToolCall, UnreadPart

AGENT_ROLES: Final = frozenset({"agent", "assistant"})
CALLER_ROLES: Final = frozenset({"user", "caller"})
SILENT_ROLES: Final = frozenset({"system", "developer"})
"""Roles in a transcript that did not speak on the call."""
TOOL_CALL_ROLES: Final = frozenset({"tool_call", "function_call"})
TOOL_RESULT_ROLES: Final = frozenset({"tool_response", "tool_result", "tool", "function_call_output"})
_IDS = ("tool_call_id", "call_id", "id")
"""Fields with ids. The last may be a result's own id."""


@dataclass(slots=True)
class ToolRecord:
    """Tool calls in order.

    A result answers the call with its id, or else the calls with its name. Results with neither answer the previous
    calls in order if there are as many; otherwise their calls are unknown.
    """

    unread: set[UnreadPart] = field(default_factory=set[UnreadPart])
    _tools: list[ToolCall] = field(default_factory=list[ToolCall])
    _ids: dict[str | int, int | None] = field(default_factory=dict[str | int, int | None])
    _open: list[int] = field(default_factory=list[int])
    """Indexes of calls without a result."""
    _waiting: list[tuple[object, str | None]] = field(default_factory=list[tuple[object, str | None]])
    """(result, tool name) without an id since the last call."""

    def call(
        self, content: object, *, turn: int | None = None, start_ms: int | None = None, ids: Iterable[object] = ()
    ) -> ToolCall:
        self._settle()
        document = read_json(content)
        fields = cast("dict[str, Any]", document) if isinstance(document, dict) else {"name": document}
        ids = [*ids, *ids_of(fields)]
        if isinstance(fields.get("function"), dict):
            fields = cast("dict[str, Any]", fields["function"])
        name, arguments = fields.get("name"), read_json(fields.get("arguments"))
        if not isinstance(name, str) or not re.fullmatch(r"[\w.:/-]+", name) or not isinstance(arguments or {}, dict):
            self.unread.add("tools")
        tool = ToolCall(
            name=str(name or "unknown"),
            arguments=cast("dict[str, Any]", arguments) if isinstance(arguments, dict) else {},
            has_arguments=isinstance(arguments, dict),
            turn=turn,
            start_ms=start_ms,
        )
        place = len(self._tools)
        self._tools.append(tool)
        self._open.append(place)
        for each in ids:
            if isinstance(each, str | int):
                # An id shared by several calls does not identify one; it may be that of the telephone call.
                self._ids[each] = place if self._ids.get(each, place) == place else None
        return tool

    def answer(self, content: object, *, ids: Sequence[object] = (), name: object = None) -> object:
        """Add a result; return it parsed."""
        result = read_json(content)
        if _is_call(result):
            self.unread.update(("tools", "results"))  # a call instead of a result
            return result
        *answered, own = (each if isinstance(each, str | int) else None for each in ids or (None,))
        place = next((found for each in (*answered, own) if (found := self._ids.get(each or "")) is not None), None)
        if place is not None:
            self._give(place, result)
        elif self._ids and any(each is not None and each not in self._ids for each in answered):
            self.unread.update(("tools", "results"))  # its call is missing
        else:
            self._waiting.append((result, name if isinstance(name, str) and name else None))
        return result

    def finish(self) -> tuple[ToolCall, ...]:
        self._settle()
        return tuple(self._tools)

    def _give(self, place: int, result: object) -> None:
        if place not in self._open:
            self.unread.update(("tools", "results"))  # a second answer
            return
        self._open.remove(place)
        self._tools[place] = self._tools[place].model_copy(update={"has_result": True, "result": result})

    def _settle(self) -> None:
        """Match results without an id, those with a name first."""
        names = dict.fromkeys(name for _, name in self._waiting)
        for name in sorted(names, key=lambda name: name is None):
            results = [result for result, of in self._waiting if of == name]
            calls = [place for place in self._open if name is None or self._tools[place].name == name]
            if len(results) < len(calls):
                self.unread.add("results")
                continue
            if len(results) > len(calls):
                self.unread.update(("tools", "results"))
            for place, result in zip(calls, results, strict=False):
                self._give(place, result)
        self._waiting.clear()


def record_of_history(history: Sequence[Mapping[str, Any]]) -> ToolRecord:
    """Tool calls of a history, whose items are turns or chat messages with `tool_calls`."""
    record = ToolRecord()
    for item in history:
        role = str(item.get("role") or item.get("type") or "").lower()
        content = item.get("content")
        calls = item.get("tool_calls")
        if role in TOOL_CALL_ROLES:
            start_ms = milliseconds(item.get("start_ms"))
            record.call(content if content is not None else item, start_ms=start_ms, ids=ids_of(item))
        elif role in TOOL_RESULT_ROLES:
            result = content if content is not None else item.get("output")
            record.answer(result, ids=ids_of(item), name=item.get("name"))
        elif hides_tools(content) or not (calls or role in AGENT_ROLES | CALLER_ROLES | SILENT_ROLES):
            record.unread.add("tools")
        if isinstance(calls, list):
            for call in cast("list[Any]", calls):
                record.call(call)
        elif calls:
            record.unread.add("tools")
    return record


def _is_call(content: Any) -> bool:
    return isinstance(content, dict) and {"name", "arguments"} <= cast("dict[str, Any]", content).keys()


def ids_of(fields: Mapping[str, Any]) -> tuple[object, ...]:
    """Fields that may link a result to its call, the most reliable first."""
    return tuple(fields.get(name) for name in _IDS)


def hides_tools(content: Any) -> bool:
    """Whether the content is a list of chat blocks that includes tool calls."""
    blocks = cast("list[Any]", content) if isinstance(content, list) else []
    kinds = [str(cast("dict[str, Any]", block).get("type")) for block in blocks if isinstance(block, dict)]
    return any("tool" in kind or "function" in kind for kind in kinds)


def read_json(content: object) -> Any:
    """Parse a JSON string; other strings stay."""
    if isinstance(content, str):
        try:
            return pydantic_core.from_json(content)
        except ValueError:
            return content
    return content


def milliseconds(value: object) -> int | None:
    """A valid time in milliseconds; None for others and booleans."""
    if isinstance(value, str):
        value = read_json(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value) if 0 <= value < 2**63 else None
