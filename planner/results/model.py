"""The results document: what an invocation found, the source of every report and the next baseline.

Fields are a contract (docs: `schemas/results.schema.json`): a minor version only adds some; a reader refuses a newer major.
The stored document keeps prompts and numbers as they are; `planner.reports.redaction` makes the one that others may see.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, Literal

from pydantic import Field

from planner.bounds import Amount, Cents, Count, ServiceId, Share, Total
from planner.evidence import CostBasis, Part
from planner.results.costs import CostDocument
from planner.results.document import Document

SCHEMA_VERSION = "1.0"

PlanOutcome = Literal["passed", "failed", "unknown", "refused", "interrupted"]
CaseOutcomeName = Literal["passed", "flaky", "failed", "unknown"]
RunOutcomeName = Literal["passed", "failed", "errored"]
Compared = Literal["regressed", "fixed", "same", "new", "gone", "not_enough_evidence"]
NotComparable = Literal["prompt", "settings", "expectations", "judge", "judging", "grader", "variant"]
Action = Literal["call", "recheck", "keep", "drop"]
FailOnName = Literal["failure", "regression"]


class QuoteDocument(Document):
    turn: int = Field(description="Number of the turn, from 1.")
    role: str = Field(description="agent, caller or tool.")
    start_ms: int | None = Field(description="From the start of the recording; null where the service did not say.")
    text: str


class FindingDocument(Document):
    expectation: str = Field(description="Id of the expectation.")
    check: str
    outcome: Literal["passed", "failed", "errored"]
    severity: Literal["critical", "error", "warning"]
    message: str
    quote: QuoteDocument | None = None


COUNTABLE: Final = (None, "agent", "author")
"""Whose fault a run may be that counts in its case's pass rate."""


class RunDocument(Document):
    run_id: ServiceId
    batch_id: ServiceId | None = None
    call_id: ServiceId | None = None
    outcome: RunOutcomeName
    fault: Literal["agent", "caller", "platform", "judge", "author"] | None = None
    reason: str = Field(default="", description="One line: why it did not pass.")
    fault_quote: QuoteDocument | None = Field(
        default=None, description="The turn that the fault rests on, where it is the test bot's."
    )
    cost_cents: Cents | None = Field(default=None, description="What was billed; null while unknown.")
    cost_basis: CostBasis | None = Field(
        default=None,
        description="Where the bill was read: the account's transactions, or the call's own bill. Null where there is none, where no"
        " call was made, and in results of older versions.",
    )
    duration_seconds: Amount | None = None
    latency_ms: Amount | None = Field(
        default=None, description="Median of the agent's response times on this call; null where none could be timed."
    )
    grade_score: Share | None = Field(default=None, description="The platform's grade, 0 to 1; null: there is none.")
    grader_model: str | None = Field(default=None, description="The platform's grader, where the service names it.")
    grader_version: str | None = None
    judge_model: str | None = Field(
        default=None,
        description="The edition of the language model that voted on this run (`check: judge`), as its endpoint names it.",
    )
    agent_variant_id: int | str | None = Field(
        default=None, description="The variant of the agent that took the call; null where the service does not say."
    )
    agent_variant_label: str | None = None
    service_estimate_cents: Cents | None = Field(
        default=None, description="What the service itself expected the run to cost, when it was launched."
    )
    adopted: bool = Field(default=False, description="Found again after its launch's answer was lost.")
    invocation_id: str = Field(default="", description="The invocation that launched it.")
    pooled: bool = Field(
        default=False, description="An earlier run that counts beside the new ones; it is not part of `latest`."
    )
    evidence: str | None = Field(default=None, description="Digest of the stored evidence.")
    completed_at: datetime | None = None
    missing: list[Part] = Field(
        default=[], description="What the service had not told when it was last asked; the next run asks again, free."
    )
    votes_missing: Count = Field(
        default=0, description="Votes of the language model that its findings lack; the next run asks for them."
    )
    findings: list[FindingDocument] = Field(default=[])

    @property
    def countable(self) -> bool:
        """Whether it counts in its case's pass rate: it says something about the agent."""
        return self.fault in COUNTABLE


class ExpectationRate(Document):
    """How often one expectation held."""

    expectation: str = Field(description="Its id.")
    check: str
    held: Count
    decided: Count = Field(description="Runs in which it could be decided; those without a proper call are left out.")
    min_pass_rate: Share | None = Field(
        default=None, description="Its own, where it has one: then it decides no run, and is counted over all of them."
    )


