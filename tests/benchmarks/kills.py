"""Random kill -9 of `planner run` against a served sandbox that misbehaves: what was paid twice, what was lost.

    uv run python tests/benchmarks/kills.py [KILLS] [SEED]

Plan after plan is run, each session killed at a random moment and started again, until it is left to end. Then the
service's ledger must show each run that the plan asks for once, and the journal and the report its money to the cent. Both
dialects take turns; each has a service of its own, whose answers get lost, come late, garbled, or as 429 and 5xx.
The processes are forks of this one, which has everything imported: a start would take longer than what is to be killed.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planner.cli import main
from planner.execution.journal import Journal
from planner.execution.launches import LaunchState

WORLD = """\
time_scale: 150
concurrency_limit: 5
balance_cents: 100000000
seed: {seed}
faults:
  - {{kind: lost_answer, probability: 0.12}}
  - {{kind: error_after, probability: 0.08}}
  - {{kind: error_before, probability: 0.05}}
  - {{kind: garbage, body: cut, probability: 0.05}}
  - {{kind: throttle, probability: 0.1}}
  - {{kind: slow, seconds: 0.3, probability: 0.2}}
  - {{kind: shuffle_ids, probability: 0.5}}
  - {{kind: late, seconds: 0.3, probability: 0.3}}
  - {{kind: fail_run, runs: 1, probability: 0.08}}
  - {{kind: error_before, route: any, probability: 0.02}}
"""
PLAN = """\
version: 1
plan: killed
targets: {{clinic: {{agent: 12}}, orders: {{agent: 14}}}}
scenarios:
  hours:
    prompt: "You are caller {{{{ who }}}} of plan {number}. Ask when you are open on Saturday."
    matrix: {{axes: {{who: [Ana, Bob, Cleo]}}}}
    targets: [clinic, orders]
    runs: 2
    retries: 3
    expect: [{{check: call, status: completed}}]
