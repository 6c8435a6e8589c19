"""Cases, and stored results of earlier sessions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from planner.changes.diff import Request, StoredResults, diff
from planner.changes.estimate import build_change_set
from planner.changes.fingerprint import call_fingerprint, case_inputs, check_fingerprint
from planner.changes.model import Change, ChangeSet
from planner.checks.base import Expectation
from planner.checks.judgement import Judgement, passed
from planner.evidence import Evidence
from planner.planfile.model import Case, Plan, Target
from planner.planfile.yaml.document import Place, Source
from planner.results.model import CaseResult, Run

_PLACE = Place(Source("plans/refunds.yaml", "version: 1\nscenarios:\n    refunds:\n"), 26, 33)


class Says(Expectation, frozen=True):
    """A check with one field, for tests that never judge."""

    caller_can_cause_failure = True

    check: Literal["says"] = "says"
    any_of: tuple[Any, ...] = ("30 days",)

    def judge(self, evidence: Evidence) -> Judgement:
        return passed(f"run {evidence.run_id}")


@pytest.fixture(scope="session")
def now() -> datetime:
    return datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def says() -> type[Says]:
    return Says


@pytest.fixture(scope="session")
def make_case() -> Callable[..., Case]:
    """A case of plan `refunds`; keywords replace fields, `name` names the scenario."""

    def make(name: str = "late-order", **fields: Any) -> Case:
        case = Case(
            case_id=f"refunds/{name}@support",
            plan="refunds",
            scenario=name,
            target=Target("support", "agent", 12),
            point=(),
            prompt="You are a polite caller asking about order 12345.",
            direction="outbound",
            mode="bot",
            target_number=None,
            runs=3,
            min_pass_rate=1.0,
            min_runs=2,
            stagger_seconds=0,
            timeout_seconds=900,
            platform_failures="ignore",
            expectations=(Says(id="says"),),
            expectation_places=(_PLACE,),
            tags=frozenset(),
            place=_PLACE,
        )
        return replace(case, **fields)

    return make


@pytest.fixture(scope="session")
def make_runs(now: datetime) -> Callable[..., list[Run]]:
    """One run for each fault (None: it passed), numbered from `first`, one minute of 16 cents each."""

    def make(*faults: str | None, first: int = 101, **fields: Any) -> list[Run]:
        return [
            Run.model_validate(
                {
                    "run_id": first + index,
                    "outcome": "passed" if fault is None else "failed" if fault in ("agent", "author") else "errored",
                    "fault": fault,
                    "cost_cents": 16,
                    "duration_seconds": 54.0,
                    "evidence": f"{first + index:064x}",
                    "completed_at": now - timedelta(days=1),
                    **fields,
                }
            )
            for index, fault in enumerate(faults)
        ]

    return make


@pytest.fixture(scope="session")
def store_case(make_runs: Callable[..., list[Run]]) -> Callable[..., CaseResult]:
    """The stored result of a case: passed in all runs, unless fields say otherwise."""

    def store(case: Case, *, revision: str | None = None, **fields: Any) -> CaseResult:
        inputs = case_inputs(case, revision)
        runs = fields.pop("runs", None) or make_runs(*[None] * case.runs)
        return CaseResult.model_validate(
            {
                "case_id": case.case_id,
                "plan": case.plan,
                "scenario": case.scenario,
                "target": case.target.alias,
                "action": "call",
                "reason": "new",
                "outcome": "passed",
                "runs_required": case.runs,
                "runs_passed": sum(run.fault is None for run in runs),
                "runs_total": len(runs),
                "compared": "new",
                "inputs": inputs,
                "call_fingerprint": call_fingerprint(inputs),
                "check_fingerprint": check_fingerprint(case),
                "runs": runs,
                **fields,
            }
        )

    return store


@pytest.fixture(scope="session")
def build(changes_of: Callable[..., tuple[Change, ...]]) -> Callable[..., ChangeSet]:
    """The change set of cases against stored ones. By default only the product `spark` of agent 12 is known."""

    def build_set(cases: list[Case], stored: list[CaseResult] | None = None, **known: Any) -> ChangeSet:
        price: dict[str, Any] = {"products": {("agent", 12): "spark"}, "rates": {}, "history": [], "already_made": {}}
        price |= {name: known.pop(name) for name in price if name in known}
        return build_change_set(changes_of(cases, stored, **known), **price)

    return build_set


@pytest.fixture(scope="session")
def changes_of(now: datetime) -> Callable[..., tuple[Change, ...]]:
    """`diff` with the fields of `StoredResults` and `Request` as keywords."""
    of_stored = {each.name for each in fields(StoredResults)}

    def changes(cases: list[Case], stored: list[CaseResult] | None = None, **known: Any) -> tuple[Change, ...]:
        results = {name: known.pop(name) for name in of_stored & known.keys()}
        baseline = {prior.case_id: prior for prior in stored or []}
        return diff(cases, StoredResults(baseline, **results), Request(known.pop("now", now), **known))

    return changes


@pytest.fixture(scope="session")
def make_plan() -> Callable[..., Plan]:
    def make(name: str = "refunds", max_cost_cents: int | None = None, cases: tuple[Case, ...] = ()) -> Plan:
        return Plan(name, f"plans/{name}.yaml", "", (), frozenset(), max_cost_cents, cases)

    return make
