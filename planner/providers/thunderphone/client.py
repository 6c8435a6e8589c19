"""Operations of the API in both dialects of test calls.

Reads are retried a few times. A write is sent exactly once; the caller decides whether to repeat it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import pydantic_core
from pydantic import TypeAdapter

from planner import __version__
from planner.clock import Clock
from planner.errors import CredentialError, NotFoundError
from planner.evidence import RunStatus
from planner.key_redaction import KeyRedactor
from planner.network.transport import InProcessTransport, Transport
from planner.providers.base import (
    PAGE_LIMIT,
    Balance,
    Batch,
    BatchId,
    CallId,
    Charged,
    Charges,
    Launched,
    LaunchRequest,
    Page,
    Run,
)
from planner.providers.requests import NO_HOOKS, RequestHooks
from planner.providers.thunderphone.agents import AgentClient
from planner.providers.thunderphone.answers import Decoder, decoder, page_decoder, validated
from planner.providers.thunderphone.connection import DEFERRED, OBJECT, UNLIMITED, ApiRequest
from planner.providers.thunderphone.evidence import CallReading, bill_of
from planner.providers.thunderphone.grades import ScoreScale
from planner.providers.thunderphone.listed_parts import ListedParts
from planner.providers.thunderphone.transactions import charged
from planner.providers.thunderphone.wire import (
    WireBatch,
    WireBilling,
    WireCall,
    WireGrade,
    WireRun,
    WireTransactions,
    WireTranscript,
    WireTurn,
)
from planner.values import frozen

TEST_CALLS: Final = "/v1/test-calls"
BATCHES: Final = {TEST_CALLS: "/v1/test-call-batches", "/v1/simulations": "/v1/simulations/batches"}
"""The path of batches by the path of runs. The service has two pairs, with the same models."""


@frozen
class Account:
    """Where to make test calls, and with which key."""

    base_url: str
    key: str
    runs_path: str = TEST_CALLS

    @property
    def credential(self) -> str:
        """Launches on one path may not be listed on the other, so each path counts as another key."""
        address = self.base_url if self.runs_path == TEST_CALLS else f"{self.base_url}{self.runs_path}"
        return sha256(f"{address} {self.key}".encode()).hexdigest()[:16]


def request_body(request: LaunchRequest) -> dict[str, Any]:
    line = request.line
    body: dict[str, Any] = {
        "target_type": line.target_type,
        "target_id": line.target_id,
        "direction": line.direction,
        "consent_to_charge": True,
    }
    if line.mode != "bot":  # the default in one dialect, unknown in the other
        body["mode"] = line.mode
    if line.target_number is not None:
        body["target_number"] = line.target_number
    if len(request.prompts) == 1 and not request.is_batch:
        return body | {"scenario_prompt": request.prompts[0]}
    return body | {
        "scenario_prompts": list(request.prompts),
        "run_count": len(request.prompts),
        "stagger_seconds": 0,
        "name": request.name,
    }


class ApiClient(AgentClient):
    """One account at the service."""

    def __init__(
        self,
        transport: Transport,
        *,
        clock: Clock,
        hooks: RequestHooks = NO_HOOKS,
        credential: str = "",
        runs_path: str = TEST_CALLS,
    ) -> None:
        super().__init__(transport, clock, hooks)
        self.credential = credential
        """A digest of the API key."""
        self.scores = ScoreScale()
        self.listed = ListedParts()
        self._runs_path, self._batches_path = runs_path, BATCHES[runs_path]

    # Launching

    async def launch(self, request: LaunchRequest, *, on_sending: Callable[[], None]) -> Launched:
        """As the protocol says. One prompt uses the single endpoint; more become a batch."""
        is_single = len(request.prompts) == 1 and not request.is_batch
        path = self._runs_path if is_single else self._batches_path
        post = ApiRequest("POST", path, body=pydantic_core.to_json(request_body(request)), on_sending=on_sending)
        if is_single:
            run = (await self._exchange(post, _RUN)).plain()
            return Launched(run.batch_id, (run.id,), run, run.requester_id)
        batch = await self._exchange(post, _BATCH)
        return Launched(batch.id, tuple(dict.fromkeys(batch.run_ids)), None, batch.requester_id)

    # Reading

    async def runs(self, *, offset: int = 0, limit: int = PAGE_LIMIT) -> Page[Run]:
        return await self._list(self._runs_path, _RUNS, limit=limit, offset=offset)

    async def batches(self, *, offset: int = 0, limit: int = PAGE_LIMIT) -> Page[Batch]:
        return await self._list(self._batches_path, _BATCHES, limit=limit, offset=offset)

    async def batch(self, batch_id: BatchId) -> Batch:
        return (await self._read(f"{self._batches_path}/{batch_id}", _BATCH)).plain()

    def reading(self, run: Run, charges: Charges, *, await_grade: bool, is_fresh: bool) -> CallReading:
        return CallReading(self, run, charges, await_grade, is_fresh)

    async def bill_cents(self, run: Run, charged_cents: int | None) -> int | None:
        call = None
        if run.call_id is not None and charged_cents is None:
            call, _ = await self.call(run.call_id)
        return bill_of(run, call, charged_cents).get("cost_cents")

    async def charges(self, calls: Mapping[CallId, datetime]) -> Charged:
        return await charged(self.transactions, calls)

    async def call(self, call_id: CallId) -> tuple[WireCall, dict[str, Any]]:
        """The call, and its JSON object."""
        path = f"/v1/calls/{call_id}"
        document = await self._read(path, OBJECT)
        return validated(_CALL, document, f"GET {path}"), document

    async def transcript(self, call_id: CallId) -> list[WireTurn] | None:
        """The turns; None if the service has no transcript."""
        try:
            transcript = await self._read(f"/v1/calls/{call_id}/transcript", _TRANSCRIPT)
        except NotFoundError:
            return None
        return transcript.transcripts if isinstance(transcript, WireTranscript) else transcript

    async def history(self, call_id: CallId) -> list[dict[str, Any]] | None:
        """The structured history; None if there is none."""
        try:
            return await self._read(f"/v1/calls/{call_id}/history", _OBJECTS)
        except NotFoundError:
            return None

    async def grade(self, call_id: CallId) -> WireGrade | None:
        try:
            return await self._read(f"/v1/calls/{call_id}/grade", _GRADE)
        except NotFoundError:
            return None

    async def billing(self) -> WireBilling:
        return await self._read("/v1/billing", _BILLING)

    async def balance(self) -> Balance | None:
        try:
            billing = await self.billing()
        except (NotFoundError, CredentialError):
            return None
        budget_is_set = (billing.test_call_budget_cents or 0) > 0  # none is shown as 0 or null
        return Balance(
            billing.balance_cents,
            limit_reached=bool(billing.spending_limit_reached),
            test_budget_left_cents=billing.test_call_budget_remaining_cents if budget_is_set else None,
            monthly_limit_cents=billing.monthly_spending_limit_cents,
        )

    async def transactions(self, *, offset: int = 0, limit: int = PAGE_LIMIT) -> tuple[list[Any], int | None]:
        """One page of the account's transactions, newest first and not validated, and their total if known."""
        page = await self._read("/v1/billing/transactions", _TRANSACTIONS, UNLIMITED, limit=limit, offset=offset)
        return (page.results, page.total) if isinstance(page, WireTransactions) else (page, None)


