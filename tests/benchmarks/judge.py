"""How fast stored runs are judged: `python tests/benchmarks/judge.py [CALLS]`.

Prints findings a second of one core (CPU time, nothing cached from before) over calls that the sandbox's two talked, in both
dialects: for each check on its own, and for a case that has all of them; how much memory grows while the same is done ten times
over other calls; and how long a suite of cases takes to compare with its baseline.
"""

from __future__ import annotations

import gc
import resource
import sys
from functools import _lru_cache_wrapper  # pyright: ignore[reportPrivateUsage]
from pathlib import Path
from random import Random
from time import perf_counter, process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from transcripts import transcripts

from planner.checks import CHECKS
from planner.checks.base import Expectation
from planner.evidence import Evidence
from planner.verdicts.comparison import Sample, compare
from planner.verdicts.outcomes import CaseOutcome
from planner.verdicts.runs import judge_run

WRITTEN: list[dict[str, Any]] = [
    {"check": "says", "any_of": ["30 days", "thirty days"]},
    {"check": "says", "matches": r"\bthank(s| you)\b", "in": "last"},
    {"check": "says", "any_of": ["30 days", "$12.50", "9:30 AM"], "spoken": True},
    {"check": "never_says", "any_of": ["guarantee", "promise", "as an AI"]},
    {"check": "sequence", "steps": [{"says": {"any_of": ["thanks"]}}, {"tool": "lookup_order"}]},
    {"check": "no_pii"},
    {"check": "language", "is": "en"},
    {"check": "call", "status": "completed", "min_turns": 4},
    {"check": "duration", "max_seconds": 180},
    {"check": "cost", "max_cents": 32},
    {"check": "latency", "p95_ms": 2500},
    {"check": "pacing", "max_silence_ms": 3000, "max_agent_overlaps": 1},
    {"check": "tool_called", "name": "lookup_order", "arguments": {"order_id": "17"}},
    {"check": "tool_not_called", "name": "issue_refund", "before": "verify_identity"},
    {"check": "grade", "min_score": 0.5},
    {"check": "field", "path": "$.status", "equals": "completed"},
    {"check": "expression", "cel": "call.duration_seconds < 120.0 || turns.exists(t, t.role == 'tool')"},
    {"check": "any_of", "of": [{"check": "says", "any_of": ["hello"]}, {"check": "duration", "max_seconds": 20}]},
    {"check": "all_of", "of": [{"check": "says", "any_of": ["hello"]}, {"check": "duration", "max_seconds": 20}]},
    {"check": "not", "of": {"check": "says", "any_of": ["sorry"]}},
]


def forget() -> None:
    """What was found out about one text helps with it again, which is no measure of how fast it is found out. What is loaded
    once, such as a model, stays: it is paid for once, by however many calls."""
    for known in gc.get_objects():
        if (
            isinstance(known, _lru_cache_wrapper)
            and "planner" in str(known.__module__)
            and known.cache_parameters()["maxsize"] != 1
        ):
            known.cache_clear()


def main(count: int) -> None:
    random = Random(1)
    expectations: list[Expectation] = [CHECKS[fields["check"]].model_validate(fields) for fields in WRITTEN]
    calls: list[Evidence] = [evidence for _, evidence in transcripts(count)]
    turns = sum(len(evidence.turns or ()) for evidence in calls)
    print(f"{count:,} calls of {turns / count:.0f} turns, both dialects")
    judge_run(expectations, calls[0])  # what is imported or loaded late is no part of it
    for expectation, fields in zip(expectations, WRITTEN, strict=True):
        forget()
        began = process_time()
        for evidence in calls:
            expectation.judge(evidence)
        seconds = process_time() - began
        how = "spoken" if fields.get("spoken") else "matches" if "matches" in fields else ""
        print(f"  {expectation.check:<16}{how:<8}{count / seconds:>10,.0f} findings a second")
    forget()
    began = process_time()
    findings = sum(len(judge_run(expectations, evidence).findings) for evidence in calls)
    seconds = process_time() - began
    print(f"all together: {findings:,} findings in {seconds:.2f} s: {findings / seconds:,.0f} a second")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = 0
    for _, evidence in transcripts(count * 10):
        made += len(judge_run(expectations, evidence).findings)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{made:,} findings more of {count * 10:,} calls, one by one: memory grew by {grown / 1024:.0f} MiB")

    suite = {
        str(number): (Sample(CaseOutcome.PASSED, 10, 10), Sample(CaseOutcome.FAILED, random.randrange(10), 10))
        for number in range(1000)
    }
    began = perf_counter()
    compare(suite)
    print(f"1,000 cases compared in {perf_counter() - began:.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
