"""What happened on one call, in one vocabulary whatever the service's dialect; immutable once collected.

Missing data stays missing: `None` means the service did not tell, never zero, never empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from hashlib import sha256
from typing import Any, Literal, cast

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field

from planner.api.wire import WireCall, WireGrade, WireRun, WireTurn

SCHEMA_VERSION = "1.0"


class Role(Enum):
    AGENT = "agent"
    """The agent under test."""
    CALLER = "caller"
    """The test bot."""
    TOOL = "tool"
    """A tool call of the agent, or its result."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Turn(_Frozen):
    """One turn. `number` counts from 1 over all turns as reports show them; times count from the recording's start."""

    number: int
    role: Role
    text: str
    start_ms: int | None = None
    end_ms: int | None = None
    ttfa_ms: int | None = None
    """Agent turns: time to first audio."""


class ToolCall(_Frozen):
    """A tool call of the agent. `turn` is the number of the turn that made it, None when only the history told of it."""

    name: str
    arguments: dict[str, Any] = {}
    has_result: bool = False
    result: Any = None
    turn: int | None = None
    start_ms: int | None = None


class Call(_Frozen):
    call_id: int
    status: str
    """`completed` or `failed`, as the service says it."""
    end_reason: str | None = None
    duration_seconds: float | None = None
    product: str | None = None
    transferred_to: str | None = None
    document: dict[str, Any] = {}
    """The call object as received, less signed URLs: for checks that name a path into it."""


class Grade(_Frozen):
    """The platform's own grade. `score` is 0..1 in every dialect."""

    status: str
    score: float | None = None
    outcome: str | None = None
    goal: str | None = None
    issues: int | None = None
    critical_issues: int | None = None
    summary: str | None = None


MASK = "•"
LEFT_OUT = "[redacted]"
"""What stands for what others may not see: for each digit of a number, and for a text that a project lists."""

RedactedPart = Literal["turns", "tools", "transferred_to", "document", "grade", "error_message"]
"""A part of `Evidence` (two of them the call's) in which a shared store left something out."""


class Evidence(_Frozen):
    """One run. `turns` and `tools` are None when the service had no transcript to give (not: an empty one)."""

    schema_version: str = SCHEMA_VERSION
    run_id: int
    run_status: str
    """`completed` or `failed`: the run's, as distinct from the call's."""
    error_message: str = ""
    call: Call | None = None
    turns: tuple[Turn, ...] | None = None
    tools: tuple[ToolCall, ...] | None = None
    grade: Grade | None = None
    cost_cents: int | None = None
    """What the run was billed, the test multiplier included; None while the bill is not known."""
    service_estimate_cents: int | None = None
    """What the service expected it to cost when it was launched; not a bill."""
    redacted: tuple[RedactedPart, ...] = ()
    """What is not as the service told it: phone numbers, and what the project does not want others to see, are left out. A check
    that needs it cannot be decided."""
    unread: tuple[Literal["turns", "tools"], ...] = Field(default=(), exclude_if=lambda parts: not parts)
    """Where the service told what we cannot read: a speaker, words, a tool. What is not there may be that. Stored only where
    there is some, so that older records are the same as ever."""

    @property
    def call_id(self) -> int | None:
        return self.call.call_id if self.call else None

    @property
    def duration_seconds(self) -> float | None:
        return self.call.duration_seconds if self.call else None

    def to_bytes(self) -> bytes:
        return self.model_dump_json().encode()


Part = Literal["call", "transcript", "history", "grade", "bill"]
"""What a service tells of a run, each of which may come late."""


def missing_parts(evidence: Evidence, *, grade_wanted: bool) -> tuple[Part, ...]:
    """What the service may still come to tell of this run: reading it again is free, calling again is not.

    A run that failed, and a call that did, have said all they will; a service that tells of no bills has none to wait for.
    """
    if evidence.run_status != "completed":
        return ()
    call = evidence.call
    if call is None or call.status == "in_progress":
        return ("call", "bill") if evidence.cost_cents is None else ("call",)
    if call.status == "failed":
        return ()
    absent: dict[Part, bool] = {
        "transcript": evidence.turns is None and bool(call.duration_seconds),
        "history": evidence.tools is None and evidence.turns is not None,
        "grade": grade_wanted and (evidence.grade is None or evidence.grade.status == "pending"),
        "bill": evidence.cost_cents is None and "billing_total_cents" in call.document,
    }
    return tuple(part for part, is_absent in absent.items() if is_absent)


