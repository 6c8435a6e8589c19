"""Reads the evidence of one ended run, and converts it from wire models. The two dialects name roles differently;
evidence does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast, get_args

import pydantic_core

from planner.errors import NotFoundError
from planner.evidence import MAX_BITS, Call, Evidence, Role, ToolCall, Turn, UnreadPart
from planner.providers.base import CallId, Charges, Run
from planner.providers.thunderphone.grades import grade_from_wire, name_of
from planner.providers.thunderphone.tool_record import (
    AGENT_ROLES,
    CALLER_ROLES,
    SILENT_ROLES,
    TOOL_CALL_ROLES,
    TOOL_RESULT_ROLES,
    ToolRecord,
    hides_tools,
    milliseconds,
    record_of_history,
)
from planner.providers.thunderphone.wire import HIGHEST_CENTS, WireCall, WireGrade, WireTurn
from planner.secret_values import hide_secrets

if TYPE_CHECKING:
    from planner.providers.thunderphone.client import ApiClient


def evidence_from_wire(
    run: Run,
    call: tuple[WireCall, Mapping[str, Any]] | None,
    transcript: Sequence[WireTurn] | None,
    history: Sequence[Mapping[str, Any]] | None,
    grade: WireGrade | None,
    charged_cents: int | None = None,
) -> Evidence:
    """The evidence of an ended run. `None` means that the service did not have the part; `charged_cents` is the sum of
    its transactions."""
    unread: set[UnreadPart] = set()
    turns, record = _turns_and_tools(transcript, unread)
    tools: tuple[ToolCall, ...] | None = record.finish()
    if not tools:
        # A transcript without tool turns does not prove that no tool was called; a history does, unless both are empty.
        if history:
            record = record_of_history(history)
        tools = None if history is None else record.finish()
        unread.update(("tools",) if not history and not turns else ())
    unread |= record.unread
    return Evidence(
        run_id=run.id,
        run_status=run.status,
        error_message=run.error_message or "",
        call=None if call is None or run.call_id is None else _call(run.call_id, *call),
        turns=turns,
        tools=tools,
        grade=grade_from_wire(call[0] if call else None, grade, call[1] if call else {}),
        **bill_of(run, call[0] if call else None, charged_cents),
        service_estimate_cents=None if (run.estimated_cents or 0) < 0 else run.estimated_cents,
        unread=tuple(part for part in get_args(UnreadPart) if part in unread),
    )


def _call(call_id: int, call: WireCall, document: Mapping[str, Any]) -> Call:
    return Call(
        call_id=call_id,
        status=call.status or "unknown",
        end_reason=call.end_reason or None,
        duration_seconds=call.duration_seconds if (call.duration_seconds or 0) >= 0 else None,
        product=call.product,
        transferred_to=call.transfer_destination or None,
        variant_id=_identifier(call.agent_variant_id),
        variant_label=name_of(call.agent_variant_label),
        document=hide_secrets(cast("dict[str, Any]", _readable(document))),
    )


def _readable(document: object) -> object:
    """Remove signed URLs, which are credentials, and numbers that nothing can be computed with, at any depth."""
    if isinstance(document, Mapping):
        fields = cast("Mapping[str, object]", document)
        return {
            key: _readable(value)
            for key, value in fields.items()
            if "url" not in key.lower() and not _is_unreadable(value)
        }
    if isinstance(document, list):
        return [None if _is_unreadable(item) else _readable(item) for item in cast("list[object]", document)]
    return document


def _is_unreadable(value: object) -> bool:
    return isinstance(value, int) and value.bit_length() > MAX_BITS


def bill_of(run: Run, call: WireCall | None, charged_cents: int | None) -> dict[str, Any]:
    """The transactions decide; without them, the bill of the call."""
    if charged_cents is not None:
        return {"cost_cents": charged_cents, "cost_basis": "transaction"}
    if run.call_id is None:
        return {"cost_cents": 0} if run.status.has_failed else {}  # no call, no bill
    cents = None if call is None else call.billing_total_cents
    if cents is None or not 0 <= cents <= HIGHEST_CENTS:
        return {"bill_pending": call is not None and "billing_total_cents" in call.model_fields_set}
    return {"cost_cents": round(cents), "cost_basis": "call"}


def _identifier(value: object) -> int | str | None:
    """An identifier as the service writes it; None if it is neither an integer nor a string."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return value if value != "" else None


