"""Facts about calls: the calls, later corrections, and verdicts on them. Facts never change once they are written.

The session that launched a call and its run id at the service identify it. The run id alone does not: two sandboxes use
the same ones. A call that several sessions report is one call. Outcomes of cases, comparisons and what to call next are
not stored: they are computed from facts.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from planner.bounds import Count, ListOf, ServiceId, StoredTime
from planner.clock import aware
from planner.results.model import (
    CallData,
    CaseInputs,
    Document,
    JudgedRun,
    RunVerdict,
    StartOverDocument,
)
from planner.results.outcomes import CaseOutcome, Cause
from planner.values import frozen

SCHEMA_VERSION: Final = "1.0"


class CallFact(Document):
    """A call that was made."""

    kind: Literal["call"] = "call"
    run_id: ServiceId
    session_id: str
    """The session that launched it."""
    consent_id: str = ""
    case_id: str
    shared_by: ListOf[str] = Field(default=[])
    """The other cases that the call was made for."""
    plan: str
    file: str = ""
    environment: str
    target_id: ServiceId
    agent_revision: str | None = None
    configuration: str | None = None
    has_agent_file: bool = False
    reason: Literal["first", "missing", "retry", "again", "start_over", "confirm"] = "first"
    """confirm: it was added to be sure that its case regressed, and counts for nothing else."""
    start_over: StartOverDocument | None = None
    merged: Count | None = None
    """The pull request that made the call, if it was merged since."""
    counted_with: ListOf[tuple[str, ServiceId]] = Field(default=[])
    """The earlier calls of its pool when it was launched, by session and run id. If one is missing, a file was lost."""
    discards: ListOf[str] = Field(default=[])
    """With `--start-over`: the files of earlier calls that cannot be read."""
    adopted: bool = False
    excluded: Literal["agent_edited"] | None = None
    erased: bool = False
    """True if its words and evidence were erased (`planner forget`). Its verdicts stay."""
    data: CallData

    def is_for(self, case_id: str) -> bool:
        """Whether the call was made for this case, and not only for others that make the same call."""
        return case_id == self.case_id or case_id in self.shared_by


class Correction(Document):
    """All data of a call after its bill, grade or transcript arrived or changed, once the call was already stored."""

    kind: Literal["correction"] = "correction"
    run_id: ServiceId
    session_id: str
    at: StoredTime
    data: CallData


class VerdictFact(Document):
    """The verdict on a call by one set of expectations. Undecided calls have none, and are judged again each time."""

    kind: Literal["verdict"] = "verdict"
    run_id: ServiceId
    session_id: str
    check_fingerprint: str
    judged_by: str | None = None
    judge_model: str | None = None
    evidence: str | None = None
    """The evidence that was judged. With other evidence, the verdict does not count."""
    expected: ListOf[str] = Field(default=[])
    """The expectations, one line each."""
    outcome: CaseOutcome = CaseOutcome.UNKNOWN
    """The outcome of its case at that time; only reports show it."""
    verdict: RunVerdict

    def is_by(self, check_fingerprint: str, judged_by: str | None) -> bool:
        """True if these expectations and this judge model gave the verdict. An unknown model counts as the same."""
        is_judge = judged_by is None or self.judged_by is None or self.judged_by == judged_by
        return is_judge and self.check_fingerprint == check_fingerprint


CallId: TypeAlias = tuple[str, int]
"""The session that launched a call, and its run id."""
Fact: TypeAlias = Annotated[CallFact | Correction | VerdictFact, Field(discriminator="kind")]
FACT: Final[TypeAdapter[Fact]] = TypeAdapter(Fact)


class PlannedCase(Document):
    """A case in the plans that a session read. Redacted in a shared store."""

    case_id: str
    plan: str
    scenario: str
    target: str
    file: str = ""
    runs: Count
    """The number of calls that the plan asked for."""
    inputs: CaseInputs
    call_fingerprint: str
    check_fingerprint: str
    judged_by: str | None = None
    calls: ListOf[tuple[str, ServiceId]] = Field(default=[])
    """The calls that counted, by session and run id. If one is missing, a file was lost."""


class PartSummary(Document):
    """The length and digest of a file of calls, so that a shortened or edited file is detected."""

    lines: Count
    digest: str


class SessionHead(Document):
    """What a session saw, written after its facts. If it is missing, the session was lost; its facts still count."""

    schema_version: str = SCHEMA_VERSION
    tool_version: str
    session_id: str
    environment: str
    project: str = ""
    """`name` of planner.yaml, or its folder in the repository; "" for the root."""
    started_at: StoredTime
    ended_at: StoredTime
    workflow: str = ""
    """In GitHub Actions: the workflow file and its ref."""
    plans: ListOf[str] = Field(default=[])
    """The plans that were read completely. Their cases that are not among `cases` were deleted."""
    cases: ListOf[PlannedCase] = Field(default=[])
    parts: dict[str, PartSummary] = Field(default={})
    """Its files of calls, by key."""


class Trust(Enum):
    """Which verdicts of a file count."""

    NOTHING = 0
    """None: a job of a pull request may have written the file with its own code. The evidence is judged again."""
    MASKED = 1
    """Those that redacted evidence cannot decide. The file says that code of the default branch wrote it for a pull
    request."""
    ALL = 2
    """All: this machine wrote the file, or only code of the default branch can write there."""


@frozen
class StoredCall:
    """A call with its newest data and its verdicts."""

    call: CallFact
    call_fingerprint: str
    data: CallData
    verdicts: tuple[VerdictFact, ...] = ()
    trust: Trust = Trust.ALL
    is_of_base: bool = True
    """True if it is stored for the default branch, not only for a pull request."""
    is_verified: bool = True
    """False if only a merged pull request stored it, and `planner ci promote` did not read it from the service yet."""

    @property
    def id(self) -> CallId:
        return id_of(self.call)

    @property
    def order(self) -> tuple[datetime, int]:
        """Sorts calls by when they ended at the service; those without a known end come first."""
        ended = self.data.completed_at
        return (datetime.min.replace(tzinfo=UTC) if ended is None else aware(ended), self.call.run_id)

    @property
    def round(self) -> str:
        """The consent of the call, else its session. The calls of one round are made and counted together."""
        return self.call.consent_id or self.call.session_id

    @property
    def confirms(self) -> bool:
        return self.call.reason == "confirm"

    @property
    def is_unclaimed(self) -> bool:
        """True if this machine may not have written its file: it is from a restored cache, or left by a killed
        session."""
        return self.trust is Trust.NOTHING and self.is_of_base

    def verdict(self, check_fingerprint: str, judged_by: str | None) -> VerdictFact | None:
        """The newest verdict by these expectations on the call's current evidence; None if there is none."""
        return next(
            (
                each
                for each in reversed(self.verdicts)
                if each.is_by(check_fingerprint, judged_by) and each.evidence == self.data.evidence
            ),
            None,
        )

    def run(self, verdict: RunVerdict, judge_model: str | None = None) -> JudgedRun:
        """The call as reports show it."""
        fields: dict[str, Any] = {
            **vars(self.data),
            **vars(verdict),
            "run_id": self.call.run_id,
            "session_id": self.call.session_id,
            "adopted": self.call.adopted,
            "judge_model": judge_model,
        }
        return _NO_RUN.model_copy(update=fields)


_NO_RUN: Final = JudgedRun.model_construct()
"""A copy of it with all fields is made in a fifth of the time of a new one: plans make thousands."""


def id_of(fact: CallFact | Correction | VerdictFact | JudgedRun) -> CallId:
    return fact.session_id, fact.run_id


def data_of(run: JudgedRun) -> CallData:
    return CallData.model_construct(**{name: getattr(run, name) for name in CallData.model_fields})


def is_decided(run: RunVerdict) -> bool:
    return run.cause is not Cause.JUDGE
