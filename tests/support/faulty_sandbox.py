"""A sandbox with faults on demand: answers that get lost, errors before and after the work, results that come late, …

Faults and other changes come with it, or at run time with `POST /_sandbox/control`, which answers how often each fired.
A fault skips the first `after` requests of its route, then affects every `every`th one with `probability`, at most `times`
times; seeded, so that a failing test fails again.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import cached_property
from hashlib import sha256
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

import planner.sandbox
from planner.cli import main
from planner.sandbox import Sandbox, World
from planner.sandbox.conversation import EMPTY, Draws, seed_of
from planner.sandbox.errors import ApiError, detail, insufficient_balance, throttled
from planner.sandbox.launching import Answerer, Launcher
from planner.sandbox.service import server
from planner.sandbox.service.app import App
from planner.sandbox.service.asgi import Response
from planner.sandbox.state import OWN_USER_ID, Event, LaunchRequest, SimulatedRun

FOREIGN_USER_ID = 2
ABORT = "tests.abort"
"""The entry of the ASGI state with the function that cuts the connection."""
CONTROL = "/_sandbox/control"
_FOREIGN_PROMPT = "You are somebody else's caller. Ask for the opening hours."
_HTML = b"<!doctype html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>\n"
_ROUTES = {
    "launch": r"POST /v1/(test-calls|test-call-batches|simulations|simulations/batches)",
    "list": r"GET /v1/(test-calls|simulations)",
    "batches": r"GET /v1/(test-call-batches|simulations/batches)",
    "batch": r"GET /v1/(test-call-batches|simulations/batches)/\d+",
    "calls": r"GET /v1/calls",
    "call": r"GET /v1/calls/\d+",
    "transcript": r"GET /v1/calls/\d+/transcript",
    "history": r"GET /v1/calls/\d+/history",
    "grade": r"\w+ /v1/calls/\d+/grade",
    "audio": r"GET /v1/calls/\d+/audio",
    "agents": r"GET /v1/agents",
    "agent": r"GET /v1/agents/\d+(/variants)?",
    "versions": r"GET /v1/agents/\d+/versions",
    "create": r"POST /v1/agents",
    "edit": r"PATCH /v1/agents/\d+",
    "deploy": r"POST /v1/agents/\d+/deploy",
    "discard": r"POST /v1/agents/\d+/discard-draft",
    "duplicate": r"POST /v1/agents/\d+/duplicate",
    "delete": r"DELETE /v1/agents/\d+",
    "phone_number": r"GET /v1/phone-numbers(/\d+)?",
    "billing": r"GET /v1/billing",
    "transactions": r"GET /v1/billing/transactions",
    "whoami": r"GET /v1/whoami",
}
BEFORE = ("error_before", "throttle", "no_balance", "foreign_runs")
"""Count requests received."""
AFTER = ("lost_answer", "error_after", "garbage", "slow")
"""Count requests served."""
AT_LAUNCH = ("hang", "fail_run", "late", "shuffle_ids", "agent_edit")
"""Count accepted launches."""


@dataclass
class Fault:
    """
    lost_answer   the request is carried out, the connection is cut without an answer
    error_before  the answer is `status` with `message`, the request is not carried out
    error_after   the answer is `status`, the request is carried out
    slow          the request is carried out, the answer comes `seconds` late
    garbage       the request is carried out, the answer is `body`: an HTML page or truncated JSON
    throttle      429, with `retry_after_seconds` or without
    no_balance    402
    hang          `runs` of the launch (None: all) never end
    fail_run      `runs` of the launch end `failed`, without a call and without a bill
    late          call ids, transcripts and grades (`what`) of the launch come `seconds` late
    shuffle_ids   run ids do not follow the order of prompts
    foreign_runs  `count` runs of another user appear; `identical`: same target and prompt as the newest run
    agent_edit    `agent_id` is deployed again before the launch: its `revision`, or (None) the same configuration
    """

    kind: str
    route: str = "launch"
    times: int | None = None
    after: int = 0
    every: int = 1
    probability: float = 1.0
    seconds: float = 1.0
    status: int = 503
    message: str = "Service unavailable."
    body: str = "html"
    retry_after_seconds: int | None = None
    what: Collection[str] = ("call_id", "transcript", "grade")
    count: int = 1
    identical: bool = False
    runs: int | None = None
    agent_id: int = 0
    revision: int | None = None
    key: str = ""
    seen: int = 0
    fired: int = 0

    def fires(self, seed: int) -> bool:
        """Count one request of its route and decide whether it fails."""
        self.seen += 1
        turn = self.seen - self.after
        if turn < 1 or (turn - 1) % self.every or (self.times is not None and self.fired >= self.times):
            return False
        if self.probability < 1:
            draw = int.from_bytes(sha256(f"{seed}:{self.key}:{self.seen}".encode()).digest()[:8], "big") / 2**64
            if draw >= self.probability:
                return False
        self.fired += 1
        return True


class FaultySandbox(Sandbox):
    def __init__(self, world: World, *, faults: Iterable[Mapping[str, Any]] = (), **settings: Any) -> None:
        super().__init__(world, **settings)
        self.faults: list[Fault] = []
        self.ahead_seconds = 0.0
        self.late: dict[tuple[int, str], float] = {}
        """(run id, field) → when it appears."""
        self._launcher = _FaultyLauncher(self)
        self.add_faults(faults)

    @cached_property
    def app(self) -> Any:
        return FaultyApp(self)

    def now(self) -> float:
        return super().now() + self.ahead_seconds

    def add_faults(self, faults: Iterable[Mapping[str, Any]]) -> None:
        for fault in faults:
            self.faults.append(Fault(**fault, key=f"{len(self.faults)}:{fault['kind']}"))

    def firing(self, kinds: Collection[str], route: str) -> list[Fault]:
        """The faults that fire now."""
        return [
            fault
            for fault in self.faults
            if fault.kind in kinds and fault.route in ("any", route) and fault.fires(self.world.seed)
        ]

    def is_late(self, run_id: int, field: str) -> bool:
        return self.now() < self.late.get((run_id, field), 0)

    def deploy(self, agent_id: int, revision: int | None) -> None:
        """The prompt of a revision of the world file, or (None) the current one once more."""
        prompt = (
            self.agents.snapshot(agent_id) if revision is None else self.world.snapshot(agent_id, revision)
        ).prompt
        self.agents.deploy(agent_id, {"prompt": prompt}, self.now())

    def add_foreign_runs(self, count: int, *, identical: bool) -> None:
        """Runs of another user of the organization: like our newest one, or different."""
        newest = next((run for run in self.state.newest_first() if run.requested_by_id == OWN_USER_ID), None)
        request = LaunchRequest("agent", next(iter(self.world.agents)), "outbound", prompts=(_FOREIGN_PROMPT,))
        if identical and newest is not None:
            target = (newest.target_type, newest.target_id, newest.direction, newest.target_number)
            request = LaunchRequest(*target, (newest.prompt,), newest.mode)
        for _ in range(count):
            event = Launcher.make(self._launcher, request, self._answerer(request), self.now())
            runs = tuple(replace(run, requested_by_id=FOREIGN_USER_ID) for run in event.runs)
            self.state.record(replace(event, runs=runs))

    def control(self, wanted: Mapping[str, Any]) -> None:
        if wanted.get("clear_faults"):
            self.faults.clear()
        self.add_faults(wanted.get("faults", ()))
        if "concurrency_limit" in wanted:
            self.world = self.world.model_copy(update={"concurrency_limit": wanted["concurrency_limit"]})
        if "deploy" in wanted:
            self.deploy(wanted["deploy"]["agent_id"], wanted["deploy"].get("revision"))
        if "foreign_runs" in wanted:
            self.add_foreign_runs(
                wanted["foreign_runs"]["count"], identical=wanted["foreign_runs"].get("identical", False)
            )
        self.ahead_seconds += wanted.get("advance_seconds", 0)


class _FaultyLauncher(Launcher):
    def __init__(self, sandbox: FaultySandbox) -> None:
        super().__init__(sandbox.world, sandbox.state)
        self._sandbox = sandbox

    def make(self, request: LaunchRequest, answerer: Answerer, at: float) -> Event:
        faults = self._sandbox.firing(AT_LAUNCH, "launch")
        for fault in faults:
            if fault.kind == "agent_edit":
                self._sandbox.deploy(fault.agent_id, fault.revision)
                answerer = self._sandbox._answerer(request)
        event = super().make(request, answerer, at)
        runs = event.runs
        if any(fault.kind == "shuffle_ids" for fault in faults):
            draws = Draws(seed_of(self._sandbox.world.seed, "shuffle", runs[0].id))
            ids = [run_id for _, run_id in sorted((draws.draw(), run.id) for run in runs)]
            runs = tuple(replace(run, id=run_id) for run, run_id in zip(runs, ids, strict=True))
        runs = tuple(self._with_faults(run, index, faults) for index, run in enumerate(runs))
        batch = event.batch and replace(event.batch, run_ids=tuple(run.id for run in runs))
        return replace(event, runs=runs, batch=batch)

    def _with_faults(self, run: SimulatedRun, index: int, faults: Iterable[Fault]) -> SimulatedRun:
        for fault in faults:
            if fault.runs is not None and index >= fault.runs:
                continue
            if fault.kind in ("hang", "fail_run"):
                run = replace(run, billable_minutes=0, call_cents=0, cost_cents=0, ends_at=math.inf)
            if fault.kind == "fail_run":
                run = replace(run, call_id=None, sip_call_id=None, conversation=EMPTY, ends_at=run.starts_at)
                run = replace(run, error_message="The call could not be placed: no answer from the carrier.")
            if fault.kind == "late":
                late = {"call_id": run.starts_at, "transcript": run.ends_at}
                for field in late.keys() & set(fault.what):
                    self._sandbox.late[run.id, field] = late[field] + fault.seconds
                run = replace(run, grade_at=run.grade_at + ("grade" in fault.what) * fault.seconds)
        return run


class FaultyApp:
    """The ASGI application between a sandbox's own and its clients."""

    def __init__(self, sandbox: FaultySandbox) -> None:
        self._sandbox = sandbox
        self._real = App(sandbox)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = f"{scope['method']} {scope['path']}"
        if scope["path"] == CONTROL:
            self._sandbox.control(json.loads(await _body_of(receive)))
            await self._answer(send, 200, {"fired": {fault.key: fault.fired for fault in self._sandbox.faults}})
            return
        route = next((name for name, pattern in _ROUTES.items() if re.fullmatch(pattern, request)), None)
        if route is None:
            await self._real(scope, receive, send)
            return
        try:
            self._fail_before(route)
        except ApiError as error:
            await self._answer(send, error.status, error.body, **error.headers)
            return
        start: dict[str, Any] = {}
        body = bytearray()

        async def receive_answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            body.extend(message.get("body", b""))

        await self._real(scope, receive, receive_answer)
        if not start:  # the client is gone
            return
        served = start["status"] < 300
        if served and body and self._sandbox.late:
            body[:] = self._without_late(route, scope["path"], bytes(body))
        for fault in self._sandbox.firing(AFTER, route) if served else ():
            match fault.kind:
                case "lost_answer":
                    await _lose(scope, receive)
                    return
                case "error_after":
                    await self._answer(send, fault.status, {"detail": "Internal server error."})
                    return
                case "slow":
                    await asyncio.sleep(fault.seconds)
                case _:
                    body[:] = _HTML if fault.body == "html" else body[: max(1, len(body) // 2)]
        length = str(len(body)).encode()
        headers = [(name, length if name == b"content-length" else value) for name, value in start["headers"]]
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(body)})

    def _fail_before(self, route: str) -> None:
        for fault in self._sandbox.firing(BEFORE, route):
            match fault.kind:
                case "error_before":
                    raise detail(fault.status, fault.message)
                case "throttle":
                    raise throttled(fault.retry_after_seconds)
                case "no_balance":
                    raise insufficient_balance()
                case _:
                    self._sandbox.add_foreign_runs(fault.count, identical=fault.identical)

    def _without_late(self, route: str, path: str, body: bytes) -> bytes:
        """Call ids and transcripts that come late."""
        sandbox, document = self._sandbox, json.loads(body)
        if route == "list":
            for row in document:
                if sandbox.is_late(row["id"], "call_id"):
                    row.update(call_id=None, sip_call_id=None)
        if route in ("transcript", "history"):
            run = sandbox.state.run_of_call(int(path.split("/")[3]))
            if run is not None and run.has_ended(sandbox.now()) and sandbox.is_late(run.id, "transcript"):
                document = {**document, "transcripts": []} if route == "transcript" else []
        return json.dumps(document).encode()

    async def _answer(self, send: Any, status: int, body: Any, **headers: str) -> None:
        date = formatdate(self._sandbox.now(), usegmt=True)
        await Response(json.dumps(body).encode(), status, headers=headers).send(send, date)


async def _lose(scope: Any, receive: Any) -> None:
    """The connection ends without an answer; in this process, one that is not sent is lost."""
    if ABORT in scope.get("state", {}):
        scope["state"][ABORT]()
        while (await receive())["type"] != "http.disconnect":
            pass


async def _body_of(receive: Any) -> bytes:
    body, is_complete = b"", False
    while not is_complete:
        message = await receive()
        body += message.get("body", b"")
        is_complete = not message.get("more_body", False)
    return body


class AbortableProtocol(H11Protocol):
    """Lets the app cut the connection."""

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: Any = None) -> None:
        super().__init__(config, server_state, {**app_state, ABORT: self._abort}, _loop)

    def _abort(self) -> None:
        self.transport.abort()


def serve(options: Sequence[str]) -> int:
    """`planner sandbox` with these options and with faults on demand; for a process of its own."""
    planner.sandbox.Sandbox = FaultySandbox
    server.H11Protocol = AbortableProtocol
    return main(["sandbox", *options])


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1:]))
