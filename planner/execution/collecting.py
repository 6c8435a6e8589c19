"""Fetching the evidence of one ended run, once; what comes late is awaited up to a bound, and read again another time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from planner.api.client import ApiClient
from planner.api.wire import WireCall, WireGrade, WireRun, WireTurn
from planner.errors import NotFoundError
from planner.evidence import Evidence
from planner.evidence.reading import evidence_from_wire
from planner.evidence.tool_record import TOOL_CALL_ROLES
from planner.execution.clock import Clock
from planner.execution.transactions import Transactions

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
SHORT_CALL_SECONDS = 10.0
"""On a call shorter than this it may be that nobody spoke; so long an empty transcript of one is looked at again."""
SILENCE_SECONDS = 3600.0
"""A transcript that is still empty so long after the run's end is not late: nobody spoke."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long late parts of a run's evidence are awaited, and which."""

    seconds: float = 0.0
    """In all; 0: one look."""
    grade: bool = False
    ended_seconds_ago: float = 0.0
    on_late: Callable[[], None] | None = None
    """Called once, when not everything is there at the first look."""


async def collect(
    client: ApiClient, run: WireRun, patience: Patience, *, clock: Clock, transactions: Transactions
) -> Evidence:
    """Everything that the service has of an ended run, awaited together.

    The history is read only where the transcript shows no tool call (the transcript of one dialect never does). An empty
    transcript of a call that lasted is taken for a late one, so for none, until the run has ended an hour ago: judged as
    silence it would fail an agent that said what it should. Its transactions are read by others, for all calls at once.

    Raises:
        IncompleteError: the service cannot be read now; nothing is lost, it is collected another time.
    """
    if run.call_id is None:
        return evidence_from_wire(run, None, None, None, None)
    is_fresh = patience.ended_seconds_ago < SILENCE_SECONDS
    reading = _Reading(client, run.call_id, patience.grade, is_fresh, transactions)
    started = clock.monotonic()
    pause = FIRST_PAUSE_SECONDS
    while True:
        waited = clock.monotonic() - started
        await reading.look(last=waited >= patience.seconds)
        await transactions.finished_reading()
        if waited >= patience.seconds or reading.complete(waited):
            break
        if pause == FIRST_PAUSE_SECONDS and patience.on_late is not None:
            patience.on_late()
        await clock.sleep(min(pause, patience.seconds - waited))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    await reading.finish()
    charged_cents = transactions.charged_cents(run.call_id)
    return evidence_from_wire(run, reading.call, reading.transcript, reading.history, reading.grade, charged_cents)


@dataclass(slots=True)
class _Reading:
    """What has been read so far of one call; each part until it is final."""

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
        return self._has_words(waited) and (self._is_graded or not self.await_grade)

    async def finish(self) -> None:
        """What is read once, at the end."""
        is_late = not self.transcript and self.is_fresh and self._connected_seconds >= SHORT_CALL_SECONDS
        spoken_tools = any((turn.role or "").lower() in TOOL_CALL_ROLES for turn in self.transcript or ())
        if not spoken_tools:
            self.history = await self.client.history(self.call_id)
        if is_late:  # both are written up together
            self.transcript, self.history = None, self.history or None
        if not self.await_grade and self._tells_a_grade:
            self.grade = await self.client.grade(self.call_id)

    async def _read_call(self) -> tuple[WireCall, Mapping[str, Any]] | None:
        try:
            return await self.client.call(self.call_id)
        except NotFoundError:
            return None  # call ids may be told before the call can be read

    def _has_words(self, waited: float) -> bool:
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
    def _tells_a_grade(self) -> bool:
        status = self.call[0].grade_status if self.call else None
        return status not in (None, "pending", "skipped_recording_disabled")

    def _is_settled(self, call: WireCall) -> bool:
        """Ended, and billed where this service shows bills at all."""
        billed = call.billing_total_cents is not None or "billing_total_cents" not in call.model_fields_set
        charged = self.transactions.charged_cents(self.call_id) is not None
        return call.status == "failed" or (call.status == "completed" and (billed or charged))

    def _is_charge_to_come(self, call: WireCall) -> bool:
        """Of a call that costs nothing there is no transaction."""
        cents = call.billing_total_cents
        costs = call.status == "completed" if cents is None else cents > 0
        return costs and self.transactions.is_awaited(self.call_id)
