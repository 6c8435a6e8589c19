"""How much memory `planner run` keeps for calls that have ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from weakref import ref

import pytest
from patience import wait_for
from whole_runs import Organization

import planner.session.calling
from planner.evidence import Evidence
from planner.results.model import JudgedRun
from planner.verdicts.runs import judge_record

LIMIT = 5
PLAN = """\
version: 1
plan: load
targets: {clinic: {agent: 12}}
scenarios:
  hours:
    prompt: You are caller {{ n }}, calm. Ask when you are open on Saturday.
    matrix: {axes: {n: [1, 2, 3, 4]}}
    runs: 15
    expect:
      - {check: call, status: completed}
      - {check: says, any_of: [saturday]}
"""


def test_evidence_of_finished_runs_is_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many calls have ended, memory holds no more evidence than that of the calls under way, apart from
    quotes and verdicts."""
    seen: list[ref[Evidence]] = []
    alive_counts: list[int] = []

    def alive() -> int:
        return sum(evidence() is not None for evidence in seen)

    def noting(case: Any, record: Any, ask: Any) -> JudgedRun:
        seen.append(ref(record.evidence))
        alive_counts.append(alive())
        return judge_record(case, record, ask)

    monkeypatch.setattr(planner.session.calling, "judge_record", noting)
    organization = Organization(tmp_path, world={"concurrency_limit": LIMIT})
    organization.write("plans/load.yaml", PLAN)

    ran = organization.run()

    assert ran.code in (0, 1), ran.err
    assert len(seen) == 60
    assert max(alive_counts) <= LIMIT
    wait_for(lambda: alive() == 0)  # a thread that stored some may still refer to them
