"""A store in a folder, and results small enough to read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from planner.results.directory import DirectoryStore
from planner.results.model import RunResult
from planner.results.repository import ResultsRepository


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "project" / ".planner"


@pytest.fixture
def store(folder: Path) -> DirectoryStore:
    return DirectoryStore(folder)


@pytest.fixture
def repository(store: DirectoryStore) -> ResultsRepository:
    return ResultsRepository(store)


@pytest.fixture(scope="session")
def make_result() -> Callable[..., RunResult]:
    """A finished invocation with the cases named (`plan/scenario@target`), each passed in one run."""

    def make(*case_ids: str, **fields: Any) -> RunResult:
        return RunResult.model_validate(
            {
                "tool_version": "0.1.0",
                "outcome": "passed",
                "exit_code": 0,
                "invocation_id": "20261124T120000Z-1",
                "change_set_digest": f"sha256:{'0' * 64}",
                "started_at": datetime(2026, 11, 24, 12, tzinfo=UTC),
                "ended_at": datetime(2026, 11, 24, 12, 5, tzinfo=UTC),
                "consent": {"given": True, "by": "ana"},
                "plans": sorted({case_id.partition("/")[0] for case_id in case_ids}),
                "cases": [_case(case_id) for case_id in case_ids],
                "cost": {"estimated_cents": 16, "actual_cents": 16, "this_invocation_cents": 16, "ambiguous_cents": 0},
                "stats": {},
                **fields,
            }
        )

    return make


def _case(case_id: str) -> dict[str, Any]:
    plan, _, rest = case_id.partition("/")
    scenario, _, target = rest.partition("@")
    return {
        "case_id": case_id,
        "plan": plan,
        "scenario": scenario,
        "target": target,
        "action": "call",
        "reason": "new",
        "outcome": "passed",
        "runs_required": 1,
        "runs_passed": 1,
        "runs_total": 1,
        "interval": (0.21, 1.0),
        "compared": "new",
        "inputs": {
            "prompt": "Ask.",
            "target_kind": "agent",
            "target_id": 2**63 - 1,
            "direction": "outbound",
            "mode": "bot",
        },
        "call_fingerprint": "sha256:c",
        "check_fingerprint": "sha256:e",
        "runs": [{"run_id": 2**63 - 1, "outcome": "passed", "completed_at": datetime(2026, 11, 24, 12, 4, tzinfo=UTC)}],
    }
