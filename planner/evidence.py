"""The evidence of one call, independent of the service's dialect; immutable.

`None` means that the service did not provide the value: never zero, never empty.
"""

from collections.abc import Mapping
from enum import Enum, StrEnum
from hashlib import sha256
from typing import Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict

from planner.bounds import Cents

SCHEMA_VERSION = "2.0"


class RunStatus(StrEnum):
    """The status of a run, the only place that knows them all. A status that is not listed counts as `UNDER_WAY`."""

    UNDER_WAY = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def has_ended(self) -> bool:
        return self is not RunStatus.UNDER_WAY

    @property
    def has_failed(self) -> bool:
        """It ended abnormally. The platform is the cause."""
        return self.has_ended and self is not RunStatus.COMPLETED

    @classmethod
    def _missing_(cls, value: object) -> "RunStatus | None":
        return cls.UNDER_WAY if isinstance(value, str) else None


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
    """One turn. `number` counts from 1 over all turns; times are relative to the start of the recording."""

    number: int
    role: Role
    text: str
    start_ms: int | None = None
    end_ms: int | None = None
    ttfa_ms: int | None = None
    """Agent turns: time to first audio."""


class ToolCall(_Frozen):
    """A tool call of the agent. `turn` is the number of its turn; None if only the history has it."""

    name: str
    arguments: dict[str, Any] = {}
    has_arguments: bool = True
    """Whether the service provided the arguments."""
    has_result: bool = False
    result: Any = None
    turn: int | None = None
    start_ms: int | None = None


class Call(_Frozen):
    call_id: int
    status: str
    """`completed` or `failed`, from the service."""
    end_reason: str | None = None
    duration_seconds: float | None = None
    product: str | None = None
    transferred_to: str | None = None
    variant_id: int | str | None = None
    """The variant of the agent that took the call, if known."""
    variant_label: str | None = None
    document: dict[str, Any] = {}
    """The call object as received, without signed URLs, for checks that use a path."""


class Issue(_Frozen):
    """What the grader found wrong, in its own words."""

    title: str
    severity: str | None = None
    """Of an open set: critical, major, …; None if it is not named."""


class Grade(_Frozen):
    """The platform's grade. `score` is 0 to 1 in every dialect."""

    status: str
    score: float | None = None
    outcome: str | None = None
    goal: str | None = None
    issues: int | None = None
    critical_issues: int | None = None
    summary: str | None = None
    outcome_reasoning: str | None = None
    goal_reasoning: str | None = None
    rubric: tuple[str, ...] = ()
    """What the grader says of each point of its rubric."""
    titles: tuple[Issue, ...] = ()
    """Of the issues that have words."""
    grader_model: str | None = None
    """The grader, if known, like its version."""
    grader_version: str | None = None


MASK = "•"
LEFT_OUT = "[redacted]"
"""Replacements for redacted content: each digit of a number, and strings that the project lists."""

RedactedPart = Literal["turns", "tools", "transferred_to", "document", "grade", "error_message"]
"""A part of `Evidence` or its call in which a shared store redacted something."""

UnreadPart = Literal["turns", "tools", "results"]
"""A part of `Evidence` that could not be read completely; `results` means which call a result answers."""

CostBasis = Literal["transaction", "call"]
"""The source of a bill: the account's transactions, or the call object."""


class Evidence(_Frozen):
    """The evidence of one run. `turns` and `tools` are None if the service had no transcript, as opposed to an empty
    one."""

    schema_version: str = SCHEMA_VERSION
    run_id: int
    run_status: RunStatus
    """Not the call's."""
    error_message: str = ""
    call: Call | None = None
    turns: tuple[Turn, ...] | None = None
    tools: tuple[ToolCall, ...] | None = None
    grade: Grade | None = None
    cost_cents: Cents | None = None
    """The bill; None while unknown."""
    cost_basis: CostBasis | None = None
    """The source of the bill; None without a bill, and without a call."""
    bill_pending: bool = False
    """The service bills its calls, but not this one yet."""
    service_estimate_cents: Cents | None = None
    """The service's estimate at launch; not a bill."""
    redacted: tuple[RedactedPart, ...] = ()
    """Parts with redactions (phone numbers, and what the project lists). A check that needs them is undecided."""
    unread: tuple[UnreadPart, ...] = ()
    """Parts with content that could not be read, which may hide anything."""

    @property
    def call_id(self) -> int | None:
        return self.call.call_id if self.call else None

    @property
    def duration_seconds(self) -> float | None:
        return self.call.duration_seconds if self.call else None

    def to_bytes(self) -> bytes:
        return self.model_dump_json().encode()


