"""Evidence for shared stores: numbers and the project's patterns are redacted at any depth, and the changed parts are named."""

from __future__ import annotations

import re
from typing import Any

import pytest

from planner.evidence import Call, Evidence, Grade, Role, ToolCall, Turn, merged
from planner.reports.redaction import redact_evidence


def evidence(**fields: Any) -> Evidence:
    return Evidence(run_id=1_234_567_890, run_status="completed", **fields)


PLAIN = evidence(
    call=Call(
        call_id=987_654_321, status="completed", document={"id": 987_654_321, "run": 1_234_567_890, "at": "2026-11-24"}
    ),
    turns=(Turn(number=1, role=Role.AGENT, text="We open at nine, order 123456."),),
    tools=(ToolCall(name="look_up", arguments={"order": 123_456, "deep": [{"ok": True, "none": None, "share": 0.5}]}),),
    grade=Grade(status="completed", summary="Fine."),
)


def test_evidence_without_numbers_is_unchanged() -> None:
    """The same object, so it keeps its digest."""
    assert redact_evidence(PLAIN) is PLAIN


@pytest.mark.parametrize(
    ("fields", "part", "shown"),
    [
        ({"turns": (Turn(number=1, role=Role.CALLER, text="It is 415 555 0199."),)}, "turns", "It is ••• ••• ••99."),
        ({"turns": (Turn(number=1, role=Role.AGENT, text="Member M-77, yes."),)}, "turns", "[redacted], yes."),
        ({"tools": (ToolCall(name="dial", arguments={"to": [{"number": 14155550199}]}),)}, "tools", "•••••••••99"),
        ({"tools": (ToolCall(name="dial", arguments={"+14155550199": 1}),)}, "tools", "+•••••••••99"),
        ({"tools": (ToolCall(name="dial", result=14155550199.0),)}, "tools", "•••••••••99"),
        (
            {"call": Call(call_id=2, status="completed", transferred_to="+14155550199")},
            "transferred_to",
            "+•••••••••99",
        ),
        (
            {"call": Call(call_id=2, status="completed", document={"from": "(415) 555-0199"})},
            "document",
            "(•••) •••-••99",
        ),
        ({"grade": Grade(status="completed", summary="Gave 4155550199.")}, "grade", "Gave ••••••••99."),
        ({"error_message": "no answer from +14155550199"}, "error_message", "no answer from +•••••••••99"),
    ],
)
def test_redacted_parts(fields: dict[str, Any], part: str, shown: str) -> None:
    """Each part is redacted and named; redacting twice changes nothing more."""
    redacted = redact_evidence(evidence(**fields), [re.compile(r"Member M-\d+")])
    text = redacted.to_bytes().decode()
    assert shown in text
    assert "0199" not in text
    assert redacted.redacted == (part,)
    assert redact_evidence(redacted, [re.compile(r"Member M-\d+")]) == redacted
    assert Evidence.model_validate_json(text) == redacted


def test_keys_that_look_the_same_stay_apart() -> None:
    """No entry is lost if two keys have the same redacted form."""
    tool = ToolCall(name="t", arguments={"4155550199": 1, "4155550299": 2})
    redacted = redact_evidence(evidence(tools=(tool,)))
    assert redacted.tools is not None
    assert redacted.tools[0].arguments == {"••••••••99": 1, "••••••••99~2": 2}


def test_parts_that_are_read_again() -> None:
    """A part that is read again replaces the redacted one; other parts stay marked."""
    stored = redact_evidence(
        evidence(
            turns=(Turn(number=1, role=Role.AGENT, text="415 555 0199"),),
            tools=(ToolCall(name="dial", arguments={"to": "4155550199"}),),
        )
    )
    assert stored.redacted == ("turns", "tools")
    fresh = evidence(turns=(Turn(number=1, role=Role.AGENT, text="415 555 0199"),))
    assert merged(stored, fresh).redacted == ("tools",)
    assert merged(None, fresh).redacted == ()
