"""The change set: what to do with each case and why, its price, and consent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import field
from enum import Enum
from typing import Final

from planner.planfile.model import Case
from planner.results.model import CaseInputs, CaseResult, StartOverDocument
from planner.results.outcomes import Action
from planner.values import frozen


@frozen
class PlanVotes:
    """Costs of one plan's judge calls, in millionths of a cent."""

    expected: int = 0
    high: int = 0


MICROCENTS = 1_000_000
"""Microcents per cent."""


@frozen
class VoteEstimate:
    """`votes` are requested, each in a judge call; `stored` earlier votes are reused. A self-hosted model may be
    free."""

    model: str
    votes: int
    stored: int
    free: bool
    by_plan: Mapping[str, PlanVotes] = field(default_factory=dict[str, PlanVotes])
    """The votes on labels are of no plan ("")."""
    checks: int = 0
    """Judge calls about labels, which check the judge itself."""

    @property
    def charged(self) -> bool:
        """Whether these judge calls cost money."""
        return self.votes > 0 and not self.free

    @property
    def expected_cents(self) -> int:
        return whole_cents(sum(plan.expected for plan in self.by_plan.values()))

    @property
    def high_cents(self) -> int:
        return whole_cents(sum(plan.high for plan in self.by_plan.values()))

    def weight_cents(self, plan: str | None) -> int:
        """Expected cost for one plan, or for all (None)."""
        plans = self.by_plan.values() if plan is None else [self.by_plan.get(plan, PlanVotes())]
        return whole_cents(sum(votes.expected for votes in plans))


@frozen
class JudgeSpending:
    """What judge calls cost, in millionths of a cent. `reserved` may have been charged; `by_plan` has both."""

    spent: int = 0
    reserved: int = 0
    by_plan: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def spent_cents(self) -> int:
        return whole_cents(self.spent)

    @property
    def reserved_cents(self) -> int:
        """In addition to the whole cents that are spent."""
        return self.committed_cents(None) - self.spent_cents

    def committed(self, plan: str | None) -> int:
        """For one plan, or for all (None)."""
        return self.spent + self.reserved if plan is None else self.by_plan.get(plan, 0)

    def committed_cents(self, plan: str | None) -> int:
        return whole_cents(self.committed(plan))


NOTHING_JUDGED: Final = JudgeSpending()


