"""Short forms of cases, evidence and what is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel

from planner.checks import CHECKS
from planner.checks.base import Expectation
from planner.evidence import Call, Evidence, Role, RunStatus, Turn
from planner.planfile.model import Case, Target
from planner.planfile.yaml.document import Source, YamlPlace
from planner.results.model import ExpectationRate, Sample
from planner.results.outcomes import CaseOutcome

_Document = TypeVar("_Document", bound=BaseModel)


def changed(document: _Document, **fields: Any) -> _Document:
    return document.model_copy(update=fields)


def own_rate(expectation: str, met: int, decided: int, check: str = "") -> ExpectationRate:
    return ExpectationRate(expectation=expectation, check=check, met=met, decided=decided)


def one_side(
    outcome: CaseOutcome,
    passed: int,
    countable: int,
    not_made: int = 0,
    own_rates: Sequence[ExpectationRate] = (),
    clean: int | None = None,
) -> Sample:
    return Sample(
        outcome=outcome,
        runs_passed=passed,
        runs_countable=countable,
        runs_not_made=not_made,
        own_rates=tuple(own_rates),
        runs_clean=clean,
    )


_PLACE = YamlPlace(Source("plans/p.yaml", "version: 1\nplan: p\n"), 11, 15)


def plan_case(*expectations: dict[str, Any], **fields: Any) -> Case:
    """The case `p/s@t` of a plan with these expectations."""
    case = Case(
        case_id="p/s@t", plan="p", scenario="s", target=Target("t", "agent", 12), point=(), prompt="Greet the agent.",
        direction="outbound", mode="bot", target_number=None, runs=1, min_pass_rate=1.0,
        timeout_seconds=900, tags=frozenset(), place=_PLACE,
        expectations=tuple(CHECKS[each["check"]].model_validate(each) for each in expectations),
        expectation_places=(_PLACE,) * len(expectations),
    )  # fmt: skip
    return replace(case, **fields)


def case_rules(
    min_pass_rate: float = 1.0,
    runs: int = 1,
    expectations: tuple[Expectation, ...] = (),
) -> Case:
    """A case with what decides its verdict."""
    return replace(
        plan_case(),
        min_pass_rate=min_pass_rate,
        runs=runs,
        expectations=expectations,
    )


def heard(run_id: int, *lines: str, **fields: Any) -> Evidence:
    """A billed and completed run of 54 seconds with turns such as `agent: Hello.`"""
    turns = tuple(
        Turn(number=number, role=Role(line.partition(":")[0]), text=line.partition(":")[2].strip())
        for number, line in enumerate(lines, start=1)
    )
    call = Call(call_id=run_id, status="completed", end_reason="agent_end", duration_seconds=54)
    parts: dict[str, Any] = {"call": call, "turns": turns, "tools": (), "cost_cents": 16, **fields}
    return Evidence(run_id=run_id, run_status=RunStatus.COMPLETED, **parts)
