"""A store in a folder, and results small enough to read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from planner.planfile.model import Target
from planner.results.model import CaseResult, JudgedRun, RunResult
from planner.results.outcomes import RunOutcome
from planner.results.repository import ResultsRepository
from planner.stores.directory import DirectoryStore
from tests.support.stored_cases import make_case, session_result, store_case


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
    """A finished session with the cases named (`plan/scenario@target`), each passed in one run."""

    def make(*case_ids: str, **fields: Any) -> RunResult:
        cases = [_case(case_id) for case_id in case_ids]
        cost = {"estimated_cents": 16, "actual_cents": 16, "this_session_cents": 16}
        given: dict[str, Any] = {"cost": cost, "ended_at": datetime(2026, 11, 24, 12, 5, tzinfo=UTC), **fields}
        return session_result(given.pop("session_id", "20261124T120000Z-1"), *cases, **given)

    return make


def _case(case_id: str) -> CaseResult:
    """With the largest ids that the service may give."""
    plan, _, rest = case_id.partition("/")
    scenario, _, target = rest.partition("@")
    run = JudgedRun(run_id=2**63 - 1, outcome=RunOutcome.PASSED, completed_at=datetime(2026, 11, 24, 12, 4, tzinfo=UTC))
    case = make_case(scenario, case_id=case_id, plan=plan, runs=1, target=Target(target, "agent", 2**63 - 1))
    return store_case(case, runs=[run], interval=(0.21, 1.0))
