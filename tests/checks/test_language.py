"""`language`: what is detected, what is too short, and the error without the model."""

from __future__ import annotations

import sys
from typing import Any

import pytest

ENGLISH = "Thank you for calling, how may I help you today?"
SPANISH = "Hola, buenos días, ¿en qué puedo ayudarle hoy?"


@pytest.mark.parametrize(
    ("lines", "fields", "expected"),
    [
        ((f"agent: {ENGLISH}", f"caller: {SPANISH}"), {"is": "en"}, ("passed", "1 of 1 agent turn in en", None)),
        (
            (f"agent: {ENGLISH}", f"caller: {SPANISH}"),
            {"is": "es", "who": "caller"},
            ("passed", "1 of 1 caller turn in es", None),
        ),
        (
            (f"agent: {ENGLISH}", f"caller: {SPANISH}"),
            {"is": "en", "who": "any"},
            ("failed", "1 of 2 turns in en, expected at least 90 %: turn 2 is in es", 2),
        ),
        (
            (f"agent: {ENGLISH}", f"caller: {SPANISH}"),
            {"is": "en", "who": "any", "min_share": 0.5},
            ("passed", "1 of 2 turns in en", None),
        ),
        (
            (f"agent: {ENGLISH}", "agent: Ok.", "tool: x", f"agent: {SPANISH}"),
            {"is": "en"},
            ("failed", "1 of 2 agent turns in en, 1 too short, expected at least 90 %: turn 4 is in es", 4),
        ),
        (
            ("agent: Ok.", "agent: Yes."),
            {"is": "en"},
            ("errored", "no language could be detected in 2 agent turns", None),
        ),
        (("caller: Hello.",), {"is": "en"}, ("errored", "no language could be detected in 0 agent turns", None)),
    ],
)
def test_language_is_detected_by_turn(talk: Any, judge: Any, lines: Any, fields: Any, expected: object) -> None:
    """Turns whose language is certain are counted; the check is undecided if there is none."""
    assert judge(talk(*lines), check="language", **fields) == expected


def test_language_without_a_transcript_is_undecided(talk: Any, judge: Any) -> None:
    """Nothing was transcribed."""
    assert judge(talk(turns=None), check="language", **{"is": "en"})[0] == "errored"


@pytest.mark.parametrize(
    ("fields", "place", "message"),
    [
        ({"is": "xx"}, (), "`is: xx` is not a language that can be detected: write a code of two letters such as en"),
        ({"is": "eng"}, ("is",), "String should match pattern '^[a-z]{2}$'"),
        ({"is": "en", "min_share": 0}, ("min_share",), "Input should be greater than 0"),
    ],
)
def test_language_rejects_invalid_fields(refusal: Any, fields: Any, place: object, message: str) -> None:
    """Every error is at its field and says what to write instead."""
    assert refusal(check="language", **fields) == [(place, message)]


def test_without_the_model_the_plan_says_what_to_install(refusal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known before anything is spent, not after the call: what cannot be judged is not called for."""
    monkeypatch.setitem(sys.modules, "py3langid", None)
    message = "`language` needs the extra of that name; in planner's clone: uv tool install '.[language]'"
    assert refusal(check="language", **{"is": "en"}) == [((), message)]
