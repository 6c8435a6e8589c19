"""The results document: the source of every report and of the next baseline.

Fields are a contract (`schemas/results.schema.json`): minor versions only add fields, and readers refuse a newer major
version. Stored documents keep prompts and numbers; `planner.reports.redaction` creates the form that others may see.
"""

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from planner.bounds import Amount, Cents, Count, ListOf, ServiceId, Share, StoredTime, Total
from planner.checks.base import CheckSeverity
from planner.checks.judgement import FindingOutcome, Quote
from planner.evidence import CostBasis, Part
from planner.results.agent_documents import AgentDocument
from planner.results.judge_documents import JudgeDocument
from planner.results.money_documents import ConsentDocument, CostDocument
from planner.results.next_steps import NextStep
from planner.results.outcomes import Action, CaseOutcome, Cause, RunOutcome


class Document(BaseModel):
    """A part of the results document. Unknown fields are ignored, since a newer minor version may add some."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


SCHEMA_VERSION = "2.0"
FRUITLESS_SESSIONS = 2
"""After so many sessions without a call that counts, a case is not called again by default."""

PlanOutcome = Literal["passed", "failed", "unknown", "refused", "interrupted"]
Compared = Literal["regressed", "suspected", "same", "new", "gone", "not_comparable"]
Changed = Literal["new", "now_failing", "now_passing", "still_failing", "unchanged"]
SuiteChange = Literal["worse", "everything_worse", "not_enough_evidence"]
NotComparable = Literal["prompt", "settings", "expectations", "judge", "judging", "grader", "variant"]


class Finding(Document):
    """What one expectation found in one run."""

    expectation: str = Field(description="Id of the expectation.")
    check: str
    outcome: FindingOutcome
    severity: CheckSeverity
    message: str
    quote: Quote | None = None
    is_bug: bool = Field(
        default=False, description="The check raised an exception. A fixed planner judges the stored call again, free."
    )


class RunVerdict(Document):
    """The verdict on one run, made or hypothetical; `cause` is None if and only if it passed."""

    outcome: RunOutcome
    cause: Cause | None = None
    reason: str = Field(default="", description="Why it did not pass, on one line.")
    cause_quote: Quote | None = Field(default=None, description="The turn that shows that the caller caused it.")
    excluded: Literal["agent_edited"] | None = Field(default=None, description="Why the run never counts, if so.")
    findings: ListOf[Finding] = Field(default=[])

    @property
    def has_bug(self) -> bool:
        """A check of it raised an exception: a bug in planner, which another call would not fix."""
        return any(finding.is_bug for finding in self.findings)

    @property
    def countable(self) -> bool:
        """Whether it counts in the pass rate of its case, because it says something about the agent."""
        match self.cause:
            case None | Cause.AGENT:
                return True
            case Cause.PLAN:
                return self.outcome is not RunOutcome.UNDECIDED
            case Cause.CALLER | Cause.PLATFORM | Cause.JUDGE:
                return False

    @property
    def had_call(self) -> bool:
        """Whether there was a proper call, which expectations can judge."""
        match self.cause:
            case None | Cause.AGENT | Cause.PLAN | Cause.JUDGE:
                return True
            case Cause.CALLER | Cause.PLATFORM:
                return False


class CallData(Document):
    """What the service says about a call. Times are those of the service."""

    batch_id: ServiceId | None = None
    call_id: ServiceId | None = None
    cost_cents: Cents | None = Field(default=None, description="The bill; null while unknown.")
    cost_basis: CostBasis | None = Field(
        default=None, description="Source of the bill: the account's transactions, or the call's own bill."
    )
    duration_seconds: Amount | None = None
    latency_ms: Amount | None = Field(default=None, description="Median of the agent's response times on this call.")
    grade_score: Share | None = Field(default=None, description="The platform's grade, 0 to 1.")
    grader_model: str | None = Field(default=None, description="The platform's grader, if the service names it.")
    grader_version: str | None = None
    agent_variant_id: int | str | None = Field(default=None, description="The variant of the agent that took the call.")
    agent_variant_label: str | None = None
    service_estimate_cents: Cents | None = Field(default=None, description="The service's own estimate at launch.")
    evidence: str | None = Field(default=None, description="Digest of the stored evidence, which may be redacted.")
    completed_at: StoredTime | None = None
    missing: ListOf[Part] = Field(default=[], description="Parts not provided yet; the next run reads them, free.")


class JudgedRun(CallData, RunVerdict):
    """A run that was made."""

    run_id: ServiceId
    judge_model: str | None = Field(
        default=None, description="Language model of `check: judge`, as its endpoint names it."
    )
    adopted: bool = Field(default=False, description="Matched to its launch by reconciliation.")
    session_id: str = Field(default="", description="The session that launched it.")
    pooled: bool = Field(default=False, description="An earlier run that is counted with the new ones.")
    votes_missing: Count = Field(default=0, description="Votes that the next run requests.")


class ExpectationRate(Document):
    """Pass rate of one expectation."""

    expectation: str = Field(description="Its id.")
    check: str
    met: Count = Field(description="Runs in which it was met.")
    decided: Count = Field(description="Runs with a call in which it was decided.")
    min_pass_rate: Share | None = Field(
        default=None, description="Its own required rate: it then decides no single run."
    )


class AcceptedSession(Document):
    """A session that people accepted although something was worse in it, or with which cases begin again."""

    session_id: str
    by: str = Field(default="", description="User or CI actor of `--start-over`.")
    reason: str = Field(description="The reason of `--start-over`, or the pull request that was merged.")


class UsualCounts(Document):
    """The calls of a case in the accepted sessions."""

    passed: Count
    countable: Count
    sessions: Count = Field(description="0: its baseline only.")


class SuiteDocument(Document):
    """All cases with runs on both sides of the comparison, as a whole."""

    cases: Count
    sessions: Count = Field(default=0, description="Accepted sessions compared with; 0: each case's baseline only.")
    left_out: ListOf[str] = Field(
        default=[],
        description="Earlier sessions that are not compared with, because something was worse in them and nobody "
        "accepted it; oldest first.",
    )
    accepted: ListOf[AcceptedSession] = Field(default=[], description="Sessions that people accepted.")
    passed_before: Count
    runs_before: Count
    passed_now: Count
    runs_now: Count
    probability_lower: Share = Field(description="Probability that the session as a whole is lower than usual.")
    probability_worse: Share = Field(description="Probability that some cases regressed rather than none.")
    compared: SuiteChange = Field(
        description="`everything_worse`: all cases alike, because of a worse agent or of a bad hour of the platform."
    )


class CaseInputs(Document):
    """All inputs of a call."""

    prompt: str
    target_kind: Literal["agent", "phone_number"]
    target_id: ServiceId
    direction: str
    mode: str
    target_number: str | None = None
    agent_revision: str | None = Field(default=None, description="The agent's revision when it was called.")
    configuration: str | None = Field(
        default=None, description="Digest of the agent's configuration that was called; null if it was not known."
    )
    has_agent_file: bool = Field(
        default=False, description="Whether a file described the agent, so that a preview may have been called."
    )


class QuarantineDocument(Document):
    until: date = Field(description="Last day (UTC) on which failures do not count.")
    reason: str


class StartOverDocument(Document):
    """Earlier runs of the called cases are ignored (`--start-over REASON`)."""

    reason: str
    by: str = Field(default="", description="User or CI actor.")
    at: StoredTime


class Sample(Document):
    """One side of a comparison. As earlier results decided when to stop, a sample with runs not made is biased: it is
    compared as if they had ended in the way that shows the least difference."""

    outcome: CaseOutcome
    runs_passed: Count
    runs_countable: Count
    runs_not_made: Count = 0
    runs_clean: Count | None = Field(
        default=None, description="Passed runs in which expectations with their own rate passed too."
    )
    own_rates: tuple[ExpectationRate, ...] = Field(default=(), description="Expectations with their own rate.")

    @property
    def is_known(self) -> bool:
        return self.runs_countable > 0


def outcome_change(before: str | None, now: str) -> Changed | None:
    """What happened between two outcomes; None if the later one is unknown and the earlier one is not."""
    if before is None:
        return "new"
    if now == CaseOutcome.UNKNOWN:
        return None
    if now == CaseOutcome.FAILED:
        return "still_failing" if before == now else "now_failing"
    return "now_passing" if before in (CaseOutcome.FAILED, CaseOutcome.UNKNOWN) else "unchanged"


class CaseResult(Document):
    case_id: str
    plan: str
    scenario: str
    target: str = Field(description="The author's alias.")
    tags: ListOf[str] = Field(default=[])
    action: Action
    reason: str = Field(description="Reason code of the action.")
    detail: str = ""
    carried_from: str | None = Field(default=None, description="The session that made reused or rechecked runs.")
    outcome: CaseOutcome
    outcome_reason: str = Field(default="", description="Why it did not simply pass, on one line.")
    quarantine: QuarantineDocument | None = Field(default=None, description="A failure is reported but not counted.")
    runs_required: Count = Field(description="Calls the plan asks for.")
    runs_passed: Count
    runs_total: Count = Field(description="All runs that count for the case.")
    runs_countable: Count | None = Field(default=None, description="Runs in its pass rate.")
    runs_under_way: Count = Field(default=0, description="Launched or unconfirmed runs that have not ended.")
    inconclusive_sessions: Count = Field(
        default=0,
        description="Sessions in a row whose calls all ended without a proper call, or reached another agent.",
    )
    pass_rate: Share | None = None
    interval: tuple[Share, Share] | None = None
    min_pass_rate: Share = 1.0
    expectations: ListOf[ExpectationRate] = Field(default=[])
    expected: ListOf[str] = Field(default=[], description="What the runs were judged by, one line each.")
    expectations_changed: bool = Field(default=False, description="Whether its calls were judged by others before.")
    compared: Compared = Field(
        description="suspected: it may have regressed. same: probably not. not_comparable: the sides have no "
        "common measure, because of `not_comparable` or because calls of one side decided nothing."
    )
    not_comparable: NotComparable | None = Field(
        default=None,
        description="Why a difference from the baseline says nothing about the agent. prompt, settings, "
        "expectations: changed since. judging: the same calls, judged differently. grader, judge: measured with "
        "another one. variant: no variant of the agent has runs on both sides. Null if the case can be compared.",
    )
    before: Sample | None = Field(
        default=None, description="The calls that counted before, as they were judged then; null without any."
    )
    baseline: Sample | None = Field(default=None, description="The earlier side of the comparison.")
    latest: Sample | None = Field(default=None, description="The later side: the new runs.")
    start_over: StartOverDocument | None = Field(
        default=None, description="Why its earlier runs do not count (`--start-over`)."
    )
    open_against: Sample | None = Field(
        default=None, description="What an unknown case will be compared with when it is called again."
    )
    probability_regressed: Share | None = Field(default=None, description="If at least 0.5.")
    usual: UsualCounts | None = Field(default=None, description="What it is compared with, if it (perhaps) regressed.")
    regressed_since: str | None = Field(
        default=None, description="The session in which it regressed, if that was an earlier one; nobody accepted it."
    )
    inputs: CaseInputs
    call_fingerprint: str
    check_fingerprint: str
    is_graded: bool = Field(default=False, description="Whether an expectation depends on the platform's grade.")
    judged_by: str | None = Field(
        default=None, description="The language model of `check: judge`, and the version of its prompt."
    )
    file: str = Field(default="", description="Plan file, relative to the working directory.")
    line: int = Field(default=0, description="Line of the scenario.")
    finding_lines: dict[str, int] = Field(default={}, description="Line of each expectation, by id.")
    runs: ListOf[JudgedRun] = Field(default=[])
    confirmation: ListOf[JudgedRun] = Field(
        default=[], description="Calls that were added to be sure that it regressed. They count for nothing else."
    )

    @property
    def all_runs(self) -> list[JudgedRun]:
        return [*self.runs, *self.confirmation]

    @property
    def calls_decide_nothing(self) -> bool:
        """Whether an undecided case is called again only if the user asks for it."""
        return self.outcome is CaseOutcome.UNKNOWN and self.inconclusive_sessions >= FRUITLESS_SESSIONS

    @property
    def carried_runs(self) -> list[JudgedRun]:
        """Runs of earlier sessions that count here."""
        return self.runs if self.action is not Action.CALL else [run for run in self.runs if run.pooled]

    @computed_field(description="The outcome against that of `before`; null if it is unknown.")
    @property
    def changed(self) -> Changed | None:
        return outcome_change(self.before.outcome if self.before else None, self.outcome)

    @property
    def counts(self) -> tuple[int, int]:
        """(passed runs, counted runs) of its pass rate."""
        return sum(run.cause is None for run in self.runs), sum(run.countable for run in self.runs)


class StatsDocument(Document):
    requests: Count = 0
    launches: Count = Field(default=0, description="POSTs accepted or adopted.")
    refused: Count = Field(default=0, description="429 answers.")
    wall_seconds: Amount = 0.0


class OpenLaunch(Document):
    """An unconfirmed launch."""

    launch_id: str
    cases: ListOf[str]
    reserved_cents: Total
    state: str
    detail: str = ""
    again_at: StoredTime | None = Field(
        default=None, description="It may be sent again from then on, if the service does not show it; null if never."
    )


class DroppedCase(Document):
    case_id: str
    reason: str


class PreviewDocument(Document):
    """A copy of an agent with the configuration of its file, which was called instead of the agent."""

    target: str = Field(description="The author's alias of the agent.")
    agent_id: ServiceId = Field(description="The agent that was copied.")
    preview_agent_id: ServiceId
    configuration: str = Field(description="Digest of the configuration that was called.")
    changes: ListOf[str] = Field(default=[], description="The fields that differ from the deployed agent.")


class RunResult(Document):
    schema_version: str = SCHEMA_VERSION
    tool_version: str
    outcome: PlanOutcome
    exit_code: int
    problems: ListOf[str] = Field(default=[], description="Other problems, one line each.")
    warnings: ListOf[str] = Field(default=[], description="Warnings about the called agents, one line each.")
    next_steps: ListOf[NextStep] = Field(default=[])
    session_id: str
    change_set_digest: str
    environment: str = ""
    sandbox: bool = False
    workflow: str = Field(default="", description="In GitHub Actions: the workflow and the ref that its file is from.")
    partial: bool = Field(default=False, description="Only some cases were selected.")
    left_out: Count = Field(default=0, description="Cases without today's results that `--rerun failed` left out.")
    finished: bool = Field(default=True, description="False: calls are missing or unconfirmed; never a baseline.")
    under_way: bool = Field(default=False, description="Written before the session ended, without its calls and costs.")
    started_at: StoredTime
    ended_at: StoredTime
    consent: ConsentDocument
    plans: ListOf[str] = Field(default=[])
    cases: ListOf[CaseResult]
    suite: SuiteDocument | None = Field(default=None, description="All cases with runs on both sides, as a whole.")
    dropped: ListOf[DroppedCase] = Field(default=[])
    start_over: StartOverDocument | None = Field(
        default=None, description="Why earlier runs are ignored (`--start-over`)."
    )
    open_launches: ListOf[OpenLaunch] = Field(default=[])
    previews: ListOf[PreviewDocument] = Field(default=[], description="Those that calls of this session reached.")
    agents: ListOf[AgentDocument] = Field(default=[], description="The agents with a file.")
    cost: CostDocument
    judge: JudgeDocument | None = Field(
        default=None, description="How well the judge agrees with people; null without labels."
    )
    stats: StatsDocument

    @computed_field
    @property
    def consents(self) -> ListOf[ConsentDocument]:
        """The agreements that `cost` is about; empty if nobody agreed or nothing was called."""
        return [self.consent] if self.consent.given and self.consent.id else []
