"""A run of which there is no evidence: what its verdict says."""

from __future__ import annotations

from dataclasses import replace

from planner.execution.jobs import RunRecord
from planner.planfile.model import Case, Target
from planner.planfile.yaml.source import Place, Source
from planner.verdicts.runs import judge_record

_PLACE = Place(Source("plans/p.yaml", "version: 1\n"), 0, 1)
CASE = Case(
    case_id="p/s@t", plan="p", scenario="s", target=Target("t", "agent", 12), point=(), prompt="Ask.", direction="outbound",
    mode="bot", target_number=None, runs=1, min_pass_rate=1.0, min_runs=1, stagger_seconds=0, timeout_seconds=900,
    platform_failures="ignore", expectations=(), expectation_places=(), tags=frozenset(), place=_PLACE,
)  # fmt: skip


def test_the_verdict_of_a_call_that_cannot_be_read_says_why() -> None:
    """Its run has ended; a run that is still in progress has not."""
    unreadable = "GET /v1/calls/9: the service's answer makes no sense"
    record = RunRecord("p/s@t", "1", 0, 7, None, None, None, None, False, "i", None, unread=unreadable)
    assert unreadable in judge_record(CASE, record).reason
    in_progress = judge_record(CASE, replace(record, unread=""))
    assert in_progress.reason == "the run did not end in time"
