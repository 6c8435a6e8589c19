"""CEL (the Common Expression Language, cel.dev) over the evidence: typed where it is written, bounded where it is judged.

An expression is compiled twice: against types, so that a wrong name or a comparison that cannot be is known in the plan
file; and against plain maps, in which what the service did not tell is not there, so that asking for it is an error and
never a value. Bounds: the library's 10,000 steps of all macros together and 32 levels of nesting, and ours below, without
which concatenation inside macros could multiply a text.
"""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from planner.checks.call import end_reason_of, status_of
from planner.checks.patterns import compile_pattern
from planner.checks.wording import listed
from planner.evidence import Evidence

MAX_LENGTH = 1_000
"""Characters of an expression."""
MAX_MACROS = 4
MAX_PLUSES = 4

_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|map|filter)\s*\(")
_FAULT = re.compile(r"ERROR: <input>:([1-9]\d*):(\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_NO_FIELD = re.compile(r"undefined field '([^']*)' not found in struct 'planner\.(\w+)'")
_NO_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '\((.*)\)'")
_BETWEEN = re.compile(r", (?![^()]*\))")
"""Types that an operator was applied to, but not those that one of them is of."""
_NOT_THERE = re.compile(r'(?:Key not found in map : |No value with name )"([^"]*)"')
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\s*(-?\d+(?:\.\d+)?)\b")
_NUMBER_BEFORE = re.compile(r"(-?\d+(?:\.\d+)?)\s*\Z")
_MATCHES = re.compile(r"""\bmatches\s*\((?:[^'"(),]*,)?\s*([rR]?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))\s*\)""")
"""A pattern written out: a text whose escapes are those of Python's texts."""
_MISSING = re.compile(r"missing '([^']+)' at '(.+)'")
_LAST_WORD = re.compile(r"(\w+)\s+\Z")
_INPUT = re.compile(r"(?:mismatched|extraneous) input '(.+?)' expecting|no viable alternative at input '(.+)'")
_NOTHING_MORE = re.compile(r"[\s.]*")

_MACROS = ("all", "exists", "exists_one", "filter", "map")
_WORDS = {
    "and": "&&",
    "or": "||",
    "not": "!",
    "=": "==",
    "is": "==",
    "true": "true",
    "false": "false",
    "none": "has(…), which asks whether it is there",
}
"""What other languages write, to what this one does."""
_OPERATORS = frozenset({"and", "or", "not", "is"})
_COUNTS = "write size(turns)"
_FUNCTIONS = {
    "len": _COUNTS,
    "length": _COUNTS,
    "count": _COUNTS,
    "str": "write string(…)",
    "lower": "write matches('(?i)…') for text in either case",
    "float": "write double(…)",
    "any": "write turns.exists(t, …)",
}
_KINDS = {
    "int": "a whole number",
    "double": "a decimal number",
    "string": "a text",
    "bool": "true or false",
    "map": "a mapping",
    "list": "a list",
}

FIELDS: Mapping[str, Mapping[str, str]] = {
    "Run": {
        "run_id": "int",
        "status": "string",
        "error_message": "string",
        "cost_cents": "int",
    },
    "Call": {
        "call_id": "int",
        "status": "string",
        "end_reason": "string",
        "duration_seconds": "double",
        "product": "string",
        "transferred_to": "string",
        "document": "map",
    },
    "Turn": {"number": "int", "role": "string", "text": "string", "start_ms": "int", "end_ms": "int", "ttfa_ms": "int"},
    "Tool": {
        "name": "string",
        "arguments": "map",
        "arguments_told": "bool",
        "has_result": "bool",
        "result": "any",
        "turn": "int",
        "start_ms": "int",
    },
    "Grade": {
        "status": "string",
        "score": "double",
        "outcome": "string",
        "goal": "string",
        "issues": "int",
        "critical_issues": "int",
        "summary": "string",
    },
}
"""What an expression can ask of, by type, in the names of `planner.evidence`."""

