"""A project in a temporary folder, the command line run in it, and a served sandbox to call."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import faulty_sandbox
import forked
import pytest
from forked import Forked
from hours import HOURS
from limits import limit_calls
from patience import PATIENCE_SECONDS, wait_for
from worlds import ANY_PROMPT, quick_world_of

import planner.workspace.service
from planner.cli import main
from planner.errors import StoreError
from planner.log.facts import Result
from planner.log.fold import Launch
from planner.log.local import LocalLog


@dataclass(frozen=True)
class Ran:
    """What one session gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Project:
    """A folder with plans, and `planner` run in it (in this process, as a user's shell would run it)."""

    root: Path
    capsys: pytest.CaptureFixture[str]

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def limit_calls(self, at_once: int) -> None:
        limit_calls(self.root, at_once)

    def planner(self, *arguments: str) -> Ran:
        self.capsys.readouterr()
        code = main(list(arguments))
        captured = self.capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    def killed(self, *arguments: str, when: Callable[[], object]) -> None:
        """`planner` in a process of its own, until `kill -9`."""
        process = forked.planner(*arguments, cwd=self.root)
        wait_for(when)
        process.kill()

    def rests(self) -> bool:
        """Whether a session was refused a launch, and has no other under way."""
        launches = self.launches()
        refused = [each for each in launches if each.outcome is not None and each.outcome.result is Result.REFUSED]
        return bool(refused) and not any(launch.is_open for launch in launches)

    def launches(self) -> list[Launch]:
        """What the log has, read from a copy: a look at the original, were this process stopped in it, would lock it to
        the session that is looked at."""
        path = self.root / ".planner/log.db"
        if not path.exists():
            return []
        try:
            log = LocalLog(path, "", lambda: datetime.now(UTC), read_only=True)
        except StoreError:  # it is being made, or was copied in the middle of a change
            return []
        with closing(log):
            return list(log.state.launches.values())

    def results(self) -> Any:
        return json.loads((self.root / "reports" / "results.json").read_text(encoding="utf-8"))

    def actions(self, *arguments: str) -> dict[str, tuple[str, str, int]]:
        """Per case what `plan` says: action, reason, calls."""
        ran = self.planner("plan", "--format", "json", *arguments)
        assert ran.code == 0, ran.err
        return {
            change["case_id"]: (change["action"], change["reason"], change["runs"]) for change in ran.json["changes"]
        }


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    for name in list(os.environ):
        if name.startswith(("THUNDERPHONE_", "GITHUB_")) or name == "CI":
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(planner.workspace.service, "world_of", quick_world_of)
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path, capsys)
    project.write("plans/hours.yaml", HOURS)
    return project


@dataclass(frozen=True)
class Served:
    """A sandbox on a port of its own."""

    url: str
    program: Forked

    def ledger(self) -> Any:
        with urllib.request.urlopen(f"{self.url}/_sandbox/ledger", timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 - loopback
            return json.load(answer)

    def control(self, command: dict[str, Any]) -> None:
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.url}/_sandbox/control", json.dumps(command).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 - loopback
            assert answer.status == 200

    def hold(self, launches: int, *, retry_after_seconds: int | None = None) -> None:
        """Allow so many more launches, then none until `release`, so that no session ends early.

        A launch that is rejected names a `Retry-After`. A session that is to be killed `rests` until then: otherwise the next one
        would search for its launch for ten minutes.
        """
        spec = {"kind": "throttle", "after": launches, "retry_after_seconds": retry_after_seconds}
        self.control({"faults": [spec]})

    def release(self) -> None:
        """Take away all faults, `hold` among them."""
        self.control({"clear_faults": True})

    def advance(self, seconds: float) -> None:
        """Let so much time go by at the service, at once."""
        self.control({"advance_seconds": seconds})

    def settle(self) -> None:
        """Let what dead clients have sent be carried out, and then so much time go by that what is not there never was."""
        for _ in range(2):  # what had arrived before the first was asked for is done before the second is
            self.ledger()
        self.advance(660)

    def own_runs(self) -> list[Any]:
        return [run for run in self.ledger()["runs"] if run["requested_by_id"] == 1]


@contextmanager
def server(folders: pytest.TempPathFactory) -> Generator[Callable[..., Served]]:
    """Start served sandboxes with faults on demand, with these options of `planner sandbox`."""
    started: list[Forked] = []
    world = folders.mktemp("worlds") / "fast.yaml"
    world.write_text(f"extends: {ANY_PROMPT}\nversion: 1\nworld: fast\ntime_scale: 600\n")

    def start(*options: str) -> Served:
        options = ("--port", "0", "--world", str(world), *options)
        program = forked.started(faulty_sandbox.serve, options, cwd=folders.mktemp("service"))
        started.append(program)
        first = program.output.readline()
        url = next(word for word in first.split() if word.startswith("http://"))
        return Served(url, program)

    yield start
    for program in started:
        program.kill()


def add_faults(monkeypatch: pytest.MonkeyPatch, *faults: Mapping[str, Any]) -> None:
    """The sandbox of `--sandbox` has these faults."""
    faulty = partial(faulty_sandbox.FaultySandbox, faults=faults)
    monkeypatch.setattr("planner.sandbox.Sandbox", faulty)


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    with server(tmp_path_factory) as start:
        yield start


@pytest.fixture
def serve_here(serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Served]:
    """Like `serve`, and the environment points to it."""

    def start(*options: str) -> Served:
        served = serve(*options)
        monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", served.url)
        monkeypatch.setenv("THUNDERPHONE_API_KEY", "sk_test_commands")
        return served

    return start


@pytest.fixture
def service(serve_here: Callable[..., Served]) -> Served:
    """A served demo world, and the environment that points to it."""
    return serve_here()
