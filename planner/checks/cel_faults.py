"""What is wrong with an expression in CEL, and where: the library's message, with what to write for common mistakes."""

from __future__ import annotations

import re

from planner.checks.cel_fields import FIELDS, VARIABLES
from planner.checks.wording import listed

_WORD = re.compile(r"\w+")
_ERROR = re.compile(r"ERROR: <input>:([1-9]\d*):(\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_NO_FIELD = re.compile(r"undefined field '([^']*)' not found in struct 'planner\.(\w+)'")
_NO_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '\((.*)\)'")
_BETWEEN = re.compile(r", (?![^()]*\))")
"""Between the types of two operands, not within the type of one."""
_MACROS = ("all", "exists", "exists_one", "filter", "map")
_KINDS = {
    "int": "a whole number",
    "double": "a decimal number",
    "string": "a text",
    "bool": "true or false",
    "map": "a mapping",
    "list": "a list",
}


class CelError(ValueError):
    """The expression cannot be used. `start` and `end` are the offsets of what is wrong in it."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start = start
        self.end = end


def fault_of(expression: str, message: str) -> CelError:
    """The first error in the library's message."""
    found = _ERROR.search(message)
    if found is None:
        deep = "recursion" in message
        why = "nested too deeply; write several expectations" if deep else f"not an expression: {one_line(message)}"
        return CelError(f"this is {why}", 0, len(expression))
    lines = expression.splitlines(keepends=True)
    start = min(sum(map(len, lines[: int(found[1]) - 1])) + int(found[2]) - 1, max(0, len(expression) - 1))
    if (name := _UNDECLARED.search(found[3])) is not None:  # the place is that of its last dot
        start = max(expression[: start + len(name[1])].rfind(name[1]), 0)
    elif expression[start : start + 1] == "." and start + 1 < len(expression):
        start += 1
    word = _WORD.match(expression, start)
    return CelError(_explained(found[3], expression), start, word.end() if word else start + 1)


def _explained(message: str, expression: str) -> str:
    if (found := _UNDECLARED.search(message)) is not None:
        name = found[1].partition(".")[0]
        macro = re.search(rf"\.\s*(\w+)\s*\(\s*{re.escape(name)}\s*,", expression)
        if macro is not None and macro[1] not in _MACROS:
            return f"there is no `{macro[1]}` of a list; known: {', '.join(f'`{known}`' for known in _MACROS)}"
        if re.search(rf"\b{re.escape(name)}\s*\(", expression):
            return f"there is no function `{name}`, or it takes other arguments; size(turns) counts"
        return f"there is no `{name}`; known: {', '.join(f'`{known}`' for known in VARIABLES)}; a text is in quotes"
    if (found := _NO_FIELD.search(message)) is not None:
        known = ", ".join(f"`{name}`" for name in FIELDS[found[2]])
        return f"a {found[2].lower()} has no `{found[1]}`; known: {known}"
    if (found := _NO_OVERLOAD.search(message)) is not None:
        operator, kinds = found[1].replace("_", " ").replace("@", "").strip(), _BETWEEN.split(found[2])
        numbers = "; 120 and 120.0 are two types: write one as the other" if {*kinds} == {"int", "double"} else ""
        return f"`{operator}` cannot be applied to {listed(list(map(kind_named, kinds)))}{numbers}"
    if message.startswith("Syntax error: "):
        message = f"{message.removeprefix('Syntax error: ')}; && is and, || is or, == compares"
    return f"this is not an expression: {message}"


def kind_named(name: str) -> str:
    """`list(planner.Turn)` is a list, `planner.Turn` a turn."""
    kind = _WORD.findall(name)
    return f"a {kind[1].lower()}" if kind[0] == "planner" else _KINDS.get(kind[0], name)


def one_line(text: str) -> str:
    """A message of the library without its kind."""
    line = " ".join(text.split())
    return line.partition(": ")[2] or line
