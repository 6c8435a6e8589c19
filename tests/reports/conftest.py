"""A canonical result that every format renders, one without calls, and change sets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from planner.changes.model import Change, ChangeSet, Estimate, Reason
from planner.planfile.model import Case, Plan, Target
from planner.planfile.yaml.document import Source, YamlPlace
from planner.results.agent_documents import AgentDocument, FieldDocument
from planner.results.model import (
    CaseInputs,
    CaseResult,
    DroppedCase,
    Finding,
    JudgedRun,
    OpenLaunch,
    PreviewDocument,
    Quote,
    RunResult,
    Sample,
    StatsDocument,
)
from planner.results.money_documents import ConsentDocument, CostDocument
from planner.results.next_steps import NextStep, NextStepCode
from planner.results.outcomes import Action, CaseOutcome

DIGEST = "sha256:" + "9f3c2a7b" * 8
NUMBER = "+14155550199"
HOSTILE = (
    'I "guarantee" it <img src=x onerror=alert(1)> @acme/voice, see https://evil.example/x or www.evil.example #12 '
    "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07 \x1b[31mred\x1b[0m ![i](//e.vil/p.png) [a](javascript:b) | cell |\n"
    "::set-output name=a::b ##[add-mask]c `code` **bold** $x$ \u202egnp\u202c ]]> & \x00\ufffe call (415) 555-0199"
)

_ONE_PASSED = Sample(outcome=CaseOutcome.PASSED, runs_passed=1, runs_countable=1)
_ONE_FAILED = Sample(outcome=CaseOutcome.FAILED, runs_passed=0, runs_countable=1)


def _finding(
    expectation: str, check: str, outcome: str, message: str, quote: Quote | None = None, severity: str = "error"
) -> Finding:
    fields = {"expectation": expectation, "check": check, "outcome": outcome, "severity": severity}
    return Finding.model_validate({**fields, "message": message, "quote": quote})


def _run(run_id: int, **fields: Any) -> JudgedRun:
    return JudgedRun.model_validate(
        {
            "run_id": run_id,
            "batch_id": 7,
            "call_id": run_id + 9000,
            "outcome": "passed",
            "cost_cents": 16,
            "duration_seconds": 54.0,
            "session_id": "20261124T100000-a1",
            "evidence": "e" * 64,
            "completed_at": datetime(2026, 11, 24, 10, 1, run_id % 60, tzinfo=UTC),
            "findings": [_finding("completes", "call", "passed", "the call completed")],
            **fields,
        }
    )


def _case(case_id: str, **fields: Any) -> CaseResult:
    plan, rest = case_id.split("/", 1)
    return CaseResult.model_validate(
        {
            "case_id": case_id,
            "plan": plan,
            "scenario": rest.partition("[")[0].partition("@")[0],
            "target": case_id.rpartition("@")[2],
            "tags": ["smoke"],
            "action": "call",
            "reason": "new",
            "outcome": "passed",
            "runs_required": 1,
            "runs_passed": 1,
            "runs_total": 1,
            "pass_rate": 1.0,
            "interval": (0.21, 1.0),
            "compared": "same",
            "inputs": CaseInputs(
                prompt="You are Ana. Your number is +1 415 555 0199.",
                target_kind="agent",
                target_id=12,
                direction="outbound",
                mode="bot",
            ),
            "call_fingerprint": "c" * 64,
            "check_fingerprint": "d" * 64,
            "file": f"plans/{plan}.yaml",
            "line": 12,
            "finding_lines": {"completes": 20},
            "runs": [_run(800)],
            "before": None if fields.get("compared") == "new" else _ONE_PASSED,
            **fields,
        }
    )


def _regressed() -> CaseResult:
    said = Quote(turn=6, role="agent", start_ms=42_300, text=HOSTILE)
    return _case(
        "refunds/refund-window[mood=furious]@support",
        reason="caller_prompt_changed",
        detail="- You are a polite caller.\n+ You are a furious caller.",
        outcome="failed",
        outcome_reason="1 of 3 runs passed, 80 % needed; critical states-window failed in 1 of 3 runs",
        runs_required=3,
        runs_passed=1,
        runs_total=3,
        pass_rate=1 / 3,
        interval=(0.06, 0.79),
        min_pass_rate=0.8,
        compared="regressed",
        finding_lines={"states-window": 22, "no-guarantee": 25},
        inputs=CaseInputs(
            prompt="You are a furious caller.",
            target_kind="phone_number",
            target_id=77,
            direction="inbound",
            mode="sip",
            target_number=NUMBER,
            agent_revision="2026-11-24T09:00:00Z 5f1e",
        ),
        runs=[
            _run(801),
            _run(
                802,
                outcome="failed",
                cause="agent",
                reason='states-window: the agent never said any of "30 days", "thirty days" (and 1 more)',
                cost_cents=32,
                duration_seconds=192.4,
                findings=[
                    _finding("completes", "call", "passed", "the call completed"),
                    _finding(
                        "states-window",
                        "says",
                        "failed",
                        'the agent never said any of "30 days", "thirty days"',
                        severity="critical",
                    ),
                    _finding("no-guarantee", "never_says", "failed", "the agent said what it must never say", said),
                ],
            ),
            _run(
                803,
                outcome="failed",
                cause="agent",
                reason="no-guarantee: the agent said what it must never say",
                cost_cents=None,
                adopted=True,
                findings=[
                    _finding("no-guarantee", "never_says", "failed", "the agent said what it must never say", said),
                    _finding("polite", "grade", "undecided", "the grade is pending: not decided"),
                ],
            ),
        ],
    )


def _flaky() -> CaseResult:
    looked_up = Quote(turn=3, role="tool", start_ms=None, text='lookup_hours({"day": "Sunday"})')
    slow = _finding("latency", "latency", "failed", "p95 was 3120 ms, at most 2500 ms asked", severity="warning")
    return _case(
        "hours/opening@hotline",
        reason="agent_edited",
        detail="2026-11-20 → 2026-11-24",
        outcome="flaky",
        outcome_reason="3 of 4 runs passed, 70 % needed",
        runs_required=4,
        runs_passed=3,
        runs_total=4,
        pass_rate=0.75,
        interval=(0.3, 0.95),
        min_pass_rate=0.7,
        runs=[
            *(_run(number, findings=[slow]) for number in (811, 812, 813)),
            _run(
                814,
                outcome="failed",
                cause="agent",
                reason="tool_called: day was Sunday, Monday asked",
                findings=[_finding("tool_called", "tool_called", "failed", "day was Sunday, Monday asked", looked_up)],
            ),
        ],
    )


def _unknown() -> CaseResult:
    return _case(
        'hours/late[day="New Year\'s Eve | 31"]@hotline',
        outcome="unknown",
        outcome_reason="0 of 2 runs can be counted, 1 needed: 1 platform, 1 judge",
        runs_required=2,
        runs_passed=0,
        runs_total=2,
        pass_rate=None,
        interval=None,
        compared="new",
        runs=[
            _run(
                821,
                call_id=None,
                outcome="undecided",
                cause="platform",
                reason="the run failed: carrier rejected the call to 4155550199",
                cost_cents=0,
                duration_seconds=None,
                findings=[],
            ),
            _run(
                822,
                outcome="undecided",
                cause="judge",
                reason="polite: the grade is pending: not decided",
                findings=[_finding("polite", "grade", "undecided", "the grade is pending: not decided")],
            ),
        ],
    )


@pytest.fixture
def canonical() -> RunResult:
    """Every outcome, action, comparison and cause at once, as stored: not redacted."""
    earlier = "20261120T080000-77"
    return RunResult(
        tool_version="0.1.0",
        outcome="failed",
        exit_code=1,
        problems=[
            "budget.max_cost_cents of plan refunds is reached: 1 case was not called",
            "the service answered 503 to 2 of 31 requests",
        ],
        next_steps=[
            NextStep(
                code=NextStepCode.RESUME,
                text="To resume (nothing is charged twice)",
                command=f"planner run plans/ --consent-to-charge --max-cost 9.00 --digest {DIGEST}",
                charged=True,
            ),
            NextStep(code=NextStepCode.RECONCILE, text="To settle the launch", command="planner reconcile 3f9a2c11"),
        ],
        session_id="20261124T100000-a1",
        change_set_digest=DIGEST,
        environment="staging",
        partial=True,
        finished=False,
        started_at=datetime(2026, 11, 24, 10, 0, tzinfo=UTC),
        ended_at=datetime(2026, 11, 24, 10, 3, 2, tzinfo=UTC),
        consent=ConsentDocument(
            given=True, by="ana", at=datetime(2026, 11, 24, 9, 59, 58, tzinfo=UTC), digest=DIGEST, max_cost_cents=900
        ),
        plans=["hours", "orders", "refunds"],
        cases=[
            _regressed(),
            _case(
                "refunds/late-order@support",
                reason="failed",
                compared="same",
                before=_ONE_FAILED,
                runs=[_run(805, cost_cents=48)],
            ),
            _flaky(),
            _case(
                "hours/closing@hotline",
                action="recheck",
                reason="expectations_changed",
                detail="1 stored run · free",
                carried_from=earlier,
                runs=[_run(701, session_id=earlier)],
            ),
            _case(
                "hours/holiday@hotline",
                action="reuse",
                reason="passed",
                carried_from=earlier,
                runs=[_run(702, session_id=earlier)],
            ),
            _case(
                "hours/menu@hotline",
                action="reuse",
                reason="passed",
                carried_from=earlier,
                runs=[_run(703, cost_cents=None)],
            ),
            _case(
                "hours/parking@hotline",
                reason="rerun",
                compared="same",
                before=_ONE_FAILED,
                baseline=_ONE_FAILED,
                latest=_ONE_PASSED,
                runs=[_run(806)],
            ),
            _unknown(),
            _case(
                "orders/status@support",
                outcome="unknown",
                outcome_reason="no run was made; 1 of 1 calls not made: the ceiling of plan refunds is reached",
                runs_passed=0,
                runs_total=0,
                pass_rate=None,
                interval=None,
                compared="new",
                runs=[],
            ),
            _case(
                "hours/parking@support",
                outcome="failed",
                outcome_reason="0 of 1 run passed, 100 % needed",
                quarantine={"until": date(2027, 1, 31), "reason": "ticket VOX-41, see @acme/voice"},
                runs_passed=0,
                pass_rate=0.0,
                interval=(0.0, 0.79),
                compared="same",
                baseline=_ONE_PASSED,
                latest=_ONE_FAILED,
                runs=[
                    _run(
                        807,
                        outcome="failed",
                        cause="agent",
                        reason="parking: the agent never said it",
                        findings=[_finding("parking", "says", "failed", "the agent never said it")],
                    )
                ],
            ),
        ],
        dropped=[DroppedCase(case_id="refunds/old-case@support", reason="no_longer_in_plan")],
        open_launches=[
            OpenLaunch(
                launch_id="3f9a2c11",
                cases=["orders/status@support"],
                reserved_cents=32,
                state="unconfirmed",
                detail="the answer was lost; looked for since 2026-11-24T10:01:00Z",
            )
        ],
        previews=[
            PreviewDocument(
                target="support",
                agent_id=12,
                preview_agent_id=31,
                configuration=f"sha256:{'7' * 64}",
                changes=["prompt", "voice"],
            )
        ],
        agents=[
            AgentDocument(
                target="support",
                agent_id=12,
                config="agents/support.yaml",
                state="changed",
                changes=[
                    FieldDocument(field="voice", before="aria", after="nova"),
                    FieldDocument(
                        field="tools",
                        before=None,
                        after=[{"name": "transfer", "url": "tools.example/transfer", "to": "+1 415 555 0199"}],
                    ),
                ],
                drift=[FieldDocument(field="voice", before="maya", after="aria")],
            )
        ],
        cost=CostDocument(
            estimated_cents=1420,
            estimated_low_cents=1180,
            estimated_high_cents=1660,
            estimate_basis="31 past runs of these scenarios",
            actual_cents=1502,
            this_session_cents=1470,
            unconfirmed_cents=32,
            ceiling_cents=900,
            carried_cents=48,
        ),
        stats=StatsDocument(requests=31, launches=5, refused=2, wall_seconds=182.0),
    )


@pytest.fixture
def nothing_called() -> RunResult:
    """ConsentDocument was not given: no calls, and no known price."""
    return RunResult(
        tool_version="0.1.0",
        outcome="refused",
        exit_code=3,
        problems=["11 calls of unknown cost; nobody is called without consent to that charge"],
        next_steps=[
            NextStep(
                code=NextStepCode.FIX,
                text="To run exactly this",
                command=f"planner run --consent-to-charge --digest {DIGEST}",
                charged=True,
            )
        ],
        session_id="20261124T100000-a2",
        change_set_digest=DIGEST,
        sandbox=True,
        finished=False,
        started_at=datetime(2026, 11, 24, 10, 0, tzinfo=UTC),
        ended_at=datetime(2026, 11, 24, 10, 0, 1, tzinfo=UTC),
        consent=ConsentDocument(given=False),
        plans=["hours"],
        cases=[
            _case(
                "hours/opening@hotline",
                outcome="unknown",
                outcome_reason="no run was made; 1 of 1 calls not made: consent was withheld",
                runs_passed=0,
                runs_total=0,
                pass_rate=None,
                interval=None,
                compared="new",
                runs=[],
            )
        ],
        cost=CostDocument(estimated_cents=None, actual_cents=0, this_session_cents=0, unconfirmed_cents=0),
        stats=StatsDocument(wall_seconds=0.4),
    )


@pytest.fixture
def all_passed() -> RunResult:
    """A small sandbox session: all passed, all bills known."""
    return RunResult(
        tool_version="0.1.0",
        outcome="passed",
        exit_code=0,
        session_id="20261124T100000-a3",
        change_set_digest=DIGEST,
        sandbox=True,
        started_at=datetime(2026, 11, 24, 10, 0, tzinfo=UTC),
        ended_at=datetime(2026, 11, 24, 10, 0, 9, tzinfo=UTC),
        consent=ConsentDocument(given=True, by="ana", at=datetime(2026, 11, 24, 10, 0, tzinfo=UTC), digest=DIGEST),
        plans=["hours"],
        cases=[
            _case("hours/opening@hotline", compared="new"),
            _case("hours/closing@hotline", compared="new", runs=[_run(802)]),
        ],
        cost=CostDocument(estimated_cents=32, actual_cents=32, this_session_cents=32, unconfirmed_cents=0),
        stats=StatsDocument(requests=9, launches=1, wall_seconds=8.6),
    )


@pytest.fixture
def many() -> Callable[[int], RunResult]:
    """A large result: every tenth case failed, with a quote."""

    def build(number: int) -> RunResult:
        cases = [
            _case(
                f"suite-{index // 60}/scenario-{index // 20}[mood=furious,language=Spanish,order={index}]@support",
                **(_failing_fields() if index % 10 == 0 else {}),
            )
            for index in range(number)
        ]
        return RunResult(
            tool_version="0.1.0",
            outcome="failed",
            exit_code=1,
            session_id="20261124T100000-a4",
            change_set_digest=DIGEST,
            started_at=datetime(2026, 11, 24, 10, 0, tzinfo=UTC),
            ended_at=datetime(2026, 11, 24, 10, 30, tzinfo=UTC),
            consent=ConsentDocument(given=True, by="ana", digest=DIGEST, max_cost_cents=90_000),
            plans=[f"suite-{index}" for index in range(number // 60 + 1)],
            cases=cases,
            cost=CostDocument(
                estimated_cents=number * 16,
                actual_cents=number * 16,
                this_session_cents=number * 16,
                unconfirmed_cents=0,
            ),
            stats=StatsDocument(requests=number * 3, launches=number // 20, wall_seconds=1800.0),
        )

    return build


_FAILED = ("outcome", "outcome_reason", "runs_passed", "runs_total", "pass_rate", "interval", "compared", "runs")


def _failing_fields() -> dict[str, Any]:
    case = _regressed()
    return {name: getattr(case, name) for name in _FAILED}


def _planned_case(case_id: str, runs: int) -> Case:
    plan, rest = case_id.split("/", 1)
    return Case(
        case_id=case_id,
        plan=plan,
        scenario=rest.partition("[")[0].partition("@")[0],
        target=Target(case_id.rpartition("@")[2], "agent", 12),
        point=(),
        prompt="You are a caller.",
        direction="outbound",
        mode="bot",
        target_number=None,
        runs=runs,
        min_pass_rate=1.0,
        timeout_seconds=900,
        expectations=(),
        expectation_places=(),
        tags=frozenset(),
        place=YamlPlace(Source(f"plans/{plan}.yaml", "\n" * 11 + "  nobody:\n"), 13, 19),
    )


def _change(
    case_id: str, action: Action, reason: Reason, *, runs: int = 0, detail: str = "", prior: CaseResult | None = None
) -> Change:
    case = None if action is Action.DROP else _planned_case(case_id, runs or 3)
    return Change(case_id, action, reason, runs, detail, case, prior, None, "c" * 64, "d" * 64)


@pytest.fixture
def change_set() -> ChangeSet:
    """Every action, and every kind of reason."""
    call, prior = Action.CALL, _case("hours/any@hotline")
    numbers = "target number +14155550199 → +14155550142"
    changes = (
        _change("refunds/refund-window[mood=furious]@support", call, Reason.NEW, runs=5),
        _change(
            "refunds/late-order@support",
            call,
            Reason.CALLER_PROMPT_CHANGED,
            runs=3,
            detail="- You are a polite caller asking about order 12345.\n+ You are an impatient caller, \x1b[31m@acme ``` ::x.",
            prior=prior,
        ),
        _change(
            "refunds/number[mood=calm]@support", call, Reason.SETTINGS_CHANGED, runs=1, detail=numbers, prior=prior
        ),
        _change(
            "refunds/number[mood=furious]@support", call, Reason.SETTINGS_CHANGED, runs=1, detail=numbers, prior=prior
        ),
        _change(
            "hours/opening@hotline", call, Reason.AGENT_EDITED, runs=3, detail="2026-11-20 → 2026-11-24", prior=prior
        ),
        _change(
            "hours/late@hotline",
            call,
            Reason.INCONCLUSIVE,
            runs=1,
            detail="in addition to 2 stored runs",
            prior=prior,
        ),
        _change(
            "hours/closing@hotline",
            Action.RECHECK,
            Reason.EXPECTATIONS_CHANGED,
            detail="3 stored runs · free",
            prior=prior,
        ),
        *(_change(f"hours/kept-{index}@hotline", Action.REUSE, Reason.PASSED, prior=prior) for index in range(20)),
        _change("hours/flaky@hotline", Action.REUSE, Reason.PASSED, prior=_flaky()),
        _change("hours/skipped@hotline", Action.REUSE, Reason.NOT_SELECTED, detail="not called: new"),
        _change("refunds/old-case@support", Action.DROP, Reason.NO_LONGER_IN_PLAN, prior=prior),
    )
    return ChangeSet(DIGEST, changes, Estimate(11, 176, 144, 240, "31 past runs of these scenarios", 200.0, 10), {})


@pytest.fixture
def many_calls() -> Callable[[int], ChangeSet]:
    """A change set of `number` new cases without a known price."""

    def build(number: int) -> ChangeSet:
        changes = tuple(
            _change(
                f"suite/scenario-{index // 20}[order={index},mood=furious]@support", Action.CALL, Reason.NEW, runs=1
            )
            for index in range(number)
        )
        basis = "unknown: no past runs and the product is unknown"
        return ChangeSet(DIGEST, changes, Estimate(number, None, None, None, basis, 120.0, number), {})

    return build


@pytest.fixture
def plans() -> list[Plan]:
    return [Plan(name, f"plans/{name}.yaml", "", (), frozenset(), None, ()) for name in ("hours", "refunds")]