def connect(
    account: Account, *, clock: Clock, hooks: RequestHooks, redactor: KeyRedactor, app: Any = None
) -> ApiClient:
    """A client of the service, or of `app` in this process."""
    headers = {
        "Authorization": f"Bearer {account.key}",
        "X-ThunderPhone-Client": f"thunderphone-planner/{__version__}",
    }
    transport: Transport
    if app is not None:
        transport = InProcessTransport(app, headers, keys=redactor)
    else:
        from planner.network.http import HttpxTransport  # late: the sandbox needs no httpx, a tenth of `plan`'s start

        transport = HttpxTransport(account.base_url, headers, keys=redactor)
    return ApiClient(transport, clock=clock, hooks=hooks, credential=account.credential, runs_path=account.runs_path)


def _plain_batch(batch: WireBatch, problem: str) -> Batch | None:
    """A batch that cannot be read is dropped: its runs name it, too."""
    return None if problem else batch.plain()


_RUN_ROW = TypeAdapter(WireRun)
_BATCH_ROW = TypeAdapter(WireBatch)
_RUN = decoder(_RUN_ROW)
_RUNS = page_decoder(TypeAdapter(list[WireRun], config=DEFERRED), _RUN_ROW, WireRun.plain, status=RunStatus.UNDER_WAY)
_BATCH = decoder(_BATCH_ROW)
_BATCHES = page_decoder(TypeAdapter(list[WireBatch], config=DEFERRED), _BATCH_ROW, _plain_batch)
_CALL = TypeAdapter(WireCall)
_TRANSCRIPT: Decoder[WireTranscript | list[WireTurn]] = decoder(
    TypeAdapter(WireTranscript | list[WireTurn], config=DEFERRED)
)
_GRADE = decoder(TypeAdapter(WireGrade))
_BILLING = decoder(TypeAdapter(WireBilling))
_TRANSACTIONS: Decoder[WireTransactions | list[Any]] = decoder(
    TypeAdapter(WireTransactions | list[Any], config=DEFERRED)
)
_OBJECTS = decoder(TypeAdapter(list[dict[str, Any]], config=DEFERRED))
