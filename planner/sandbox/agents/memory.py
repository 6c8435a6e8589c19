"""What the agent has understood and been told on one call, and texts and conditions that speak of it."""

from __future__ import annotations

import json

from pydantic import JsonValue

from planner.sandbox.worlds.script import PLACEHOLDER, Condition, Tool


class Memory:
    """`slots` by name; `results` of tools by the tool's name; `code`: five digits that stay the same within a call."""

    def __init__(self, code: str) -> None:
        self.slots: dict[str, str] = {}
        self.results: dict[str, JsonValue] = {}
        self._code = code

    def value(self, path: str) -> JsonValue:
        """A slot, or a way into a tool's result (`tool.field`, items of lists by number); None when there is none."""
        if path == "code":
            return self._code
        if path in self.slots:
            return self.slots[path]
        head, *rest = path.split(".")
        value: JsonValue = self.results.get(head)
        for key in rest:
            if isinstance(value, dict):
                value = value.get(key)
            elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
                value = value[int(key)]
            else:
                return None
        return value

    def fill(self, text: str) -> str:
        return PLACEHOLDER.sub(lambda match: _spoken(self.value(match[1])), text)

    def argument(self, raw: JsonValue) -> JsonValue:
        """A whole placeholder keeps the value's type, and is None (left out) when it is not known."""
        if not isinstance(raw, str):
            return raw
        whole = PLACEHOLDER.fullmatch(raw)
        return self.value(whole[1]) if whole else self.fill(raw)

    def filled(self, value: JsonValue, arguments: dict[str, JsonValue]) -> JsonValue:
        """A tool's result with its arguments and the code put in."""
        if isinstance(value, str):
            return PLACEHOLDER.sub(
                lambda match: self._code if match[1] == "code" else _spoken(arguments.get(match[1])), value
            )
        if isinstance(value, list):
            return [self.filled(item, arguments) for item in value]
        if isinstance(value, dict):
            return {key: self.filled(item, arguments) for key, item in value.items()}
        return value

    def answer(self, tool: Tool, arguments: dict[str, JsonValue]) -> JsonValue:
        """What the tool answers to the arguments: the first that fits, null when none does."""
        matching = (
            answer.result
            for answer in tool.answers
            if all(allows(wanted, arguments.get(key)) for key, wanted in answer.when.items())
        )
        return self.filled(next(matching, None), arguments)

    def holds(self, condition: Condition) -> bool:
        return all(allows(self._expected(wanted), self.value(path)) for path, wanted in condition.items())

    def _expected(self, wanted: JsonValue) -> JsonValue:
        return self.fill(wanted) if isinstance(wanted, str) else wanted


def _spoken(value: JsonValue) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def allows(wanted: JsonValue, value: JsonValue) -> bool:
    if isinstance(wanted, list):
        return any(allows(item, value) for item in wanted)
    if wanted is None or value is None:
        return wanted is None and value is None
    return _spoken(wanted).casefold() == _spoken(value).casefold()
