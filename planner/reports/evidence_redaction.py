"""Redact evidence for shared stores. `Evidence.redacted` names the changed parts, so that no check judges a mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from planner.evidence import Call, Evidence, Grade, RedactedPart, ToolCall, Turn
from planner.reports.redaction import Fields, Pattern, Redactor, distinct, redact_fields

_FIELDS: Fields = {
    Evidence: {"document": ("turns", "tools", "call", "grade"), "text": ("error_message",)},
    Turn: {"text": ("text",)},
    ToolCall: {"text": ("name",), "value": ("arguments", "result")},
    Call: {"text": ("transferred_to",), "value": ("document",)},
    Grade: {"text": ("summary",)},
}


def redact_evidence(evidence: Evidence, patterns: Sequence[Pattern] = ()) -> Evidence:
    """Mask phone numbers (except their last two digits) and remove what the patterns match, at any depth."""
    ids = frozenset(str(number) for number in (evidence.run_id, evidence.call_id) if number is not None)
    redactor = Redactor(tuple(patterns), ids)
    found = redact_fields(evidence, _FIELDS, {"text": redactor.text, "value": lambda value: _value(value, redactor)})
    if found is evidence:
        return evidence
    changed: dict[RedactedPart, bool] = {
        "turns": found.turns != evidence.turns,
        "tools": found.tools != evidence.tools,
        "transferred_to": (found.call and found.call.transferred_to)
        != (evidence.call and evidence.call.transferred_to),
        "document": (found.call and found.call.document) != (evidence.call and evidence.call.document),
        "grade": found.grade != evidence.grade,
        "error_message": found.error_message != evidence.error_message,
    }
    parts = (part for part, is_changed in changed.items() if is_changed)
    return found.model_copy(update={"redacted": tuple(dict.fromkeys((*evidence.redacted, *parts)))})


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
            names = distinct(fields, redactor.text)
            return {names[key]: _value(item, redactor) for key, item in fields.items()}
        case list() | tuple():
            return [_value(item, redactor) for item in cast("Sequence[object]", value)]
        case _:
            return redactor.text(str(value))
