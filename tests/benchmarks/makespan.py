"""Makespan, requests, CPU and memory of `planner run` against a served sandbox, beside the lower bound.

    uv run python tests/benchmarks/makespan.py [RUNS] [LIMIT…]
    TIME_SCALE=10 … makes calls six times as long as the sandbox's usual 60

No call can take less than itself, and no schedule less than all calls over the limit: the bound is
max(longest call, sum of calls / limit), in wall seconds of the sandbox's time scale. One line a limit.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

TIME_SCALE = float(os.environ.get("TIME_SCALE", "60"))
PLAN = """\
version: 1
plan: load
targets: {{clinic: {{agent: 12}}, orders: {{agent: 14}}}}
scenarios:
  hours:
    prompt: "You are caller {{{{ n }}}}, {{{{ mood }}}}. Ask when you are open on Saturday."
    matrix:
      max_cases: 100000
      axes:
        n: {numbers}
        mood: [calm, furious]
    runs: 5
    expect: [{{check: call, status: completed}}]
"""


def measure(runs: int, limit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "world.yaml").write_text(
            f"extends: demo\nversion: 1\nworld: load\nconcurrency_limit: {limit}\ntime_scale: {TIME_SCALE}\n"
            "balance_cents: 100000000\n"
        )
        (root / "plans").mkdir()
        (root / "plans/load.yaml").write_text(PLAN.format(numbers=json.dumps(list(range(runs // 20)))))
        service = subprocess.Popen(
            [sys.executable, "-m", "planner", "sandbox", "--port", "0", "--world", "world.yaml"],
            cwd=root,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert service.stdout is not None
            url = next(word for word in service.stdout.readline().split() if word.startswith("http"))
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            began = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-m", "planner", "run", "--consent-to-charge"],
                cwd=root,
                env=os.environ | {"THUNDERPHONE_API_BASE_URL": url, "THUNDERPHONE_API_KEY": "sk_test_load"},
                capture_output=True,
                text=True,
                check=False,
            )
            wall_seconds = time.monotonic() - began
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
            results = json.loads((root / "reports/results.json").read_text())
            with urllib.request.urlopen(f"{url}/_sandbox/ledger") as answer:  # noqa: S310 - loopback
                ledger = json.load(answer)
        finally:
            service.terminate()
            service.wait()
    calls = [run["duration_seconds"] for case in results["cases"] for run in case["runs"]]
    assert len(calls) == len(ledger["runs"]), "paid for other runs than reported"
    bound = max(*calls, sum(calls) / limit) / TIME_SCALE
    cpu_ms = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000
    stats = results["stats"]
    print(
        f"{len(calls)} runs at limit {limit}: {wall_seconds:.1f} s, bound {bound:.1f} s, ratio {wall_seconds / bound:.2f};"
        f" {stats['requests'] / len(calls):.2f} requests a run ({stats['launches']} launches, {stats['refused']} refused);"
        f" CPU {cpu_ms / len(calls):.1f} ms a run; peak {after.ru_maxrss / 1024:.0f} MiB"
    )


if __name__ == "__main__":
    arguments = [int(word) for word in sys.argv[1:]] or [1000, 50]
    for limit in arguments[1:] or [50]:
        measure(arguments[0], limit)
