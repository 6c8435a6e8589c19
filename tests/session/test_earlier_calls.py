"""The search for earlier calls: outlines that were read anyway are not read again, the others only on demand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from planner.results.directory import DirectoryStore
from planner.results.model import RunResult
from planner.results.repository import ResultsRepository
from planner.session.earlier_results import EarlierCalls

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC).isoformat()


def case(case_id: str, fingerprint: str, revision: str) -> dict[str, Any]:
    inputs = {"prompt": "Ask.", "target_kind": "agent", "target_id": 12, "direction": "outbound", "mode": "bot"}
    return {
        "case_id": case_id,
        **dict.fromkeys(("plan", "scenario", "target", "check_fingerprint"), "p"),
        "action": "call",
        "reason": "new",
        "outcome": "passed",
        "compared": "new",
        **dict.fromkeys(("runs_required", "runs_passed", "runs_total"), 1),
        "inputs": inputs | {"agent_revision": revision},
        "call_fingerprint": fingerprint,
    }


class Noted(ResultsRepository):
    """Records which sessions are read, in outline and whole."""

    def __init__(self, folder: Path) -> None:
        super().__init__(DirectoryStore(folder))
        self.listed: list[str] = []
        self.whole: list[str] = []

    def sessions(self, *, before: str | None = None) -> Iterator[RunResult]:
        for result in super().sessions(before=before):
            self.listed.append(result.session_id)
            yield result

    def load_session(self, session_id: str) -> RunResult | None:
        self.whole.append(session_id)
        return super().load_session(session_id)


@pytest.fixture
def repository(tmp_path: Path) -> Noted:
    repository = Noted(tmp_path / ".planner")
    for name, cases, fields in (
        ("i1", [case("p/a@t", "call", "then rev1"), case("p/b@t", "other", "then rev1")], {}),
        ("i2", [case("p/a@t", "call", "then rev2")], {}),
        ("i3", [case("p/a@t", "call", "then rev3")], {"finished": False}),
        ("i4", [case("p/a@t", "call", "then rev4")], {"partial": True}),
        ("i5", [case("p/a@t", "call", "then rev5")], {"environment": "eu"}),
        ("i6", [case("p/a@t", "call", "later rev1")], {}),
    ):
        fields |= {"tool_version": "0.1.0", "outcome": "passed", "exit_code": 0, "session_id": name}
        fields |= {"change_set_digest": "", "started_at": NOON, "ended_at": NOON, "cases": cases, "stats": {}}
        cost = {"estimated_cents": 1, "actual_cents": 1, "this_session_cents": 1, "unconfirmed_cents": 0}
        repository.save_session(RunResult.model_validate(fields | {"consent": {"given": True}, "cost": cost}))
    return repository


@pytest.mark.parametrize("noted", [0, 1])
def test_calls_are_found_newest_first(repository: Noted, noted: int) -> None:
    """One for each revision of the agent, from full and finished sessions of this environment."""
    earlier = EarlierCalls(repository, environment="", sandbox=False)
    for _, result in zip(range(noted), repository.sessions(), strict=False):
        earlier.note(result)
    repository.listed.clear()
    found = [stored.inputs.agent_revision for stored in earlier("p/a@t", "call")]
    assert found == ["later rev1", "then rev2"]
    assert [stored.case_id for stored in earlier("p/b@t", "other")] == ["p/b@t"]
    assert not list(earlier("p/b@t", "call"))
    assert repository.listed == ["i6", "i5", "i4", "i3", "i2", "i1"][noted:]
    assert repository.whole == ["i6", "i2", "i1"]


def test_sessions_are_read_on_demand(repository: Noted) -> None:
    earlier = EarlierCalls(repository, environment="", sandbox=False)
    earlier.note(next(repository.sessions()))
    assert repository.listed == ["i6"]
    assert not list(EarlierCalls(repository, environment="us", sandbox=False)("p/a@t", "call"))
    assert repository.listed == ["i6", "i6", "i5", "i4", "i3", "i2", "i1"]
