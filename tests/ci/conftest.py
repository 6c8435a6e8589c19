"""A GitHub step on disk, and one small result of each kind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from planner.changes.model import ChangeSet, Estimate
from planner.diagnostics import Diagnostics, Span
from planner.results.model import CaseInputs, CaseResult, Finding, JudgedRun, Quote, RunResult, StatsDocument
from planner.results.money_documents import ConsentDocument, CostDocument

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def step_env(tmp_path: Path) -> dict[str, str]:
    """The environment of a step; the files it appends to do not exist yet."""
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_WORKSPACE": str(tmp_path),
    }


@pytest.fixture
def make_case() -> Callable[..., CaseResult]:
    """A case of `plans/refunds.yaml`; any field may be given."""

    def make(case_id: str = "refunds/late-order@support", **fields: Any) -> CaseResult:
        standard: dict[str, Any] = {
            "plan": "refunds",
            "scenario": "late-order",
            "target": "support",
            "action": "call",
            "reason": "new",
            "outcome": "passed",
            "runs_required": 1,
            "runs_passed": 1,
            "runs_total": 1,
            "compared": "new",
            "inputs": CaseInputs(prompt="Ask.", target_kind="agent", target_id=12, direction="outbound", mode="bot"),
            "call_fingerprint": "c",
            "check_fingerprint": "k",
            "file": "plans/refunds.yaml",
            "line": 10,
            "finding_lines": {"states-window": 21, "polite": 22, "quick": 23},
        }
        return CaseResult(case_id=case_id, **{**standard, **fields})

    return make


@pytest.fixture
def make_run() -> Callable[..., JudgedRun]:
    """A run with one finding for each `expectation=(outcome, severity)`; its quote is hostile when asked for."""

    def make(run_id: int = 1, *, text: str = "We never refund.", **findings: tuple[str, str]) -> JudgedRun:
        documents = [
            Finding.model_validate(
                {
                    "expectation": name.replace("_", "-"),
                    "check": "says",
                    "outcome": outcome,
                    "severity": severity,
                    "message": "the agent never said it" if outcome == "failed" else "the agent said it",
                    "quote": Quote(turn=4, role="agent", start_ms=9000, text=text),
                }
            )
            for name, (outcome, severity) in findings.items()
        ]
        worst = "failed" if any(document.outcome == "failed" for document in documents) else "passed"
        return JudgedRun.model_validate({"run_id": run_id, "outcome": worst, "findings": documents})

    return make


@pytest.fixture
def make_result() -> Callable[..., RunResult]:
    """A finished session that cost 48 of 64 cents."""

    def make(**fields: Any) -> RunResult:
        standard: dict[str, Any] = {
            "tool_version": "0.1.0",
            "outcome": "failed",
            "exit_code": 1,
            "session_id": "inv-1",
            "change_set_digest": "sha256:" + "9" * 64,
            "started_at": NOON,
            "ended_at": NOON,
            "consent": ConsentDocument(given=True, by="bob", at=NOON),
            "cost": CostDocument(
                estimated_cents=64, actual_cents=80, this_session_cents=48, unconfirmed_cents=16, ceiling_cents=100
            ),
            "stats": StatsDocument(),
        }
        return RunResult(cases=[], **{**standard, **fields})

    return make


@pytest.fixture
def change_set() -> ChangeSet:
    """Eleven calls between $1.44 and $2.40."""
    estimate = Estimate(calls=11, expected_cents=176, low_cents=144, high_cents=240, basis="31 past runs")
    return ChangeSet(digest="sha256:" + "9" * 64, changes=(), estimate=estimate, prices={})


@pytest.fixture
def diagnostics() -> Diagnostics:
    """A warning and then an error of one plan."""
    found = Diagnostics()
    found.warning("unused-var", "Unused variable", "policy_days is used nowhere.", Span("plans/a.yaml", 3, 7, 3, 18))
    found.error("unknown-key", "Unknown key", "scenario has no key prompts.", Span("plans/a.yaml", 9, 5, 9, 12))
    return found