def merged(older: Evidence | None, newer: Evidence) -> Evidence:
    """Of one run read twice: what is new, and what only the older reading has (a service may forget)."""
    if older is None:
        return newer
    graded = newer.grade is not None and (newer.grade.status != "pending" or older.grade is None)
    taken: dict[RedactedPart, bool] = {
        "turns": newer.turns is None,
        "tools": newer.tools is None,
        "transferred_to": newer.call is None,
        "document": newer.call is None,
        "grade": not graded,
    }
    kept = (part for part in older.redacted if taken.get(part, False))
    unread = tuple(part for part in ("turns", "tools") if part in (older if taken[part] else newer).unread)
    return newer.model_copy(
        update={
            "redacted": tuple(dict.fromkeys((*newer.redacted, *kept))),
            "unread": unread,
            "call": newer.call or older.call,
            "turns": older.turns if newer.turns is None else newer.turns,
            "tools": older.tools if newer.tools is None else newer.tools,
            "grade": newer.grade if graded else older.grade,
            "cost_cents": older.cost_cents if newer.cost_cents is None else newer.cost_cents,
            "service_estimate_cents": older.service_estimate_cents
            if newer.service_estimate_cents is None
            else newer.service_estimate_cents,
        }
    )


def evidence_digest(document: bytes) -> str:
    """The name a stored evidence goes by."""
    return sha256(document).hexdigest()


# From the wire. The service's two dialects name roles and scale scores differently; from here on there is one way.

_AGENT_ROLES = frozenset({"agent", "assistant"})
_CALLER_ROLES = frozenset({"user", "caller"})
_SILENT_ROLES = frozenset({"system", "developer"})
"""What stands in a transcript and was not said on the call."""
_TOOL_CALL_ROLES = frozenset({"tool_call", "function_call"})
_TOOL_RESULT_ROLES = frozenset({"tool_response", "tool_result", "tool", "function_call_output"})
_TOOL_NAME = re.compile(r"[\w.:/-]+")


def evidence_from_wire(
    run: WireRun,
    call: tuple[WireCall, Mapping[str, Any]] | None,
    transcript: Sequence[WireTurn] | None,
    history: Sequence[Mapping[str, Any]] | None,
    grade: WireGrade | None,
) -> Evidence:
    """One record of one ended run. `None` for what the service did not have."""
    unread: set[str] = set()
    turns, tools = _turns_and_tools(transcript, unread)
    if not tools:
        # A transcript without tool turns does not say that no tool was called; the history does, unless both tell of nothing.
        tools = None if history is None else _tools_of_history(history, unread)
        unread.update(("tools",) if not history and not turns else ())
    return Evidence(
        run_id=run.id,
        run_status=run.status,
        error_message=run.error_message or "",
        call=None if call is None or run.call_id is None else _call(run.call_id, *call),
        turns=turns,
        tools=tools,
        grade=_grade(call[0] if call else None, grade),
        cost_cents=_cost_cents(run, call[0] if call else None),
        service_estimate_cents=run.estimated_cost_cents,
        unread=tuple(part for part in ("turns", "tools") if part in unread),
    )


def _call(call_id: int, call: WireCall, document: Mapping[str, Any]) -> Call:
    return Call(
        call_id=call_id,
        status=call.status or "unknown",
        end_reason=call.end_reason,
        duration_seconds=call.duration_seconds if (call.duration_seconds or 0) >= 0 else None,
        product=call.product,
        transferred_to=call.transfer_destination or None,
        document=cast("dict[str, Any]", _without_urls(document)),
    )


def _without_urls(document: object) -> object:
    """Signed URLs are credentials: never stored, at whatever depth."""
    if isinstance(document, Mapping):
        fields = cast("Mapping[str, object]", document)
        return {key: _without_urls(value) for key, value in fields.items() if "url" not in key.lower()}
    if isinstance(document, list):
        return [_without_urls(item) for item in cast("list[object]", document)]
    return document


def _cost_cents(run: WireRun, call: WireCall | None) -> int | None:
    """A test run costs the call's bill times `charge_multiplier` (source: the reference page, notes on money)."""
    if run.call_id is None:
        return 0 if run.status == "failed" else None  # no call was made, so none is billed
    if call is None or call.billing_total_cents is None:
        return None
    multiplier = 2.0 if run.charge_multiplier is None else run.charge_multiplier
    cents = call.billing_total_cents * multiplier
    return round(cents) if 0 <= cents < 2**63 else None


def _grade(call: WireCall | None, grade: WireGrade | None) -> Grade | None:
    """The grade endpoint's word, completed by what the call object repeats of it."""
    if grade is None and (call is None or call.grade_status is None):
        return None
    status = (grade and grade.status) or (call and call.grade_status) or "unknown"
    if status == "pending":  # what it says besides is not found out yet: no issues so far are not no issues
        return Grade(status=status)
    detected: object = grade.detected_issues if grade else None
    issues = cast("list[Any]", detected) if isinstance(detected, list) else None
    score = grade.score if grade and grade.score is not None else (call.grade_score if call else None)
    return Grade(
        status=status,
        score=_unit_score(score),
        outcome=(grade and grade.call_outcome) or (call and call.call_outcome) or None,
        goal=(grade and grade.goal_achievement) or (call and call.goal_achievement) or None,
        issues=len(issues) if issues is not None else (call.issue_count if call else None),
        critical_issues=_critical(issues) if issues is not None else (call.critical_issue_count if call else None),
        summary=(grade and grade.summary) or None,
    )


