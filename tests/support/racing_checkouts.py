"""Three checkouts of one project that run the same plan at the same time, with nothing in common but the store.

Each session is a process of its own, `python -m planner run`, against a served sandbox that loses answers. Sessions are
killed with `kill -9`, with the git commands that they started or without: at random moments, and more often just after a launch
arrived, before its answer or what follows is stored. Some checkouts are deleted after that and cloned again. Then every checkout runs its command until it ends with 0, and a fresh one has to find everything.

It knows of planner what users know: the command, its exit code, `results.json`, and what the service has.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from repositories import git, make_remote
from served_sandbox import ServedSandbox

WORLD = {"time_scale": 40, "concurrency_limit": 3, "balance_cents": 100_000_000}
"""A call takes about a second."""
FAULTS = [
    {"kind": "lost_answer", "route": "launch", "probability": 0.15},
    {"kind": "error_after", "route": "launch", "probability": 0.08, "status": 502},
    {"kind": "lost_answer", "route": "list", "probability": 0.05},
    {"kind": "lost_answer", "route": "batches", "probability": 0.05},
    {"kind": "slow", "seconds": 0.5, "probability": 0.3},
]
LOST_ANSWERS = 2
"""So many of the faults, from the first, are about launches."""
PLAN = """\
version: 1
plan: race
targets: {{clinic: {{agent: 12}}, orders: {{agent: 14}}, late: {{agent: 17}}}}
scenarios:
  twice:
    prompt: "You are caller {{{{ who }}}} of story {number}. Ask when you are open on Saturday."
    matrix: {{axes: {{who: {callers}}}}}
    targets: [clinic, orders]
    runs: 2
    expect: [{{check: call, status: completed}}]
  often:
    prompt: "You are another caller of story {number}. Ask when you are open on Sunday."
    targets: [late]
    runs: 4
    expect: [{{check: call, status: completed}}]
