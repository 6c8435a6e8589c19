"""A service of its own, written from the reference page alone: it shares no code with the planner or its sandbox.

It charges an account, shows calls with or without the multiplier, and lists transactions in one of several ways. What it was
charged for a call and what it shows of that are known to tests to the cent.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

RATE_CENTS = 8
MULTIPLIER = 2
LATE_SECONDS = 20.0
"""Within what a session waits."""
VERY_LATE_SECONDS = 7_200.0
"""After the session."""

TransactionsMode = Literal["served", "forbidden", "missing", "garbage", "endless"]


@dataclass
class FakeRun:
    id: int
    batch_id: int | None
    request: dict[str, Any]
    prompt: str
    created_at: float
    ended_at: float
    call_id: int
    minutes: int
    bridge_cents: int
    """Charged for a transfer, with the multiplier."""

    @property
    def charged_cents(self) -> int:
        return self.minutes * RATE_CENTS * MULTIPLIER + self.bridge_cents


@dataclass
class FakeService:
    """`now` is its clock, in epoch seconds; a call, transaction or launch of every so many is late, lost or unreadable; 0: none."""

    now: Callable[[], float]
    call_bill: Literal["charged", "base"] = "charged"
    transactions: TransactionsMode = "served"
    call_seconds: float = 30.0
    late_every: int = 7
    very_late_every: int = 11
    unreadable_every: int = 23
    late_bill_every: int = 5
    lost_bill_every: int = 0
    lost_answer_every: int = 9
    at_once: int = 20
    runs: list[FakeRun] = field(default_factory=list[FakeRun])
    requests: list[str] = field(default_factory=list[str])
    _posts: int = 0
    _batches: dict[int, list[int]] = field(default_factory=dict[int, list[int]])

    # What it is like

    def call_cents(self, run: FakeRun) -> int | None:
        """What the call object shows once everything has come."""
        if self._is(run, self.lost_bill_every):
            return None
        return run.charged_cents if self.call_bill == "charged" else run.charged_cents // MULTIPLIER

    def shown(self, run: FakeRun, now: float) -> tuple[int | None, str | None]:
        """The bill of a run, by what can be read at a moment, and where."""
        if self.transactions == "served" and not self._is_unreadable(run) and self._listed_at(run) <= now:
            return run.charged_cents, "transaction"
        cents = self.call_cents(run)
        return cents, None if cents is None else "call"

    def charged(self) -> int:
        return sum(run.charged_cents for run in self.runs)

    @staticmethod
    def _is(run: FakeRun, every: int) -> bool:
        return every > 0 and run.id % every == 0

    def _is_unreadable(self, run: FakeRun) -> bool:
        return self._is(run, self.unreadable_every)

    def _listed_at(self, run: FakeRun) -> float:
        if self._is(run, self.very_late_every):
            return run.ended_at + VERY_LATE_SECONDS
        return run.ended_at + (LATE_SECONDS if self._is(run, self.late_every) else 0.0)

    # The wire

    @property
    def app(self) -> Any:
        async def dated(scope: Any, receive: Any, send: Any) -> None:
            async def with_date(message: Any) -> None:
                if message["type"] == "http.response.start":
                    date = formatdate(self.now(), usegmt=True).encode()
                    message = {**message, "headers": [*message.get("headers", []), (b"date", date)]}
                await send(message)

            await routes(scope, receive, with_date if scope["type"] == "http" else send)

        routes = Starlette(
            routes=[
                Route("/v1/test-calls", self._launch, methods=["POST"]),
                Route("/v1/test-call-batches", self._launch, methods=["POST"]),
                Route("/v1/test-calls", self._list_runs),
                Route("/v1/test-call-batches", self._list_batches),
                Route("/v1/calls/{call_id:int}", self._call),
                Route("/v1/calls/{call_id:int}/transcript", self._transcript),
                Route("/v1/calls/{call_id:int}/history", self._history),
                Route("/v1/agents/12", self._agent),
                Route("/v1/billing", self._billing),
                Route("/v1/billing/transactions", self._transactions),
            ]
        )
        return dated

    async def _launch(self, request: Request) -> Response:
        body = await request.json()
        prompts = body.get("scenario_prompts") or [body["scenario_prompt"]]
        now = self.now()
        if sum(run.ended_at > now for run in self.runs) + len(prompts) > self.at_once:
            return JSONResponse({"detail": "Too many test calls at once."}, 429)
        self._posts += 1
        batch_id = len(self._batches) + 1 if "scenario_prompts" in body else None
        made = [self._make(body, prompt, batch_id, now) for prompt in prompts]
        if batch_id is not None:
            self._batches[batch_id] = [run.id for run in made]
        if self.lost_answer_every and self._posts % self.lost_answer_every == 0:
            raise ConnectionResetError("the answer is lost on purpose")
        shown = self._shown_run(made[0]) if batch_id is None else self._shown_batch(batch_id)
        return JSONResponse(shown, 201)

    def _make(self, body: dict[str, Any], prompt: str, batch_id: int | None, now: float) -> FakeRun:
        number = len(self.runs) + 1
        seconds = self.call_seconds * (1 + number % 5)
        run = FakeRun(
            id=number,
            batch_id=batch_id,
            request=body,
            prompt=prompt,
            created_at=now,
            ended_at=now + seconds,
            call_id=500_000 + number,
            minutes=1 + number % 3,
            bridge_cents=6 if number % 4 == 0 else 0,
        )
        self.runs.append(run)
        return run

    async def _list_runs(self, request: Request) -> Response:
        self.requests.append(request.url.path)
        return JSONResponse([self._shown_run(run) for run in self._page(request, self.runs[::-1])])

    async def _list_batches(self, request: Request) -> Response:
        return JSONResponse([self._shown_batch(batch_id) for batch_id in self._page(request, [*self._batches][::-1])])

    def _page(self, request: Request, rows: list[Any]) -> list[Any]:
        offset = int(request.query_params.get("offset", 0))
        return rows[offset : offset + min(200, int(request.query_params.get("limit", 50)))]

    def _shown_run(self, run: FakeRun) -> dict[str, Any]:
        ended = run.ended_at <= self.now()
        return {
            "id": run.id,
            "status": "completed" if ended else "in_progress",
            "target_type": run.request["target_type"],
            "target_id": run.request["target_id"],
            "direction": run.request["direction"],
            "mode": "bot",
            "target_number": "+14155550199",
            "scenario_prompt": run.prompt,
            "charge_multiplier": MULTIPLIER,
            "estimated_cost_cents": RATE_CENTS * MULTIPLIER,
            "call_id": run.call_id if ended else None,
            "error_message": "",
            "created_at": _moment(run.created_at),
            "completed_at": _moment(run.ended_at) if ended else None,
            "batch_id": run.batch_id,
        }

    def _shown_batch(self, batch_id: int) -> dict[str, Any]:
        runs = [self.runs[run_id - 1] for run_id in self._batches[batch_id]]
        request = runs[0].request
        return {
            "id": batch_id,
            "status": "running",
            "name": request.get("name", ""),
            "target_type": request["target_type"],
            "target_id": request["target_id"],
            "direction": request["direction"],
            "scenario_prompts": [run.prompt for run in runs],
            "run_count": len(runs),
            "total_runs": len(runs),
            "created_at": _moment(runs[0].created_at),
            "run_ids": [run.id for run in runs],
        }

    def _run_of(self, request: Request) -> FakeRun:
        self.requests.append(request.url.path)
        return self.runs[request.path_params["call_id"] - 500_001]

    async def _call(self, request: Request) -> Response:
        run = self._run_of(request)
        is_late = self._is(run, self.late_bill_every) and self.now() < run.ended_at + LATE_SECONDS
        return JSONResponse(
            {
                "call_id": run.call_id,
                "agent_id": 12,
                "status": "completed",
                "end_reason": "caller_hangup",
                "duration_seconds": run.minutes * 60 - 6,
                "product": "spark",
                "billing_total_cents": None if is_late else self.call_cents(run),
                "grade_status": "pending",
            }
        )

    async def _transcript(self, request: Request) -> Response:
        turns = [{"role": "agent", "content": "Clinic, hello.", "start_ms": 0, "end_ms": 900}]
        return JSONResponse({"call_id": self._run_of(request).call_id, "transcripts": turns})

    async def _history(self, request: Request) -> Response:
        self._run_of(request)
        return JSONResponse([])

    async def _agent(self, _: Request) -> Response:
        return JSONResponse({"id": 12, "name": "Clinic", "product": "spark", "updated_at": "2026-11-01T09:00:00Z"})

    async def _billing(self, _: Request) -> Response:
        return JSONResponse({"balance_cents": 1_000_000 - self.charged(), "currency": "usd"})

    async def _transactions(self, request: Request) -> Response:
        self.requests.append(request.url.path)
        match self.transactions:
            case "forbidden":
                return JSONResponse({"detail": "You do not have permission to perform this action."}, 403)
            case "missing":
                return JSONResponse({"detail": "Not found."}, 404)
            case "garbage":
                return Response("<html>502 Bad Gateway</html>", media_type="text/html")
            case "endless":
                first = int(request.query_params["offset"])
                rows = [_row(10**9 - first - number, self.now(), "call_usage", -16, None) for number in range(200)]
                return JSONResponse({"results": rows, "total": 10**9, "limit": 200, "offset": first})
            case "served":
                rows = self._rows()
                page = self._page(request, rows)
                offset = int(request.query_params.get("offset", 0))
                return JSONResponse({"results": page, "total": len(rows), "limit": 200, "offset": offset})

    def _rows(self) -> list[dict[str, Any]]:
        """Newest first; beside those of the runs, others' calls, top-ups, repeated rows and rows that make no sense."""
        now = self.now()
        rows: list[dict[str, Any]] = []
        for run in sorted(self.runs, key=lambda run: (self._listed_at(run), run.id)):
            at = self._listed_at(run)
            if at > now:
                break
            amount = -run.minutes * RATE_CENTS * MULTIPLIER
            if self._is_unreadable(run):
                amount = None if run.id % 2 else -(10**14)
            rows.append(_row(run.id * 10, at, "call_usage", amount, run.call_id))
            if run.bridge_cents:
                rows.append(_row(run.id * 10 + 1, at, "transfer_bridge", run.bridge_cents, run.call_id))
            if run.id % 6 == 0:
                rows.append(rows[-1])  # shown twice
                rows.append(_row(run.id * 10 + 2, at, "manual_topup", 5_000, None))
                rows.append(_row(run.id * 10 + 3, at, "call_usage", -40, 9))
                rows.append(_row(run.id * 10 + 4, at, "adjustment", -1, run.call_id))
        return rows[::-1]


def _row(number: int, at: float, kind: str, amount_cents: int | None, call_id: int | None) -> dict[str, Any]:
    return {
        "id": number,
        "kind": kind,
        "amount_cents": amount_cents,
        "call_id": call_id,
        "created_at": _moment(at),
        "description": kind.replace("_", " "),
        "metadata": {},
    }


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def plan(cases: int, runs: int) -> str:
    """A plan file that makes `cases` times `runs` calls."""
    names = json.dumps([f"Caller {number}" for number in range(1, cases + 1)])
    return (
        "version: 1\nplan: bills\ntargets: {clinic: {agent: 12}}\nscenarios:\n  hello:\n"
        "    prompt: You are {{ name }}, calm. Say hello.\n"
        f"    matrix: {{axes: {{name: {names}}}}}\n    runs: {runs}\n    expect:\n      - {{check: call, status: completed}}\n"
    )