Part = Literal["call", "transcript", "history", "grade", "bill"]
"""The parts of a run's evidence, each of which may come late."""


def missing_parts(evidence: Evidence, *, grade_wanted: bool) -> tuple[Part, ...]:
    """The parts that may still arrive. Reading again is free; calling again is not.

    Failed runs and failed calls are final; a service without bills has none to wait for.
    """
    if evidence.run_status is not RunStatus.COMPLETED:
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
        "bill": evidence.cost_cents is None and evidence.bill_pending,
    }
    return tuple(part for part, is_absent in absent.items() if is_absent)


def merged(older: Evidence | None, newer: Evidence) -> Evidence:
    """Merge two readings of one run: new data, and what only the older reading has."""
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
    # An unknown speaker may be a tool call.
    unread_of: dict[UnreadPart, bool] = {
        "turns": "turns" in turns,
        "tools": "tools" in (*turns, *tools),
        "results": "results" in tools,
    }
    unread = tuple(part for part, is_unread in unread_of.items() if is_unread)
    # Transactions override the bill of the call.
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
            "bill_pending": (newer if newer.call else older).bill_pending,
            "service_estimate_cents": older.service_estimate_cents
            if newer.service_estimate_cents is None
            else newer.service_estimate_cents,
        }
    )


def evidence_digest(document: bytes) -> str:
    """The digest of stored evidence."""
    return sha256(document).hexdigest()


MAX_TURNS: Final = 5_000
MAX_TURN_CHARACTERS: Final = 10_000
"""Ten minutes without a pause."""
MAX_CHARACTERS: Final = 60_000
"""An hour without a pause, for all turns."""
MAX_VALUES: Final = 50_000
"""Values in the call object and in tool arguments and results."""
MAX_VALUE_CHARACTERS: Final = 2_000_000
MAX_BITS: Final = 1_024
"""Per integer in the call object: as many as the largest float has."""


def too_large(evidence: Evidence) -> str:
    """Why the call is too large to be judged, as one clause; empty if it is not. No check may take minutes or
    gigabytes."""
    turns = evidence.turns or ()
    if len(turns) > MAX_TURNS:
        return f"the transcript has more than {MAX_TURNS:,} turns"
    lengths = [len(turn.text) for turn in turns]
    if max(lengths, default=0) > MAX_TURN_CHARACTERS:
        return f"a turn has more than {MAX_TURN_CHARACTERS:,} characters"
    if sum(lengths) > MAX_CHARACTERS:
        return f"the transcript has more than {MAX_CHARACTERS:,} characters"
    tools = [value for tool in evidence.tools or () for value in (tool.name, tool.arguments, tool.result)]
    return _too_many([evidence.call.document if evidence.call else None, evidence.error_message, *tools])


def _too_many(values: list[Any]) -> str:
    count = characters = 0
    while values:
        value = values.pop()
        count += 1
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, int):
            if value.bit_length() > MAX_BITS:
                return f"the call object has an integer of more than {MAX_BITS:,} bits"
        elif isinstance(value, Mapping):
            fields = cast("Mapping[str, Any]", value)
            values += (*fields, *fields.values())
        elif isinstance(value, list):
            values += cast("list[Any]", value)
        if count + len(values) > MAX_VALUES:
            return f"the call object and the tool calls have more than {MAX_VALUES:,} values"
        if characters > MAX_VALUE_CHARACTERS:
            return f"the call object and the tool calls have more than {MAX_VALUE_CHARACTERS:,} characters"
    return ""
