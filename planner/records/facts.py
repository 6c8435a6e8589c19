"""Facts about calls, which never change once they are written: calls, what was learned about them later, verdicts.

A call is identified by the session that launched it and the run id that the service gave it: two sandboxes use the same
run ids. However many sessions report it, it is one call. Everything else (outcomes, comparisons, what to call next) is
computed from facts and stored nowhere.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from planner.bounds import Amount, Cents, Count, ListOf, ServiceId, Share, StoredTime
from planner.clock import aware
from planner.evidence import CostBasis, Part
from planner.results.model import CaseInputs, Document, JudgedRun, RunVerdict, StartOverDocument
from planner.results.outcomes import CaseOutcome, Cause
from planner.values import frozen

SCHEMA_VERSION: Final = "1.0"


class CallData(Document):
    """What the service shows of a call. Times are the service's."""

    batch_id: ServiceId | None = None
    call_id: ServiceId | None = None
    cost_cents: Cents | None = None
    cost_basis: CostBasis | None = None
    duration_seconds: Amount | None = None
    latency_ms: Amount | None = None
    grade_score: Share | None = None
    grader_model: str | None = None
    grader_version: str | None = None
    agent_variant_id: int | str | None = None
    agent_variant_label: str | None = None
    service_estimate_cents: Cents | None = None
    evidence: str | None = None
    """Digest of the stored evidence, which may be redacted."""
    completed_at: StoredTime | None = None
    missing: ListOf[Part] = Field(default=[])


class CallFact(Document):
    """A call that was made."""

    kind: Literal["call"] = "call"
    run_id: ServiceId
    session_id: str
    """The session that launched it."""
    consent_id: str = ""
    case_id: str
    plan: str
    file: str = ""
    environment: str
    target_id: ServiceId
    agent_revision: str | None = None
    configuration: str | None = None
    has_agent_file: bool = False
    reason: Literal["first", "missing", "retry", "again", "start_over"] = "first"
    start_over: StartOverDocument | None = None
    counted_with: ListOf[tuple[str, ServiceId]] = Field(default=[])
    """The earlier calls that it was to be counted with, by session and run id: if one is missing, a file is gone."""
    discards: ListOf[str] = Field(default=[])
    """With `--start-over`: the files of earlier calls that cannot be read."""
    adopted: bool = False
    excluded: Literal["agent_edited"] | None = None
    data: CallData


class Correction(Document):
    """A bill, grade or transcript that came after the call was stored: all of its data as it is now."""

    kind: Literal["correction"] = "correction"
    run_id: ServiceId
    session_id: str
    at: StoredTime
    data: CallData


class VerdictFact(Document):
    """How a call was judged by one set of expectations. Undecided calls are judged again instead of stored."""

    kind: Literal["verdict"] = "verdict"
    run_id: ServiceId
    session_id: str
    check_fingerprint: str
    judged_by: str | None = None
    judge_model: str | None = None
    evidence: str | None = None
    """The evidence that was judged. With other evidence, the verdict does not count."""
    expected: ListOf[str] = Field(default=[])
    """What it was judged by, one line each."""
    outcome: CaseOutcome = CaseOutcome.UNKNOWN
    """Of its case then; only reports show it."""
    verdict: RunVerdict

    def is_by(self, check_fingerprint: str, judged_by: str | None) -> bool:
        """Whether these expectations judged it; a model that is not known counts as this one."""
        is_judge = judged_by is None or self.judged_by is None or self.judged_by == judged_by
        return is_judge and self.check_fingerprint == check_fingerprint


CallId: TypeAlias = tuple[str, int]
"""The session that launched a call, and its run id."""
Fact: TypeAlias = Annotated[CallFact | Correction | VerdictFact, Field(discriminator="kind")]
FACT: Final[TypeAdapter[Fact]] = TypeAdapter(Fact)


class PlannedCase(Document):
    """A case as a session saw it. Names and texts are redacted in a shared store."""

    case_id: str
    plan: str
    scenario: str
    target: str
    file: str = ""
    runs: Count
    """How many calls the plan wanted."""
    inputs: CaseInputs
    call_fingerprint: str
    check_fingerprint: str
    judged_by: str | None = None
    calls: ListOf[tuple[str, ServiceId]] = Field(default=[])
    """Those that counted, by session and run id: if one is missing, a file is gone."""


class PartSummary(Document):
    """A part of a call file: a file that is missing lines is not read as if it were complete."""

    lines: Count
    digest: str


class SessionHead(Document):
    """Written after all other facts of a session. Without it, the session was lost; its facts count all the same."""

    schema_version: str = SCHEMA_VERSION
    tool_version: str
    session_id: str
    environment: str
    project: str = ""
    """`name` of planner.yaml, or its folder in the repository; "" for the top."""
    started_at: StoredTime
    ended_at: StoredTime
    workflow: str = ""
    """In GitHub Actions: the workflow, and the ref that its file is from."""
    plans: ListOf[str] = Field(default=[])
    """The plans that were read whole: a case that is not among `cases` is no longer in them."""
    cases: ListOf[PlannedCase] = Field(default=[])
    parts: dict[str, PartSummary] = Field(default={})
    """By key."""


class Trust(Enum):
    """How far the verdicts in a file count."""

    NOTHING = 0
    """A job of a pull request wrote it, with its own code: calls are judged by their evidence."""
    MASKED = 1
    """As it says, code of the default branch wrote it for a pull request: its verdicts count where a redacted text
    cannot be judged."""
    ALL = 2
    """This machine wrote it, or only code of the default branch can write there."""


@frozen
class StoredCall:
    """A call with what was learned later, and its verdicts."""

    call: CallFact
    call_fingerprint: str
    data: CallData
    verdicts: tuple[VerdictFact, ...] = ()
    trust: Trust = Trust.ALL
    is_of_base: bool = True
    """Stored for the default branch, not only for a pull request."""

    @property
    def id(self) -> CallId:
        return id_of(self.call)

    @property
    def order(self) -> tuple[datetime, int]:
        """Calls are in the order of their ends at the service; those without a known end are oldest."""
        ended = self.data.completed_at
        return (datetime.min.replace(tzinfo=UTC) if ended is None else aware(ended), self.call.run_id)

    @property
    def round(self) -> str:
        """The calls of one consent are made and counted together."""
        return self.call.consent_id or self.call.session_id

    @property
    def is_unclaimed(self) -> bool:
        """Whether it is only in a file that this machine is not known to have written: a restored cache, or what a
        killed session left."""
        return self.trust is Trust.NOTHING and self.is_of_base

    def verdict(self, check_fingerprint: str, judged_by: str | None) -> VerdictFact | None:
        """The verdict on today's evidence by these expectations, else None."""
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
            **dict(self.data),
            **dict(verdict),
            "run_id": self.call.run_id,
            "session_id": self.call.session_id,
            "adopted": self.call.adopted,
            "judge_model": judge_model,
        }
        return JudgedRun.model_construct(**fields)


def id_of(fact: CallFact | Correction | VerdictFact | JudgedRun) -> CallId:
    return fact.session_id, fact.run_id


def data_of(run: JudgedRun) -> CallData:
    return CallData.model_construct(**{name: getattr(run, name) for name in CallData.model_fields})


def is_decided(run: RunVerdict) -> bool:
    return run.cause is not Cause.JUDGE