VARIABLES: Mapping[str, str] = {"run": "Run", "call": "Call", "turns": "Turn", "tools": "Tool", "grade": "Grade"}
_LISTS = frozenset({"turns", "tools"})
_NO_ARGUMENTS = {"arguments"}


class CelError(ValueError):
    """The expression cannot be used. `start` and `end` are the offsets of what is wrong in it."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start = start
        self.end = end


@dataclass(frozen=True, slots=True)
class Undecided:
    """Why an expression gave neither true nor false."""

    why: str


def check_cel(expression: str) -> None:
    """Raises `CelError` with a sentence for the author."""
    if len(expression) > MAX_LENGTH:
        raise CelError(
            f"an expression may have {MAX_LENGTH:,} characters, this one has {len(expression):,}", 0, len(expression)
        )
    if len(macros := list(_MACRO.finditer(expression))) > MAX_MACROS:
        place = macros[MAX_MACROS]
        raise CelError(f"an expression may use {MAX_MACROS} of all, exists, exists_one, map and filter", *place.span())
    if macros and expression.count("+") > MAX_PLUSES:
        raise CelError(f"an expression with all, exists, map or filter may have {MAX_PLUSES} `+`", 0, len(expression))
    cel = _library()
    try:
        compiled = _typed().compile(expression)
    except RuntimeError as error:
        raise _fault(expression, str(error)) from error
    kind = compiled.return_type()
    if kind not in (cel.Type.BOOL, cel.Type.DYN):
        detail = f"this gives {_kind(kind.name().lower())}, but an expectation is true or false; compare it, as in call.duration_seconds < 120.0"
        raise CelError(detail, 0, len(expression))
    _check_patterns(expression)
    # Without any value: what is decided all the same is decided so for every call.
    value = compiled.eval(data={})
    if value.type() == cel.Type.BOOL:
        calls = "every" if value.plain_value() else "no"
        detail = f"this holds for {calls} call, so it decides nothing: ask of run, call, turns, tools or grade"
        raise CelError(detail, 0, len(expression))
    if VARIABLES.keys().isdisjoint(_WORD.findall(expression)):
        detail = f"this can be decided for no call: {_one_line(str(value.value()))}"
        raise CelError(detail, 0, len(expression))


def _check_patterns(expression: str) -> None:
    """Of patterns that are written out, those that cannot be read: the library would see so when the call is paid for."""
    for found in _MATCHES.finditer(expression):
        try:
            compile_pattern(str(literal_eval(found[1])))
        except ValueError as error:
            raise CelError(str(error), *found.span(1)) from error
        except SyntaxError:
            pass  # an escape that the two languages do not share


def evaluate(expression: str, evidence: Evidence) -> bool | Undecided:
    """What the expression says of one run."""
    cel = _library()
    try:
        value = _compiled(expression).eval(data=_values(evidence))
    except RuntimeError as error:
        return Undecided(f"it takes too much work or cannot be evaluated: {_one_line(str(error))}")
    if value.type() == cel.Type.ERROR:
        told = _one_line(str(value.value()))
        missing = _NOT_THERE.search(told)
        return Undecided(f"the service did not tell `{missing[1]}`" if missing else told)
    plain = value.plain_value()
    if not isinstance(plain, bool):
        return Undecided(f"it gives {value.type().name().lower()}, which is neither true nor false")
    return plain


def _values(evidence: Evidence) -> dict[str, Any]:
    """As plain maps. What the service did not tell is left out; without a transcript there are no turns, not none."""
    call, grade = evidence.call, evidence.grade
    run = {
        "run_id": evidence.run_id,
        "status": evidence.run_status,
        "error_message": evidence.error_message,
        "cost_cents": evidence.cost_cents,
    }
    values: dict[str, Any] = {
        "run": _told(run),
        "call": _told({**call.model_dump(), "status": status_of(call), "end_reason": end_reason_of(call)})
        if call
        else {},
        "grade": _told(grade.model_dump()) if grade else {},
    }
    if evidence.turns is not None:
        values["turns"] = [_told({**turn.model_dump(), "role": turn.role.value}) for turn in evidence.turns]
    if evidence.tools is not None:
        values["tools"] = [
            _told(
                {
                    **tool.model_dump(exclude=None if tool.arguments_told else _NO_ARGUMENTS),
                    "arguments_told": tool.arguments_told,
                }
            )
            for tool in evidence.tools
        ]
    return values


def _told(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def _library() -> Any:
    """Imported late: most plans have no expression. It ships no types."""
    from cel_expr_python import cel  # pyright: ignore[reportMissingTypeStubs]

    library: Any = cel
    return library


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> Any:
    return _plain().compile(expression)


@lru_cache(maxsize=1)
def _plain() -> Any:
    cel = _library()
    plain = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    return cel.NewEnv(variables={name: cel.Type.List(plain) if name in _LISTS else plain for name in VARIABLES})


@lru_cache(maxsize=1)
def _typed() -> Any:
    """The environment in which every name has its type: CEL knows types of fields from descriptors only."""
    cel = _library()
    from google.protobuf import descriptor_pb2, descriptor_pool, struct_pb2

    field = descriptor_pb2.FieldDescriptorProto
    kinds = {"int": field.TYPE_INT64, "double": field.TYPE_DOUBLE, "string": field.TYPE_STRING, "bool": field.TYPE_BOOL}
    messages = {"map": ".google.protobuf.Struct", "any": ".google.protobuf.Value"}
    file = descriptor_pb2.FileDescriptorProto(
        name="planner.proto", package="planner", syntax="proto3", dependency=[struct_pb2.DESCRIPTOR.name]
    )
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for number, (key, kind) in enumerate(fields.items(), start=1):
            message.field.add(
                name=key,
                number=number,
                label=field.LABEL_OPTIONAL,
                type=kinds.get(kind, field.TYPE_MESSAGE),
                type_name=messages.get(kind),
            )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(struct_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    types = {name: cel.Type(f"planner.{kind}") for name, kind in VARIABLES.items()}
    return cel.NewEnv(
        pool, variables={name: cel.Type.List(kind) if name in _LISTS else kind for name, kind in types.items()}
    )


def _fault(expression: str, told: str) -> CelError:
    """The library's first complaint, in words for the author and with its place."""
    found = _FAULT.search(told)
    if found is None:
        deep = "recursion" in told
        why = "nested too deeply; write several expectations" if deep else f"not an expression: {_one_line(told)}"
        return CelError(f"this is {why}", 0, len(expression))
    lines = expression.splitlines(keepends=True)
    start = min(sum(map(len, lines[: int(found[1]) - 1])) + int(found[2]) - 1, max(0, len(expression) - 1))
    if (name := _UNDECLARED.search(found[3])) is not None:  # the place is that of its last dot
        start = max(expression[: start + len(name[1])].rfind(name[1]), 0)
    elif expression[start : start + 1] == "." and start + 1 < len(expression):
        start += 1
    word = _WORD.match(expression, start)
    return CelError(_said(found[3], expression, start), start, word.end() if word else start + 1)


