"""CEL (the Common Expression Language, cel.dev) over the evidence: typed where it is written, bounded where it is judged.

An expression is compiled twice: against types, so that a wrong name or a comparison that cannot be is known in the plan
file; and against plain maps, in which what the service did not tell is not there, so that asking for it is an error and
never a value. Bounds: the library's 10,000 steps of all macros together and 32 levels of nesting, and ours below, without
which concatenation inside macros could multiply a text.
"""

from __future__ import annotations

import re
from ast import literal_eval
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from planner.checks.call import end_reason_of, status_of
from planner.checks.cel_faults import CelError, fault_of, kind_named, one_line
from planner.checks.cel_fields import FIELDS, VARIABLES
from planner.checks.patterns import compile_pattern
from planner.evidence import Evidence

MAX_LENGTH = 1_000
"""Characters of an expression."""
MAX_MACROS = 4
MAX_PLUSES = 4

_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|map|filter)\s*\(")
_NOT_THERE = re.compile(r'(?:Key not found in map : |No value with name )"([^"]*)"')
_WORD = re.compile(r"\w+")
_MATCHES = re.compile(r"""\bmatches\s*\((?:[^'"(),]*,)?\s*([rR]?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))\s*\)""")
"""A pattern written out: a text whose escapes are those of Python's texts."""
_LISTS = frozenset({"turns", "tools"})
_NO_ARGUMENTS = {"arguments"}


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
        raise fault_of(expression, str(error)) from error
    kind = compiled.return_type()
    if kind not in (cel.Type.BOOL, cel.Type.DYN):
        detail = f"this gives {kind_named(kind.name().lower())}, but an expectation is true or false; compare it, as in call.duration_seconds < 120.0"
        raise CelError(detail, 0, len(expression))
    _check_patterns(expression)
    # Without any value: what is decided all the same is decided so for every call.
    value = compiled.eval(data={})
    if value.type() == cel.Type.BOOL:
        calls = "every" if value.plain_value() else "no"
        detail = f"this holds for {calls} call, so it decides nothing: ask of run, call, turns, tools or grade"
        raise CelError(detail, 0, len(expression))
    if VARIABLES.keys().isdisjoint(_WORD.findall(expression)):
        detail = f"this can be decided for no call: {one_line(str(value.value()))}"
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
        return Undecided(f"it takes too much work or cannot be evaluated: {one_line(str(error))}")
    if value.type() == cel.Type.ERROR:
        told = one_line(str(value.value()))
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
        "cost_basis": evidence.cost_basis,
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
