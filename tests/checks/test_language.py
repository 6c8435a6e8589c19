"""`language`: what is detected, what is too short, and the error without the model."""

from __future__ import annotations

import sys
from typing import Any

import pytest

ENGLISH = "Thank you for calling, how may I help you today?"
SPANISH = "Hola, buenos días, ¿en qué puedo ayudarle hoy?"


@pytest.mark.parametrize(
    ("lines", "fields", "outcome", "turn", "said"),
    [
        ((f"agent: {ENGLISH}", f"caller: {SPANISH}"), {"is": "en"}, "passed", None, "1 of 1 agent turn in en"),
        ((f"agent: {ENGLISH}", f"caller: {SPANISH}"), {"is": "es", "who": "caller"}, "passed", None, "turn in es"),
        ((f"agent: {ENGLISH}", f"caller: {SPANISH}"), {"is": "en", "who": "any"}, "failed", 2, "turn 2 is in es"),
        (
            (f"agent: {ENGLISH}", f"caller: {SPANISH}"),
            {"is": "en", "who": "any", "min_share": 0.5},
            "passed",
            None,
            "1 of 2 turns in en",
        ),
        ((f"agent: {ENGLISH}", "agent: Ok.", "tool: x", f"agent: {SPANISH}"), {"is": "en"}, "failed", 4, "4 is in es"),
        (("agent: Ok.", "agent: Yes."), {"is": "en"}, "undecided", None, "language could be detected in 2 agent turns"),
        (("caller: Hello.",), {"is": "en"}, "undecided", None, "no language could be detected in 0 agent turns"),
    ],
)
def test_language_is_detected_by_turn(
    talk: Any, assert_judged: Any, lines: Any, fields: Any, outcome: str, turn: int | None, said: str
) -> None:
    """Turns whose language is certain are counted; the check is undecided if there is none."""
    assert_judged(talk(*lines), outcome, turn, said, check="language", **fields)


def test_without_the_model_the_plan_says_what_to_install(refusal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known before anything is spent, not after the call: what cannot be judged is not called for."""
    monkeypatch.setitem(sys.modules, "py3langid", None)
    message = "`language` needs the extra of that name; in planner's clone: uv tool install '.[language]'"
    assert refusal(check="language", **{"is": "en"}) == [((), message)]