"""
SETTLING_SECONDS = 6
PROJECT = "version: 1\nstore: {store}\nexecution: {{settle_seconds: {settle}, linger_seconds: 20}}\n"
CHECKOUTS = 3
START_SECONDS = 0.5
"""What a session needs until it could have an effect."""
KILL_SECONDS = 7.0
LOOK_SECONDS = 0.05
AIMED_SHARE, AIMED_SECONDS = 0.35, 0.6
MIN_KILLS, MAX_TROUBLE_SECONDS = 8, 60.0
PAUSE_SECONDS = 1.5
MAX_SESSION_SECONDS = 120.0
MAX_FINAL_SESSIONS = 12
PROGRAM = f"""
import sys, planner.planfile.grammar
planner.planfile.grammar.SHORTEST_SETTLING_SECONDS = {SETTLING_SECONDS}  # the service answers at once
from planner.cli import main
sys.exit(main(["run", "--consent-to-charge"]))
"""
COMMAND = (sys.executable, "-c", PROGRAM)
PRIVATE = ("THUNDERPHONE_", "PLANNER_", "GITHUB_", "GIT_", "AWS_", "CI")


def calls_of_race(callers: int) -> int:
    return 2 * 2 * callers + 4


@dataclass
class Checkout:
    """A working folder, and the session that runs in it. What its sessions print stays when the folder is lost."""

    folder: Path
    log: Path = Path()
    process: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    """When the session started, or the one before it ended."""
    kill_after: float | None = None
    pause: float = 0.0
    final_sessions: int = 0
    is_done: bool = False

    def start(self, environ: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                COMMAND, cwd=self.folder, env=environ, stdout=out, stderr=out, start_new_session=True
            )
        self.since = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self.since

    def ended(self) -> int | None:
        """The exit code of a session that has ended, once."""
        code = None if self.process is None else self.process.poll()
        if code is not None:
            self.process, self.since = None, time.monotonic()
        return code

    def kill(self, *, with_children: bool) -> None:
        assert self.process is not None
        if with_children:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()
        self.process, self.since = None, time.monotonic()

    def last_words(self) -> str:
        return f"{self.log.name}: {' '.join(self.log.read_text().split())[-600:]}"

    def reported(self) -> dict[int, int]:
        """What the last report says that each run cost."""
        path = self.folder / "reports" / "results.json"
        cases = json.loads(path.read_text())["cases"] if path.exists() else []
        runs = [run for case in cases for run in case["runs"]]
        return {run["run_id"]: run["cost_cents"] for run in runs if run["run_id"] is not None}


@dataclass
class Tally:
    """What happened in races. All went well if there are no `problems`.

    lost_answers  launches that arrived, but whose answer was lost, or 502
    twice         calls beyond the goal of their key
    missing       calls that no session made, though each ended with 0
    lost          paid calls that a last report does not have, also those made twice
    stuck         checkouts whose sessions never ended with 0
    wrong_exits   sessions that ended with another code than 0 and 4, though a later one may have ended well
    """

    sessions: int = 0
    killed: int = 0
    machines_lost: int = 0
    lost_answers: int = 0
    calls: int = 0
    twice: int = 0
    missing: int = 0
    lost: int = 0
    stuck: int = 0
    wrong_exits: int = 0
    problems: list[str] = field(default_factory=list[str])

    def add(self, other: Tally) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass
class Race:
    """One race in a folder of its own. `environ` is added to the environment of its sessions."""

    folder: Path
    service: ServedSandbox
    store: str
    number: int
    callers: int = 4
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    min_kills: int = MIN_KILLS
    tally: Tally = field(default_factory=Tally)
    _clones: int = 0

    def run(self) -> Tally:
        dice = Random(self.number)  # noqa: S311 - repeatable
        self._make_remote()
        checkouts = [self._clone() for _ in range(CHECKOUTS)]
        try:
            self._trouble(checkouts, dice)
            self._finish(checkouts)
            fresh = self._clone()
            checkouts.append(fresh)
            self._finish([fresh])
            self._count(checkouts)
        finally:
            for checkout in checkouts:
                if checkout.process is not None:
                    checkout.kill(with_children=True)
        return self.tally

    def _trouble(self, checkouts: list[Checkout], dice: Random) -> None:
        """Sessions that are killed and started again, until all calls are made and enough were killed."""
        began = looked = time.monotonic()
        made = Counter[tuple[int, str]]()
        while time.monotonic() - began < MAX_TROUBLE_SECONDS and not (
            made >= self._goals() and self.tally.killed >= self.min_kills
        ):
            for checkout in checkouts:
                self._step(checkout, dice)
            if time.monotonic() - looked > LOOK_SECONDS:
                before, made, looked = made, self._made(), time.monotonic()
                if made != before:
                    self._aim(checkouts, dice)
            time.sleep(0.01)

    def _aim(self, checkouts: list[Checkout], dice: Random) -> None:
        """A launch has arrived; nobody knows whose it was. Kill some of those that run, now or very soon."""
        for checkout in checkouts:
            if checkout.process is not None and dice.random() < AIMED_SHARE:
                checkout.kill_after = checkout.seconds() + dice.uniform(0.0, AIMED_SECONDS)

    def _step(self, checkout: Checkout, dice: Random) -> None:
        if checkout.process is None:
            if checkout.seconds() > checkout.pause:
                self._start(checkout)
                checkout.pause = dice.uniform(0.0, PAUSE_SECONDS)
                checkout.kill_after = START_SECONDS + dice.uniform(0.0, KILL_SECONDS) if dice.random() < 0.8 else None
            return
        code = checkout.ended()
        if code is not None:
            self._note_exit(checkout, code)
        elif checkout.kill_after is not None and checkout.seconds() > checkout.kill_after:
            self.tally.killed += 1
            is_lost = dice.random() < 0.35
            checkout.kill(with_children=is_lost or dice.random() < 0.5)
            if is_lost:
                self.tally.machines_lost += 1
                shutil.rmtree(checkout.folder)
                checkout.folder = self._clone().folder
        elif checkout.seconds() > MAX_SESSION_SECONDS:
            checkout.kill(with_children=True)
            self._problem(f"a session hung: {checkout.last_words()}")

    def _finish(self, checkouts: list[Checkout]) -> None:
        """Nobody is killed any more: the same command, until it ends with 0."""
        while running := [checkout for checkout in checkouts if not checkout.is_done]:
            for checkout in running:
                self._go_on(checkout)
            time.sleep(0.02)

    def _go_on(self, checkout: Checkout) -> None:
        if checkout.process is None:
            if checkout.final_sessions == MAX_FINAL_SESSIONS:
                self.tally.stuck += 1
                self._problem(f"{checkout.folder.name} is stuck: {checkout.last_words()}")
                checkout.is_done = True
            elif checkout.final_sessions == 0 or checkout.seconds() > PAUSE_SECONDS:
                checkout.final_sessions += 1
                self._start(checkout)
            return
        code = checkout.ended()
        if code is not None:
            self._note_exit(checkout, code)
            # The session that was started during the trouble may have ended before the last call was made.
            checkout.is_done = code == 0 and checkout.final_sessions > 0
        elif checkout.seconds() > MAX_SESSION_SECONDS:
            checkout.kill(with_children=True)
            self._problem(f"a session hung: {checkout.last_words()}")

    def _note_exit(self, checkout: Checkout, code: int) -> None:
        if code not in (0, 4):
            self.tally.wrong_exits += 1
            self._problem(f"exit {code}: {checkout.last_words()}")

    def _count(self, checkouts: list[Checkout]) -> None:
        """Compare what the service has with what was asked for, and with what the last reports say."""
        tally, runs, made, goals = self.tally, self.service.runs(self.number), self._made(), self._goals()
        tally.calls, tally.lost_answers = made.total(), sum(self.service.faults_fired()[:LOST_ANSWERS])
        tally.twice, tally.missing = (made - goals).total(), (goals - made).total()
        if tally.twice or tally.missing:
            self._problem(f"too many: {dict(made - goals)}, too few: {dict(goals - made)}")
        charged = {run["run_id"]: run["cost_cents"] for run in runs if run["cost_cents"]}
        lost = set[int]()
        for checkout in checkouts:
            reported = checkout.reported()
            missing = charged.keys() - reported.keys()
            lost |= missing
            if missing:
                self._problem(f"{checkout.folder.name} does not report {sorted(missing)}")
            wrong = {run: (cents, charged.get(run)) for run, cents in reported.items() if cents != charged.get(run)}
            if wrong:
                self._problem(f"{checkout.folder.name} reports other bills than the service's: {wrong}")
        tally.lost = len(lost)

    def _goals(self) -> Counter[tuple[int, str]]:
        asked = "You are caller {} of story {}. Ask when you are open on Saturday."
        often = f"You are another caller of story {self.number}. Ask when you are open on Sunday."
        goals = Counter({(17, often): 4})
        for caller in range(self.callers):
            goals.update({(agent, asked.format(f"c{caller}", self.number)): 2 for agent in (12, 14)})
        return goals

    def _made(self) -> Counter[tuple[int, str]]:
        return Counter((run["target_id"], run["prompt"]) for run in self.service.runs(self.number))

    def _problem(self, problem: str) -> None:
        self.tally.problems.append(f"race {self.number}: {problem}")

    def _start(self, checkout: Checkout) -> None:
        self.tally.sessions += 1
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE)}
        service = {"THUNDERPHONE_API_BASE_URL": self.service.url, "THUNDERPHONE_API_KEY": "sk_test_race"}
        log = self.folder / f"session{self.tally.sessions}.txt"
        checkout.start({**inherited, **service, **self.environ}, log)

    def _make_remote(self) -> None:
        callers = json.dumps([f"c{caller}" for caller in range(self.callers)])
        files = {
            "plans/race.yaml": PLAN.format(number=self.number, callers=callers),
            "planner.yaml": PROJECT.format(store=self.store, settle=SETTLING_SECONDS),
            ".gitignore": ".planner/\nreports/\n",
        }
        make_remote(self.folder, files)

    def _clone(self) -> Checkout:
        self._clones += 1
        name = f"checkout{self._clones}"
        git(self.folder, "clone", "-q", "remote.git", name)
        return Checkout(self.folder / name)
