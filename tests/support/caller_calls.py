"""The calls of broken and of honest callers (`tests/verdicts/*callers.yaml`), and the verdicts on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from transcripts import evidence_of

from planner.checks import CHECKS
from planner.checks.opinions import Ask, no_judge
from planner.evidence import Evidence
from planner.results.model import RunVerdict
from planner.sandbox.conversation import EMPTY, Turn
from planner.verdicts.runs import judge_run

FOLDER: Final = Path(__file__).parents[1] / "verdicts"
_ROLES: Final = {"agent": "agent", "caller": "user"}


def calls_of(file: str) -> dict[str, dict[str, Any]]:
    return YAML(typ="safe").load((FOLDER / file).read_text("utf-8"))


def evidence_of_call(call: dict[str, Any], dialect: Any = "page") -> Evidence:
    spoken = [(_ROLES[role], text) for turn in call["turns"] for role, text in turn.items()]
    turns = tuple(
        Turn(role, text, at * 4000, at * 4000 + 3000)  # pyright: ignore[reportArgumentType]
        for at, (role, text) in enumerate(spoken)
    )
    conversation = replace(EMPTY, turns=turns, duration_ms=4000 * len(turns), end_reason=call["end"])
    return evidence_of(conversation, dialect)


def judged(
    call: dict[str, Any],
    dialect: Any = "page",
    *others: dict[str, Any],
    caller_faults: Any = "ignore",
    ask: Ask = no_judge,
) -> RunVerdict:
    expectations: list[dict[str, Any]] = [{"check": "says", "any_of": [call["expect"]]}, *others]
    return judge_run(
        [CHECKS[each["check"]].model_validate(each) for each in expectations],
        evidence_of_call(call, dialect),
        ask,
        prompt=call["prompt"],
        caller_faults=caller_faults,
    )
