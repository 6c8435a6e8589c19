"""Fetches the evidence of one ended run. Parts that come late are awaited up to a limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from planner.api.client import ApiClient
from planner.api.wire import WireCall, WireGrade, WireRun, WireTurn
from planner.clock import Clock
from planner.errors import NotFoundError
from planner.evidence import Evidence
from planner.evidence.from_wire import evidence_from_wire
from planner.evidence.tool_record import TOOL_CALL_ROLES
from planner.execution.transactions import Transactions

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
SHORT_CALL_SECONDS = 10.0
"""On shorter calls maybe nobody spoke, so an empty transcript is awaited only this long."""
SILENCE_SECONDS = 3600.0
"""If a transcript is still empty this long after the run's end, nobody spoke."""


@dataclass(frozen=True, slots=True)
class WaitPolicy:
    """How long to wait for late parts of a run's evidence, and for which."""

    seconds: float = 0.0
    """Total; 0 reads once."""
    grade: bool = False
    ended_seconds_ago: float = 0.0
    on_late: Callable[[], None] | None = None
    """Called once if the first read is incomplete."""


async def collect(
    client: ApiClient, run: WireRun, wait: WaitPolicy, *, clock: Clock, transactions: Transactions
) -> Evidence:
    """Read everything that the service has of an ended run.

    The history is read only if the transcript has no tool calls; in one dialect it never has. An empty transcript of a
    call with speech time counts as missing for an hour: judged as silence, it would fail a correct agent. Transactions
    are read elsewhere, for all calls together.

    Raises:
        IncompleteError: the service cannot be read now. Retry later; nothing is lost.
    """
    if run.call_id is None:
        return evidence_from_wire(run, None, None, None, None)
    is_fresh = wait.ended_seconds_ago < SILENCE_SECONDS
    reading = _Reading(client, run.call_id, wait.grade, is_fresh, transactions)
    started = clock.monotonic()
    pause = FIRST_PAUSE_SECONDS
    while True:
        waited = clock.monotonic() - started
        await reading.look(last=waited >= wait.seconds)
        await transactions.finished_reading()
        if waited >= wait.seconds or reading.complete(waited):
            break
        if pause == FIRST_PAUSE_SECONDS and wait.on_late is not None:
            wait.on_late()
        await clock.sleep(min(pause, wait.seconds - waited))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    await reading.finish()
    charged_cents = transactions.charged_cents(run.call_id)
    return evidence_from_wire(run, reading.call, reading.transcript, reading.history, reading.grade, charged_cents)


@dataclass(slots=True)
class _Reading:
    """The parts read so far; each is read until it is final."""

    client: ApiClient
    call_id: int
    await_grade: bool
    is_fresh: bool
    transactions: Transactions
    call: tuple[WireCall, Mapping[str, Any]] | None = None
    transcript: list[WireTurn] | None = None
    history: list[dict[str, Any]] | None = None
    grade: WireGrade | None = None

    async def look(self, *, last: bool) -> None:
        if self.call is None or not self._is_settled(self.call[0]):
            self.call = await self._read_call()
        if not (last or self._has_ended):
            return
        if not self.transcript:
            self.transcript = await self.client.transcript(self.call_id)
        if self.await_grade and not self._is_graded:
            self.grade = await self.client.grade(self.call_id)

    def complete(self, waited: float) -> bool:
        if self.call is None or not self._is_settled(self.call[0]) or self._is_charge_to_come(self.call[0]):
            return False
        return self._has_transcript(waited) and (self._is_graded or not self.await_grade)

    async def finish(self) -> None:
        """Read the parts that are read only once."""
        is_late = not self.transcript and self.is_fresh and self._connected_seconds >= SHORT_CALL_SECONDS
        has_tool_turns = any((turn.role or "").lower() in TOOL_CALL_ROLES for turn in self.transcript or ())
        if not has_tool_turns:
            self.history = await self.client.history(self.call_id)
        if is_late:  # transcript and history are written together
            self.transcript, self.history = None, self.history or None
        if not self.await_grade and self._may_have_grade:
            self.grade = await self.client.grade(self.call_id)

    async def _read_call(self) -> tuple[WireCall, Mapping[str, Any]] | None:
        try:
            return await self.client.call(self.call_id)
        except NotFoundError:
            return None  # a call id may appear before its call can be read

    def _has_transcript(self, waited: float) -> bool:
        if self.transcript or not self._connected_seconds:
            return True
        return self.transcript is not None and self._connected_seconds < SHORT_CALL_SECONDS <= waited

    @property
    def _has_ended(self) -> bool:
        return self.call is not None and self.call[0].status in ("completed", "failed")

    @property
    def _connected_seconds(self) -> float:
        call = self.call[0] if self.call else None
        return (call.duration_seconds or 0.0) if call is not None and call.status == "completed" else 0.0

    @property
    def _is_graded(self) -> bool:
        return self.grade is not None and self.grade.status != "pending"

    @property
    def _may_have_grade(self) -> bool:
        status = self.call[0].grade_status if self.call else None
        return status not in (None, "pending", "skipped_recording_disabled")

    def _is_settled(self, call: WireCall) -> bool:
        """Ended, and billed if this service shows bills."""
        billed = call.billing_total_cents is not None or "billing_total_cents" not in call.model_fields_set
        charged = self.transactions.charged_cents(self.call_id) is not None
        return call.status == "failed" or (call.status == "completed" and (billed or charged))

    def _is_charge_to_come(self, call: WireCall) -> bool:
        """Whether its transaction is still expected. A free call has none."""
        cents = call.billing_total_cents
        costs = call.status == "completed" if cents is None else cents > 0
        return costs and self.transactions.is_awaited(self.call_id)
