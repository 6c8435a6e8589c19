"""Processes that are really killed: `planner run` in processes of its own, killed with `kill -9`, against a served sandbox that
misbehaves. In every other story, machines are lost, too; the store is a git ref of a repository that each machine clones.
In the others, one machine without a shared store is killed all the more often.

The processes are forks of this one, which has everything imported: a start would take longer than what is to be killed.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from repositories import git, make_remote
from served_sandbox import ServedSandbox

import planner.planfile.grammar
from planner.ci.git import Git
from planner.cli import main
from planner.log.facts import Reader
from planner.log.fold import Stage, State, fold
from planner.log.journal import Journal
from planner.log.stores.git import GitStore
from planner.log.stores.store import log_name

WORLD = {"time_scale": 150, "concurrency_limit": 4, "balance_cents": 100_000_000}
FAULTS = [
    {"kind": "throttle", "probability": 0.25},
    {"kind": "lost_answer", "probability": 0.12},
    {"kind": "error_after", "probability": 0.06},
    {"kind": "error_before", "probability": 0.06},
    {"kind": "garbage", "body": "cut", "probability": 0.04},
    {"kind": "slow", "seconds": 0.3, "probability": 0.2},
    {"kind": "shuffle_ids", "probability": 0.5},
]
PLAN = """\
version: 1
plan: killed
targets: {{clinic: {{agent: 12}}, orders: {{agent: 14}}}}
scenarios:
  hours:
    prompt: "You are caller {{{{ who }}}} of story {number}. Ask when you are open on Saturday."
    matrix: {{axes: {{who: [Ana, Bob, Cleo]}}}}
    targets: [clinic, orders]
    runs: 2
    expect: [{{check: call, status: completed}}]
"""
SETTLING_SECONDS = 6.0
PROJECT = f"version: 1\nexecution: {{settle_seconds: {SETTLING_SECONDS:g}, linger_seconds: 20}}\n"
SHARED_REF = "refs/planner/results"
SHARED = f"store: git:{SHARED_REF}\n"
CASES, RUNS = 6, 2
LONGEST_SECONDS = 120.0
MOST_FINAL_SESSIONS = 20


@dataclass
class KilledStory:
    """One plan. `problems` should be empty."""

    folder: Path
    service: ServedSandbox
    number: int
    sessions: int = 0
    killed: int = 0
    lost: int = 0
    alongside: int = 0
    calls: int = 0
    votes: int = 0
    problems: list[str] = field(default_factory=list[str])
    _machines: int = 0

    @property
    def is_shared(self) -> bool:
        return self.number % 2 == 0

    def run(self, dice: Random) -> None:
        importlib.import_module("planner.commands.run")
        self.folder.mkdir(parents=True)
        self._make_remote()
        machine = self._clone()
        if self.is_shared:
            self._finish(self._lose_machines(machine, dice))
            return
        for _ in range(dice.randint(2, 8)):
            self._wait(self._start(machine), dice.uniform(0.2, 3.0))
        self._finish(machine)

    def _lose_machines(self, machine: Path, dice: Random) -> Path:
        for _ in range(dice.randint(2, 5)):
            children = [self._start(machine)]
            other = self._clone() if dice.random() < 0.25 else None
            if other is not None:
                self.alongside += 1
                children.append(self._start(other))
            for child in children:
                self._wait(child, dice.uniform(0.2, 6.0) if dice.random() < 0.85 else LONGEST_SECONDS)
            if dice.random() < 0.6:
                self.lost += 1
                shutil.rmtree(machine)
                machine = self._clone()
        return self._clone()

    def _finish(self, machine: Path) -> None:
        for _ in range(MOST_FINAL_SESSIONS):
            code = self._wait(self._start(machine), LONGEST_SECONDS)
            if code != 4:
                break
            time.sleep(2.0)
        else:
            self.problems.append(f"exit 4 for ever: {(machine / 'err.txt').read_text()[-400:]}")
            return
        made = self.service.runs(self.number)
        paid = Counter((run["target_id"], run["prompt"]) for run in made if run["cost_cents"])
        self.calls = paid.total()
        if sorted(paid.values()) != [RUNS] * CASES:
            self.problems.append(f"made {dict(paid)}")
        charged = {run["run_id"]: run["cost_cents"] for run in made if run["cost_cents"]}
        results = json.loads((machine / "reports" / "results.json").read_text())
        reported = {run["run_id"]: run["cost_cents"] for case in results["cases"] for run in case["runs"]}
        if reported != charged:
            self.problems.append(f"the report says {reported}, the service charged {charged}")
        self._compare_log(machine, {run["run_id"]: run["cost_cents"] or 0 for run in made})

    def _compare_log(self, machine: Path, charged: Mapping[int, int]) -> None:
        """A bill that the log has for each run, and nothing left to read. A launch may be open that made no run: those of
        cases that are done are searched for when they are ten minutes old."""
        state = self._state(machine)
        calls = [call for launch in state.launches.values() for call in launch.live_calls.values()]
        noted = {call.run_id: call.cents or 0 for call in calls}
        if noted != charged:
            self.problems.append(f"the log says {noted}, the service charged {charged}")
        if left := [*state.stages[Stage.UNREAD], *state.stages[Stage.INCOMPLETE]]:
            self.problems.append(f"left over: {left}")

    def _state(self, machine: Path) -> State:
        """What the log says: the shared one, if there is one."""
        if self.is_shared:
            store = GitStore(Git(machine, os.environ), f"{SHARED_REF}-log/{log_name()}", "origin", "reader")
            lines, _ = store.read()
        else:
            with closing(Journal(machine / ".planner" / "log.db", read_only=True)) as journal:
                lines, _ = journal.read()
        return fold(lines, Reader("", datetime(2900, 1, 1, tzinfo=UTC)), State())

    def _make_remote(self) -> None:
        files = {
            "planner.yaml": PROJECT + (SHARED if self.is_shared else ""),
            "plans/killed.yaml": PLAN.format(number=self.number),
            ".gitignore": ".planner/\nreports/\n*.txt\n",
        }
        make_remote(self.folder, files)

    def _clone(self) -> Path:
        self._machines += 1
        name = f"machine{self._machines}"
        git(self.folder, "clone", "-q", "remote.git", name)
        return self.folder / name

    def _start(self, machine: Path) -> int:
        """`planner run` in a fork that leads a group of its own; its id."""
        self.sessions += 1
        child = os.fork()
        if child:
            return child
        status = 70
        try:
            os.setsid()
            os.chdir(machine)
            os.environ |= {"THUNDERPHONE_API_BASE_URL": self.service.url, "THUNDERPHONE_API_KEY": "sk_test_killed"}
            for stream, name in ((1, "out.txt"), (2, "err.txt")):
                os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
            planner.planfile.grammar.SHORTEST_SETTLING_SECONDS = SETTLING_SECONDS  # type: ignore[misc]
            status = main(["run", "--consent-to-charge"])
        finally:
            os._exit(status)

    def _wait(self, child: int, seconds: float) -> int | None:
        """The exit code; None for a process that was killed after so many seconds, with its git."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
                if code not in (0, 1, 4):
                    self.problems.append(f"exit {code}")
                return code
            time.sleep(0.005)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        self.killed += 1
        if seconds == LONGEST_SECONDS:
            self.problems.append("a session hung")
        return None
