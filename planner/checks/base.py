"""What every kind of check shares: the fields an author may always write, and what judging one run gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Annotated, Any, ClassVar, Final, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from planner.checks.opinions import Ask, Question
from planner.evidence import Evidence, RedactedPart, Turn, UnreadPart

PartsRead = frozenset[RedactedPart | UnreadPart]
EVERY_PART: Final[PartsRead] = frozenset((*get_args(RedactedPart), *get_args(UnreadPart)))


class FindingOutcome(Enum):
    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    """The check could not be decided: what it asks about is not in the evidence."""


class Missed(Enum):
    """Why something of a call is not in the evidence."""

    MASKED = auto()
    """Words were left out where they stood; every turn and tool call is still in its place."""
    UNREAD = auto()
    """Turns, tool calls, results or all of them may be missing, or be other than they are told."""


class CheckSeverity(Enum):
    CRITICAL = "critical"
    """Failing in any run fails the case, whatever the pass rate."""
    ERROR = "error"
    WARNING = "warning"
    """Reported; never fails a case."""


@dataclass(frozen=True, slots=True)
class Quote:
    """The words a finding rests on. `turn` counts from 1; `start_ms` from the recording's start."""

    turn: int
    role: str
    start_ms: int | None
    text: str

    @classmethod
    def of(cls, turn: Turn) -> Quote:
        return cls(turn.number, turn.role.value, turn.start_ms, turn.text)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one check says of one run. `message` is one line: what was found, against what was asked."""

    outcome: FindingOutcome
    message: str
    quote: Quote | None = None


def passed(message: str, quote: Quote | None = None) -> Judgement:
    return Judgement(FindingOutcome.PASSED, message, quote)


def failed(message: str, quote: Quote | None = None) -> Judgement:
    return Judgement(FindingOutcome.FAILED, message, quote)


def errored(message: str, quote: Quote | None = None) -> Judgement:
    return Judgement(FindingOutcome.ERRORED, message, quote)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that can be judged but was hardly meant. `route` leads to it from the expectation, `why` is one clause;
    `code` names the kind of fault."""

    route: tuple[str | int, ...]
    why: str
    code: str = "duplicate-item"


def idle_rate(written: Mapping[str, Any]) -> Sequence[Doubt]:
    """A rate of its own is counted of what is an error; what is critical may fail in no run, and what is a warning in any."""
    told = _WITHOUT_RATE.get(str(written.get("severity")))
    if told is None or written.get("min_pass_rate") is None:
        return ()
    why = f"what is {told}, so that this rate has no effect; leave it out, or the severity"
    return (Doubt(("min_pass_rate",), why, "idle-rate"),)


_WITHOUT_RATE = {
    "critical": "critical fails the case in whichever run it fails",
    "warning": "a warning fails no case",
}


class Expectation(BaseModel, ABC, frozen=True):
    """One declared check. Subclasses add their fields, a `check: Literal[...]`, a `version` and `judge`."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    version: ClassVar[int] = 1
    """Raised when the same fields may be judged differently: stored runs are then judged again."""

    opposes: ClassVar[tuple[str, ...]] = ()
    """Kinds of check that `contradicts` knows something about; it is not asked about others."""

    looks_at: ClassVar[PartsRead] = EVERY_PART
    """The parts of the evidence that may decide it: a kind that does not say so may look at anything."""

    check: str = Field(description="The kind of check.")
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")] | None = Field(
        default=None, description="Names this expectation in reports; by default the kind of check."
    )
    severity: CheckSeverity = Field(
        default=CheckSeverity.ERROR,
        description="critical: fails the case in any run. error: counts against the pass rate. warning: reported only.",
    )
    min_pass_rate: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="Share of runs in which this expectation must hold; by default the scenario's."
    )
    description: str | None = Field(default=None, description="Why this is expected, for the reader of a report.")

    @model_validator(mode="after")
    def _can_fail(self) -> Self:
        if self.min_pass_rate == 0 and self.severity is not CheckSeverity.CRITICAL:
            raise ValueError("`min_pass_rate: 0` always holds; to report without failing write `severity: warning`")
        return self

    @abstractmethod
    def judge(self, evidence: Evidence) -> Judgement:
        """Judge one run. Pure: no I/O, no clock. Missing data is `errored`, never passed."""

    def reads(self, evidence: Evidence, missed: Missed) -> PartsRead:
        """The parts that may decide it on this call, where it is so that something of them is missed."""
        del evidence, missed
        return self.looks_at

    def stands(self, outcome: FindingOutcome, missed: Missed) -> bool:
        """Whether an outcome that was found stays, whatever it was that was missed."""
        del outcome, missed
        return False

    def judge_with(self, evidence: Evidence, ask: Ask) -> Judgement:
        """Judge one run, `ask` telling what a language model answered. Just as pure, and the same where none is asked."""
        del ask
        return self.judge(evidence)

    def questions(self, evidence: Evidence) -> Sequence[Question]:
        """What a language model would have to be asked to judge this run; nothing where it is decided without."""
        del evidence
        return ()

    @property
    def asks_model(self) -> bool:
        """Whether judging it may need a language model's answers."""
        return bool(self.rubrics())

    def rubrics(self) -> Sequence[tuple[str, int]]:
        """What a language model may be asked of one run, each with how many votes."""
        return ()

    def doubts(self) -> Sequence[Doubt]:
        """What its author can hardly have meant: a warning each. What can never fail, or never hold, is refused instead."""
        return ()

    def contradicts(self, other: Expectation) -> str:
        """Why no call can satisfy both, as one clause; empty where one can, or where it cannot be told.

        It is asked in both directions, so that one of two kinds has to know.
        """
        del other
        return ""

    def implies(self, other: Expectation) -> bool:
        """Whether on every call on which this one holds the other one does, too; False where that cannot be told."""
        apart = {"severity", "min_pass_rate"}
        mine, others = self.fingerprint_fields(), other.fingerprint_fields()
        return {k: v for k, v in mine.items() if k not in apart} == {k: v for k, v in others.items() if k not in apart}

    def fingerprint_fields(self) -> dict[str, Any]:
        """All that decides a judgement, as JSON values; `id` and `description` do not."""
        fields = self.model_dump(mode="json", exclude={"id", "description"}, exclude_none=True, by_alias=True)
        return {**fields, "version": self.version}