def _turns_and_tools(
    transcript: Sequence[WireTurn] | None, unread: set[UnreadPart]
) -> tuple[tuple[Turn, ...] | None, ToolRecord]:
    """Turns and tool calls of a transcript. Turns are None if no role is known."""
    record = ToolRecord()
    if transcript is None:
        return None, record
    turns: list[Turn] = []
    timed = _has_times(transcript)
    for wire in transcript:
        role = (wire.role or "").lower()
        number = len(turns) + 1
        if role in TOOL_CALL_ROLES:
            tool = record.call(wire.content, turn=number, start_ms=milliseconds(wire.start_ms), ids=wire.ids)
            arguments = _compact(tool.arguments) if tool.has_arguments else "arguments missing"
            kind, text = Role.TOOL, f"{tool.name}({arguments})"
        elif role in TOOL_RESULT_ROLES:
            result = record.answer(wire.content, ids=wire.ids, name=wire.name)
            kind, text = Role.TOOL, _compact(result)
        elif role in AGENT_ROLES or role in CALLER_ROLES:
            kind = Role.AGENT if role in AGENT_ROLES else Role.CALLER
            unread.update(("tools",) if wire.tool_calls or hides_tools(wire.content) else ())
            text = "" if wire.content is None else _compact(wire.content)
            unread.update(() if isinstance(wire.content, str | list | dict) else ("turns",))
        else:
            # An unknown role may be any speaker, or a tool.
            unread.update(() if role in SILENT_ROLES else ("turns", "tools"))
            continue
        start, end = (milliseconds(wire.start_ms), milliseconds(wire.end_ms)) if timed else (None, None)
        turns.append(
            Turn(
                number=number,
                role=kind,
                text=text,
                start_ms=start,
                end_ms=end if start is None or end is None or end >= start else None,
                ttfa_ms=milliseconds(wire.ttfa_ms) if timed else None,
            )
        )
    if not any(turn.text.strip() for turn in turns if turn.role is not Role.TOOL):
        unread.add("turns")  # nobody spoke, or nothing was recorded
    return (None if transcript and not turns else tuple(turns)), record


def _has_times(transcript: Sequence[WireTurn]) -> bool:
    """Whether times are usable: not if all turns start at the same time."""
    return len(transcript) < 2 or len({milliseconds(turn.start_ms) for turn in transcript} | {None}) != 2


def _compact(content: object) -> str:
    return content if isinstance(content, str) else pydantic_core.to_json(content).decode()


SHORT_CALL_SECONDS = 10.0
"""On shorter calls maybe nobody spoke, so an empty transcript is awaited only this long."""


@dataclass(slots=True)
class CallReading:
    """The parts read so far.

    The history is read only if the transcript has no tool calls; in one dialect it never has. An empty transcript of a
    call with speech time counts as missing while the run is fresh: judged as silence, it would fail a correct agent.
    """

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
            self.transcript = await self._read_transcript()
        if self.await_grade and not self._is_graded:
            self.grade = await self._read_grade()

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
            self.grade = await self._read_grade()
        charged_cents = self.charges.charged_cents(self.call_id)
        evidence = evidence_from_wire(self.run, self.call, self.transcript, self.history, self.grade, charged_cents)
        return self.client.scores.completed(evidence, self.call[0] if self.call else None, self.grade)

    @property
    def call_id(self) -> CallId:
        assert self.run.call_id is not None
        return self.run.call_id

    async def _read_call(self) -> tuple[WireCall, Mapping[str, Any]] | None:
        try:
            return await self.client.call(self.call_id)
        except NotFoundError:
            return None  # a call id may appear before its call can be read

    async def _read_transcript(self) -> list[WireTurn] | None:
        listed = self.client.listed.transcript(self.run, self.call[0] if self.call else None)
        if listed is not None:
            return listed
        read = await self.client.transcript(self.call_id)
        self.client.listed.compare_transcript(self.run, read)
        return read

    async def _read_grade(self) -> WireGrade | None:
        listed = self.client.listed.grade(self.run, self.call[0] if self.call else None)
        if listed is not None:
            return listed
        read = await self.client.grade(self.call_id)
        self.client.listed.compare_grade(self.run, read)
        return read

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
