"""`planner run` as a whole (plans, consent, calls, verdicts, store, reports) against a sandbox, in virtual time and mortal.

What is exchanged is the world outside, never what is tested: the event loop, for its clock; the sandbox's ASGI app, for one
that outlives the process; and the doors to the disk, which report to a `Life` when they are crossed.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from client_shape import RUNS, client_runs
from faulty_sandbox import FaultySandbox
from limits import limit_calls
from mortality import Life, MortalJournal, is_only_killed
from rewriting import rewritten
from virtual_time import EPOCH, VirtualLoop
from worlds import any_prompt

import planner.commands.reconcile
import planner.commands.run
import planner.log.local
import planner.workspace.report_files
import planner.workspace.service
import planner.workspace.stores
from planner.clock import Clock
from planner.commands.reconcile import ReconcileOptions
from planner.errors import PlannerError
from planner.log.local import LocalLog
from planner.sandbox import World
from planner.session.run_session import RunOptions
from planner.shell import Shell
from planner.stores.directory import DirectoryStore
from planner.stores.store import Change, Reader
from planner.workspace.selection import Selection


@dataclass(frozen=True)
class Ran:
    """`code` is None for a session that was killed."""

    code: int | None
    out: str
    err: str
    seconds: float


class MortalStore(DirectoryStore):
    """A results store whose process may die just before and just after each thing it puts there."""

    life: Life

    def update(self, change: Change) -> None:
        """Key by key, as a folder takes it."""
        for key, data in change(self).items():
            self.life.boundary(f"before putting {key.split('/', maxsplit=1)[0]}")
            super().update(partial(_one, key, data))
            self.life.boundary(f"after putting {key.split('/', maxsplit=1)[0]}")


def _one(key: str, data: bytes | None, now: Reader) -> Mapping[str, bytes | None]:
    del now
    return {key: data}


@dataclass
class Organization:
    """A project in a folder, and the service it calls, whose clock goes on from one session to the next."""

    root: Path
    world: Mapping[str, Any] = field(default_factory=dict[str, Any])
    faults: tuple[Mapping[str, Any], ...] = ()
    seconds: float = 0.0
    """Since EPOCH."""
    slow: timedelta = timedelta()
    """How far the clock of the machine is behind that of the service."""
    lag_seconds: float = 0.0
    """Runs and batches younger than this are not listed yet."""
    like_client: bool = False
    """Runs show their requester, and not their batch."""
    environ: Mapping[str, str] = field(default_factory=lambda: {"USER": "tester", "GITHUB_EVENT_NAME": "schedule"})
    """That of a job, which may share results of the sandbox."""
    base: World | None = None
    """A world to use as it is; None: one that answers any prompt, with the changes of `world`."""

    def __post_init__(self) -> None:
        settings = {"time_scale": 1.0, "concurrency_limit": 20, **self.world}
        world = self.base or any_prompt().model_copy(update=settings)
        self.loop: VirtualLoop | None = None
        self.sandbox = FaultySandbox(world, faults=self.faults, now=lambda: self.now().timestamp())
        self.sessions = 0
        self._ids = 0

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._monotonic())

    def run(
        self, *, life: Life | None = None, selection: Selection | None = None, at_once: int = 0, **options: Any
    ) -> Ran:
        """`planner run --sandbox --consent-to-charge`, or with other options; dies where `life` ends. `at_once` limits calls, from
        now on."""
        if at_once:
            limit_calls(self.root, at_once)
        self.sessions += 1
        life = life or Life()
        out, err = io.StringIO(), io.StringIO()
        shell = self._shell(out, err)
        wanted = replace(RunOptions(selection or Selection(sandbox=True), consent_to_charge=True), **options)
        began = self.seconds
        with self._outside(life):
            try:
                code = planner.commands.run.run(shell, wanted)
            except PlannerError as error:
                err.write(f"planner: {error}\n  {error.hint}\n")
                code = error.exit_code
            except BaseException as error:
                if not (life.dead and is_only_killed(error)):
                    raise
                code = None
        return Ran(None if life.dead else code, out.getvalue(), err.getvalue(), self.seconds - began)

    def settle(self, launch: str, run_ids: Sequence[int]) -> None:
        """`planner reconcile`: what somebody says who has looked at the service: these runs, or it was not sent, and none that are
        shown are the launch's."""
        not_ours = () if run_ids else range(2**31)
        options = ReconcileOptions(
            Selection(sandbox=True), launch, tuple(run_ids), assume_not_sent=not run_ids, not_ours=not_ours
        )
        with self._outside(Life()):
            planner.commands.reconcile.reconcile(self._shell(io.StringIO(), io.StringIO()), options)

    def shell(self) -> Shell:
        """For commands that reach no service; what they print is lost."""
        return self._shell(io.StringIO(), io.StringIO())

    def _shell(self, out: io.StringIO, err: io.StringIO) -> Shell:
        return Shell(
            cwd=self.root,
            environ=self.environ,
            out=out,
            err=err,
            clock=Clock(lambda: self.now() - self.slow, self._monotonic, anyio.sleep),
            new_id=self._new_id,
            width=100,
        )

    # What it left behind

    def results(self) -> Any:
        return json.loads((self.root / "reports" / "results.json").read_text(encoding="utf-8"))

    def reported(self) -> dict[int, int | None]:
        """What the report says that each run cost."""
        return {run["run_id"]: run["cost_cents"] for case in self.results()["cases"] for run in case["runs"]}

    def charged(self) -> dict[int, int]:
        """What the service charged for each of our runs, in cents."""
        return {run.id: run.cost_cents for run in self.sandbox.state.runs if run.requested_by_id == 1}

    def made(self) -> Counter[str]:
        """How often each prompt was called and not failed by the platform."""
        return Counter(
            run.prompt.strip() for run in self.sandbox.state.runs if run.requested_by_id == 1 and not run.error_message
        )

    def noted(self) -> dict[int, int | None]:
        """What the log says that each run cost; None without a final bill."""
        path = self.root / ".planner" / "sandbox" / "log.db"
        with closing(LocalLog(path, "", lambda: datetime(2900, 1, 1, tzinfo=UTC))) as log:
            calls = [call for launch in log.state.launches.values() for call in launch.calls.values()]
            return {call.run_id: call.cents if call.has_final_bill else None for call in calls}

    # The world outside

    @contextmanager
    def _outside(self, life: Life) -> Generator[None]:
        MortalJournal.life = MortalStore.life = life
        real_replace: Callable[[Path, str], None] = vars(planner.workspace.report_files)["_replace"]

        def write(path: Path, text: str) -> None:
            life.boundary(f"before writing {path.name}")
            real_replace(path, text)
            life.boundary(f"after writing {path.name}")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(anyio, "run", partial(anyio.run, backend_options={"loop_factory": self._new_loop}))
            patch.setattr(planner.workspace.service, "embedded_app", lambda *_: self._app(life))
            patch.setattr(planner.log.local, "Journal", MortalJournal)
            patch.setattr(planner.workspace.stores, "DirectoryStore", MortalStore)
            # All machines call the same service.
            patch.setattr(planner.workspace.stores, "shares_log", lambda selection: not selection.offline)
            patch.setattr(planner.workspace.report_files, "_replace", write)
            try:
                yield
            finally:
                self.seconds = self._monotonic()
                self.loop = None

    def _new_loop(self) -> VirtualLoop:
        self.loop = VirtualLoop(self.seconds)
        return self.loop

    def _app(self, life: Life) -> Any:
        assert self.loop is not None
        self.loop.mind_threads()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            request = f"{scope['method']} {scope['path']}"
            life.boundary(f"before {request}")
            try:
                await self.sandbox.app(scope, receive, self._rewriting(request, send))
            finally:
                life.boundary(f"after {request}")

        return app

    def _rewriting(self, request: str, send: Any) -> Any:
        if self.lag_seconds and request in ("GET /v1/test-calls", "GET /v1/test-call-batches"):
            send = rewritten(send, self._lagging)
        if self.like_client and request.endswith(RUNS):
            send = rewritten(send, self._like_client)
        return send

    def _like_client(self, status: int, body: bytes) -> bytes:
        try:
            return client_runs(self.sandbox, body) if status < 300 else body
        except ValueError:  # it was damaged on its way
            return body

    def _lagging(self, status: int, body: bytes) -> bytes:
        """A list as it was a while ago."""
        if status != 200 or not body.endswith(b"]"):  # it was spoilt on its way
            return body
        until = (self.now() - timedelta(seconds=self.lag_seconds)).isoformat()
        return json.dumps([row for row in json.loads(body) if row["created_at"] <= until]).encode()

    def _monotonic(self) -> float:
        return self.seconds if self.loop is None else self.loop.time()

    def _new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:08x}"