def whole_cents(microcents: int) -> int:
    """Rounded up."""
    return -(-microcents // MICROCENTS)


class Reason(Enum):
    """Stable codes of the JSON documents; `label` is for people."""

    NEW = "new"
    CALLER_PROMPT_CHANGED = "caller_prompt_changed"
    SETTINGS_CHANGED = "settings_changed"
    AGENT_EDITED = "agent_edited"
    """At the service."""
    AGENT_FILE_CHANGED = "agent_file_changed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    UNREAD = "unread"
    """The service lacked a part of the evidence: it is read again, free."""
    RUNS_RAISED = "runs_raised"
    EXPIRED = "expired"
    RERUN = "rerun"
    """`--rerun all`."""
    OFFLINE = "offline"
    """`--offline`: stored calls, judged whatever has changed since."""
    START_OVER = "start_over"
    """`--start-over`: its earlier runs do not count."""
    EXPECTATIONS_CHANGED = "expectations_changed"
    JUDGE_CHANGED = "judge_changed"
    """The judge's language model, or how it is asked, differs from the stored verdict's."""
    CALLED_BEFORE = "called_before"
    """The same call was made before and passed: a change was reverted, or made on another branch."""
    RENAMED = "renamed"
    SHARED = "shared"
    """Another case made the same call."""
    KNOWN_FAILING = "known_failing"
    """In a pull request: the same call already fails on the base branch."""
    PASSED = "passed"
    NOT_SELECTED = "not_selected"
    """`--rerun failed`: it passed or is new."""
    LEFT_TO_BASE = "left_to_base"
    """In a pull request that does not touch the case: the base branch calls it."""
    NO_LONGER_IN_PLAN = "no_longer_in_plan"
    UNREADABLE = "unreadable"
    """A file of its earlier calls is damaged: they may have been paid for, so they are not made again."""

    @property
    def label(self) -> str:
        return _LABELS.get(self, self.value.replace("_", " "))


_LABELS = {
    Reason.AGENT_EDITED: "agent edited at the service",
    Reason.AGENT_FILE_CHANGED: "agent changed (file)",
    Reason.FAILED: "failed before",
    Reason.INCONCLUSIVE: "inconclusive before",
    Reason.UNREAD: "evidence missing",
    Reason.RERUN: "--rerun all",
    Reason.OFFLINE: "--offline",
    Reason.START_OVER: "started over",
    Reason.SHARED: "another case made the same call",
    Reason.KNOWN_FAILING: "already failing on the base branch",
    Reason.NOT_SELECTED: "not selected",
    Reason.LEFT_TO_BASE: "left to the base branch",
    Reason.NO_LONGER_IN_PLAN: "no longer in the plan",
    Reason.UNREADABLE: "earlier calls cannot be read",
}


UNDECIDED: Final = frozenset({Reason.INCONCLUSIVE, Reason.UNREAD})
"""Of a case that is rechecked because it could not be decided."""


@frozen
class Change:
    """What to do with one case.

    `case` is None only for `DROP`. `prior` is the stored case, with another id if renamed. `runs` is the number of
    calls to make; the prior runs in `kept_run_ids` count together with them.
    """

    case_id: str
    action: Action
    reason: Reason
    runs: int
    detail: str
    case: Case | None
    prior: CaseResult | None
    inputs: CaseInputs | None
    call_fingerprint: str
    check_fingerprint: str
    kept_run_ids: tuple[int, ...] = ()
    judge: str | None = None
    """The language model for `check: judge` and how it is asked; None if the case uses none."""
    compared_with: CaseResult | None = None
    """The baseline's case, if `prior` is not it: older calls that are reused (`CALLED_BEFORE`), or those of a partial
    session that is retried."""
    start_over: StartOverDocument | None = None
    """Why the earlier runs of a called case are discarded; None if they count."""
    shares: str = ""
    """The case that makes the calls of this one, since they are the same; "" if it makes its own."""
    shared_by: tuple[str, ...] = ()
    """The cases that share its calls."""
    shared_runs: int = 0
    """If it shares calls: how many calls are made for all of these cases. `runs` is what this one needs."""

    @property
    def calls(self) -> int:
        """How many calls are made and paid for this case, with those that share them."""
        return 0 if self.shares else self.shared_runs or self.runs

    @property
    def payer(self) -> str:
        """The case that makes its calls."""
        return self.shares or self.case_id

    @property
    def is_retry(self) -> bool:
        """Whether the new runs repeat a failed or undecided case and count together with the kept ones."""
        if self.action is not Action.CALL or not self.kept_run_ids or self.case is None:
            return False
        if self.reason is Reason.FAILED:
            return True
        return self.reason is Reason.INCONCLUSIVE and self.runs >= self.case.runs

    @property
    def renamed_from(self) -> str | None:
        """The id of the case whose runs count for this one, if it is another."""
        return None if self.prior is None or self.prior.case_id == self.case_id else self.prior.case_id

    @property
    def is_judged_alike(self) -> bool:
        """Whether today's expectations, and today's judge, gave the verdicts of `prior`."""
        if self.prior is None or self.prior.check_fingerprint != self.check_fingerprint:
            return False
        return self.judge is None or self.prior.judged_by in (None, self.judge)


def calls_left(changes: Iterable[Change], made: Mapping[str, int]) -> dict[str, int]:
    """The calls that are left to make, by case id."""
    called = (change for change in changes if change.action is Action.CALL)
    left = {change.case_id: change.calls - made.get(change.case_id, 0) for change in called}
    return {case_id: calls for case_id, calls in left.items() if calls > 0}


class Source(Enum):
    """Source of a price, best first."""

    CASE = "case"
    SCENARIO = "scenario"
    TARGET = "target"
    PRODUCT = "product"
    RATE = "rate"
    """The product's rate, and an assumed length."""
    UNKNOWN = "unknown"

    @property
    def is_history(self) -> bool:
        return self not in (Source.RATE, Source.UNKNOWN)

    @property
    def phrase(self) -> str:
        return "the same product" if self is Source.PRODUCT else f"these {self.value}s"


@frozen
class CasePrice:
    """Price per call of one case, in cents; None if unknown."""

    expected_cents: float | None
    low_cents: float | None
    high_cents: int | None
    expected_seconds: float | None
    basis: str
    source: Source


@frozen
class Estimate:
    """Cost of the remaining calls. Totals are None if any call's price is unknown."""

    calls: int
    expected_cents: int | None
    low_cents: int | None
    high_cents: int | None
    basis: str
    expected_seconds: float = 0.0
    """How long the calls take, `at_once` at the same time."""
    at_once: int = 0


@frozen
class ChangeSet:
    """`digest` covers what may be charged and what is expected, but not agent revisions or prices
    (`change_set_digest`). It is the consented set's digest if these calls are a subset of that."""

    digest: str
    changes: tuple[Change, ...]
    estimate: Estimate
    prices: dict[str, CasePrice]
    """By case id, for every case to call."""
    votes: VoteEstimate | None = None
    """The judge calls; None if no expectation uses a judge, or the cost was not estimated."""
    times_made: int = 0
    """How often exactly these calls were made before, each time under a consent of its own."""
    of_sandbox: bool = False
    confirmations: int = 0
    """How many calls may be added to be sure that cases regressed (`policy.confirm`). Only the high estimate has
    them."""

    @property
    def coverage(self) -> dict[Source, int]:
        """Number of cases to call by source of their price."""
        counted = Counter(price.source for price in self.prices.values())
        return {source: counted[source] for source in Source}

    @property
    def payers(self) -> tuple[Change, ...]:
        """The cases that make calls; others share them."""
        return tuple(change for change in self.with_action(Action.CALL) if not change.shares)

    def sharing(self, payer: Change) -> tuple[Change, ...]:
        """The cases that share calls, the one that makes them first."""
        by_id = {change.case_id: change for change in self.changes} if payer.shared_by else {}
        return (payer, *(by_id[case_id] for case_id in payer.shared_by))

    @property
    def called_cases(self) -> tuple[Case, ...]:
        return tuple(change.case for change in self.with_action(Action.CALL) if change.case is not None)

    def with_action(self, action: Action) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.action is action)
