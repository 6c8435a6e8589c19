"""Time and memory of `planner plan` on very many cases with a full baseline, as a whole process; growth should be linear.

    python tests/benchmarks/plan_scale.py [CASES…]        (10000 30000 100000)

The baseline holds every case with three runs of two findings; the newest invocation holds the same. Then nothing has moved (all is
kept), one prompt in ten has moved, and every prompt has.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from planner.changes.fingerprint import call_fingerprint, case_inputs, check_fingerprint
from planner.planfile.load import load_files
from planner.planfile.model import Case
from planner.planfile.project.load import load_project
from planner.results.documents import BaselineDocument
from planner.results.model import RunResult
from planner.results.repository import document_bytes

NOW = datetime(2026, 11, 24, tzinfo=UTC)
INVOCATION = "20261124T000000-00000001"


def plan_text(cases: int, edited: int) -> str:
    """`edited` of ten scenarios have another prompt."""
    scenarios: dict[str, Any] = {}
    for number in range(10):
        moved = " Please." if number < edited else ""
        scenarios[f"s{number}"] = {
            "prompt": "You are {{ mood }}. Ask about order {{ order }}, and whether it comes on time." + moved,
            "matrix": {
                "axes": {"mood": ["calm", "furious"], "order": [f"{index:06}" for index in range(cases // 20)]},
                "max_cases": 100_000,
            },
            "runs": 3,
            "expect": [{"check": "call", "status": "completed"}, {"check": "duration", "max_seconds": 300}],
        }
    return json.dumps({"version": 1, "plan": "load", "targets": {"support": {"agent": 12}}, "scenarios": scenarios})


def stored(case: Case, number: int, checks: dict[int, str]) -> dict[str, Any]:
    findings = [
        {"expectation": name, "check": name, "outcome": "passed", "severity": "error", "message": "it was so"}
        for name in ("call", "duration")
    ]
    runs = [
        {
            "run_id": 3 * number + index,
            "outcome": "passed",
            "cost_cents": 16 * (1 + number % 2),
            "duration_seconds": 50.0,
            "invocation_id": INVOCATION,
            "evidence": f"{3 * number + index:064x}",
            "completed_at": NOW.isoformat(),
            "findings": findings,
        }
        for index in range(3)
    ]
    inputs = case_inputs(case, "2026-11-20 r1")
    return {
        "case_id": case.case_id,
        "plan": case.plan,
        "scenario": case.scenario,
        "target": case.target.alias,
        "action": "call",
        "reason": "new",
        "outcome": "passed",
        "runs_required": 3,
        "runs_passed": 3,
        "runs_total": 3,
        "compared": "new",
        "inputs": inputs.model_dump(mode="json"),
        "call_fingerprint": call_fingerprint(inputs),
        "check_fingerprint": check_fingerprint(case, checks),
        "runs": runs,
    }


def measure(cases: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "planner.yaml").write_text("policy: {max_calls: 1000000}\nrates: {spark: 8}\n")
        plan = root / "plans/load.yaml"
        plan.parent.mkdir()
        plan.write_text(plan_text(cases, 0))
        project, _ = load_project(root, cwd=root)
        loaded = load_files([plan], cwd=root, project=project, today=date(2026, 11, 24))
        checks: dict[int, str] = {}
        documents = [stored(case, number, checks) for number, case in enumerate(loaded.plans[0].cases)]
        at = NOW.isoformat()
        head = {"tool_version": "0.1.0", "invocation_id": INVOCATION, "ended_at": at, "schema_version": "1.0"}
        baseline = BaselineDocument.model_validate(head | {"environment": "", "plan": "load", "cases": documents})
        write(root / ".planner/latest/default/load.json", baseline)
        del baseline
        costs = {"estimated_cents": 1, "actual_cents": 1, "this_invocation_cents": 1, "ambiguous_cents": 0}
        rest = {
            "outcome": "passed",
            "exit_code": 0,
            "change_set_digest": "",
            "started_at": at,
            "consent": {"given": True},
        }
        write(
            root / f".planner/runs/{INVOCATION}.json",
            RunResult.model_validate(head | rest | {"plans": ["load"], "cases": documents, "cost": costs, "stats": {}}),
        )
        del documents, loaded
        for edited in (0, 1, 10):
            plan.write_text(plan_text(cases, edited))
            seconds, cpu, peak, code = run(root)
            print(
                f"{cases:8,} cases, {edited * 10:3} % moved: {seconds:6.1f} s ({cpu:5.1f} s CPU, {cpu / cases * 1e6:4.0f} µs a case)"
                f", {peak:6,.0f} MB ({peak * 1e3 / cases:.1f} kB a case), exit code {code}",
                flush=True,
            )


def write(path: Path, document: BaseModel) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(document_bytes(document))


def run(root: Path) -> tuple[float, float, float, int]:
    """Wall and CPU seconds, peak megabytes, exit code: of this child alone."""
    began = time.perf_counter()
    child = os.fork()
    if child == 0:
        os.chdir(root)
        output = os.open(os.devnull, os.O_WRONLY)
        os.dup2(output, 1)
        os.execv(sys.executable, [sys.executable, "-m", "planner", "plan"])  # noqa: S606 - this very program
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - began
    cpu = usage.ru_utime + usage.ru_stime
    return seconds, cpu, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for wanted in [int(word) for word in sys.argv[1:]] or [10_000, 30_000, 100_000]:
        measure(wanted)
