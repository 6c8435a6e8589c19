"""Makespan, requests, CPU and memory of `planner run`, each beside its target and its lower bound.

    uv run python tests/benchmarks/makespan.py [RUNS] [LIMIT…]
    … --virtual        calls of the sandbox's own length (half a minute), 0.1 s a request, in a clock that jumps
    … --virtual --even the same with calls that differ by a second at most, as if their lengths were known
    … --time-scale 10  a served sandbox whose calls are six times as long as its usual 60 makes them

The lower bound is max(longest call, sum of calls / limit). A client that does not know the length of a call cannot reach it:
`greedy` is one that fills each place at once, without latency, with the same calls in the same order.

Read CPU, requests and memory from a served sandbox, and the makespan from the virtual clock: served, planner competes with
the sandbox for this machine.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

LATENCY_SECONDS = 0.1
BYTECODE = Path(tempfile.gettempdir(), "planner-makespan-bytecode")
WARM = "import planner.commands.run, planner.reports.html, planner.reports.junit, planner.reports.markdown"
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


EVEN = """\
extends: {any_prompt}
version: 1
world: even
time_scale: 1
concurrency_limit: {limit}
balance_cents: 100000000
faults: [{{kind: slow, route: any, seconds: {latency_seconds}}}]
agents:
  12:
    dialogues:
      first-version: null
      appointment: null
      anything: &anything
        prompt: '.*'
        turns:
          - {{agent: "Hello, how can I help you?", after_ms: 800, takes_ms: 3000}}
          - {{caller: "I have a question about an order.", after_ms: 700, takes_ms: 3000}}
          - {{agent: "It is on its way. Your reference is {{code}}.", after_ms: 800, takes_ms: 13000}}
          - {{caller: "Thank you, goodbye.", after_ms: 700, takes_ms: 3000}}
          - {{end: caller_hangup}}
  14:
    dialogues: {{anything: *anything}}
"""


def second_start() -> dict[str, str]:
    """An environment in which starts are as fast as a user's second one, even if this one disables bytecode."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(BYTECODE)
    subprocess.run([sys.executable, "-c", WARM], env=environment, check=True)
    return environment


def plan_of(runs: int) -> str:
    return PLAN.format(numbers=json.dumps(list(range(max(1, runs // 20)))))


def bound_of(calls: Sequence[float], limit: int) -> float:
    return max(*calls, sum(calls) / limit)


def greedy(calls: Iterable[float], limit: int) -> float:
    """Each call as soon as a place is free."""
    places = [0.0] * limit
    for call in calls:
        heapq.heapreplace(places, places[0] + call)
    return max(places)


def log(runs: int, limit: int, seconds: float, calls: Sequence[float], *figures: str) -> None:
    bound, without_foresight = bound_of(calls, limit), greedy(calls, limit)
    print(
        f"{runs} runs at limit {limit}: {seconds:.1f} s, bound {bound:.1f}, ratio {seconds / bound:.3f} (target 1.10; without"
        f" foresight {without_foresight / bound:.3f}, ours {seconds / without_foresight:.3f} of that); {'; '.join(figures)}",
        flush=True,
    )


def requests_line(requests: int, polls: int, launches: int, runs: int) -> str:
    return (
        f"{requests / runs:.2f} requests a run (target 4; evidence alone 3), {polls / runs:.3f} of them polls (target 0.3),"
        f" {launches} launches"
    )


def virtual(runs: int, limit: int, *, even: bool) -> None:
    """Twice: with no history, and all again with one earlier run of each call as history."""
    from mortality import Life
    from whole_runs import Organisation

    from planner.sandbox import load_world
    from planner.workspace.selection import Selection

    with tempfile.TemporaryDirectory() as folder:
        world: dict[str, Any] = {"concurrency_limit": limit, "balance_cents": 10**8}
        slow = {"kind": "slow", "route": "any", "seconds": LATENCY_SECONDS}
        base = None
        if even:
            any_prompt = Path(__file__).parents[1] / "support/any_prompt.yaml"
            text = EVEN.format(any_prompt=any_prompt, limit=limit, latency_seconds=LATENCY_SECONDS)
            path = Path(folder, "even.yaml")
            path.write_text(text)
            base = load_world(path)
        organisation = Organisation(Path(folder), "page", world, (slow,), base=base)
        organisation.write("plans/load.yaml", plan_of(runs))
        earlier = 0
        for label, selection in (
            ("no history", Selection(sandbox=True)),
            ("with one earlier run", Selection(sandbox=True, rerun="all")),
        ):
            life = Life()
            ran = organisation.run(life=life, selection=selection)
            assert ran.code == 0, ran.err[-2000:]
            made = organisation.sandbox.state.runs[earlier:]
            earlier += len(made)
            seconds = [run.ends_at - run.created_at for run in made if run.ends_at is not None]
            requests = [step for step in life.crossed if step.startswith("before ") and " /v1" in step]
            polls = requests.count("before GET /v1/test-calls")
            launches = sum("POST" in step for step in requests)
            line = requests_line(len(requests), polls, launches, len(seconds))
            log(len(seconds), limit, ran.seconds, seconds, label, line)


def served(runs: int, limit: int, time_scale: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        world = (Path(__file__).parents[1] / "support/any_prompt.yaml").read_text()
        settings = f"concurrency_limit: {limit}\ntime_scale: {time_scale}\nbalance_cents: 100000000\n"
        (root / "world.yaml").write_text(world + settings)
        (root / "plans").mkdir()
        (root / "plans/load.yaml").write_text(plan_of(runs))
        service = subprocess.Popen(
            [sys.executable, "-m", "planner", "sandbox", "--port", "0", "--world", "world.yaml"],
            cwd=root,
            stdout=subprocess.PIPE,
            text=True,
        )
        environment = second_start()
        try:
            assert service.stdout is not None
            url = next(word for word in service.stdout.readline().split() if word.startswith("http"))
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            began = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-m", "planner", "run", "--consent-to-charge"],
                cwd=root,
                env=environment | {"THUNDERPHONE_API_BASE_URL": url, "THUNDERPHONE_API_KEY": "sk_test_load"},
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
    calls = [run["duration_seconds"] / time_scale for case in results["cases"] for run in case["runs"]]
    assert len(calls) == len(ledger["runs"]), "paid for other runs than reported"
    cpu_ms = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000
    stats = results["stats"]
    log(
        len(calls),
        limit,
        wall_seconds,
        calls,
        f"{stats['requests'] / len(calls):.2f} requests a run (target 4; evidence alone 3)",
        f"{stats['launches']} launches, {stats['refused']} refused",
        f"CPU {cpu_ms:.0f} ms, {cpu_ms / len(calls):.2f} ms a run (target 3; start included, which 100 runs show; ten million"
        f" additions take {ten_million_additions_ms():.0f} ms here)",
        f"peak {after.ru_maxrss / 1024:.0f} MiB (target 300)",
    )


def ten_million_additions_ms() -> float:
    """How fast this machine is just now: about 200 where it has nothing else to do."""
    began, total = time.process_time(), 0
    for number in range(10_000_000):
        total += number
    return (time.process_time() - began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=int, nargs="?", default=1000)
    parser.add_argument("limits", type=int, nargs="*", default=[50])
    parser.add_argument("--virtual", action="store_true")
    parser.add_argument("--even", action="store_true")
    parser.add_argument("--time-scale", type=float, default=60.0)
    given = parser.parse_args()
    for limit in given.limits:
        if given.virtual:
            virtual(given.runs, limit, even=given.even)
        else:
            served(given.runs, limit, given.time_scale)


if __name__ == "__main__":
    main()