def _said(complaint: str, expression: str, start: int) -> str:
    if (found := _UNDECLARED.search(complaint)) is not None:
        return _undeclared(found[1].partition(".")[0], expression)
    if (found := _NO_FIELD.search(complaint)) is not None:
        fields = FIELDS[found[2]]
        longer = [name for name in fields if name.startswith(f"{found[1]}_")]
        known = f"write {longer[0]}" if len(longer) == 1 else f"known: {', '.join(f'`{name}`' for name in fields)}"
        return f"a {found[2].lower()} has no `{found[1]}`; {known}"
    if "list(" in complaint and "operand of a select" in complaint and (word := _WORD.match(expression, start)):
        known = (
            "write .size()" if word[0] in {"size", "length", "count"} else "one of it has: write turns.exists(t, t.…)"
        )
        return f"a list has no `{word[0]}`; {known}"
    if (found := _NO_OVERLOAD.search(complaint)) is not None:
        operator, kinds = found[1].replace("_", " ").strip(), _BETWEEN.split(found[2])
        return f"`{operator}` cannot be applied to {listed(list(map(_kind, kinds)))}{_mended(operator, kinds, expression, start)}"
    return f"this is not an expression: {_syntax(complaint, expression, start)}"


def _kind(name: str) -> str:
    """`list(planner.Turn)` is a list, `planner.Turn` a turn, whatever the library calls it beside that."""
    kind = _WORD.findall(name)
    return f"a {kind[1].lower()}" if kind[0] == "planner" else _KINDS.get(kind[0], name)