class RepeatedPass(Document):
    """pass^k: the chance that k calls of one case all pass, each with all that is expected of it."""

    k: Count
    cases: Count = Field(description="Cases with at least k countable runs.")
    rate: Share = Field(description="Mean over these cases; runs that were not needed count as failed.")


class SuiteDocument(Document):
    """All cases together that have runs of their own on both sides of the comparison."""

    cases: Count
    passed_before: Count
    runs_before: Count
    passed_now: Count
    runs_now: Count
    p_value: Share = Field(description="Chance of so large a shift were no rate changed; exact, two-sided.")
    compared: Literal["worse", "better", "not_enough_evidence"]


class CaseInputs(Document):
    """All that decides what a call will be."""

    prompt: str
    target_kind: Literal["agent", "phone_number"]
    target_id: ServiceId
    direction: str
    mode: str
    target_number: str | None = None
    agent_revision: str | None = Field(
        default=None, description="What the service said of the agent when it was called; null where unknown."
    )


class QuarantineDocument(Document):
    until: date = Field(description="Last day (UTC) on which failures do not count.")
    reason: str


class FreshDocument(Document):
    """The earlier runs of the cases that were called were set aside (`--fresh REASON`)."""

    reason: str
    by: str = Field(default="", description="User or CI actor.")
    at: datetime


class SampleDocument(Document):
    """One side of a comparison."""

    outcome: CaseOutcomeName
    runs_passed: Count
    runs_countable: Count
    runs_not_made: Count = 0
    runs_clean: Count | None = Field(
        default=None,
        description="Runs that passed and in which every expectation with a rate of its own held, too; null where none has.",
    )
    own_rates: list[ExpectationRate] = Field(default=[], description="Of expectations with a rate of their own.")


class CaseDocument(Document):
    case_id: str
    plan: str
    scenario: str
    target: str = Field(description="The author's alias.")
    tags: list[str] = Field(default=[])
    action: Action
    reason: str = Field(description="Reason code of the action.")
    detail: str = ""
    carried_from: str | None = Field(
        default=None, description="The invocation that made the runs of a kept or rechecked case."
    )
    outcome: CaseOutcomeName
    outcome_reason: str = Field(default="", description="One line: why it is not simply passed.")
    quarantine: QuarantineDocument | None = Field(
        default=None, description="In force when the case was judged: a failure is reported and not counted."
    )
    runs_required: Count = Field(description="Calls the plan asks for.")
    runs_passed: Count
    runs_total: Count = Field(description="All calls that stand as evidence of the case.")
    runs_countable: Count | None = Field(
        default=None, description="Calls that its pass rate is of; null in results of older versions."
    )
    runs_not_needed: Count = Field(
        default=0, description="Calls asked for and not made: the outcome no longer depended on them."
    )
    runs_under_way: Count = Field(default=0, description="Calls launched, or perhaps launched, that have not ended.")
    pass_rate: Share | None = None
    interval: tuple[Share, Share] | None = None
    min_pass_rate: Share = 1.0
    more_runs: Count | None = Field(
        default=None,
        description="Calls more that would probably decide a case left open by `confidence`; null where that is not so.",
    )
    more_runs_cents: Total | None = Field(default=None, description="About what they would cost; null while unknown.")
    expectations: list[ExpectationRate] = Field(default=[])
    compared: Compared
    not_comparable: NotComparable | None = Field(
        default=None,
        description="Why a difference to the baseline says nothing about the agent. prompt, settings, expectations: changed since."
        " judging: the same calls, judged otherwise. grader, judge: measured with another one. variant: no variant of the agent has runs"
        " on both sides. Null where the case may be compared.",
    )
    before: SampleDocument | None = Field(
        default=None, description="The earlier side of the comparison; null where there is none."
    )
    latest: SampleDocument | None = Field(
        default=None,
        description="The later side of the comparison: the new runs, without those of `before`. Null where nothing was compared.",
    )
    set_aside: SampleDocument | None = Field(
        default=None,
        description="Earlier runs of a case that failed or was undecided and that no longer count: the new runs differ from them beyond"
        " chance (1 %).",
    )
    fresh: FreshDocument | None = Field(
        default=None, description="Why its earlier runs do not count (`--fresh`); null where they do."
    )
    open_against: SampleDocument | None = Field(
        default=None,
        description="Of a case that is unknown: what it is compared with once it is called on. Null where with its own calls.",
    )
    p_value: Share | None = Field(
        default=None,
        description="Of the difference to the baseline, this case on its own; null where there is no other sample.",
    )
    failing_since: str | None = Field(
        default=None,
        description="Of a case that fails as it did before: the invocation that found it failing first.",
    )
    inputs: CaseInputs
    call_fingerprint: str
    check_fingerprint: str
    is_graded: bool = Field(default=False, description="Whether an expectation rests on the platform's grade.")
    judged_by: str | None = Field(
        default=None,
        description="The language model whose votes (check: judge) it rests on, and the version of what that is asked.",
    )
    file: str = Field(default="", description="Plan file, relative to the working directory.")
    line: int = Field(default=0, description="Line of the scenario.")
    finding_lines: dict[str, int] = Field(default={}, description="Line of each expectation, by id.")
    runs: list[RunDocument] = Field(default=[])

    @property
    def carried_runs(self) -> list[RunDocument]:
        """Runs that earlier sessions made and paid for, and that count here."""
        return self.runs if self.action != "call" else [run for run in self.runs if run.pooled]

    @property
    def own_runs(self) -> list[RunDocument]:
        """Runs that were called for."""
        return [] if self.action != "call" else [run for run in self.runs if not run.pooled]

    @property
    def counts(self) -> tuple[int, int]:
        """(runs that passed, runs that count), as its pass rate has them."""
        passed = sum(run.fault is None for run in self.runs)
        return passed, sum(run.countable or (run.fault == "platform" and self.counts_platform) for run in self.runs)

    @property
    def counts_platform(self) -> bool:
        """Whether failures of the platform count, too (`platform_failures: fail`): then its pass rate is of more runs than speak of the
        agent."""
        countable = sum(run.countable for run in self.runs)
        told = self.runs_countable
        if told is None and self.pass_rate:  # of an older version
            told = round(self.runs_passed / self.pass_rate)
        return told is not None and countable < told <= len(self.runs)