def _unit_score(score: float | None) -> float | None:
    """One dialect writes 0.0 to 1.0, the other an integer 0 to 100; JSON keeps the two apart (`1.0`, `1`)."""
    if score is None:
        return None
    unit = score / 100 if isinstance(score, int) or score > 1 else score
    return unit if 0 <= unit <= 1 else None


def _critical(issues: Sequence[Any]) -> int:
    return sum(
        1
        for issue in issues
        if isinstance(issue, Mapping) and str(cast("Mapping[str, Any]", issue).get("severity")).lower() == "critical"
    )


def _turns_and_tools(
    transcript: Sequence[WireTurn] | None, unread: set[str]
) -> tuple[tuple[Turn, ...] | None, tuple[ToolCall, ...]]:
    """Turns are None when nothing in the transcript has a role we know: then it was not understood."""
    if transcript is None:
        return None, ()
    turns: list[Turn] = []
    tools: list[ToolCall] = []
    timed = _tells_times(transcript)
    for wire in transcript:
        role = (wire.role or "").lower()
        number = len(turns) + 1
        if role in _TOOL_CALL_ROLES:
            tools.append(_tool_call(wire.content, number, _ms(wire.start_ms), unread))
            kind, text = Role.TOOL, f"{tools[-1].name}({_compact(tools[-1].arguments)})"
        elif role in _TOOL_RESULT_ROLES:
            result = _json(wire.content)
            _answer(tools, result)
            kind, text = Role.TOOL, _compact(result)
        elif role in _AGENT_ROLES or role in _CALLER_ROLES:
            kind = Role.AGENT if role in _AGENT_ROLES else Role.CALLER
            text = "" if wire.content is None else _compact(wire.content)
            unread.update(() if isinstance(wire.content, str | list | dict) else ("turns",))
        else:
            unread.update(() if role in _SILENT_ROLES else ("turns",))
            continue
        start, end = (_ms(wire.start_ms), _ms(wire.end_ms)) if timed else (None, None)
        turns.append(
            Turn(
                number=number,
                role=kind,
                text=text,
                start_ms=start,
                end_ms=end if start is None or end is None or end >= start else None,
                ttfa_ms=_ms(wire.ttfa_ms) if timed else None,
            )
        )
    if not any(turn.text.strip() for turn in turns if turn.role is not Role.TOOL):
        unread.add("turns")  # nobody said a word, or no word was kept
    return (None if transcript and not turns else tuple(turns)), tuple(tools)


def _tells_times(transcript: Sequence[WireTurn]) -> bool:
    """Not where everything is said to begin at one instant: that is a blank in a form, not a time."""
    return len(transcript) < 2 or len({turn.start_ms for turn in transcript} | {None}) != 2


def _tools_of_history(history: Sequence[Mapping[str, Any]], unread: set[str]) -> tuple[ToolCall, ...]:
    """Items are turns as in a transcript, or a chat model's messages with `tool_calls`."""
    tools: list[ToolCall] = []
    for item in history:
        role = str(item.get("role") or item.get("type") or "").lower()
        content = item.get("content")
        if role in _TOOL_CALL_ROLES:
            tools.append(_tool_call(content if content is not None else item, None, _ms(item.get("start_ms")), unread))
        elif role in _TOOL_RESULT_ROLES:
            _answer(tools, _json(content if content is not None else item.get("output")))
        calls = item.get("tool_calls")
        if isinstance(calls, list):
            tools += [_tool_call(call, None, None, unread) for call in cast("list[Any]", calls)]
        elif calls:
            unread.add("tools")
    return tuple(tools)


def _tool_call(content: object, turn: int | None, start_ms: int | None, unread: set[str]) -> ToolCall:
    document = _json(content)
    fields = cast("dict[str, Any]", document) if isinstance(document, dict) else {"name": document}
    if isinstance(fields.get("function"), dict):
        fields = cast("dict[str, Any]", fields["function"])
    name, arguments = fields.get("name"), _json(fields.get("arguments"))
    if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name) or not isinstance(arguments or {}, dict):
        unread.add("tools")
    return ToolCall(
        name=str(name or "unknown"),
        arguments=cast("dict[str, Any]", arguments) if isinstance(arguments, dict) else {},
        turn=turn,
        start_ms=start_ms,
    )


def _answer(tools: list[ToolCall], result: object) -> None:
    """A result belongs to the earliest call that has none."""
    for index, tool in enumerate(tools):
        if not tool.has_result:
            tools[index] = tool.model_copy(update={"has_result": True, "result": result})
            return


def _json(content: object) -> object:
    """JSON that came as a string is read; a string that is not JSON stays one."""
    if isinstance(content, str):
        try:
            return pydantic_core.from_json(content)
        except ValueError:
            return content
    return content


def _compact(content: object) -> str:
    return content if isinstance(content, str) else pydantic_core.to_json(content).decode()


def _ms(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value) if 0 <= value < 2**63 else None