def _undeclared(name: str, expression: str) -> str:
    """What may be meant by a name that there is not: a macro or a function of another name, or one of ours."""
    macro = re.search(rf"\.\s*(\w+)\s*\(\s*{re.escape(name)}\s*,", expression)
    if macro is not None and macro[1] not in _MACROS:
        return f"there is no `{macro[1]}` of a list; known: {', '.join(f'`{known}`' for known in _MACROS)}"
    if _FUNCTIONS.get(name.lower()) == _COUNTS and re.search(rf"\.\s*{re.escape(name)}\s*\(", expression):
        return f"there is no function `{name}`; write .size()"
    if re.search(rf"\b{re.escape(name)}\s*\(", expression):
        instead = _FUNCTIONS.get(
            name.lower(), "`size(turns)` counts, `text.contains('…')` searches, `text.matches('…')` takes a pattern"
        )
        return f"there is no function `{name}`; {instead}"
    if name.lower() in _WORDS:
        return f"there is no `{name}`; write {_WORDS[name.lower()]}"
    return f"there is no `{name}`; known: {', '.join(f'`{known}`' for known in VARIABLES)}; a text is in quotes"


def _mended(operator: str, kinds: list[str], expression: str, start: int) -> str:
    """What to write instead, where it can be told."""
    number = _NUMBER.match(expression, start + len(operator)) or _NUMBER_BEFORE.search(expression[:start])
    if {*kinds} == {"int", "double"}:
        if number is None:
            return "; they are two types: write int(…) or double(…) around one of them"
        written = number[1]
        other = written.partition(".")[0] if "." in written else f"{written}.0"
        return f"; write {other}, for they are two types"
    if {*kinds} in ({"int", "string"}, {"double", "string"}):
        return "; only values of one type can be compared or joined: is one of them in quotes, or without, by mistake?"
    return ""


def _syntax(complaint: str, expression: str, start: int) -> str:
    told = complaint.removeprefix("Syntax error: ")
    if told.startswith("token recognition error"):
        sign = told.partition("at: '")[2][:1]
        if sign in _WORDS:
            return f"write {_WORDS[sign]} for `{sign}`"
        return "a quote is not closed" if sign in {"'", '"'} else f"`{sign}` means nothing here; a text is in quotes"
    if (missing := _MISSING.match(told)) is not None:
        where = "at its end" if missing[2] == "<EOF>" else f"before `{missing[2]}`"
        return f"a `{missing[1]}` is missing {where}"
    found = _INPUT.search(told)
    if found is not None:
        word, last = found[1] or found[2], _LAST_WORD.search(expression[:start])
        if word == "<EOF>" or _NOTHING_MORE.fullmatch(expression, start):
            return "something is missing at its end"
        if word.lower() in _WORDS:
            return f"write {_WORDS[word.lower()]} for `{word}`"
        if last is not None and last[1].lower() in _OPERATORS:
            return f"write {_WORDS[last[1].lower()]} for `{last[1]}`"
        return f"`{word}` cannot stand here; && is and, || is or, == compares"
    return told


def _one_line(text: str) -> str:
    told = " ".join(text.split())
    return told.partition(": ")[2] or told
