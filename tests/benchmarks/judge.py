"""How fast stored runs are judged: `python tests/benchmarks/judge.py [RUNS]`.

Prints findings per second over calls of 24 turns, and how long a suite of cases takes to compare with its baseline.
"""

from __future__ import annotations

import sys
from random import Random
from time import perf_counter
from typing import Any

from planner.checks import CHECKS
from planner.checks.base import Expectation
from planner.evidence import Call, Evidence, Grade, Role, ToolCall, Turn
from planner.outcome import CaseOutcome, Sample, compare, judge_run

WORDS = [
    "thank",
    "you",
    "for",
    "calling",
    "acme",
    "your",
    "order",
    "was",
    "sent",
    "and",
    "we’ll",
    "refund",
    "it",
    "within",
    "thirty",
    "days",
    "if",
    "the",
    "receipt",
    "is",
    "there",
]

WRITTEN: list[dict[str, Any]] = [
    {"check": "call", "status": "completed", "min_turns": 4},
    {"check": "duration", "max_seconds": 180},
    {"check": "cost", "max_cents": 32},
    {"check": "latency", "p95_ms": 2500},
    {"check": "grade", "min_score": 0.5},
    {"check": "says", "any_of": ["30 days", "thirty days"]},
    {"check": "says", "matches": r"\bthank(s| you)\b", "in": "last"},
    {"check": "never_says", "any_of": ["guarantee", "promise", "as an AI"]},
    {"check": "tool_called", "name": "lookup_order", "arguments": {"order_id": "17"}},
    {"check": "tool_not_called", "name": "issue_refund", "before": "verify_identity"},
]


def make_evidence(run_id: int, random: Random) -> Evidence:
    """A call with words of its own, so that nothing is found in a cache."""
    turns = [
        Turn(
            number=number,
            role=Role.CALLER if number % 2 else Role.AGENT,
            text=" ".join(random.choices(WORDS, k=14)) + f" {run_id}-{number}.",
            start_ms=number * 4000,
            end_ms=number * 4000 + 3000,
        )
        for number in range(1, 25)
    ]
    return Evidence(
        run_id=run_id,
        run_status="completed",
        call=Call(call_id=run_id, status="completed", end_reason="agent_end", duration_seconds=96),
        turns=tuple(turns),
        tools=(ToolCall(name="lookup_order", arguments={"order_id": 17}, turn=4),),
        grade=Grade(status="completed", score=0.9),
        cost_cents=32,
    )


def main(runs: int) -> None:
    random = Random(1)
    expectations: list[Expectation] = [CHECKS[fields["check"]].model_validate(fields) for fields in WRITTEN]
    calls = [make_evidence(run_id, random) for run_id in range(runs)]
    began = perf_counter()
    findings = sum(len(judge_run(expectations, evidence).findings) for evidence in calls)
    seconds = perf_counter() - began
    print(f"{findings:,} findings of {runs:,} runs in {seconds:.2f} s: {findings / seconds:,.0f} a second")

    for expectation in expectations:
        began = perf_counter()
        for evidence in calls:
            expectation.judge(evidence)
        print(f"  {expectation.check:<16}{(perf_counter() - began) / runs * 1e6:7.1f} µs a run on its own")

    suite = {
        str(number): (Sample(CaseOutcome.PASSED, 10, 10), Sample(CaseOutcome.FAILED, random.randrange(10), 10))
        for number in range(1000)
    }
    began = perf_counter()
    compare(suite)
    print(f"1,000 cases compared in {perf_counter() - began:.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
