"""Cases, stored results of earlier sessions, and the changes between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from planner.changes.diff import Request, StoredResults, diff
from planner.changes.estimate import build_change_set
from planner.changes.fingerprint import call_fingerprint, case_inputs, check_fingerprint
from planner.changes.model import Change, ChangeSet
from planner.changes.request import Earlier
from planner.checks.base import CheckSeverity, Expectation
from planner.checks.call import NUMBER_NOT_NAMED
from planner.checks.judgement import FindingOutcome, Judgement, passed
from planner.evidence import Evidence
from planner.planfile.model import Case, Target
from planner.planfile.yaml.document import Source, YamlPlace
from planner.results.model import CaseResult, Finding, JudgedRun, RunResult

NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
NO_NUMBER: Final = Finding(
    expectation="call",
    check="call",
    outcome=FindingOutcome.UNDECIDED,
    severity=CheckSeverity.ERROR,
    message=NUMBER_NOT_NAMED,
)
"""The service does not name the number of a transfer: another call would find the same."""
_PLACE: Final = YamlPlace(Source("plans/refunds.yaml", "version: 1\nscenarios:\n    refunds:\n"), 26, 33)


class Says(Expectation, frozen=True):
    """A check with one field, for tests that never judge."""

    caller_can_cause_failure = True

    check: Literal["says"] = "says"
    any_of: tuple[Any, ...] = ("30 days",)

    def judge(self, evidence: Evidence) -> Judgement:
        return passed(f"run {evidence.run_id}")


def make_case(name: str = "late-order", **changed: Any) -> Case:
    """A case of plan `refunds`; keywords replace fields, `name` names the scenario."""
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
        timeout_seconds=900,
        expectations=(Says(id="says"),),
        expectation_places=(_PLACE,),
        tags=frozenset(),
        place=_PLACE,
    )
    return replace(case, **changed)


def make_runs(*causes: str | None, first: int = 101, **changed: Any) -> list[JudgedRun]:
    """One run for each cause (None: it passed), numbered from `first`, one minute of 16 cents each."""
    return [
        JudgedRun.model_validate(
            {
                "run_id": first + index,
                "outcome": "passed" if cause is None else "failed" if cause in ("agent", "plan") else "undecided",
                "cause": cause,
                "cost_cents": 16,
                "duration_seconds": 54.0,
                "evidence": f"{first + index:064x}",
                "completed_at": NOW - timedelta(days=1),
                **changed,
            }
        )
        for index, cause in enumerate(causes)
    ]


def store_case(case: Case, *, revision: str | None = None, **changed: Any) -> CaseResult:
    """The stored result of a case: passed in all runs, unless fields say otherwise."""
    inputs = case_inputs(case, revision)
    runs = changed.pop("runs", None) or make_runs(*[None] * case.runs)
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
            "runs_passed": sum(run.cause is None for run in runs),
            "runs_total": len(runs),
            "compared": "new",
            "inputs": inputs,
            "call_fingerprint": call_fingerprint(inputs),
            "check_fingerprint": check_fingerprint(case),
            "runs": runs,
            **changed,
        }
    )


def session_result(session_id: str, *cases: CaseResult, at: datetime = NOW, **changed: Any) -> RunResult:
    """The result of a finished session of a minute with these cases; `cost` replaces single costs, which are 0."""
    costs = {"estimated_cents": None, "actual_cents": 0, "this_session_cents": 0, "unconfirmed_cents": 0}
    return RunResult.model_validate(
        {
            "tool_version": "0.1.0",
            "outcome": "passed",
            "exit_code": 0,
            "session_id": session_id,
            "change_set_digest": f"sha256:{'0' * 64}",
            "started_at": at,
            "ended_at": at + timedelta(minutes=1),
            "consent": {"given": True, "by": "ana"},
            "plans": sorted({case.plan for case in cases}),
            "cases": cases,
            "cost": costs | changed.pop("cost", {}),
            "stats": {},
            **changed,
        }
    )


def changes_of(cases: Sequence[Case], stored: Sequence[CaseResult] = (), **known: Any) -> tuple[Change, ...]:
    """`diff` with the fields of `StoredResults` and `Request` as keywords."""
    results = {each.name: known.pop(each.name) for each in fields(StoredResults) if each.name in known}
    earlier = {prior.case_id: Earlier(prior) for prior in stored}
    present = {case.case_id for case in cases}
    results.setdefault("gone", [prior for prior in stored if prior.case_id not in present])
    return diff(cases, StoredResults(earlier, **results), Request(known.pop("now", NOW), **known))


def build(cases: Sequence[Case], stored: Sequence[CaseResult] = (), **known: Any) -> ChangeSet:
    """The change set of cases against stored ones. By default only the product `spark` of agent 12 is known."""
    price: dict[str, Any] = {"products": {("agent", 12): "spark"}, "rates": {}, "history": [], "already_made": {}}
    price |= {name: known.pop(name) for name in (*price, "at_once") if name in known}
    return build_change_set(changes_of(cases, stored, **known), **price)