class ConsentDocument(Document):
    given: bool
    by: str = Field(default="", description="User or CI actor.")
    at: datetime | None = None
    digest: str = ""
    max_cost_cents: Total | None = None


class StatsDocument(Document):
    requests: Count = 0
    launches: Count = Field(default=0, description="POSTs accepted or adopted.")
    refused: Count = Field(default=0, description="429 answers.")
    wall_seconds: Amount = 0.0


class OpenLaunch(Document):
    """A launch whose fate is unknown."""

    launch_id: str
    cases: list[str]
    reserved_cents: Total
    state: str
    detail: str = ""


class DroppedCase(Document):
    case_id: str
    reason: str


class RunResult(Document):
    schema_version: str = SCHEMA_VERSION
    tool_version: str
    outcome: PlanOutcome
    exit_code: int
    problems: list[str] = Field(
        default=[], description="What else holds, one line each: ceilings, service trouble, interruption."
    )
    warnings: list[str] = Field(
        default=[],
        description="What to know about the agents that were called, one line each; no outcome depends on it.",
    )
    next_steps: list[str] = Field(default=[], description="How to go on, one line each.")
    invocation_id: str
    change_set_digest: str
    environment: str = ""
    sandbox: bool = False
    partial: bool = Field(default=False, description="Only some cases were selected.")
    finished: bool = Field(
        default=True,
        description="False: interrupted, over a ceiling or with launches of unknown fate; never a baseline.",
    )
    under_way: bool = Field(
        default=False,
        description="Written before it ended; one that was killed leaves it so. What it called and paid is not in here.",
    )
    started_at: datetime
    ended_at: datetime
    consent: ConsentDocument
    plans: list[str] = Field(default=[])
    cases: list[CaseDocument]
    suite: SuiteDocument | None = Field(
        default=None, description="All cases with runs on both sides of their comparison, as a whole."
    )
    fail_on: list[FailOnName] = Field(
        default=["failure"], description="What makes the outcome `failed` and the exit code 1 (`--fail-on`)."
    )
    repeated: list[RepeatedPass] = Field(default=[], description="pass^k over all cases, where runs repeat.")
    dropped: list[DroppedCase] = Field(default=[])
    fresh: FreshDocument | None = Field(
        default=None, description="That earlier runs of the cases called were set aside, who said so and when."
    )
    open_launches: list[OpenLaunch] = Field(default=[])
    cost: CostDocument
    stats: StatsDocument
