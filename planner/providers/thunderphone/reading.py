"""Reads the evidence of one ended run, part by part.

The history is read only if the transcript has no tool calls; in one dialect it never has. An empty transcript of a call
with speech time counts as missing while the run is fresh: judged as silence, it would fail a correct agent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from planner.errors import NotFoundError
from planner.evidence import Evidence
from planner.providers.base import CallId, Charges, Run
from planner.providers.thunderphone.evidence import evidence_from_wire
from planner.providers.thunderphone.tool_record import TOOL_CALL_ROLES
from planner.providers.thunderphone.wire import WireCall, WireGrade, WireTurn

if TYPE_CHECKING:
    from planner.providers.thunderphone.client import ApiClient

SHORT_CALL_SECONDS = 10.0
"""On shorter calls maybe nobody spoke, so an empty transcript is awaited only this long."""


@dataclass(slots=True)
class CallReading:
    """The parts read so far."""

    client: ApiClient
    run: Run
    charges: Charges
    await_grade: bool
    is_fresh: bool
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

    def complete(self, waited_seconds: float) -> bool:
        if self.call is None or not self._is_settled(self.call[0]) or self._is_charge_to_come(self.call[0]):
            return False
        return self._has_transcript(waited_seconds) and (self._is_graded or not self.await_grade)

    async def finish(self) -> Evidence:
        """Also reads the parts that are read only once. A run without a call has no parts."""
        if self.run.call_id is None:
            return evidence_from_wire(self.run, None, None, None, None)
        is_late = not self.transcript and self.is_fresh and self._connected_seconds >= SHORT_CALL_SECONDS
        has_tool_turns = any((turn.role or "").lower() in TOOL_CALL_ROLES for turn in self.transcript or ())
        if not has_tool_turns:
            self.history = await self.client.history(self.call_id)
        if is_late:  # transcript and history are written together
            self.transcript, self.history = None, self.history or None
        if not self.await_grade and self._may_have_grade:
            self.grade = await self.client.grade(self.call_id)
        charged_cents = self.charges.charged_cents(self.call_id)
        return evidence_from_wire(self.run, self.call, self.transcript, self.history, self.grade, charged_cents)

    @property
    def call_id(self) -> CallId:
        assert self.run.call_id is not None
        return self.run.call_id

    async def _read_call(self) -> tuple[WireCall, Mapping[str, Any]] | None:
        try:
            return await self.client.call(self.call_id)
        except NotFoundError:
            return None  # a call id may appear before its call can be read

    def _has_transcript(self, waited_seconds: float) -> bool:
        if self.transcript or not self._connected_seconds:
            return True
        return self.transcript is not None and self._connected_seconds < SHORT_CALL_SECONDS <= waited_seconds

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
        charged = self.charges.charged_cents(self.call_id) is not None
        return call.status == "failed" or (call.status == "completed" and (billed or charged))

    def _is_charge_to_come(self, call: WireCall) -> bool:
        """Whether its transaction is still expected. A free call has none."""
        cents = call.billing_total_cents
        costs = call.status == "completed" if cents is None else cents > 0
        return costs and self.charges.is_awaited(self.call_id)
