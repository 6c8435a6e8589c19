"""Redact evidence for shared stores. `Evidence.redacted` names the changed parts, so that no check judges a mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from planner.evidence import Call, Evidence, RedactedPart, ToolCall
from planner.reports.redaction import Pattern, Redactor


def redact_evidence(evidence: Evidence, patterns: Sequence[Pattern] = ()) -> Evidence:
    """Mask phone numbers (except their last two digits) and remove what the patterns match, at any depth."""
    ids = frozenset(str(number) for number in (evidence.run_id, evidence.call_id) if number is not None)
    redactor = Redactor(tuple(patterns), ids)
    turns = evidence.turns and tuple(
        turn.model_copy(update={"text": redactor.text(turn.text)}) for turn in evidence.turns
    )
    tools = evidence.tools and tuple(_tool(tool, redactor) for tool in evidence.tools)
    call = evidence.call and _call(evidence.call, redactor)
    grade = evidence.grade and evidence.grade.model_copy(
        update={"summary": None if evidence.grade.summary is None else redactor.text(evidence.grade.summary)}
    )
    error_message = redactor.text(evidence.error_message)
    changed: dict[RedactedPart, bool] = {
        "turns": turns != evidence.turns,
        "tools": tools != evidence.tools,
        "transferred_to": (call and call.transferred_to) != (evidence.call and evidence.call.transferred_to),
        "document": (call and call.document) != (evidence.call and evidence.call.document),
        "grade": grade != evidence.grade,
        "error_message": error_message != evidence.error_message,
    }
    if not any(changed.values()):
        return evidence
    parts = (part for part, is_changed in changed.items() if is_changed)
    return evidence.model_copy(
        update={
            "turns": turns,
            "tools": tools,
            "call": call,
            "grade": grade,
            "error_message": error_message,
            "redacted": tuple(dict.fromkeys((*evidence.redacted, *parts))),
        }
    )


def _tool(tool: ToolCall, redactor: Redactor) -> ToolCall:
    return tool.model_copy(
        update={
            "name": redactor.text(tool.name),
            "arguments": _value(tool.arguments, redactor),
            "result": _value(tool.result, redactor),
        }
    )


def _call(call: Call, redactor: Redactor) -> Call:
    transferred = None if call.transferred_to is None else redactor.text(call.transferred_to)
    return call.model_copy(update={"transferred_to": transferred, "document": _value(call.document, redactor)})


def _value(value: object, redactor: Redactor) -> Any:
    """Redacts a JSON value. A number that looks like a phone number becomes a text."""
    match value:
        case str():
            return redactor.text(value)
        case bool() | None:
            return value
        case int() | float():
            written = str(int(value)) if isinstance(value, int) or value.is_integer() else str(value)
            shown = redactor.text(written)
            return value if shown == written else shown
        case Mapping():
            fields = cast("Mapping[str, object]", value)
            names = _names(fields, redactor)
            return {names[key]: _value(item, redactor) for key, item in fields.items()}
        case list() | tuple():
            return [_value(item, redactor) for item in cast("Sequence[object]", value)]
        case _:
            return redactor.text(str(value))


def _names(fields: Mapping[str, object], redactor: Redactor) -> dict[str, str]:
    """The redacted form of each key; different keys stay different."""
    shown: dict[str, str] = {}
    for key in fields:
        candidate = base = redactor.text(key)
        number = 1
        while candidate in shown.values():
            number += 1
            candidate = f"{base}~{number}"
        shown[key] = candidate
    return shown
