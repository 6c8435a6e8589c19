"""What a new machine that has only the shared store finds: a batch of which the service lists only some calls yet; a store that
does not answer for two minutes. Nothing is paid twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lost_machines import AGENT_FILE, AGENTS, Fleet, SharedLog, SharedStore
from mortality import Life

from planner.errors import StoreError
from planner.log.stores.store import START
from planner.stores.directory import DirectoryStore
from planner.stores.store import Change

PLAN = """\
version: 1
plan: lost
targets: {clinic: {agent: 12}}
scenarios:
  hours:
    prompt: "You are {{ who }}. Ask for Saturday."
    matrix: {axes: {who: [Ana, Bob]}}
    targets: [clinic]
    runs: 3
    expect: [{check: call, status: completed}]
"""
FILES = {
    "plans/lost.yaml": PLAN,
    "planner.yaml": "version: 1\nexecution: {settle_seconds: 60, linger_seconds: 60}\n",
}
WANTED = {"You are Ana. Ask for Saturday.": 3, "You are Bob. Ask for Saturday.": 3}


@dataclass
class SlowList(Fleet):
    """Half of the runs and, with `hides_batches`, all batches are listed late."""

    whole_at: float = 0.0
    hides_batches: bool = False

    def _lagging(self, status: int, body: bytes) -> bytes:
        rows: Any = json.loads(body)
        if status != 200 or self._monotonic() >= self.whole_at:
            return body
        return json.dumps([row for row in rows if self._is_listed(row)]).encode()

    def _is_listed(self, row: dict[str, Any]) -> bool:
        is_run = "scenario_prompt" in row
        return row["id"] % 2 == 0 if is_run else not self.hides_batches


@pytest.mark.parametrize(
    ("like_client", "hides_batches", "seconds"),
    [(False, False, 30.0), (False, False, 100.0), (False, True, 1000.0), (True, True, 1000.0)],
)
def test_a_partly_listed_batch_has_arrived(
    tmp_path: Path, like_client: bool, hides_batches: bool, seconds: float
) -> None:
    """The service lists only some calls of a batch, however long. Before: after the settling time, all were made
    again. Now: the session waits for the rest, or ends with exit code 4."""
    fleet = SlowList(tmp_path, {"concurrency_limit": 20}, files=FILES, lag_seconds=1.0, like_client=like_client)
    machine = fleet.new_machine()
    assert fleet.session(machine, Life("after POST /v1/test-call-batches")).code is None
    assert fleet.made() == WANTED
    fleet.lose(machine)
    fleet.whole_at, fleet.hides_batches = fleet.seconds + seconds, hides_batches
    machine = fleet.new_machine()
    while fleet.seconds < fleet.whole_at:
        assert fleet.session(machine, Life()).code in ((0,) if seconds < 60 else (0, 4))
        fleet.seconds += 100
    assert fleet.session(machine, Life()).code == 0
    assert (fleet.made(), fleet.left_over()) == (WANTED, [])


@pytest.mark.parametrize("days", [-3, 3, 300])
def test_a_machine_with_a_wrong_clock(tmp_path: Path, days: int) -> None:
    """What was noted by the service's clock is read again, also where this machine's clock is days behind it."""
    fleet = Fleet(tmp_path, {"concurrency_limit": 20}, files=FILES)
    fleet.slow = timedelta(days=days)
    machine = fleet.new_machine()
    assert fleet.session(machine, Life("after POST /v1/test-call-batches")).code is None
    fleet.seconds += 30
    assert fleet.session(machine, Life()).code == 0
    fleet.lose(machine)
    assert fleet.session(fleet.new_machine(), Life()).code == 0
    assert (fleet.made(), fleet.left_over()) == (WANTED, [])


@dataclass
class Away:
    """A store does not answer for two minutes, from an access on (by number): neither its documents nor its log."""

    now: Callable[[], float]
    away_at: int
    accesses: int = 0
    back_at: float = 0.0

    def access(self) -> None:
        self.accesses += 1
        if self.accesses == self.away_at:
            self.back_at = self.now() + 120
        if self.now() < self.back_at:
            raise StoreError("the store does not answer")


class AwayStore(SharedStore):
    def __init__(self, folder: Path, away: Away) -> None:
        super().__init__(folder)
        self.away = away

    def get(self, key: str) -> bytes | None:
        self.away.access()
        return super().get(key)

    def has(self, key: str) -> bool:
        self.away.access()
        return super().has(key)

    def keys(self, prefix: str) -> Iterator[str]:
        self.away.access()
        return super().keys(prefix)

    def update(self, change: Change) -> None:
        self.away.access()
        super().update(change)


class AwayLog(SharedLog):
    away: Away

    def read(self, after: str = START) -> tuple[list[str], str]:
        self.away.access()
        return super().read(after)

    def append(self, lines: Sequence[str], at: str) -> str | None:
        self.away.access()
        return super().append(lines, at)


class FleetWithAwayStore(Fleet):
    def goes_away(self, number: int) -> Away:
        self.away = Away(self._monotonic, number)
        self.store = AwayStore(self.folder / "shared", self.away)
        return self.away

    def _open_log(self, shell: Any, root: Path, address: object, name: str) -> AwayLog:
        del root, address
        self.log_names.add(name)
        log = AwayLog(self.folder / "log", name, shell.new_id())
        log.away = self.away
        return log

    def _answered_questions(self) -> frozenset[str]:
        return frozenset()  # reading them would be an access


POINTS = 3
"""Accesses at which the store goes away, in equal steps; others in each test."""


@pytest.mark.parametrize(
    ("is_lost", "config", "first"),
    [
        (False, "", 1),
        (True, "", 5),
        (False, ", config: ../agents/clinic.yaml", 9),
        (True, ", config: ../agents/clinic.yaml", 13),
    ],
)
def test_a_store_that_is_away_for_two_minutes(tmp_path: Path, is_lost: bool, config: str, first: int) -> None:
    """The shared store does not answer for two minutes, and the machine may be lost meanwhile. Before: nobody knew
    what happens then. Now: whether calls reach a preview or not, the next sessions make what is missing, and delete
    the copy."""
    files = {
        **FILES,
        "plans/lost.yaml": PLAN.replace("agent: 12", f"agent: 12{config}"),
        "agents/clinic.yaml": AGENT_FILE,
    }

    def fleet_of(name: str) -> FleetWithAwayStore:
        return FleetWithAwayStore(tmp_path / name, {"concurrency_limit": 2}, files=files)

    fleet = fleet_of("whole")
    away = fleet.goes_away(0)
    assert fleet.session(fleet.new_machine(), Life()).code == 0
    assert away.accesses > 10 * POINTS
    for number in range(first, away.accesses, away.accesses // POINTS):
        fleet = fleet_of(f"away{number}")
        fleet.goes_away(number)
        machine = fleet.new_machine()
        codes = [fleet.session(machine, Life()).code]
        if is_lost:
            fleet.lose(machine)
            machine = fleet.new_machine()
        while len(codes) == 1 or (codes[-1] == 4 and len(codes) < 4):  # one more at least, for what the first left
            fleet.seconds += 130
            codes.append(fleet.session(machine, Life()).code)
        assert (codes[0] in (0, 4), codes[-1]) == (True, 0), number
        assert (fleet.made(), fleet.left_over()) == (WANTED, []), number


class Left(Life):
    """The store goes away once results are shared."""

    def __init__(self, fleet: FleetWithAwayStore) -> None:
        super().__init__()
        self.fleet = fleet

    def boundary(self, name: str) -> None:
        super().boundary(name)
        if name == "after the shared store" and any(DirectoryStore.keys(self.fleet.store, "sessions/")):
            self.fleet.away.away_at = self.fleet.away.accesses + 1


def test_a_store_that_is_away_when_a_copy_is_deleted(tmp_path: Path) -> None:
    """A copy is deleted only after the log says so; the next session does it."""
    plan = PLAN.replace("agent: 12", "agent: 12, config: ../agents/clinic.yaml")
    files = {**FILES, "plans/lost.yaml": plan, "agents/clinic.yaml": AGENT_FILE}
    fleet = FleetWithAwayStore(tmp_path, {"concurrency_limit": 2}, files=files)
    fleet.goes_away(0)
    ran = fleet.session(fleet.new_machine(), Left(fleet))
    assert (ran.code, fleet.sandbox.agents.ids) == (4, [*AGENTS, 18]), ran.err
    assert "previews are left to the next run: the store does not answer" in ran.err
    fleet.seconds += 130
    assert fleet.session(fleet.new_machine(), Life()).code == 0
    assert (fleet.made(), fleet.left_over()) == (WANTED, [])
