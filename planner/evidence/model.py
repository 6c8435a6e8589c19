"""What happened on one call, in one vocabulary whatever the service's dialect; immutable once collected.

Missing data stays missing: `None` means the service did not tell, never zero, never empty.
"""

from __future__ import annotations

from enum import Enum
from hashlib import sha256
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from planner.bounds import Cents

SCHEMA_VERSION = "1.0"


class Role(Enum):
    AGENT = "agent"
    """The agent under test."""
    CALLER = "caller"
    """The test bot."""
    TOOL = "tool"
    """A tool call of the agent, or its result."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


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
    arguments_told: bool = Field(default=True, exclude_if=lambda told: told)
    """Whether the service told with which arguments: none told are not none given. Stored only where it did not."""
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
    variant_id: int | str | None = Field(default=None, exclude_if=lambda variant: variant is None)
    """The variant of the agent that took the call, where the service runs several; stored only where it says so."""
    variant_label: str | None = Field(default=None, exclude_if=lambda label: label is None)
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
    grader_model: str | None = Field(default=None, exclude_if=lambda model: model is None)
    """Who graded; stored only where the service says so, as is the version."""
    grader_version: str | None = Field(default=None, exclude_if=lambda version: version is None)


MASK = "•"
LEFT_OUT = "[redacted]"
"""What stands for what others may not see: for each digit of a number, and for a text that a project lists."""

RedactedPart = Literal["turns", "tools", "transferred_to", "document", "grade", "error_message"]
"""A part of `Evidence` (two of them the call's) in which a shared store left something out."""


UnreadPart = Literal["turns", "tools", "results"]
"""A part of `Evidence` of which the service told what cannot be read: speakers and words, tool calls, which call a result answers."""


CostBasis = Literal["transaction", "call"]
"""What a bill rests on: the transactions of the account, or the call object's `billing_total_cents`."""


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
    cost_cents: Cents | None = None
    """What the run was billed; None while the bill is not known."""
    cost_basis: CostBasis | None = Field(default=None, exclude_if=lambda basis: basis is None)
    """Where the bill was read; None where there is none, where no call was made, and in records of older versions."""
    service_estimate_cents: Cents | None = None
    """What the service expected it to cost when it was launched; not a bill."""
    redacted: tuple[RedactedPart, ...] = ()
    """What is not as the service told it: phone numbers, and what the project does not want others to see, are left out. A check
    that needs it cannot be decided."""
    unread: tuple[UnreadPart, ...] = Field(default=(), exclude_if=lambda parts: not parts)
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
    turns, tools = ((older if taken[part] else newer).unread for part in ("turns", "tools"))
    # A speaker who is not known may be a tool call.
    unread_of: dict[UnreadPart, bool] = {
        "turns": "turns" in turns,
        "tools": "tools" in (*turns, *tools),
        "results": "results" in tools,
    }
    unread = tuple(part for part, is_unread in unread_of.items() if is_unread)
    # Transactions are what was charged, whatever the call says later.
    is_charged = older.cost_basis == "transaction" and newer.cost_basis != "transaction"
    billed = older if newer.cost_cents is None or is_charged else newer
    return newer.model_copy(
        update={
            "redacted": tuple(dict.fromkeys((*newer.redacted, *kept))),
            "unread": unread,
            "call": newer.call or older.call,
            "turns": older.turns if newer.turns is None else newer.turns,
            "tools": older.tools if newer.tools is None else newer.tools,
            "grade": newer.grade if graded else older.grade,
            "cost_cents": billed.cost_cents,
            "cost_basis": billed.cost_basis,
            "service_estimate_cents": older.service_estimate_cents
            if newer.service_estimate_cents is None
            else newer.service_estimate_cents,
        }
    )


def evidence_digest(document: bytes) -> str:
    """The name a stored evidence goes by."""
    return sha256(document).hexdigest()