"""
PROJECT = "version: 1\nexecution: {settle_seconds: 3, linger_seconds: 20}\n"
WANTED = 2
"""Runs of each prompt on each target."""
CASES = 6
PLANS_A_STORE = 20
LONGEST_SECONDS = 120.0


@dataclass
class Service:
    """A sandbox in a process of its own."""

    dialect: str
    folder: Path
    seed: int
    url: str = ""
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        world = self.folder / f"{self.dialect}.yaml"
        any_prompt = Path(__file__).parents[1] / "support/any_prompt.yaml"
        world.write_text(any_prompt.read_text() + WORLD.format(seed=self.seed))
        command = [sys.executable, "-m", "planner", "sandbox", "--port", "0", "--world", str(world)]
        self.process = subprocess.Popen(
            [*command, "--dialect", self.dialect], cwd=self.folder, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = next(word for word in self.process.stdout.readline().split() if word.startswith("http"))

    def runs(self, number: int) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.url}/_sandbox/ledger") as answer:  # noqa: S310 - loopback
            return [run for run in json.load(answer)["runs"] if f"of plan {number}." in run["prompt"]]


@dataclass
class Tally:
    kills: int = 0
    sessions: int = 0
    plans: int = 0
    runs: int = 0
    retried: int = 0
    twice: int = 0
    lost: int = 0
    difference_cents: int = 0
    unexpected: list[str] = field(default_factory=list[str])


def start(root: Path, url: str) -> int:
    """`planner run` in a fork; its id."""
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        os.chdir(root)
        os.environ |= {"THUNDERPHONE_API_BASE_URL": url, "THUNDERPHONE_API_KEY": "sk_test_kills"}
        for stream, name in ((1, "out.txt"), (2, "err.txt")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        status = main(["run", "--consent-to-charge"])
    finally:
        os._exit(status)


def ended(child: int, within: float) -> int | None:
    """Its exit code; None when it is still there after so many seconds."""
    until = time.monotonic() + within
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= until:
            return None
        time.sleep(0.002)


def carry_out(root: Path, service: Service, dice: random.Random, tally: Tally, usual_seconds: float) -> float:
    """One plan: killed some times, then left alone until it is finished. Returns how long a session now takes."""
    deaths = dice.randint(2, 8)
    began_plan = time.monotonic()
    while True:
        tally.sessions += 1
        began = time.monotonic()
        child = start(root, service.url)
        dying = tally.kills < TARGET and deaths > 0
        code = ended(child, dice.uniform(0.0, usual_seconds) if dying else LONGEST_SECONDS)
        if code is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            tally.kills += dying
            deaths -= 1
            if not dying:
                tally.unexpected.append(f"{root}: a session hung")
        elif code in (0, 1):
            return 0.8 * usual_seconds + 0.2 * (time.monotonic() - began)
        elif code != 4:
            tally.unexpected.append(f"{root}: exit {code}: {(root / 'err.txt').read_text()[-300:]}")
        if time.monotonic() - began_plan > 10 * LONGEST_SECONDS:
            tally.unexpected.append(f"{root}: never finished")
            return usual_seconds


def check(root: Path, service: Service, number: int, tally: Tally) -> None:
    """The service's word against the journal's and the report's."""
    runs = service.runs(number)
    paid = Counter((run["target_id"], run["prompt"]) for run in runs if run["cost_cents"])
    tally.plans += 1
    tally.runs += sum(paid.values())
    tally.retried += sum(1 for run in runs if not run["cost_cents"])
    tally.twice += sum(max(0, made - WANTED) for made in paid.values())
    tally.lost += sum(max(0, WANTED - made) for made in paid.values()) + (CASES - len(paid)) * WANTED
    with closing(Journal(root / ".planner" / "journal.sqlite")) as journal:
        noted = {
            slot.run_id: slot.cost_cents or 0
            for launch in journal.launches(LaunchState)
            for slot in journal.slots_of(launch.launch_id)
            if slot.run_id is not None and f"of plan {number}." in slot.prompt
        }
    charged = {run["run_id"]: run["cost_cents"] for run in runs}
    results = json.loads((root / "reports" / "results.json").read_text())
    reported = {run["run_id"]: run["cost_cents"] for case in results["cases"] for run in case["runs"]}
    for found, what in ((noted, "journal"), (reported, "report")):
        if found != charged:
            tally.difference_cents += abs(sum(found.values()) - sum(charged.values()))
            tally.unexpected.append(f"{root}, plan {number}: the {what} says {found}, the service {charged}")


TARGET = int(sys.argv[1]) if len(sys.argv) > 1 else 1000


def run() -> int:
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    dice = random.Random(seed)
    importlib.import_module("planner.commands.run")
    tally = Tally()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        services = [Service(dialect, folder, seed) for dialect in ("page", "client")]
        usual_seconds = 2.0
        try:
            number = 0
            while tally.kills < TARGET:
                service = services[number % 2]
                root = folder / f"{service.dialect}{number // (2 * PLANS_A_STORE)}"
                (root / "plans").mkdir(parents=True, exist_ok=True)
                (root / "planner.yaml").write_text(PROJECT)
                (root / "plans" / "killed.yaml").write_text(PLAN.format(number=number))
                usual_seconds = carry_out(root, service, dice, tally, usual_seconds)
                check(root, service, number, tally)
                number += 1
                if number % 10 == 0:
                    print(f"{time.monotonic() - began:.0f} s: {tally}", file=sys.stderr, flush=True)
        finally:
            for service in services:
                service.process.terminate()
                service.process.wait()
    print(
        f"{tally.kills} kills in {tally.sessions} sessions of {tally.plans} plans, {time.monotonic() - began:.0f} s:"
        f" {tally.runs} runs paid for ({tally.retried} more failed unbilled and were called again),"
        f" {tally.twice} paid twice, {tally.lost} lost, ledgers differ by {tally.difference_cents} cents"
    )
    for line in tally.unexpected:
        print("  unexpected:", line)
    return bool(tally.twice or tally.lost or tally.difference_cents or tally.unexpected)


if __name__ == "__main__":
    sys.exit(run())
