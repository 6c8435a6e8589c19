"""How long `planner history` takes over many stored invocations: the whole process, as a user runs it.

    python tests/benchmarks/history.py [invocations] [cases]

Each invocation calls every tenth case again (three calls, three findings each) and carries the others over, as a team's days do.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 1, 1, tzinfo=UTC)


def main(invocations: int, cases: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / ".planner" / "runs"
        runs.mkdir(parents=True)
        size = write(runs, invocations, cases)
        print(f"{invocations} invocations of {cases} cases, {size / 1e6:,.0f} MB")
        for options in ((), ("p/s[n=3]@t",), ("--format", "csv"), ("--limit", "20")):
            began, used = time.perf_counter(), _cpu_seconds()
            subprocess.run(
                [sys.executable, "-m", "planner", "history", *options],
                cwd=folder,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            seconds = time.perf_counter() - began
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            cpu = _cpu_seconds() - used
            print(f"  history {' '.join(options):15} {seconds:6.2f} s ({cpu:.2f} s CPU), at most {peak:,.0f} MB so far")


def _cpu_seconds() -> float:
    """Of the children; the clock also counts what else the machine does."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def write(folder: Path, invocations: int, cases: int) -> int:
    state = [case_document(case, "", 0) for case in range(cases)]
    written = 0
    for number in range(invocations):
        at = START + timedelta(hours=number)
        name = f"{at:%Y%m%dT%H%M%S}-{number:08x}"
        for case in range(number % 10 if number else 0, cases, 10 if number else 1):
            state[case] = case_document(case, name, number)
        data = json.dumps(
            {
                "schema_version": "1.0",
                "tool_version": "0.1.0",
                "outcome": "passed",
                "exit_code": 0,
                "invocation_id": name,
                "change_set_digest": "",
                "started_at": at.isoformat(),
                "ended_at": at.isoformat(),
                "consent": {"given": True},
                "plans": ["p"],
                "cases": state,
                "cost": {"estimated_cents": 100, "actual_cents": 90, "this_invocation_cents": 90, "ambiguous_cents": 0},
                "stats": {},
            }
        ).encode()
        (folder / f"{name}.json").write_bytes(data)
        written += len(data)
    return written


def case_document(case: int, invocation: str, number: int) -> dict[str, Any]:
    findings = [
        {
            "expectation": f"e{index}",
            "check": "says",
            "outcome": "passed",
            "severity": "error",
            "message": "said what was asked for at turn 3",
            "quote": {"turn": 3, "role": "agent", "start_ms": 12000, "text": "You have thirty days for that. " * 3},
        }
        for index in range(3)
    ]
    runs = [
        {
            "run_id": number * 100_000 + case * 10 + index,
            "outcome": "passed",
            "cost_cents": 16,
            "duration_seconds": 50.0 + index,
            "latency_ms": 600.0,
            "invocation_id": invocation,
            "evidence": "e" * 64,
            "completed_at": (START + timedelta(hours=number, seconds=index)).isoformat(),
            "findings": findings,
        }
        for index in range(3)
    ]
    return {
        "case_id": f"p/s[n={case}]@t",
        "plan": "p",
        "scenario": "s",
        "target": "t",
        "action": "call",
        "reason": "new",
        "outcome": "passed",
        "runs_required": 3,
        "runs_passed": 3,
        "runs_total": 3,
        "compared": "same",
        "inputs": {
            "prompt": "You are a caller who wants to know how long they have. " * 8,
            "target_kind": "agent",
            "target_id": 12,
            "direction": "outbound",
            "mode": "bot",
        },
        "call_fingerprint": "sha256:" + "c" * 64,
        "check_fingerprint": "sha256:" + "d" * 64,
        "runs": runs,
    }


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*(given + [1000, 50][len(given) :]))
