"""A grade whose score the service writes as the integer 1, from the answer to the verdict."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from clinic import PLAN, Clinic, make_clinic
from mortality import Life

SCORE = re.compile(rb'"(?:grade_)?score":\s*([0-9.]+)')
FIRST_CALL = "/v1/calls/987654321"
PERCENT = re.compile(rb'"(?=(?:collected_values|extracted_data|prompt_snapshot|steps_trace|tool_snapshot)":)[a-z]')
"""Fields that only services with scores in percent have."""


class Rounding(Clinic):
    """Its service writes scores as the integer 1: all of them, or those of all calls but the first, without outcomes."""

    has_outcomes = True

    def _app(self, life: Life) -> Any:
        real = super()._app(life)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            async def rounded(message: Any) -> None:
                body = PERCENT.sub(b'"x', message.get("body", b""))
                if not self.has_outcomes:
                    body = body.replace(b'"success"', b'"unknown"').replace(b'"achieved"', b"null      ")
                if self.has_outcomes or not scope["path"].startswith(FIRST_CALL):
                    body = SCORE.sub(_as_one, body)
                await send({**message, "body": body} if "body" in message else message)

            await real(scope, receive, rounded)

        return app


def _as_one(found: re.Match[bytes]) -> bytes:
    """Of the same length."""
    return found[0].removesuffix(found[1]) + b"1".ljust(len(found[1]))


@pytest.mark.parametrize(("has_outcomes", "scores"), [(True, {1.0}), (False, {0.95, 1.0})])
def test_a_perfect_grade_passes(tmp_path: Path, has_outcomes: bool, scores: set[float]) -> None:
    """The service writes a perfect grade as the integer 1. Before: it was undecided in every run. Now: its outcome
    says that the score is out of 1, or else the score of another call."""
    make_clinic(tmp_path)
    clinic = Rounding(tmp_path)
    clinic.has_outcomes = has_outcomes
    plan = PLAN.replace("{check: says, any_of: [Saturday]}", "{check: grade, min_score: 0.8}")
    clinic.write("plans/hours.yaml", plan.replace(", config: ../agents/clinic.yaml", ""))
    ran = clinic.run(at_once=1)
    assert ran.code == 0, ran.err
    (case,) = clinic.results()["cases"]
    assert {run["grade_score"] for run in case["runs"]} == scores
